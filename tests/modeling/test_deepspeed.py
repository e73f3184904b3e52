"""Stages 2 and 3 on the real DeepSpeed engine: two CPU ranks over gloo, tiny model, mixed text and image rows."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from accelerate.utils import DistributedType
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from modeling.arguments import parse_stage
from modeling.curriculum import parse_sources, prepare_stage
from modeling.host import checkpoint_bytes
from modeling.memory import ModelSize
from modeling.output import SUMMARY
from modeling.samples import answer
from modeling.spinegpt import load_model, load_processor
from tests.support.benchmark_items import write_benchmark
from tests.support.weights import saved_names

REPO = Path(__file__).parents[2]
STEPS = 4
SAVED_AT = 2
OPTIONS = {
    "packing": False, "gradient_accumulation_steps": 2, "max_steps": STEPS, "save_steps": SAVED_AT, "logging_steps": 1,
    "learning_rate": 1e-2, "loss_samples": 8, "disable_tqdm": True, "sample_generations": 2, "sample_max_new_tokens": 4,
}  # fmt: skip


def command(recipe, dataset, model, output, **options):
    options = {**OPTIONS, "dataset": dataset, "model_name_or_path": model, "output_dir": output, **options}
    return [
        str(REPO / "recipes" / f"{recipe}.py"),
        *(text for name, value in options.items() if value is not None for text in (f"--{name}", str(value))),
    ]


def engine_config(name, folder):
    """The shipped configuration with torch's AdamW, as DeepSpeed's own for CPUs compiles for a minute at its first use."""
    config = json.loads((REPO / "accelerate_configs" / f"{name}.json").read_text())
    path = folder / f"{name}.json"
    path.write_text(json.dumps({**config, "zero_force_ds_cpu_optimizer": False}))
    return path


def losses(output):
    history = json.loads((output / "trainer_state.json").read_text())["log_history"]
    return [entry["loss"] for entry in history if "loss" in entry]


def assert_same_run(straight, other):
    expected, got = load_file(straight / "model.safetensors"), load_file(other / "model.safetensors")
    assert expected.keys() == got.keys() and all(torch.equal(expected[name], got[name]) for name in expected)
    assert losses(straight) == losses(other) and len(losses(other)) == STEPS
    assert json.loads((straight / SUMMARY).read_text())["loss"] == json.loads((other / SUMMARY).read_text())["loss"]


def assert_loads(output, start):
    """Gathered weights: every parameter is in the safetensors, whole, and plain from_pretrained finds nothing missing.

    They bear the names of the model that the run started from, also in the checkpoints.
    """
    for folder in (output, output / f"checkpoint-{SAVED_AT}"):
        assert saved_names(folder) == saved_names(start)
    model, report = AutoModelForImageTextToText.from_pretrained(output, output_loading_info=True)
    assert not any(report.values()), report
    weights = load_file(output / "model.safetensors")
    assert sum(weight.numel() for weight in weights.values()) == model.num_parameters()
    return model.num_parameters()


def assert_partitioned_optimizer(checkpoint, parameters):
    """Each rank's file holds float32 masters and two moments of its half of the parameters: 12 bytes each."""
    files = sorted((checkpoint / f"global_step{checkpoint.name.rpartition('-')[2]}").glob("*_optim_states.pt"))
    assert [re.search(r"rank_(\d)", file.name).group(1) for file in files] == ["0", "1"]
    for file in files:
        assert 12 * parameters / 2 <= file.stat().st_size < 12 * parameters / 2 * 1.3
    size = ModelSize(4 * parameters, parameters, 4 * parameters, 0)
    level = json.loads((checkpoint.parent / SUMMARY).read_text())["engine"]["zero_stage"]
    weights = [file for file in checkpoint.rglob("*") if file.suffix in (".pt", ".safetensors")]
    assert sum(file.stat().st_size for file in weights) == pytest.approx(checkpoint_bytes(size, zero_stage=level), rel=0.03)
    assert not (checkpoint / "optimizer.pt").exists()


@pytest.mark.slow
def test_zero2_trains_as_one_process_does_and_resumes_exactly(launch, synthetic_dataset, tiny, tmp_path):
    config = engine_config("ds_zero2", tmp_path)
    straight, resumed, single = (tmp_path / name for name in ("straight", "resumed", "single"))
    launch(command("stage2", synthetic_dataset, tiny, straight, deepspeed=config))
    summary = json.loads((straight / SUMMARY).read_text())
    assert summary["engine"] == {
        "engine": "DeepSpeedEngine", "optimizer": "DeepSpeedZeroOptimizer", "zero_stage": 2, "ranks": 2
    }  # fmt: skip
    assert_partitioned_optimizer(straight / f"checkpoint-{SAVED_AT}", assert_loads(straight, tiny))
    assert summary["loss"]["trained"] < summary["loss"]["start_model"] - 0.5

    shutil.copytree(straight / f"checkpoint-{SAVED_AT}", resumed / f"checkpoint-{SAVED_AT}")
    launch(command("stage2", synthetic_dataset, tiny, resumed, deepspeed=config, resume_from_checkpoint="latest"))
    assert_same_run(straight, resumed)

    # The same four samples a step without any engine: accumulation, sharding and loss scaling give the same curve.
    launch(command("stage2", synthetic_dataset, tiny, single, gradient_accumulation_steps=4), ranks=1)
    assert losses(single) == pytest.approx(losses(straight), rel=1e-5)


@pytest.mark.slow
def test_two_ranks_share_the_packs_of_a_step_as_one_process_computes_them(launch, synthetic_dataset, tiny, tmp_path):
    config = engine_config("ds_zero2", tmp_path)
    options = {"packing": True, "gradient_accumulation_steps": None, "max_steps": 4, "save_steps": 2, "pack_tokens": 4096}
    printed = launch(
        command("stage2", synthetic_dataset, tiny, tmp_path / "two", deepspeed=config, samples_a_step=48, **options)
    )
    assert re.search(r"samples a step +48\.0 on average; ranks busy (0\.9[5-9]|1\.00)", printed)
    launch(command("stage2", synthetic_dataset, tiny, tmp_path / "one", samples_a_step=48, **options), ranks=1)
    # All 48 samples are in each step: dealt to one rank in two packs or to two ranks in one each, the loss is the same.
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)


@pytest.mark.slow
def test_zero3_with_offload_trains_gathers_and_resumes_exactly(launch, synthetic_dataset, tiny, tmp_path):
    config = engine_config("ds_zero3_offload", tmp_path)
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    printed = launch(command("stage3", synthetic_dataset, tiny, straight, deepspeed=config, untrained_model=tiny))
    summary = json.loads((straight / SUMMARY).read_text())
    assert summary["engine"] == {
        "engine": "DeepSpeedEngine", "optimizer": "DeepSpeedZeroOptimizer_Stage3", "zero_stage": 3, "ranks": 2
    }  # fmt: skip
    parameters = assert_loads(straight, tiny)
    assert_partitioned_optimizer(straight / f"checkpoint-{SAVED_AT}", parameters)
    # The loss before is taken through the engine, whose weights are partitioned, and is the whole model's.
    assert summary["loss"]["start_model"] == pytest.approx(summary["loss"]["untrained_model"], rel=1e-5)
    assert summary["loss"]["trained"] < summary["loss"]["start_model"] - 0.5
    assert (
        "DeepSpeed ZeRO-3, weights and optimizer offloaded, ranks 2" in printed
        and "MiB in the machine's memory (weights " in printed
    )
    total = int(re.search(r"language model +([\d,]+) of", printed).group(1).replace(",", ""))
    assert parameters / 2 < total < parameters
    # Partitioned weights are gathered to answer, too: the answers are those of the gathered model.
    told = [json.loads(line) for line in (straight / "samples" / f"step-{STEPS:06d}.jsonl").read_text().splitlines()]
    data = prepare_stage(
        parse_sources([{"dataset": str(synthetic_dataset), "config": "spine"}]), load_processor(tiny), max_length=2048
    )
    rows = [next(row for row in data.rows if row["id"] == sample["id"]) for sample in told]
    said = answer(load_model(straight), rows, load_processor(tiny), OPTIONS["sample_max_new_tokens"])
    assert [sample.generation for sample in said] == [sample["generation"] for sample in told] and len(told) == 2

    shutil.copytree(straight / f"checkpoint-{SAVED_AT}", resumed / f"checkpoint-{SAVED_AT}")
    launch(
        command(
            "stage3", synthetic_dataset, tiny, resumed, deepspeed=config, untrained_model=tiny, resume_from_checkpoint="latest"
        )
    )
    assert_same_run(straight, resumed)


@pytest.mark.slow
def test_a_tied_qwen3_trains_under_zero3_and_keeps_its_names(launch, synthetic_dataset, tiny_qwen3, tmp_path):
    config = engine_config("ds_zero3", tmp_path)
    few = {"max_steps": 2, "save_steps": 2, "eval_steps": 1, "loss_samples": 2, "sample_generations": 0}
    few |= {"benchmark": write_benchmark(tmp_path / "spinebench"), "benchmark_items": 2}
    launch(
        command("stage3", synthetic_dataset, tiny_qwen3, tmp_path / "out", deepspeed=config, untrained_model=tiny_qwen3, **few)
    )
    loss = json.loads((tmp_path / "out" / SUMMARY).read_text())["loss"]
    assert loss["start_model"] == pytest.approx(loss["untrained_model"], rel=1e-5) and loss["trained"] < loss["start_model"]
    history = json.loads((tmp_path / "out" / "trainer_state.json").read_text())["log_history"]
    assert [entry["step"] for entry in history if "eval_spinebench_accuracy" in entry] == [0, 1, 2]
    for folder in (tmp_path / "out", tmp_path / "out" / "checkpoint-2"):
        assert saved_names(folder) == saved_names(tiny_qwen3)
    trained, report = AutoModelForImageTextToText.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(report.values()) and trained.lm_head.weight is trained.get_input_embeddings().weight


@pytest.mark.slow
def test_lora_under_zero3_is_lora_under_zero2(launch, synthetic_dataset, tiny, tmp_path):
    few = {"use_peft": True, "max_steps": 3, "loss_samples": 2, "sample_generations": 0}
    for name in ("ds_zero2", "ds_zero3"):
        config = engine_config(name, tmp_path)
        launch(command("stage2", synthetic_dataset, tiny, tmp_path / f"{name}-out", deepspeed=config, **few))
    zero2, zero3 = (tmp_path / f"{name}-out" for name in ("ds_zero2", "ds_zero3"))
    assert losses(zero3) == pytest.approx(losses(zero2), rel=1e-6) and len(losses(zero3)) == 3
    expected, got = load_file(zero2 / "model.safetensors"), load_file(zero3 / "model.safetensors")
    assert expected.keys() == got.keys() == load_file(tiny / "model.safetensors").keys()
    assert all(torch.allclose(expected[name], got[name], rtol=0, atol=1e-6) for name in expected)


def test_ranks_that_accelerate_would_not_join_are_refused(launch, synthetic_dataset, tiny, tmp_path):
    """Beside no accelerator's backend accelerate says that each rank is alone: both would train on the same rows."""
    arguments = command("stage2", synthetic_dataset, tiny, tmp_path, deepspeed=engine_config("ds_zero2", tmp_path))
    with pytest.raises(AssertionError, match=r"ValueError: deepspeed: asked for .* \(here 2\)"):
        launch(arguments, joined=False)


def test_an_engine_is_refused_with_use_cpu(tmp_path, monkeypatch):
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "1")):  # else parse_stage sets them, for other tests too
        monkeypatch.setenv(name, value)
    config = REPO / "accelerate_configs" / "ds_zero3.json"
    with pytest.raises(ValueError, match="deepspeed: asked for"):
        parse_stage(
            REPO / "recipes" / "stage3.yaml", ["--output_dir", str(tmp_path), "--deepspeed", str(config), "--use_cpu", "true"]
        )


def test_on_a_cpu_the_recipes_own_deepspeed_is_left_out(tmp_path):
    _, _, training = parse_stage(REPO / "recipes" / "stage3.yaml", ["--output_dir", str(tmp_path)])
    assert training.deepspeed_plugin is None and training.distributed_state.distributed_type is DistributedType.NO
