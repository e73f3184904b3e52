"""Train one stage: what recipes/stage1.py, stage2.py and stage3.py share.

parse_stage      YAML + command line ─▶ StageArguments, ModelConfig, SFTConfig, fitted to this machine
load_start       the model a stage starts from, or resumes from
StageTrainer     SFTTrainer over our collator
train_stage      loss before ─▶ train ─▶ loss after ─▶ model, processor and training_summary.json in output_dir
"""

import json
import logging
import math
import os
import shutil
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

# As in modeling.spinegpt: before transformers imports DeepSpeed.
if not torch.cuda.is_available():
    os.environ.setdefault("DS_ACCELERATOR", "cpu")

import yaml
from accelerate.utils import DistributedType
from datasets import Dataset
from transformers import Qwen2_5_VLForConditionalGeneration, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations.deepspeed import set_hf_deepspeed_config, unset_hf_deepspeed_config
from trl import ModelConfig, SFTConfig, SFTTrainer, TrlParser, get_peft_config, get_quantization_config
from trl.kernels import chunked_logprob

from modeling.attention import PACKED_SDPA, register_packed_sdpa
from modeling.collator import Collator
from modeling.curriculum import ORDERS, StageData
from modeling.memory import LEFT_OUT, MemoryEstimate, estimate_memory, measure_model
from modeling.output import SAVING, SUMMARY, check_start, last_checkpoint, publish
from modeling.spinegpt import SpineGPTProcessor, count_parameters, load_model, set_trainable

if not torch.cuda.is_available():
    # On a CPU TRL's fused LM head holds several float32 copies of a tile of logits; its own 4,096 tokens take some 4 GiB.
    chunked_logprob.TOKEN_CHUNK_SIZE = 512
logger = logging.getLogger(__name__)


@dataclass
class StageArguments:
    """What a stage has beyond TRL's ModelConfig and SFTConfig. The recipe's YAML sets it; the command line overrides."""

    stage: int = field(metadata={"help": "Number of the stage, for messages and the model card."})
    datasets: list[Any] = field(default_factory=list, metadata={"help": "Mixture: see modeling.curriculum.Source."})
    dataset: str | None = field(default=None, metadata={"help": "Name or folder that replaces spinemed-450k in `datasets`."})
    order: str = field(default="shuffled", metadata={"help": f"One of {', '.join(ORDERS)}."})
    max_pixels: int | None = field(default=None, metadata={"help": "Largest area of a picture in pixels; 784 are a token."})
    train_vision_tower: bool = field(default=True, metadata={"help": "Train the vision tower."})
    train_projector: bool = field(default=True, metadata={"help": "Train the projector (visual.merger)."})
    train_language_model: bool = field(default=True, metadata={"help": "Train the language model, embeddings and head."})
    untrained_model: str | None = field(
        default=None, metadata={"help": "Also report this model's loss on the stage's samples: the one stage 1 started from."}
    )
    loss_samples: int = field(default=64, metadata={"help": "Training samples that losses before and after are taken on."})


def parse_stage(config: Path, argv: Sequence[str] | None = None) -> tuple[StageArguments, ModelConfig, SFTConfig]:
    """Read the recipe's YAML (``config``, or another after ``--config``), then the command line, which wins.

    Without an accelerator the recipe's DeepSpeed and bf16 are left out, and a line says so. Raises ValueError, naming
    argument and fix, for what cannot run here; so for DeepSpeed that was asked for where accelerate does not start it.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--config" in arguments:
        position = arguments.index("--config")
        config = Path(arguments[position + 1])
        del arguments[position : position + 2]
    if not config.is_file():
        raise FileNotFoundError(f"--config: {config} is not there.")
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    settings = _fitted(settings, config, deepspeed_argument=_value_of("--deepspeed", arguments))
    parser = TrlParser([StageArguments, ModelConfig, SFTConfig])  # type: ignore[list-item]
    if unknown := parser.set_defaults_with_config(**settings):
        raise ValueError(f"{config}: unknown field {unknown[0].removeprefix('--')}.")
    stage, model_config, training = parser.parse_args_into_dataclasses(args=arguments)
    if stage.dataset:
        stage.datasets = [
            {**entry, "dataset": stage.dataset} if entry.get("dataset") == "spinemed-450k" else entry
            for entry in stage.datasets
        ]
    if training.packing and training.per_device_train_batch_size != 1:
        raise ValueError("per_device_train_batch_size: a pack is a batch of its own; set it to 1 with packing: true.")
    _check_engine(training)
    try:
        Path(str(training.output_dir)).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"output_dir: cannot write to {training.output_dir} ({error}). Choose another folder.") from error
    if training.resume_from_checkpoint == "latest":
        training.resume_from_checkpoint = str(last_checkpoint(training.output_dir))
    return stage, model_config, training


def load_start(stage: StageArguments, model_config: ModelConfig, training: SFTConfig) -> Qwen2_5_VLForConditionalGeneration:
    """The stage's model with its frozen parts.

    When a run resumes, the weights are read from the checkpoint here: the Trainer's own loading misses most of
    Qwen2.5-VL's keys and only warns (transformers issue 43701).
    """
    start = training.resume_from_checkpoint or model_config.model_name_or_path or ""
    check_start(stage.stage, start)
    attention: Any = model_config.attn_implementation
    if training.packing and attention != "flash_attention_2":
        register_packed_sdpa()
        attention = {"text_config": PACKED_SDPA, "vision_config": attention}
    model = load_model(
        start,
        revision="main" if training.resume_from_checkpoint else model_config.model_revision,
        dtype=_dtype(model_config, training),
        attn_implementation=attention,
        quantization_config=get_quantization_config(model_config),
    )
    set_trainable(
        model,
        vision_tower=stage.train_vision_tower,
        projector=stage.train_projector,
        language_model=stage.train_language_model,
    )
    return model


class StageTrainer(SFTTrainer):
    """SFTTrainer over rows that ``Collator`` reads; tokens are counted without padding, packed or not."""

    def __init__(
        self,
        model: Qwen2_5_VLForConditionalGeneration,
        args: SFTConfig,
        data: StageData,
        processor: SpineGPTProcessor,
        *,
        loss_samples: int,
        model_config: ModelConfig,
    ) -> None:
        self.packing, self.token_limit = args.packing, args.max_length or 0
        # Rows are encoded, limited and packed by modeling.collator; TRL would refuse or truncate.
        args.packing = False
        args.max_length = None
        args.dataset_kwargs = {"skip_prepare_dataset": True}
        args.remove_unused_columns = False
        args.train_sampling_strategy = "sequential"  # prepare_stage has shuffled
        args.include_num_input_tokens_seen = "non_padding"
        # The loss before and after is a mean over samples: one sample a batch makes it independent of grouping.
        args.per_device_eval_batch_size = 1
        args.prediction_loss_only = True
        args.eval_on_start = True
        args.logging_nan_inf_filter = False
        args.ddp_find_unused_parameters = False  # every batch touches every part
        self.loss_units = data.loss_subset(loss_samples)
        super().__init__(
            model=model,
            args=args,
            data_collator=Collator(data.rows, processor, packing=self.packing),
            train_dataset=data.units,
            eval_dataset=self.loss_units,
            processing_class=processor,
            peft_config=get_peft_config(model_config),
            callbacks=[_StopOnBadLoss()],
        )
        # Qwen2.5-VL says False, and the Trainer then averages micro-batch means: a token would weigh more in a shorter
        # micro-batch. TRL's loss divides by the tokens of the whole batch when it is told them.
        self.model_accepts_loss_kwargs = True

    def _send_telemetry(self) -> None:
        """TRL reports each run to the Hub; a hospital's training reports to nobody."""

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log; TRL's ``num_tokens`` does not know packed rows, the Trainer's own count does."""
        training = self.model is not None and self.model.training
        self._metrics["train" if training else "eval"]["num_tokens"] = [self.state.num_input_tokens_seen]
        super().log(logs, start_time)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """TRL's card says nothing of data or limits; modeling.checkpoints writes ours."""


def describe_plan(stage: StageArguments, trainer: StageTrainer, data: StageData) -> str:
    """What is about to run, in lines: batch, tokens a step, samples used and dropped, parameters trained, memory."""
    training = trainer.args
    ranks = training.world_size
    batch = training.per_device_train_batch_size * training.gradient_accumulation_steps * ranks
    steps = training.max_steps if training.max_steps > 0 else math.ceil(len(data.units) / batch * training.num_train_epochs)
    unit = "packs" if trainer.packing else "samples"
    lines = [
        f"stage {stage.stage}: {len(data.units):,} {unit}, {steps:,} steps, learning rate {training.learning_rate:g}",
        f"  effective batch  {batch} {unit} = {training.per_device_train_batch_size} a device × "
        f"{training.gradient_accumulation_steps} accumulated × {ranks} devices",
        f"  tokens a step    at most {batch * trainer.token_limit:,}; longest sample {max(data.tokens):,}",
        f"  samples          {', '.join(f'{name} {count:,}' for name, count in data.samples.items())}",
        f"  dropped          {', '.join(f'{name} {count:,}' for name, count in data.dropped_by_reason.items()) or 'none'}",
    ]
    for part, (trainable, total) in count_parameters(_model(trainer)).items():
        lines.append(f"  {part.replace('_', ' '):<16} {trainable:,} of {total:,} parameters trained")
    plugin = training.deepspeed_plugin
    lines.append(f"  engine           {f'DeepSpeed ZeRO-{plugin.zero_stage}' if plugin else 'none'}, ranks {ranks}")
    lines.append(f"  memory a rank    {plan_memory(trainer)}; without {LEFT_OUT}")
    return "\n".join(lines)


def plan_memory(trainer: StageTrainer) -> MemoryEstimate:
    """What each rank will hold of the model's states under the run's ZeRO level and offload."""
    plugin = trainer.args.deepspeed_plugin
    size = measure_model(_model(trainer))
    if plugin is None:
        return estimate_memory(size)
    zero = plugin.deepspeed_config["zero_optimization"]
    offload = {name: (zero.get(name) or {}).get("device", "none") != "none" for name in ("offload_param", "offload_optimizer")}
    return estimate_memory(
        size,
        zero_stage=plugin.zero_stage,
        ranks=trainer.args.world_size,
        offload_parameters=offload["offload_param"],
        offload_optimizer=offload["offload_optimizer"],
    )


def train_stage(
    trainer: StageTrainer, stage: StageArguments, model_config: ModelConfig, data: StageData, processor: SpineGPTProcessor
) -> dict[str, Any]:
    """Train and save; ``training_summary.json`` comes last, so that it marks a finished stage. Returns the summary."""
    args = trainer.args
    output = Path(str(args.output_dir))
    began = time.monotonic()
    untrained = None
    if stage.untrained_model:
        with args.main_process_first(desc="loss of the untrained model"):
            if args.should_save:
                untrained = untrained_loss(stage.untrained_model, data, processor, stage.loss_samples, args)
    trainer.train(resume_from_checkpoint=args.resume_from_checkpoint)
    after = trainer.evaluate()["eval_loss"]
    before = next(entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry)
    summary = {
        "stage": stage.stage,
        "start_model": model_config.model_name_or_path,
        "untrained_model": stage.untrained_model,
        "loss": {"untrained_model": untrained, "start_model": before, "trained": after},
        "loss_samples": len(trainer.loss_units),
        "steps": trainer.state.global_step,
        "tokens": trainer.state.num_input_tokens_seen,
        "samples": dict(data.samples),
        "units": len(data.units),
        "sample_tokens": {
            "total": sum(data.tokens),
            "image": sum(data.image_tokens),
            "supervised": sum(data.supervised_tokens),
        },
        "dropped": data.dropped_by_reason,
        "dataset_fingerprint": data.fingerprint,
        "datasets": stage.datasets,
        "engine": describe_engine(trainer),
        "learning_rate": args.learning_rate,
        "seed": args.seed,
        "seconds": round(time.monotonic() - began, 1),
        "versions": {name: version(name) for name in ("torch", "transformers", "trl", "accelerate", "deepspeed", "datasets")},
    }
    save_final(trainer, processor, output, summary, [asdict(drop) for drop in data.dropped])
    return summary


def describe_engine(trainer: StageTrainer) -> dict[str, Any]:
    """What trained the model: engine and optimizer by class, ZeRO level (0 without DeepSpeed), ranks."""
    engine = trainer.deepspeed
    return {
        "engine": type(trainer.model_wrapped).__name__ if engine is None else type(engine).__name__,
        "optimizer": type((trainer if engine is None else engine).optimizer).__name__,
        "zero_stage": 0 if engine is None else engine.zero_optimization_stage(),
        "ranks": trainer.args.world_size,
    }


def describe_result(summary: Mapping[str, Any], output_dir: str | Path) -> str:
    """A finished stage in a line: losses on the same training samples, steps, tokens, seconds."""
    losses = ", ".join(f"{name.replace('_', ' ')} {loss:.4f}" for name, loss in summary["loss"].items() if loss is not None)
    return (
        f"stage {summary['stage']} done: loss on {summary['loss_samples']} training samples: {losses}; "
        f"{summary['steps']} steps, {summary['tokens']:,} tokens, {summary['seconds']:.0f} s; {output_dir}"
    )


def untrained_loss(
    name_or_path: str, data: StageData, processor: SpineGPTProcessor, samples: int, args: TrainingArguments
) -> float:
    """Mean over samples of the mean loss a supervised token, of a model outside any engine, on this process's device."""
    unset_hf_deepspeed_config()  # else ZeRO-3 would partition a model that only this rank loads
    try:
        model = load_model(name_or_path, dtype="bfloat16" if args.bf16 else "float32", argument="untrained_model")
    finally:
        if args.deepspeed_plugin is not None:
            set_hf_deepspeed_config(args.deepspeed_plugin.hf_ds_config)
    model.to(args.device)  # type: ignore[arg-type]
    return dataset_loss(model, data.rows, data.loss_subset(samples), processor)


def dataset_loss(
    model: Qwen2_5_VLForConditionalGeneration, rows: Dataset, units: Dataset, processor: SpineGPTProcessor
) -> float:
    """Mean over ``units`` (of one sample each) of the mean loss a supervised token; as the Trainer's ``eval_loss``."""
    collate = Collator(rows, processor)
    model.eval()
    losses = []
    with torch.no_grad():
        for unit in units:
            batch = {name: tensor.to(model.device) for name, tensor in collate([unit]).items()}
            losses.append(model(**batch, use_cache=False).loss.item())
    return sum(losses) / len(losses)


def save_final(
    trainer: StageTrainer,
    processor: SpineGPTProcessor,
    output: Path,
    summary: Mapping[str, Any],
    dropped: Sequence[Mapping[str, Any]],
) -> None:
    """Weights (safetensors, gathered from ZeRO), processor, log, dropped rows and summary into ``output``, as one."""
    staging = output / SAVING
    if trainer.args.should_save:
        shutil.rmtree(staging, ignore_errors=True)  # of a save that was cut off
    trainer.save_model(str(staging))
    if trainer.args.should_save:
        processor.save_pretrained(staging)
        (staging / "training_args.bin").unlink(missing_ok=True)  # a pickle; training_summary.json says what matters
        trainer.state.save_to_json(str(staging / "trainer_state.json"))
        _write_json(staging / "dropped.json", dropped)
        _write_json(staging / SUMMARY, summary)
        publish(output)


class _StopOnBadLoss(TrainerCallback):
    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **kwargs: Any
    ) -> None:
        del control, kwargs
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise FloatingPointError(
                f"loss is {loss} at step {state.global_step}. Lower learning_rate (now {args.learning_rate:g}) or "
                f"max_grad_norm (now {args.max_grad_norm:g}), and resume with --resume_from_checkpoint latest."
            )


def _value_of(name: str, arguments: Sequence[str]) -> str | None:
    for position, argument in enumerate(arguments):
        if argument == name and position + 1 < len(arguments):
            return arguments[position + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return None


def _fitted(settings: dict[str, Any], config: Path, deepspeed_argument: str | None) -> dict[str, Any]:
    """The YAML's settings as this machine can take them; ``--deepspeed`` on the command line is kept, '' meaning none."""
    if deepspeed_argument is not None:
        settings.pop("deepspeed", None)
    if not torch.cuda.is_available():
        if settings.pop("deepspeed", None):
            logger.warning("no accelerator: DeepSpeed and bf16 are left out, one process on the CPU in float32.")
        # With use_cpu accelerate drops DeepSpeed without a word; parse_stage refuses one that was asked for and is not in use.
        asked = bool(deepspeed_argument) or _accelerate_deepspeed()
        settings |= {"bf16": False, "use_cpu": not asked, "dataset_num_proc": None, "dataloader_num_workers": 0}
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


def _check_engine(training: SFTConfig) -> None:
    """Refuse DeepSpeed that would not be in use: weights would be partitioned, or each rank train alone, in silence."""
    if training.deepspeed_plugin is None:
        return
    in_use = training.distributed_state.distributed_type is DistributedType.DEEPSPEED
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if not in_use or training.world_size != launched:
        raise ValueError(
            "deepspeed: asked for by --deepspeed or by accelerate's --config_file, but accelerate runs it with use_cpu false "
            f"and, over several processes (here {launched}), on accelerators only. Leave it out to train on the CPU."
        )


def _model(trainer: StageTrainer) -> torch.nn.Module:
    assert trainer.model is not None  # the Trainer's type allows none until it starts
    return trainer.model


def _dtype(model_config: ModelConfig, training: SFTConfig) -> str:
    """DeepSpeed keeps float32 masters of bf16 weights, and adapters train beside frozen ones; else the weights stay float32."""
    if model_config.dtype in ("bfloat16", "float16", "float32"):
        return model_config.dtype
    holds_masters = training.deepspeed_plugin is not None or model_config.use_peft
    return "bfloat16" if training.bf16 and holds_masters else "float32"


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
