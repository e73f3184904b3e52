import json
import os
import re
import resource
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file, save_file
from trl import ModelConfig

from modeling.arguments import fitting_dtype, parse_stage
from modeling.collator import Collator
from modeling.curriculum import Source, prepare_stage
from modeling.output import SUMMARY, last_checkpoint
from modeling.pixels import normalised
from modeling.sft import StageTrainer, dataset_loss
from modeling.spinegpt import load_model, load_processor
from modeling.stage import run_grpo, run_stage
from tests.support.processes import kill, start

RECIPES = Path(__file__).parents[2] / "recipes"


def arguments(dataset, model, output, **options):
    quick = {"max_steps": 6, "learning_rate": 3e-3, "logging_steps": 2, "loss_samples": 8, "sample_generations": 0}
    alone = {"packing": False, "gradient_accumulation_steps": 4}
    options = {**quick, "disable_tqdm": True, **({} if "samples_a_step" in options else alone), **options}
    options |= {"dataset": dataset, "model_name_or_path": model, "output_dir": output}
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


@pytest.fixture
def run(monkeypatch, synthetic_dataset, tiny, tmp_path):
    def run_stage(number, output=None, model=None, **options):
        output = output or tmp_path / f"stage{number}"
        argv = arguments(synthetic_dataset, model or tiny, output, **options)
        monkeypatch.setattr(sys, "argv", [f"stage{number}.py", *argv])
        runpy.run_path(str(RECIPES / f"stage{number}.py"), run_name="__main__")
        return output

    return run_stage


@pytest.mark.slow
def test_three_stages_chain_and_each_ends_below_the_untrained_model(run, tiny, capsys):
    model, losses = tiny, []
    for number in (1, 2, 3):
        model = run(number, model=model, untrained_model=tiny, max_steps=12, logging_steps=4)
        summary = json.loads((model / SUMMARY).read_text())
        losses.append(summary["loss"])
        assert summary["stage"] == number and summary["steps"] == 12 and summary["tokens"] > 0
        assert summary["loss"]["trained"] < summary["loss"]["start_model"]
        assert summary["loss"]["trained"] < summary["loss"]["untrained_model"] - 0.5
    assert losses[0]["start_model"] == pytest.approx(losses[0]["untrained_model"], rel=1e-5)
    assert losses[1]["start_model"] < losses[1]["untrained_model"]
    assert "effective batch  4 samples = 1 a device × 4 accumulated × 1 devices" in capsys.readouterr().out
    history = json.loads((model / "trainer_state.json").read_text())["log_history"]
    assert [entry["step"] for entry in history if "loss" in entry] == [4, 8, 12]
    assert not list(model.glob("*.bin")) and (model / "model.safetensors").is_file() and (model / "tokenizer.json").is_file()
    load_model(model), load_processor(model)


def test_packed_stage_trains_and_counts_its_tokens(run, tiny, synthetic_dataset):
    output = run(2, packing=True, pack_tokens=600, per_device_train_batch_size=1, max_steps=3, gradient_accumulation_steps=1)
    summary = json.loads((output / SUMMARY).read_text())
    assert summary["units"] < 48 and summary["loss"]["trained"] < summary["loss"]["start_model"]
    assert 3 * 300 < summary["tokens"] <= 3 * 600


@pytest.mark.slow
def test_the_recipe_as_shipped_packs_and_keeps_its_samples_a_step(run, capsys):
    output = run(2, samples_a_step=8, pack_tokens=600, max_steps=3)
    printed = capsys.readouterr().out
    assert re.search(r"samples a step +8\.0 on average; ranks busy 1\.00 of the time", printed)
    summary = json.loads((output / SUMMARY).read_text())
    assert summary["units"] < 48 and summary["loss"]["trained"] < summary["loss"]["start_model"]


def test_samples_a_step_decide_accumulation_unless_the_command_line_does(tmp_path):
    output = ["--output_dir", str(tmp_path)]
    unpacked = ["--packing", "false", "--per_device_train_batch_size", "2"]
    _, _, training = parse_stage(RECIPES / "stage1.yaml", [*output, *unpacked])
    assert training.gradient_accumulation_steps == 16
    stage, _, training = parse_stage(RECIPES / "stage1.yaml", [*output, "--gradient_accumulation_steps", "3"])
    assert training.gradient_accumulation_steps == 3 and stage.samples_a_step is None and training.packing
    with pytest.raises(ValueError, match="samples_a_step: 3 is no multiple of the 2 samples"):
        parse_stage(RECIPES / "stage1.yaml", [*output, *unpacked, "--samples_a_step", "3"])
    with pytest.raises(ValueError, match="samples_a_step: decides gradient_accumulation_steps; give one"):
        parse_stage(RECIPES / "stage1.yaml", [*output, "--samples_a_step", "3", "--gradient_accumulation_steps", "3"])


@pytest.mark.slow
def test_gradient_accumulation_variants_give_one_loss_curve(run, tmp_path):
    curves = []
    for batch, accumulated in ((1, 4), (2, 2), (4, 1)):
        output = run(
            2,
            output=tmp_path / f"{batch}x{accumulated}",
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulated,
            logging_steps=1,
            max_steps=4,
        )
        history = json.loads((output / "trainer_state.json").read_text())["log_history"]
        curves.append([entry["loss"] for entry in history if "loss" in entry])
    assert len(curves[0]) == 4
    assert curves[1] == pytest.approx(curves[0], rel=1e-5) and curves[2] == pytest.approx(curves[0], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"samples_a_step": 8, "pack_tokens": 600}], ids=["rows", "packs"])
def test_a_resumed_run_ends_with_the_weights_of_an_undisturbed_one(run, tmp_path, options):
    straight = run(2, output=tmp_path / "straight", save_steps=3, **options)
    for file in straight.iterdir():
        if file.name != "checkpoint-3":
            file.rename(tmp_path / f"aside-{file.name}")
    resumed = run(2, output=straight, save_steps=3, resume_from_checkpoint="latest", **options)
    expected, got = load_file(tmp_path / "aside-model.safetensors"), load_file(resumed / "model.safetensors")
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    summaries = [json.loads(file.read_text()) for file in (tmp_path / f"aside-{SUMMARY}", resumed / SUMMARY)]
    assert summaries[0]["loss"] == summaries[1]["loss"] and summaries[0]["tokens"] == summaries[1]["tokens"]


@pytest.mark.parametrize("limit", [400_000, 1_200_000], ids=["in the weights", "in the optimizer"])
def test_a_full_disk_names_the_fix_and_leaves_the_checkpoint_before(run, tmp_path, monkeypatch, limit):
    """From the second save on no file may be larger than ``limit`` bytes: it is cut off there, as on a full disk."""
    output, save, limits = tmp_path / "out", StageTrainer._save_checkpoint, resource.getrlimit(resource.RLIMIT_FSIZE)

    def filling(trainer, model, trial):
        if trainer.state.global_step == 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
        save(trainer, model, trial)

    options = {"max_steps": 5, "save_steps": 2, "eval_strategy": "no", "loss_samples": 1, "gradient_accumulation_steps": 1}
    with monkeypatch.context() as patched:
        patched.setattr(StageTrainer, "_save_checkpoint", filling)
        try:
            with pytest.raises(OSError, match=r"output_dir: saving .*checkpoint-4 failed \(.* free. .* resume with"):
                run(2, output=output, **options)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (output / "checkpoint-4").is_dir()
    assert last_checkpoint(output) == output / "checkpoint-2"
    run(2, output=output, resume_from_checkpoint="latest", **options)
    assert last_checkpoint(output) == output / "checkpoint-5" and (output / SUMMARY).is_file()


def test_fewer_samples_than_processes_are_refused(tiny, processor, synthetic_dataset, tmp_path):
    source = Source(str(synthetic_dataset), max_samples=2)
    data = prepare_stage([source], processor, max_length=2048)
    stage, model_config, training = parse_stage(RECIPES / "stage2.yaml", ["--packing", "false", "--output_dir", str(tmp_path)])
    training.distributed_state = SimpleNamespace(num_processes=3)
    with pytest.raises(ValueError, match=r"datasets: 2 samples for 3 processes, .* Launch at most 2"):
        StageTrainer(load_model(tiny), training, data, processor, stage=stage, model_config=model_config)


def test_dataset_loss_is_the_mean_over_samples(tiny, processor, synthetic_dataset):
    from modeling.curriculum import parse_sources, prepare_stage

    data = prepare_stage(parse_sources([{"dataset": str(synthetic_dataset), "config": "spine"}]), processor, max_length=2048)
    model = load_model(tiny)
    losses = []
    for unit in data.loss_subset(3):
        batch = normalised(Collator(data.rows, processor)([unit]), processor.image_processor)
        with torch.no_grad():
            scores = model(**{k: v for k, v in batch.items() if k != "labels"}).logits[0, :-1].log_softmax(-1)
        labels = batch["labels"][0, 1:]
        losses.append(-scores[labels != -100].gather(1, labels[labels != -100, None]).mean().item())
    # The whole table of logits, 27.7 GiB for 49k tokens in float32, is never made: the head itself is not called.
    model.lm_head.register_forward_hook(lambda *_: pytest.fail("logits of all tokens"))
    assert dataset_loss(model, data.rows, data.loss_subset(3), processor) == pytest.approx(sum(losses) / 3, rel=1e-5)


def test_command_line_wins_over_the_yaml_and_unknown_fields_are_named(tmp_path):
    stage, model_config, training = parse_stage(
        RECIPES / "stage3.yaml", ["--output_dir", str(tmp_path), "--max_pixels", "9999"]
    )
    assert training.max_length == 49_152 and stage.max_pixels == 9999 and training.deepspeed is None
    assert model_config.model_name_or_path == "runs/spinegpt/stage2"
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump({"stage": 1, "learning_rat": 1.0}))
    with pytest.raises(ValueError, match=r"wrong.yaml: unknown field learning_rat"):
        parse_stage(RECIPES / "stage1.yaml", ["--config", str(wrong)])
    with pytest.raises(ValueError, match="per_device_train_batch_size"):
        parse_stage(
            RECIPES / "stage1.yaml",
            ["--packing", "true", "--per_device_train_batch_size", "2", "--output_dir", str(tmp_path)],
        )
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="output_dir: cannot write"):
        parse_stage(RECIPES / "stage1.yaml", ["--output_dir", str(tmp_path / "file" / "x")])


@pytest.mark.parametrize(
    ("arguments", "dtype"),
    [
        ([], "float32"),
        (["--bf16", "true"], "float32"),
        (["--bf16", "true", "--use_peft", "true"], "bfloat16"),
        (["--bf16", "true", "--use_peft", "true", "--dtype", "float32"], "float32"),
    ],
)
def test_weights_are_bf16_beside_adapters_or_an_engines_float32_masters(arguments, dtype, tmp_path):
    _, model_config, _ = parse_stage(RECIPES / "stage1.yaml", ["--output_dir", str(tmp_path), *arguments])
    assert model_config.dtype == dtype
    for engine, dtype in ((object(), "bfloat16"), (None, "float32")):
        assert fitting_dtype(ModelConfig(), SimpleNamespace(bf16=True, deepspeed_plugin=engine)) == dtype


@pytest.mark.parametrize("recipe", ["stage1", "stage4_grpo"])
def test_the_processor_is_of_the_models_revision(recipe, tiny, tmp_path, monkeypatch):
    """The same argument for both: a tokenizer of another revision would number tokens otherwise."""
    asked = {}

    def load(name, **options):
        asked.update(options, name=name)
        raise InterruptedError

    monkeypatch.setattr("modeling.stage.load_processor", load)
    options = {"model_name_or_path": tiny, "model_revision": "v1.2.0", "output_dir": tmp_path}
    monkeypatch.setattr(
        sys, "argv", ["recipe", *(text for name, value in options.items() for text in (f"--{name}", str(value)))]
    )
    with pytest.raises(InterruptedError):
        (run_grpo if "grpo" in recipe else run_stage)(RECIPES / f"{recipe}.yaml")
    assert asked["name"] == str(tiny) and asked["revision"] == "v1.2.0"


def test_a_folder_that_cannot_be_written_to_is_named():
    """/proc is there, and takes no file from anybody."""
    with pytest.raises(ValueError, match="output_dir: cannot write to /proc"):
        parse_stage(RECIPES / "stage1.yaml", ["--output_dir", "/proc"])


def test_a_stage_without_the_one_before_names_argument_and_fix(run, tmp_path):
    with pytest.raises(ValueError, match=r"model_name_or_path: stage 3 .* Run recipes/stage2.py first"):
        run(3, model=tmp_path / "nothing")


def test_a_model_of_another_architecture_is_refused_by_the_argument_that_named_it(run, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ValueError, match=r"model_name_or_path: .* is a 'llama' model"):
        run(1, model=tmp_path)
    with pytest.raises(ValueError, match=r"resume_from_checkpoint: .* is no checkpoint of a recipe"):
        run(1, resume_from_checkpoint=tmp_path)
    (tmp_path / "trainer_state.json").write_text("{}")
    with pytest.raises(ValueError, match=r"resume_from_checkpoint: .* is a 'llama' model"):
        run(1, resume_from_checkpoint=tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run(run):
    with pytest.raises(FloatingPointError, match=r"loss is nan at step \d+\. Lower learning_rate"):
        run(1, learning_rate=1e30, max_grad_norm=1e30, max_steps=8, logging_steps=1)


def test_a_model_with_damaged_weights_is_refused_before_the_first_step(run, tiny, tmp_path):
    damaged = shutil.copytree(tiny, tmp_path / "damaged")
    weights = load_file(damaged / "model.safetensors")
    weights["model.norm.weight"].fill_(float("nan"))
    save_file(weights, damaged / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(FloatingPointError, match="model_name_or_path: eval_train_loss is nan before the first step"):
        run(1, model=damaged)


@pytest.mark.slow
def test_held_out_rows_are_evaluated_on_and_samples_of_them_answered(run, tmp_path):
    output = run(
        2, validation_share=0.2, eval_steps=3, sample_generations=2, sample_max_new_tokens=4, packing=True, pack_tokens=600
    )
    summary = json.loads((output / SUMMARY).read_text())
    history = json.loads((output / "trainer_state.json").read_text())["log_history"]
    losses = {entry["step"]: entry["eval_validation_loss"] for entry in history if "eval_validation_loss" in entry}
    assert list(losses) == [0, 3, 6] and losses[6] < losses[3] < losses[0]
    assert summary["validation_loss"] == {"start_model": losses[0], "trained": losses[6]}
    assert summary["held_out"] == summary["validation_samples"] > 0
    assert sum(summary["samples"].values()) == 48 - summary["held_out"]
    files = sorted(file.name for file in (output / "samples").iterdir())
    assert files == [f"step-00000{step}.{kind}" for step in (0, 3, 6) for kind in ("jsonl", "md")]


@pytest.mark.slow
def test_adapters_are_trained_saved_merged_and_resumed(run, tiny, tmp_path):
    options = {"use_peft": True, "train_vision_tower": False, "learning_rate": 3e-2, "save_steps": 3}
    straight = run(2, output=tmp_path / "straight", **options)
    summary = json.loads((straight / SUMMARY).read_text())
    assert summary["adapters"]["r"] == 16 and summary["loss"]["trained"] < summary["loss"]["start_model"] - 0.1
    adapter = load_file(straight / "adapter" / "adapter_model.safetensors")
    assert any("language_model" in name for name in adapter) and any("visual.merger" in name for name in adapter)
    assert not any("visual.blocks" in name for name in adapter)

    base, merged = load_file(tiny / "model.safetensors"), load_file(straight / "model.safetensors")
    assert base.keys() == merged.keys()
    beside = PeftModel.from_pretrained(load_model(tiny), straight / "adapter").eval()
    ids = torch.arange(40).unsqueeze(0)
    with torch.no_grad():
        logits = [model(input_ids=ids).logits for model in (beside, load_model(straight).eval(), load_model(tiny).eval())]
    assert torch.allclose(logits[0], logits[1], atol=1e-4) and not torch.allclose(logits[0], logits[2], atol=1e-2)

    resumed = tmp_path / "resumed"
    shutil.copytree(straight / "checkpoint-3", resumed / "checkpoint-3")
    with pytest.raises(ValueError, match=r"resume_from_checkpoint: .* holds adapters. Resume with --use_peft true"):
        run(2, output=resumed, resume_from_checkpoint="latest")
    run(2, output=resumed, resume_from_checkpoint="latest", **options)
    again = load_file(resumed / "model.safetensors")
    assert all(torch.equal(merged[name], again[name]) for name in merged)


def test_quantized_training_is_refused_where_it_cannot_run(tmp_path, monkeypatch):
    output = ["--output_dir", str(tmp_path), "--load_in_4bit", "true"]
    with pytest.raises(ValueError, match=r"load_in_4bit: .* add --use_peft true"):
        parse_stage(RECIPES / "stage2.yaml", output)
    monkeypatch.setattr("modeling.arguments.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="load_in_4bit: QLoRA needs the package bitsandbytes"):
        parse_stage(RECIPES / "stage2.yaml", [*output, "--use_peft", "true"])


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 8])
def test_qlora_trains_saves_merges_and_resumes_on_a_cpu(bits, run, tiny, tmp_path, capsys):
    pytest.importorskip("bitsandbytes", reason="optional; pip install bitsandbytes")
    options = {
        "use_peft": True,
        f"load_in_{bits}bit": True,
        "train_vision_tower": False,
        "learning_rate": 3e-2,
        "save_steps": 3,
    }
    straight = run(2, output=tmp_path / "straight", **options)
    summary = json.loads((straight / SUMMARY).read_text())
    assert summary["loss"]["trained"] < summary["loss"]["start_model"] - 0.05
    start, merged = load_file(tiny / "model.safetensors"), load_file(straight / "model.safetensors")
    assert start.keys() == merged.keys() and {weight.dtype for weight in merged.values()} == {torch.float32}
    changed = {name for name in start if not torch.equal(start[name], merged[name])}
    assert "model.layers.0.mlp.up_proj.weight" in changed and not any(name.startswith("visual.blocks") for name in changed)
    # Two weights of four bits are one byte, and still two parameters.
    adapters = sum(weight.numel() for weight in load_file(straight / "adapter" / "adapter_model.safetensors").values())
    counts = re.findall(r"([\d,]+) of ([\d,]+) parameters trained", capsys.readouterr().out)
    trained, total = (sum(int(count[i].replace(",", "")) for count in counts) for i in (0, 1))
    assert trained == adapters and total == adapters + sum(weight.numel() for weight in start.values())

    shutil.copytree(straight / "checkpoint-3", tmp_path / "resumed" / "checkpoint-3")
    again = load_file(run(2, output=tmp_path / "resumed", resume_from_checkpoint="latest", **options) / "model.safetensors")
    assert all(torch.equal(merged[name], again[name]) for name in merged)


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(run, synthetic_dataset, tiny, tmp_path):
    straight = run(2, output=tmp_path / "straight", max_steps=20, save_steps=4)
    killed = tmp_path / "killed"
    argv = arguments(synthetic_dataset, tiny, killed, max_steps=20, save_steps=4)
    process = start(
        [str(RECIPES / "stage2.py"), *argv],
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # as conftest.py here: sums over other threads round otherwise
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (killed / "checkpoint-8").is_dir() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert kill(process)
    assert not (killed / SUMMARY).exists()
    resumed = run(2, output=killed, max_steps=20, save_steps=4, resume_from_checkpoint="latest")
    expected, got = load_file(straight / "model.safetensors"), load_file(resumed / "model.safetensors")
    assert all(torch.equal(expected[name], got[name]) for name in expected)
