import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from modeling.arguments import parse_grpo, parse_stage
from modeling.checkpoints import push, read_stages, write_card
from modeling.output import SUMMARY
from tests.support.hub import Hub
from tests.support.processes import fresh_python

RECIPES = Path(__file__).parents[2] / "recipes"


def finish(folder: Path, tiny: Path, stage: int, start: str) -> Path:
    """What a finished stage leaves: weights, processor and summary."""
    folder.mkdir()
    for file in tiny.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    summary = {
        "stage": stage,
        "start_model": start,
        "loss": {"untrained_model": None, "start_model": 6.1, "trained": 2.5},
        "loss_samples": 8,
        "steps": 30,
        "tokens": 7850,
        "samples": {"spinemed-450k/spine": 24},
        "dropped": {"over_max_length": 2},
        "dataset_fingerprint": "ab" * 32,
        "datasets": [{"dataset": "spinemed-450k", "config": "spine", "revision": "v1.0.0"}],
        "learning_rate": 1e-5,
        "versions": {"torch": "2.13.0"},
    }
    (folder / SUMMARY).write_text(json.dumps(summary))
    return folder


@pytest.fixture
def stages(tmp_path, tiny):
    first = finish(tmp_path / "stage1", tiny, 1, str(tiny))
    return first, finish(tmp_path / "stage2", tiny, 2, str(first))


def test_a_card_tells_the_whole_chain(stages):
    assert [summary["stage"] for summary in read_stages(stages[1])] == [1, 2]
    text = write_card(stages[1], metrics={"text accuracy": 0.25}, benchmark_revision="v1.0.0").read_text()
    header = yaml.safe_load(text.split("---")[1])
    result = header["model-index"][0]["results"][0]
    assert result["metrics"][0]["value"] == 0.25 and result["dataset"]["revision"] == "v1.0.0"
    assert header["license"] == "apache-2.0" and header["datasets"] == ["spinemed-450k"]
    assert "| 1 | 30 | 7,850 | 1e-05 | 6.1000 | 2.5000 |" in text
    assert "| 2 | spinemed-450k/spine 24 | v1.0.0 | over_max_length 2 | `abababababababab` |" in text
    for part in ("Not a medical device", "Intended use", "It knows no medicine"):
        assert part in text


def test_a_card_needs_a_finished_stage_and_finite_metrics(stages, tiny):
    with pytest.raises(FileNotFoundError, match=SUMMARY):
        write_card(tiny)
    with pytest.raises(ValueError, match="text accuracy is nan"):
        write_card(stages[0], metrics={"text accuracy": float("nan")})


def test_push_refuses_a_folder_without_card(stages):
    with pytest.raises(FileNotFoundError, match="write_card"):
        push(stages[0], "me/spinegpt")


@pytest.mark.parametrize(("parse", "recipe"), [(parse_stage, "stage3"), (parse_grpo, "stage4_grpo")])
def test_a_recipe_does_not_push_and_says_what_does(parse, recipe, tmp_path):
    argv = ["--output_dir", str(tmp_path), "--push_to_hub", "true", "--hub_model_id", "me/spinegpt"]
    with pytest.raises(ValueError, match=f"push_to_hub: .* python -m modeling push --model {tmp_path} --to me/spinegpt$"):
        parse(RECIPES / f"{recipe}.yaml", argv)


@pytest.mark.slow
def test_push_uploads_tags_and_loads_again(stages, tmp_path):
    """The real client, over loopback: a recipe asked to push makes no repository, and the command uploads the model alone."""
    folder = stages[1]
    for part in ("checkpoint-30", "samples", "saving", "adapter"):
        (folder / part).mkdir()
        for name in ("optimizer.pt", "step-000030.md", "step-000030.jsonl", "README.md", "model.safetensors", "config.json"):
            (folder / part / name).write_text("a hospital case")
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"the adapter")
    (folder / "dropped.json").write_text("[]")
    hub = Hub()
    # huggingface_hub reads its endpoint at import, so a process of its own talks to the stand-in.
    script = """
import sys
from pathlib import Path
from modeling.__main__ import main
from modeling.arguments import parse_stage
from modeling.spinegpt import load_model, load_processor
try:
    parse_stage(Path("recipes/stage3.yaml"), ["--output_dir", sys.argv[1], "--push_to_hub", "true"])
except ValueError:
    main(["push", "--model", sys.argv[1], "--to", "me/spinegpt", "--tag", "v0.1.0"])
model = load_model("me/spinegpt", revision="v0.1.0")
print("loaded", model.num_parameters(), len(load_processor("me/spinegpt", revision="v0.1.0").tokenizer))
"""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.address,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "home"),
        "HF_TOKEN": "hf_stand_in",
        "no_proxy": "127.0.0.1",
    }
    try:
        done = subprocess.run(
            [fresh_python(), "-c", script, str(folder)],
            env=environment, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    finally:
        hub.close()
    assert done.returncode == 0, done.stderr[-3000:]
    assert set(hub.repositories) == {"me/spinegpt"}
    repository = hub.repositories["me/spinegpt"]
    assert repository.private
    files = repository.commits[repository.refs["v0.1.0"]]
    assert files["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert {"README.md", "config.json", "tokenizer.json", SUMMARY} <= set(files)
    assert [name for name in files if "/" in name or "dropped" in name] == ["adapter/adapter_model.safetensors"]
    assert f"commit {repository.refs['main']}" in done.stdout and "loaded " in done.stdout
