"""Train one stage: the code that recipes/stage1.py, stage2.py and stage3.py share.

load_start       the model a stage starts from, or resumes from
StageTrainer     SFTTrainer over our collator
train_stage      loss before ─▶ train ─▶ loss after ─▶ model, processor and training_summary.json in output_dir
save_final       all of it at once, or nothing
"""

import json
import logging
import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.integrations.deepspeed import set_hf_deepspeed_config, unset_hf_deepspeed_config
from trl import GRPOConfig, ModelConfig, SFTConfig, SFTTrainer, get_quantization_config
from trl.kernels import chunked_logprob
from trl.trainer.utils import add_fused_lm_head

from modeling.adapters import adapter_config, keep_adapters_in_float32, keep_layout_on_cpu, merge_adapter
from modeling.arguments import RecipeArguments, StageArguments
from modeling.attention import FLASH_PACKAGES, PACKED_SDPA, register_packed_sdpa
from modeling.collator import Collator
from modeling.curriculum import Dropped, StageData, spread
from modeling.families import SpineGPTProcessor
from modeling.output import SAVING, SUMMARY, check_resume, check_start, publish, saving_into
from modeling.pixels import normalised
from modeling.samples import SampleGenerations
from modeling.scores import Score, ScoreAtEvaluation
from modeling.sequence_parallel import SequenceParallel, repeated
from modeling.spinegpt import load_model, set_trainable

if not torch.cuda.is_available():
    # On a CPU TRL's fused LM head holds several float32 copies of a tile of logits; its 4,096 tokens take some 4 GiB.
    chunked_logprob.TOKEN_CHUNK_SIZE = 512
logger = logging.getLogger(__name__)


def load_start(stage: RecipeArguments, model_config: ModelConfig, training: SFTConfig | GRPOConfig) -> PreTrainedModel:
    """Load the stage's model and freeze the parts that are not trained.

    If a run resumes, the weights are read from the checkpoint here, because the Trainer's own loading misses most of
    Qwen2.5-VL's keys and only warns (transformers issue 43701). A checkpoint of adapters holds no other weights: the Trainer
    loads them into the model that the run started from.
    """
    start, argument, revision = model_config.model_name_or_path or "", "model_name_or_path", model_config.model_revision
    if training.resume_from_checkpoint:
        check_resume(training.resume_from_checkpoint, adapters=model_config.use_peft, ranks=training.world_size)
    if training.resume_from_checkpoint and not model_config.use_peft:
        start, argument, revision = training.resume_from_checkpoint, "resume_from_checkpoint", "main"
    else:
        check_start(stage.stage, start)
    attention: Any = model_config.attn_implementation
    if isinstance(training, SFTConfig) and training.packing and attention not in FLASH_PACKAGES:
        register_packed_sdpa()
        attention = {"text_config": PACKED_SDPA, "vision_config": attention}
    model = load_model(
        start,
        revision=revision,
        dtype=model_config.dtype or "float32",
        attn_implementation=attention,
        quantization_config=get_quantization_config(model_config),
        argument=argument,
    )
    if model_config.load_in_4bit and not torch.cuda.is_available():
        keep_layout_on_cpu(model)
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
        model: PreTrainedModel,
        args: SFTConfig,
        data: StageData,
        processor: SpineGPTProcessor,
        *,
        stage: StageArguments,
        model_config: ModelConfig,
        score: Score | None = None,
    ) -> None:
        self.packing, self.token_limit = args.packing, args.max_length or 0
        self.sharing = stage.sequence_parallel_size
        self.image_processor = processor.image_processor
        if len(data.units) < args.world_size // self.sharing:
            units = f"{len(data.units)} {'packs' if self.packing else 'samples'}"
            raise ValueError(
                f"datasets: {units} for {args.world_size} processes, some of "
                f"which would repeat others'. Launch at most {len(data.units)} (accelerate launch --num_processes) or add data."
            )
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
        self.loss_units = data.loss_subset(stage.loss_samples)
        self.validation_units = spread(data.validation, stage.validation_samples)
        evaluated = {"train": self.loss_units, "validation": self.validation_units}
        super().__init__(
            model=model,
            args=args,
            data_collator=Collator(data.rows, processor, packing=self.packing),
            train_dataset=repeated(data.units, self.sharing),
            eval_dataset={name: units for name, units in evaluated.items() if len(units)},
            processing_class=processor,
            peft_config=adapter_config(stage, model_config),
            callbacks=[StopOnBadLoss()],
        )
        self.sequence_parallel = SequenceParallel(model, self.sharing) if self.sharing > 1 else None
        if model_config.load_in_4bit or model_config.load_in_8bit:
            keep_adapters_in_float32(_model(self))
        if stage.sample_generations:
            shown = spread(self.validation_units if len(self.validation_units) else self.loss_units, stage.sample_generations)
            self.add_callback(SampleGenerations(self, data.rows, shown, processor, max_new_tokens=stage.sample_max_new_tokens))
        self.scored = ScoreAtEvaluation(self, processor, score) if score is not None else None
        if self.scored is not None:
            self.add_callback(self.scored)
        # Qwen2.5-VL says False, and the Trainer then averages micro-batch means: a token would weigh more in a shorter
        # micro-batch. TRL's loss divides by the tokens of the whole batch when it is told them.
        self.model_accepts_loss_kwargs = True

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Move a batch to the device, and only there make the model's numbers of its pixels."""
        return normalised(super()._prepare_inputs(inputs), self.image_processor)

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Save a checkpoint that counts only once it is whole."""
        folder = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"
        with saving_into(folder, first_rank=self.args.should_save):
            super()._save_checkpoint(model, trial)

    def _send_telemetry(self) -> None:
        """Send nothing: TRL reports each run to the Hub, and a hospital's training must report to nobody."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute TRL's loss, in training on this rank's share of the pack if ranks share one.

        ``num_items_in_batch`` then counts each supervised token once for each rank that shares it.
        """
        if self.sequence_parallel is not None and model.training:
            inputs = self.sequence_parallel.own_labels(inputs)
            num_items_in_batch = num_items_in_batch / self.sharing
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    def _track_num_input_tokens(self, inputs: dict[str, Any]) -> None:
        """Count the tokens of a shared pack once; the Trainer sums over all ranks."""
        before = self.state.num_input_tokens_seen
        super()._track_num_input_tokens(inputs)
        self.state.num_input_tokens_seen = before + (self.state.num_input_tokens_seen - before) // self.sharing

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log with the Trainer's own count of tokens, because TRL's ``num_tokens`` does not know packed rows."""
        training = self.model is not None and self.model.training
        self._metrics["train" if training else "eval"]["num_tokens"] = [self.state.num_input_tokens_seen]
        super().log(logs, start_time)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write no card: TRL's says nothing of data or limits, and modeling.checkpoints writes the project's own."""


def train_stage(
    trainer: StageTrainer, stage: StageArguments, model_config: ModelConfig, data: StageData, processor: SpineGPTProcessor
) -> dict[str, Any]:
    """Train and save, and return the summary; training_summary.json is written last, so it marks a finished stage."""
    args = trainer.args
    began = time.monotonic()
    untrained = None
    if stage.untrained_model:
        with args.main_process_first(desc="loss of the untrained model"):
            if args.should_save:
                untrained = untrained_loss(stage.untrained_model, data, processor, stage.loss_samples, args)
    trainer.train(resume_from_checkpoint=args.resume_from_checkpoint)
    after = trainer.evaluate()
    before = {name: value for entry in reversed(trainer.state.log_history) for name, value in entry.items()}
    summary = {
        "stage": stage.stage,
        "start_model": model_config.model_name_or_path,
        "untrained_model": stage.untrained_model,
        "loss": {"untrained_model": untrained, "start_model": before["eval_train_loss"], "trained": after["eval_train_loss"]},
        "loss_samples": len(trainer.loss_units),
        "validation_loss": {
            "start_model": before.get("eval_validation_loss"),
            "trained": after.get("eval_validation_loss"),
        },
        "validation_samples": len(trainer.validation_units),
        "scores": trainer.scored.logged() if trainer.scored else None,
        "held_out": len(data.validation),
        "steps": trainer.state.global_step,
        "tokens": trainer.state.num_input_tokens_seen,
        "samples": dict(data.samples),
        "units": len(data.units),
        "sequence_parallel_size": trainer.sharing,
        "sample_tokens": {
            "total": sum(data.tokens[number] for number in data.trained),
            "image": sum(data.image_tokens[number] for number in data.trained),
            "supervised": sum(data.supervised_tokens[number] for number in data.trained),
        },
        "dropped": data.dropped_by_reason,
        "dataset_fingerprint": data.fingerprint,
        "datasets": stage.datasets,
        **describe_run(trainer, model_config),
        "seconds": round(time.monotonic() - began, 1),
    }
    save_final(trainer, processor, model_config, summary, data.dropped)
    return summary


def describe_run(trainer: Trainer, model_config: ModelConfig) -> dict[str, Any]:
    """Return what any recipe's summary says of how it ran: engine, adapters, learning rate, seed, versions."""
    adapters = {"r": model_config.lora_r, "alpha": model_config.lora_alpha, "load_in_4bit": model_config.load_in_4bit}
    return {
        "engine": describe_engine(trainer),
        "adapters": adapters if model_config.use_peft else None,
        "learning_rate": trainer.args.learning_rate,
        "seed": trainer.args.seed,
        "versions": {name: version(name) for name in ("torch", "transformers", "trl", "accelerate", "deepspeed", "datasets")},
    }


def describe_engine(trainer: Trainer) -> dict[str, Any]:
    """Return what trained the model: engine and optimizer by class, ZeRO level (0 without DeepSpeed), ranks."""
    engine = trainer.deepspeed
    return {
        "engine": type(trainer.model_wrapped).__name__ if engine is None else type(engine).__name__,
        "optimizer": type((trainer if engine is None else engine).optimizer).__name__,
        "zero_stage": 0 if engine is None else engine.zero_optimization_stage(),
        "ranks": trainer.args.world_size,
    }


def describe_result(summary: Mapping[str, Any], output_dir: str | Path) -> str:
    """Describe a finished stage in a line: losses on the same training samples, steps, tokens, seconds."""
    losses = ", ".join(f"{name.replace('_', ' ')} {loss:.4f}" for name, loss in summary["loss"].items() if loss is not None)
    return (
        f"stage {summary['stage']} done: loss on {summary['loss_samples']} training samples: {losses}; "
        f"{summary['steps']} steps, {summary['tokens']:,} tokens, {summary['seconds']:.0f} s; {output_dir}"
    )


def untrained_loss(
    name_or_path: str, data: StageData, processor: SpineGPTProcessor, samples: int, args: TrainingArguments
) -> float:
    """Compute ``dataset_loss`` of a model outside any engine, on this process's device."""
    with _outside_engine(args):
        model = load_model(name_or_path, dtype="bfloat16" if args.bf16 else "float32", argument="untrained_model")
        model.to(args.device)
        return dataset_loss(model, data.rows, data.loss_subset(samples), processor)


def dataset_loss(model: PreTrainedModel, rows: Dataset, units: Dataset, processor: SpineGPTProcessor) -> float:
    """Average over ``units`` (of one sample each) the mean loss of a supervised token, like the Trainer's ``eval_loss``.

    The logits are taken in tiles, as in training: those of a 49k sample would fill 70 GiB beside the 7B. ``model`` keeps TRL's
    fused head.
    """
    add_fused_lm_head(model)
    collate = Collator(rows, processor)
    model.eval()
    losses = []
    with torch.no_grad():
        for unit in units:
            batch = {name: tensor.to(model.device) for name, tensor in collate([unit]).items()}
            batch = normalised(batch, processor.image_processor)
            losses.append(model(**batch, fused_lm_head=True).loss.item())
    return sum(losses) / len(losses)


def save_final(
    trainer: Trainer,
    processor: SpineGPTProcessor,
    model_config: ModelConfig,
    summary: Mapping[str, Any],
    dropped: Sequence[Dropped],
) -> None:
    """Save weights (safetensors, gathered from ZeRO), processor, log, dropped rows and summary in ``output_dir``, as one.

    Adapters are saved, and also merged into the model that they were trained on.
    """
    output = Path(str(trainer.args.output_dir))
    with saving_into(output / SAVING):
        _save_final(trainer, processor, model_config, summary, dropped, output)


def _save_final(
    trainer: Trainer,
    processor: SpineGPTProcessor,
    model_config: ModelConfig,
    summary: Mapping[str, Any],
    dropped: Sequence[Dropped],
    output: Path,
) -> None:
    staging = output / SAVING
    if trainer.args.should_save:
        shutil.rmtree(staging, ignore_errors=True)  # of a save that was cut off
    trainer.save_model(str(staging))
    if trainer.args.should_save:
        if model_config.use_peft:
            (staging / "README.md").unlink(missing_ok=True)  # peft's empty card
            with _outside_engine(trainer.args):
                base = load_model(
                    str(model_config.model_name_or_path),
                    revision=model_config.model_revision,
                    dtype=model_config.dtype or "float32",
                )
            merge_adapter(staging, base)
        processor.save_pretrained(staging)
        (staging / "training_args.bin").unlink(missing_ok=True)  # a pickle; training_summary.json says what matters
        trainer.state.save_to_json(str(staging / "trainer_state.json"))
        _write_json(staging / "dropped.json", [asdict(drop) for drop in dropped])
        _write_json(staging / SUMMARY, summary)
        publish(output)


class StopOnBadLoss(TrainerCallback):
    """Stops training with FloatingPointError, naming arguments and fix, at the first logged loss that is not finite."""

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **kwargs: Any
    ) -> None:
        """Check the losses of training and of evaluations, of which the first runs before the first step."""
        del control, kwargs
        for name, value in (logs or {}).items():
            if not name.endswith("loss") or math.isfinite(value):
                continue
            if state.global_step == 0:
                raise FloatingPointError(
                    f"model_name_or_path: {name} is {value} before the first step. The model's weights are damaged, or do not "
                    "fit dtype; start from another."
                )
            raise FloatingPointError(
                f"{name} is {value} at step {state.global_step}. Lower learning_rate (now {args.learning_rate:g}) or "
                f"max_grad_norm (now {args.max_grad_norm:g}), and resume with --resume_from_checkpoint latest."
            )


@contextmanager
def _outside_engine(args: TrainingArguments) -> Iterator[None]:
    """Keep a model that is loaded and used in this block whole: ZeRO-3 would partition it, although only this rank loads it.

    TRL's fused head, too, would gather weights from the other ranks.
    """
    unset_hf_deepspeed_config()
    try:
        yield
    finally:
        if args.deepspeed_plugin is not None:
            set_hf_deepspeed_config(args.deepspeed_plugin.hf_ds_config)


def _model(trainer: StageTrainer) -> torch.nn.Module:
    assert trainer.model is not None  # the Trainer's type allows none until it starts
    return trainer.model


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
