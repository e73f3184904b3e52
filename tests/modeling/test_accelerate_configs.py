import json
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils import DeepSpeedPlugin
from transformers.integrations.deepspeed import HfTrainerDeepSpeedConfig
from trl import SFTConfig

CONFIGS = Path(__file__).parents[2] / "accelerate_configs"
LAUNCHES = {
    "single_gpu": ("NO", 1, None),
    "ddp": ("MULTI_GPU", 8, None),
    "zero2": ("DEEPSPEED", 8, "ds_zero2"),
    "zero3": ("DEEPSPEED", 8, "ds_zero3"),
    "zero3_offload": ("DEEPSPEED", 8, "ds_zero3_offload"),
    "multi_node": ("DEEPSPEED", 16, "ds_zero3_offload"),
}
STAGES = {"ds_zero2": (2, False), "ds_zero3": (3, False), "ds_zero3_offload": (3, True)}


def test_every_file_is_listed_here():
    assert {file.stem for file in CONFIGS.glob("*.yaml")} == set(LAUNCHES)
    assert {file.stem for file in CONFIGS.glob("*.json")} == set(STAGES)


@pytest.mark.parametrize("name", LAUNCHES)
def test_launch_configs_are_what_accelerate_reads(name):
    kind, processes, deepspeed = LAUNCHES[name]
    config = load_config_from_file(str(CONFIGS / f"{name}.yaml"))
    assert config.distributed_type == kind
    assert config.num_processes == processes
    if deepspeed:
        file = config.deepspeed_config["deepspeed_config_file"]
        assert file == f"accelerate_configs/{deepspeed}.json"
        assert config.deepspeed_config["zero3_init_flag"] == (STAGES[deepspeed][0] == 3)


@pytest.mark.parametrize("name", STAGES)
def test_deepspeed_configs_take_the_trainers_settings(name, tmp_path, monkeypatch):
    stage, offload = STAGES[name]
    settings = json.loads((CONFIGS / f"{name}.json").read_text())
    config = HfTrainerDeepSpeedConfig(settings)
    arguments = SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, learning_rate=1e-6, gradient_accumulation_steps=4)
    config.trainer_config_process(arguments)
    assert config.is_zero3() == (stage == 3) and config.is_zero2() == (stage == 2)
    assert config.is_offload() == offload
    assert config.get_value("gradient_accumulation_steps") == 4
    assert config.get_value("bf16.enabled") is False
    if stage == 3:
        assert config.get_value("zero_optimization.stage3_gather_16bit_weights_on_model_save") is True
    assert DeepSpeedPlugin(hf_ds_config=config).zero_stage == stage


@pytest.mark.parametrize(
    ("stage", "max_length", "learning_rate", "deepspeed"),
    [(1, 16_384, 1e-5, "ds_zero2"), (2, 16_384, 1e-5, "ds_zero2"), (3, 49_152, 1e-6, "ds_zero3_offload")],
)
def test_recipes_hold_the_papers_parameters(repo, stage, max_length, learning_rate, deepspeed):
    recipe = yaml.safe_load((repo / "recipes" / f"stage{stage}.yaml").read_text())
    assert recipe["max_length"] == max_length
    assert recipe["learning_rate"] == learning_rate
    assert recipe["num_train_epochs"] == 1
    assert recipe["bf16"] and recipe["activation_checkpointing"]
    assert recipe["deepspeed"] == f"accelerate_configs/{deepspeed}.json"
    if stage > 1:
        before = yaml.safe_load((repo / "recipes" / f"stage{stage - 1}.yaml").read_text())
        assert recipe["model_name_or_path"] == before["output_dir"]
