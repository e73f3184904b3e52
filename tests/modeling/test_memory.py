import json
from pathlib import Path

import pytest
import torch
from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs
from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

from modeling.memory import ModelSize, estimate_memory, measure_model
from modeling.spinegpt import load_model, set_trainable

# Qwen2.5-VL-7B in bf16: 8.29 billion parameters, the largest layer its 152,064 x 3,584 embeddings.
PARAMETERS, LAYER = 8_292_166_656, 544_997_376
WHOLE = ModelSize(2 * PARAMETERS, PARAMETERS, 2 * PARAMETERS, 2 * LAYER)


def totals(estimate):
    return sum(estimate.device.values()), sum(estimate.host.values())


def test_full_training_is_counted_as_deepspeeds_estimators_count_it():
    for ranks in (1, 8):
        needs = {"num_gpus_per_node": ranks, "additional_buffer_factor": 1}
        _, device = estimate_zero2_model_states_mem_needs(PARAMETERS, cpu_offload=False, **needs)
        assert totals(estimate_memory(WHOLE, zero_stage=2, ranks=ranks))[0] == pytest.approx(device, abs=ranks)
        _, device, _ = estimate_zero3_model_states_mem_needs(PARAMETERS, LAYER, cpu_offload=False, **needs)
        assert totals(estimate_memory(WHOLE, zero_stage=3, ranks=ranks))[0] == pytest.approx(device, abs=ranks)
        host, device, _ = estimate_zero3_model_states_mem_needs(PARAMETERS, LAYER, **needs)
        offloaded = totals(estimate_memory(WHOLE, zero_stage=3, ranks=ranks, offload_parameters=True, offload_optimizer=True))
        assert offloaded == (pytest.approx(device), pytest.approx(host / ranks, abs=ranks))
        host, device, _ = estimate_zero3_model_states_mem_needs(PARAMETERS, LAYER, cpu_offload_params=False, **needs)
        offloaded = totals(estimate_memory(WHOLE, zero_stage=3, ranks=ranks, offload_optimizer=True))
        assert offloaded == (pytest.approx(device, abs=ranks), pytest.approx(host / ranks, abs=ranks))


def test_frozen_parameters_have_no_gradients_and_no_states():
    size = ModelSize(weight_bytes=2000, trainable=100, trainable_bytes=200, largest_layer_bytes=400)
    assert estimate_memory(size).device == {"weights": 2000, "gradients": 200, "optimizer": 400}
    assert estimate_memory(size, zero_stage=2, ranks=2).device == {"weights": 2000, "gradients": 300, "optimizer": 600}


def test_the_estimate_without_an_engine_is_what_a_step_allocates(tiny):
    model = load_model(tiny)
    set_trainable(model, vision_tower=False)
    held = estimate_memory(measure_model(model)).device
    optimizer = torch.optim.AdamW([parameter for parameter in model.parameters() if parameter.requires_grad])
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    states = [state[name] for state in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    for name, tensors in (("weights", list(model.parameters())), ("gradients", gradients), ("optimizer", states)):
        assert held[name] == sum(tensor.nbytes for tensor in tensors)


@pytest.mark.slow
def test_two_ranks_of_the_bf16_engine_hold_what_the_estimate_says(launch, tiny, tmp_path):
    worker = Path(__file__).parents[1] / "support" / "memory_worker.py"
    launch([str(worker), str(tiny), str(tmp_path / "held.json"), "2", "3"])
    told = json.loads((tmp_path / "held.json").read_text())
    for level, held in told.items():
        size = ModelSize(*held["size"])
        estimate = estimate_memory(size, zero_stage=int(level), ranks=2).device
        assert held["weights"] == estimate["weights"] and held["optimizer"] == estimate["optimizer"], level
        # The bf16 share; while the optimizer steps it is there in float32, too.
        assert held["gradients"] == size.trainable_bytes // 2 <= estimate["gradients"]
    assert told["2"]["weights"] == 2 * told["3"]["weights"]


def test_the_7b_takes_what_the_bf16_engine_holds_whatever_it_was_loaded_in():
    """32.8 GiB a rank of 8 under ZeRO-2, 15.4 of them weights: float32 ones would be 30.9."""
    with torch.device("meta"):
        linear = torch.nn.Linear(PARAMETERS // 1024, 1024, bias=False)
    size = measure_model(linear, engine_bf16=True)
    assert measure_model(linear).weight_bytes == 2 * size.weight_bytes
    assert str(estimate_memory(size, zero_stage=2, ranks=8)).startswith("32.8 GiB on the device (weights 15.4 GiB,")


def test_it_reads_in_fitting_units():
    assert str(estimate_memory(ModelSize(2**20, 2**18, 2**20, 2**19))) == (
        "4.0 MiB on the device (weights 1.0 MiB, gradients 1.0 MiB, optimizer 2.0 MiB)"
    )
    offloaded = estimate_memory(WHOLE, zero_stage=3, ranks=8, offload_parameters=True, offload_optimizer=True)
    assert str(offloaded) == (
        "2.0 GiB on the device (largest layer 2.0 GiB); 17.4 GiB in the machine's memory"
        " (weights 1.9 GiB, gradients 3.9 GiB, optimizer 11.6 GiB)"
    )
