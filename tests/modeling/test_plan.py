import json
import shutil
from pathlib import Path

import pytest

from modeling.plan import parse_gpus, plan_recipe

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="module")
def configuration(tiny, tmp_path_factory):
    """What the Hub has beside the weights."""
    return shutil.copytree(tiny, tmp_path_factory.mktemp("plan") / "model", ignore=shutil.ignore_patterns("*.safetensors"))


def lines(text):
    return {line[:18].strip(): line[19:] for line in text.splitlines()}


def test_a_plan_needs_neither_gpus_nor_weights(configuration, synthetic_dataset):
    argv = ["--dataset", str(synthetic_dataset), "--validation_share", "0"]
    told = lines(plan_recipe(RECIPES / "stage3.yaml", "8x80", argv, model=str(configuration)))
    assert told["effective batch"] == "8 packs = 1 a device × 1 accumulated × 8 devices"
    assert told["engine"] == "DeepSpeed ZeRO-3, weights and optimizer offloaded, ranks 8 (8 a machine)"
    parameters = sum(int(told[part].split()[0].replace(",", "")) for part in ("vision tower", "projector", "language model"))
    offloaded = (2 + 4 + 12) * parameters // 8 / 2**20
    assert f"{offloaded:.1f} MiB in the machine's memory" in told["memory a rank"]
    assert "80.0 GiB left" in told["of a GPU"] and "the optimizer steps on them" in told["threads"]
    assert told["threads"].startswith("8 ranks × (1 + 4 workers)")


def test_a_plan_follows_the_fields_that_are_given(configuration, synthetic_dataset):
    argv = ["--dataset", str(synthetic_dataset), "--deepspeed", "", "--bf16", "false", "--max_steps", "7", "--use_peft", "true"]
    told = plan_recipe(RECIPES / "stage2.yaml", "2x4x1", argv, model=str(configuration))
    assert "7 steps" in told and lines(told)["engine"] == "none, ranks 8 (4 a machine)"
    trained, total = lines(told)["language model"].split(" parameters")[0].split(" of ")
    assert int(trained.replace(",", "")) < int(total.replace(",", "")) / 2


def test_ranks_that_share_a_pack_hold_their_share_of_it(configuration, synthetic_dataset):
    """Two layers of width 64 in bf16, over packs of at most 49,152 tokens."""
    argv = ["--dataset", str(synthetic_dataset), "--validation_share", "0", "--sequence_parallel_size", "2"]
    told = lines(plan_recipe(RECIPES / "stage3.yaml", "2x80", argv, model=str(configuration)))
    assert told["layers' inputs"].startswith(f"{2 * 64 * 2 * 24_576 / 2**20:.1f} MiB of")
    assert told["layers' inputs"].endswith("in a batch of 49,152 tokens, 24,576 of them on this rank")


def test_gpus_are_machines_gpus_and_gib():
    assert parse_gpus("8x80") == (1, 8, 80 * 2**30) and parse_gpus("2x8x141")[:2] == (2, 8)
    with pytest.raises(ValueError, match=r"gpus: '8' is no number of GPUs and GiB of each, such as 8x80"):
        parse_gpus("8")


def test_states_that_do_not_fit_are_told(configuration, synthetic_dataset, tmp_path):
    settings = json.loads((configuration / "config.json").read_text())
    settings["text_config"] |= {"hidden_size": 4096, "intermediate_size": 16384, "num_hidden_layers": 32, "layer_types": None}
    settings["vision_config"]["out_hidden_size"] = 4096
    large = shutil.copytree(configuration, tmp_path / "large")
    (large / "config.json").write_text(json.dumps(settings))
    told = plan_recipe(RECIPES / "stage2.yaml", "1x24", ["--dataset", str(synthetic_dataset)], model=str(large))
    assert "does NOT fit" in lines(told)["of a GPU"]
