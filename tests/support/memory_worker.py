"""Bytes that DeepSpeed holds on each rank, a script for forked_ranks: memory_worker.py MODEL OUTPUT ZERO_LEVEL...

For each level the model in MODEL, its vision tower frozen, trains for a step in bf16; rank 0 writes its bytes to OUTPUT (JSON).
"""

import json
import sys
from pathlib import Path

import deepspeed
import torch

from modeling.memory import measure_model
from modeling.spinegpt import load_model, set_trainable


def held_after_a_step(model: str, level: int) -> dict[str, int]:
    tiny = load_model(model)  # float32: the engine casts it
    set_trainable(tiny, vision_tower=False)
    size = measure_model(tiny, engine_bf16=True)
    trained = [parameter for parameter in tiny.parameters() if parameter.requires_grad]
    engine, optimizer, _, _ = deepspeed.initialize(
        model=tiny,
        optimizer=torch.optim.AdamW(trained),
        config={
            "train_micro_batch_size_per_gpu": 1,
            "bf16": {"enabled": True},
            "zero_optimization": {"stage": level, "stage3_param_persistence_threshold": 0},
            "zero_allow_untested_optimizer": True,
            "zero_force_ds_cpu_optimizer": False,
        },
    )
    ids = torch.arange(8).unsqueeze(0)
    engine.backward(engine(input_ids=ids, labels=ids).loss)
    averaged = optimizer.averaged_gradients
    gradients = [gradient for group in averaged.values() for gradient in group if gradient is not None]
    engine.step()
    masters = optimizer.fp32_partitioned_groups_flat if level == 3 else optimizer.single_partition_of_fp32_groups
    moments = [state[name] for state in optimizer.optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    weights = [parameter.ds_tensor if level == 3 else parameter for parameter in engine.module.parameters()]
    return {
        "weights": sum(tensor.nbytes for tensor in weights),
        "gradients": sum(tensor.nbytes for tensor in gradients),
        "optimizer": sum(tensor.nbytes for tensor in [*masters, *moments]),
        "size": [size.weight_bytes, size.trainable, size.trainable_bytes, size.largest_layer_bytes],
    }


if __name__ == "__main__":
    deepspeed.init_distributed("gloo")
    told = {level: held_after_a_step(sys.argv[1], int(level)) for level in sys.argv[3:]}
    if torch.distributed.get_rank() == 0:
        Path(sys.argv[2]).write_text(json.dumps(told))
