"""Read a recipe's settings from its YAML and the command line, which wins, and fit them to this machine.

StageArguments, GRPOArguments     what a recipe has beyond TRL's own configurations
parse_stage, parse_grpo           the settings of stages 1 to 3, and of stage 4
"""

import logging
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

# As in modeling.spinegpt: before transformers imports DeepSpeed.
if not torch.cuda.is_available():
    os.environ.setdefault("DS_ACCELERATOR", "cpu")

import yaml
from accelerate.utils import DistributedType
from transformers import TrainingArguments
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK, get_available_reporting_integrations
from trl import GRPOConfig, ModelConfig, SFTConfig, TrlParser

from modeling.attention import check_attention
from modeling.curriculum import ORDERS
from modeling.output import last_checkpoint

logger = logging.getLogger(__name__)


@dataclass
class RecipeArguments:
    """Settings of every recipe beyond TRL's configurations. The YAML sets them; the command line overrides."""

    stage: int = field(metadata={"help": "Number of the stage, for messages and the model card."})
    datasets: list[Any] = field(default_factory=list, metadata={"help": "Mixture: see modeling.curriculum.Source."})
    dataset: str | None = field(default=None, metadata={"help": "Name or folder that replaces spinemed-450k in `datasets`."})
    max_pixels: int | None = field(
        default=None, metadata={"help": "Largest area of an image in pixels; 784 (Qwen3-VL: 1,024) are a token."}
    )
    train_vision_tower: bool = field(default=True, metadata={"help": "Train the vision tower."})
    train_projector: bool = field(
        default=True, metadata={"help": "Train the projector (visual.merger, Qwen3-VL's visual.deepstack_merger_list)."}
    )
    train_language_model: bool = field(default=True, metadata={"help": "Train the language model, embeddings and head."})
    validation_share: float = field(
        default=0.0, metadata={"help": "Share of source documents that no stage trains on; the same ones in every stage."}
    )
    sample_generations: int = field(
        default=0, metadata={"help": "Samples that the model answers at each evaluation, into output_dir/samples."}
    )
    sample_max_new_tokens: int = field(default=256, metadata={"help": "Maximum length of those answers, in tokens."})


@dataclass
class StageArguments(RecipeArguments):
    """Settings of stages 1 to 3 (supervised training)."""

    samples_a_step: int | None = field(
        default=None,
        metadata={
            "help": "Samples in an optimizer step over all processes; accumulation and, with packing, packs follow from it."
        },
    )
    pack_tokens: int | None = field(
        default=None, metadata={"help": "Tokens a pack may have (default: max_length); a longer sample is a pack of its own."}
    )
    order: str = field(default="shuffled", metadata={"help": f"One of {', '.join(ORDERS)}."})
    untrained_model: str | None = field(
        default=None, metadata={"help": "Also report this model's loss on the stage's samples: the one stage 1 started from."}
    )
    loss_samples: int = field(default=64, metadata={"help": "Training samples on which losses before and after are measured."})
    benchmark: str | None = field(
        default=None, metadata={"help": "SpineBench, by name or folder: take its multiple-choice accuracy at each evaluation."}
    )
    benchmark_items: int = field(default=64, metadata={"help": "Questions on which that is taken, the same ones each time."})
    validation_samples: int = field(default=256, metadata={"help": "Held-out samples in an evaluation, at most."})
    sequence_parallel_size: int = field(
        default=1, metadata={"help": "Ranks that share a pack, each with its part of the activations; 1: none do."}
    )


@dataclass
class GRPOArguments(RecipeArguments):
    """Settings of stage 4 (reinforcement learning)."""

    max_prompt_length: int = field(
        default=4096, metadata={"help": "Tokens that a question may have, text and image; a longer one is dropped and listed."}
    )
    dataset_num_proc: int | None = field(
        default=None, metadata={"help": "Processes that count the tokens of questions, as in the other stages."}
    )
    reward_samples: int = field(
        default=64, metadata={"help": "Questions on which an evaluation measures the rewards: held-out ones, if any."}
    )


def parse_stage(config: Path, argv: Sequence[str] | None = None) -> tuple[StageArguments, ModelConfig, SFTConfig]:
    """Read the recipe's YAML (``config``, or another after ``--config``), then the command line, which wins.

    Without an accelerator the recipe's DeepSpeed and bf16 are left out, and a line in the log says so. Raises ValueError,
    naming the argument and the fix, for settings that cannot run here, and for DeepSpeed requested on a machine on which
    accelerate does not start it. A ``dtype`` that is not given, or auto, is replaced by the one that fits the run.
    """
    stage, model_config, training = _parse(config, (StageArguments, ModelConfig, SFTConfig), argv)
    if stage.samples_a_step is not None and not training.packing:
        set_accumulation(training, _accumulation(stage.samples_a_step, training))
    if stage.pack_tokens is not None and (not training.packing or stage.pack_tokens < 1):
        raise ValueError(
            "pack_tokens: the tokens of a pack, at least 1, with packing: true alone. Leave it out without packing."
        )
    if training.packing and training.per_device_train_batch_size != 1:
        raise ValueError("per_device_train_batch_size: a pack is a batch of its own; set it to 1 with packing: true.")
    if training.max_length is None:
        raise ValueError("max_length: not set; give the tokens a sample may have, as a longer one is dropped and never cut.")
    return stage, model_config, training


def parse_grpo(config: Path, argv: Sequence[str] | None = None) -> tuple[GRPOArguments, ModelConfig, GRPOConfig]:
    """Read the settings of stage 4, in the same way and with the same errors as ``parse_stage``."""
    stage, model_config, training = _parse(config, (GRPOArguments, ModelConfig, GRPOConfig), argv)
    plugin = training.deepspeed_plugin
    if plugin is not None and plugin.zero_stage == 3:
        raise ValueError(
            "deepspeed: under ZeRO-3 a rank whose questions show no image would skip the vision tower and the ranks would "
            "wait for one another for ever. Give stage 4 accelerate_configs/ds_zero2.json, or none."
        )
    if training.world_size > 1 and (stage.train_vision_tower or stage.train_projector):
        raise ValueError(
            "train_vision_tower, train_projector: over several processes a batch of questions without images would leave "
            "them without gradients on one rank only. Set both to false."
        )
    if training.log_completions:
        raise ValueError(
            "log_completions: would send questions, hospital cases among them, to the trackers of report_to and to the Hub. "
            "Set it to false; sample_generations writes what the model says into output_dir."
        )
    return stage, model_config, training


def set_accumulation(training: TrainingArguments, packs: int) -> None:
    """Accumulate ``packs`` micro-batches a step, in DeepSpeed's configuration, too, which has the former number by now."""
    training.gradient_accumulation_steps = packs
    if (plugin := training.deepspeed_plugin) is None:
        return
    config = plugin.hf_ds_config
    config.config |= {"gradient_accumulation_steps": packs, "train_batch_size": "auto"}
    config.trainer_config_process(training)
    plugin.gradient_accumulation_steps = packs


def fitting_dtype(model_config: ModelConfig, training: TrainingArguments) -> str:
    """Choose the weights' type: bf16 under DeepSpeed (which keeps float32 masters) or beside adapters, else float32.

    float32 if the run is not in bf16 at all, as on a CPU.
    """
    holds_masters = training.deepspeed_plugin is not None or model_config.use_peft
    return "bfloat16" if training.bf16 and holds_masters else "float32"


def _parse(config: Path, types: tuple[type, type, type], argv: Sequence[str] | None) -> tuple[Any, ModelConfig, Any]:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--config" in arguments:
        position = arguments.index("--config")
        config = Path(arguments[position + 1])
        del arguments[position : position + 2]
    if not config.is_file():
        raise FileNotFoundError(f"--config: {config} is not there.")
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    settings = _fitted(settings, config, deepspeed_argument=value_of("--deepspeed", arguments))
    if value_of("--gradient_accumulation_steps", arguments) is not None:
        if value_of("--samples_a_step", arguments) is not None:
            raise ValueError("samples_a_step: decides gradient_accumulation_steps; give one of the two.")
        settings.pop("samples_a_step", None)
    if value_of("--packing", arguments) in ("false", "False"):
        settings.pop("pack_tokens", None)
    parser = TrlParser(list(types))  # type: ignore[arg-type]
    settings.setdefault("dtype", "auto")  # TRL's own default, float32, would look like a choice
    if unknown := parser.set_defaults_with_config(**settings):
        raise ValueError(f"{config}: unknown field {unknown[0].removeprefix('--')}.")
    stage, model_config, training = parser.parse_args_into_dataclasses(args=arguments)
    if stage.dataset:
        stage.datasets = [
            {**entry, "dataset": stage.dataset} if entry.get("dataset") == "spinemed-450k" else entry
            for entry in stage.datasets
        ]
    if model_config.dtype == "auto":
        model_config.dtype = fitting_dtype(model_config, training)
    check_attention(model_config.attn_implementation, bf16=training.bf16)
    _check_quantization(model_config)
    _check_engine(training)
    _check_push(training)
    _check_trackers(training)
    _check_output(str(training.output_dir))
    _find_latest(training)
    return stage, model_config, training


def _find_latest(training: TrainingArguments) -> None:
    """Replace ``latest`` by the newest whole checkpoint, and ``latest_if_any`` by that or, if there is none, by a new start."""
    asked = training.resume_from_checkpoint
    if asked not in ("latest", "latest_if_any"):
        return
    try:
        training.resume_from_checkpoint = str(last_checkpoint(str(training.output_dir)))
    except FileNotFoundError:
        if asked == "latest":
            raise
        logger.warning("resume_from_checkpoint: no whole checkpoint in %s; the stage starts anew.", training.output_dir)
        training.resume_from_checkpoint = None


def _accumulation(samples_a_step: int, training: TrainingArguments) -> int:
    together = training.per_device_train_batch_size * training.world_size
    packs, rest = divmod(samples_a_step, together)
    if rest or not packs:
        raise ValueError(
            f"samples_a_step: {samples_a_step} is no multiple of the {together} samples of a micro-batch over all processes. "
            "Change it or per_device_train_batch_size, or give gradient_accumulation_steps on the command line instead."
        )
    return packs


def value_of(name: str, arguments: Sequence[str]) -> str | None:
    """Find the value of ``name`` in a command line, as ``--name value`` or ``--name=value``."""
    for position, argument in enumerate(arguments):
        if argument == name and position + 1 < len(arguments):
            return arguments[position + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return None


def _fitted(settings: dict[str, Any], config: Path, deepspeed_argument: str | None) -> dict[str, Any]:
    """Adapt the YAML's settings to this machine; ``--deepspeed`` on the command line is kept, '' meaning none."""
    if deepspeed_argument is not None:
        settings.pop("deepspeed", None)
    if not torch.cuda.is_available():
        if settings.pop("deepspeed", None):
            logger.warning("no accelerator: DeepSpeed and bf16 are left out, one process on the CPU in float32.")
        # With use_cpu accelerate drops DeepSpeed without a word; _check_engine refuses one asked for in vain.
        asked = bool(deepspeed_argument) or _accelerate_deepspeed()
        settings |= {"bf16": False, "use_cpu": not asked, "dataloader_num_workers": 0}
        if "dataset_num_proc" in settings:
            settings["dataset_num_proc"] = None
    elif _accelerate_deepspeed() and settings.pop("deepspeed", None):
        logger.warning("DeepSpeed: accelerate's --config_file decides, not the recipe.")
    if settings.get("deepspeed") and not Path(settings["deepspeed"]).is_file():
        settings["deepspeed"] = str(config.resolve().parents[1] / settings["deepspeed"])
    if (settings.get("deepspeed") or deepspeed_argument) and "RANK" not in os.environ:
        with socket.socket() as free:  # without these DeepSpeed looks for MPI
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return settings


def _accelerate_deepspeed() -> bool:
    return os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true"


def _check_engine(training: TrainingArguments) -> None:
    """Refuse DeepSpeed settings that would silently not be in use: each rank would train alone, or weights be partitioned."""
    if training.deepspeed_plugin is None:
        return
    in_use = training.distributed_state.distributed_type is DistributedType.DEEPSPEED
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if not in_use or training.world_size != launched:
        raise ValueError(
            "deepspeed: asked for by --deepspeed or by accelerate's --config_file, but accelerate runs it only with use_cpu "
            f"false and, with several processes (here {launched}), only on accelerators. Leave it out to train on the CPU."
        )


def _check_push(training: TrainingArguments) -> None:
    if training.push_to_hub:
        raise ValueError(
            "push_to_hub: would upload all of output_dir at each save, answers on hospital cases (samples/) among it, into a "
            "repository that is public. Leave it out, and upload the finished model alone, private unless you add --public: "
            f"python -m modeling push --model {training.output_dir} --to {training.hub_model_id or 'ORGANISATION/NAME'}"
        )


def _check_trackers(training: TrainingArguments) -> None:
    for name in training.report_to or ():
        if name not in INTEGRATION_TO_CALLBACK:
            raise ValueError(f"report_to: {name!r} is none of {', '.join(INTEGRATION_TO_CALLBACK)}, all or none.")
        if name not in get_available_reporting_integrations():
            raise ValueError(f"report_to: {name} is not installed here. Install it (pip install {name}), or give none.")


def _check_quantization(model_config: ModelConfig) -> None:
    name = "load_in_4bit" if model_config.load_in_4bit else "load_in_8bit"
    if not getattr(model_config, name):
        return
    if not model_config.use_peft:
        raise ValueError(f"{name}: quantized weights cannot be trained; add --use_peft true (QLoRA), or leave it out.")
    if find_spec("bitsandbytes") is None:
        raise ValueError(
            f"{name}: QLoRA needs the package bitsandbytes (pip install bitsandbytes). Without {name}, --use_peft true trains "
            "LoRA adapters beside whole weights."
        )


def _check_output(output_dir: str) -> None:
    try:
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output_dir):
            pass
    except OSError as error:
        raise ValueError(f"output_dir: cannot write to {output_dir} ({error}). Choose another folder.") from error
