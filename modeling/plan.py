"""Say what a run will do and need before it starts: the lines that a recipe prints, with or without its GPUs.

Engine           what trains: ranks, ZeRO level, offload, types
check_run        a run about to start against its machine
prepare_data     stage, ranks ─▶ the samples, dealt to the ranks
host_needs       engine, model, batches ─▶ what a machine's ranks take beside the GPUs
describe_plan    stage, engine, data ─▶ lines
plan_recipe      a recipe's YAML and GPUs that are not here ─▶ the same lines (python -m modeling plan)
"""

import json
import logging
import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
import yaml
from peft import get_peft_model
from transformers import PreTrainedConfig, PreTrainedModel, TrainingArguments
from trl import SFTConfig

from modeling.adapters import adapter_config
from modeling.arguments import StageArguments, parse_stage, value_of
from modeling.curriculum import StageData, Steps, parse_sources, prepare_stage
from modeling.families import FAMILIES, SpineGPTProcessor
from modeling.host import Host, HostNeeds, batch_bytes, check_host, estimate_host, measure_host
from modeling.memory import LEFT_OUT, MemoryEstimate, ModelSize, estimate_memory, measure_model, readable
from modeling.sequence_parallel import check_sequence_parallel
from modeling.spinegpt import BASE_MODEL, count_parameters, load_config, load_processor, set_trainable

# Fields that a machine without a GPU leaves out (modeling.arguments), and a plan reads as they were meant.
PLANNED = ("deepspeed", "bf16", "dataloader_num_workers")
logger = logging.getLogger(__name__)
UNLIMITED = 2  # checkpoints counted if save_total_limit is not set


@dataclass(frozen=True, slots=True)
class Engine:
    """What trains: ``ranks`` in all, ``local_ranks`` on each machine; ``zero`` is DeepSpeed's zero_optimization, or None."""

    ranks: int = 1
    local_ranks: int = 1
    zero: Mapping[str, Any] | None = None
    bf16: bool = False
    adapters: bool = False

    @classmethod
    def of(cls, training: TrainingArguments, *, adapters: bool) -> Self:
        """Read the engine of a run that is about to start on this machine."""
        plugin = training.deepspeed_plugin
        zero = None if plugin is None else plugin.deepspeed_config["zero_optimization"]
        local = int(os.environ.get("LOCAL_WORLD_SIZE", training.world_size))
        return cls(training.world_size, local, zero, training.bf16, adapters)

    @property
    def zero_stage(self) -> int:
        """0 without DeepSpeed."""
        return int(self.zero["stage"]) if self.zero else 0

    def offloads(self, what: str) -> bool:
        """Say whether ``what`` (param, optimizer) is kept in the machine's memory."""
        return ((self.zero or {}).get(f"offload_{what}") or {}).get("device", "none") != "none"

    def measure(self, model: torch.nn.Module) -> ModelSize:
        """Measure ``model`` as this engine will hold it."""
        return measure_model(model, engine_bf16=self.zero is not None and self.bf16)

    def memory(self, size: ModelSize) -> MemoryEstimate:
        """Estimate what each rank will hold of the model's states."""
        return estimate_memory(
            size,
            zero_stage=self.zero_stage,
            ranks=self.ranks,
            offload_parameters=self.offloads("param"),
            offload_optimizer=self.offloads("optimizer"),
        )

    def __str__(self) -> str:
        moved = [name for name, part in (("weights", "param"), ("optimizer", "optimizer")) if self.offloads(part)]
        engine = f"DeepSpeed ZeRO-{self.zero_stage}" if self.zero_stage else "none"
        offload = f", {' and '.join(moved)} offloaded" if moved else ""
        return f"{engine}{offload}, ranks {self.ranks}" + (f" ({self.local_ranks} a machine)" if self.ranks > 1 else "")


def host_needs(engine: Engine, size: ModelSize, training: TrainingArguments, *, workers: int, batch: int = 0) -> HostNeeds:
    """Estimate what the ranks of one machine take if the largest batch of the data loader has ``batch`` bytes."""
    kept = training.save_total_limit
    saves = training.save_strategy != "no"
    return estimate_host(
        size,
        ranks=engine.local_ranks,
        states=sum(engine.memory(size).host.values()),
        largest_batch=batch,
        workers=workers,
        checkpoints=(kept or UNLIMITED) + 1 if saves else 0,
        zero_stage=engine.zero_stage,
        adapters=engine.adapters,
        offloads=engine.offloads("optimizer"),
        evaluates=training.eval_strategy != "no",
    )


def check_run(
    training: TrainingArguments, model: torch.nn.Module, *, adapters: bool, batch: tuple[int, int] = (0, 0)
) -> tuple[Engine, HostNeeds, Host]:
    """Compare what the run about to start takes with what this machine has, and log what may end badly.

    ``batch``: tokens and image tokens of the largest batch (largest_batch). Raises ValueError for what cannot end well
    (modeling.host.check_host).
    """
    engine = Engine.of(training, adapters=adapters)
    workers = training.dataloader_num_workers
    needs = host_needs(engine, engine.measure(model), training, workers=workers, batch=batch_bytes(*batch, _patch_size(model)))
    host = measure_host(str(training.output_dir), threads=torch.get_num_threads())
    for warning in check_host(needs, host):
        if training.should_log:
            logger.warning(warning)
    return engine, needs, host


def prepare_data(
    stage: StageArguments, training: SFTConfig, processor: SpineGPTProcessor, config: PreTrainedConfig, *, ranks: int
) -> StageData:
    """Prepare the stage's samples for a model of ``config`` on ``ranks`` ranks, in packs dealt to them if the recipe packs.

    Raises ValueError, naming the argument and the fix, if the ranks cannot share packs as asked, or as prepare_stage does.
    """
    assert training.max_length is not None  # parse_stage has seen to it
    sharing = stage.sequence_parallel_size
    check_sequence_parallel(sharing, config, ranks=ranks, packing=bool(training.packing))
    steps = None
    if stage.samples_a_step is not None:
        steps = Steps(stage.samples_a_step, ranks // sharing, stage.pack_tokens or training.max_length, config)
    return prepare_stage(
        parse_sources(stage.datasets),
        processor,
        max_length=training.max_length,
        order=stage.order,
        packing=training.packing,
        pack_tokens=stage.pack_tokens,
        steps=steps,
        validation_share=stage.validation_share,
        seed=training.data_seed or training.seed,
        num_proc=training.dataset_num_proc,
    )


def largest_batch(data: StageData, batch_size: int) -> tuple[int, int]:
    """Return the tokens, and of these the image tokens, of the largest batch of ``batch_size`` units."""
    sums = [
        (sum(data.tokens[number] for number in unit), sum(data.image_tokens[number] for number in unit))
        for unit in data.units["rows"]
    ]
    return batch_size * max(tokens for tokens, _ in sums), batch_size * max(shown for _, shown in sums)


def describe_plan(
    stage: StageArguments,
    training: TrainingArguments,
    engine: Engine,
    model: Any,
    data: StageData,
    needs: HostNeeds,
    *,
    packing: bool,
    max_length: int,
    host: Host | None = None,
    device_bytes: int | None = None,
) -> str:
    """Describe the run to come, in lines: batch, samples used and dropped, parameters trained, memory, the machine's side.

    ``host`` and ``device_bytes`` (memory of a GPU) are what there is, if it is known.
    """
    sharing = stage.sequence_parallel_size
    groups = engine.ranks // sharing
    batch = training.per_device_train_batch_size * training.gradient_accumulation_steps * groups
    steps = training.max_steps if training.max_steps > 0 else math.ceil(len(data.units) / batch * training.num_train_epochs)
    unit = "packs" if packing else "samples"
    a_step = sum(data.samples.values()) * batch / len(data.units)
    tokens = sum(data.tokens[number] for rows in data.units["rows"] for number in rows) * batch / len(data.units)
    busy = "" if data.busy_share is None else f"; ranks busy {data.busy_share:.2f} of the time"
    evaluated = min(stage.validation_samples, len(data.validation))
    lines = [
        f"stage {stage.stage}: {len(data.units):,} {unit}, {steps:,} steps, learning rate {training.learning_rate:g}",
        f"  effective batch  {batch} {unit} = {training.per_device_train_batch_size} a device × "
        f"{training.gradient_accumulation_steps} accumulated × "
        + (f"{engine.ranks} devices" if sharing == 1 else f"{groups} groups of {sharing} devices that share each"),
        f"  samples a step   {a_step:.1f} on average{busy}",
        f"  tokens a step    {tokens:,.0f} on average; longest sample {max(data.tokens):,}",
        f"  samples          {', '.join(f'{name} {count:,}' for name, count in data.samples.items())}",
        f"  held out         {len(data.validation):,}, evaluated on {evaluated:,} of them",
        f"  dropped          {', '.join(f'{name} {count:,}' for name, count in data.dropped_by_reason.items()) or 'none'}",
    ]
    for part, (trainable, total) in count_parameters(model).items():
        lines.append(f"  {part.replace('_', ' '):<16} {trainable:,} of {total:,} parameters trained")
    lines.append(f"  engine           {engine}")
    memory = engine.memory(engine.measure(model))
    lines.append(f"  memory a rank    {memory}; without {LEFT_OUT}")
    whole = training.per_device_train_batch_size * max(max_length, stage.pack_tokens or 0)
    kept = layer_inputs(model.config, whole, 2 if engine.bf16 else 4, sharing=sharing)
    shared = f", {math.ceil(whole / sharing):,} of them on this rank" if sharing > 1 else ""
    lines.append(f"  layers' inputs   {readable(kept)} of the activations, in a batch of {whole:,} tokens{shared}")
    if device_bytes is not None:
        left = device_bytes - sum(memory.device.values())
        lines.append(
            f"  of a GPU         {readable(device_bytes)}: "
            + (f"{readable(left)} left for those" if left > 0 else f"does NOT fit, {readable(-left)} are missing")
        )
    return "\n".join([*lines, *needs.lines(host)])


def _patch_size(model: Any) -> int:
    return int(model.config.vision_config.patch_size)


def layer_inputs(config: Any, tokens: int, number_bytes: int, *, sharing: int = 1) -> int:
    """Compute the bytes that activation checkpointing keeps on a rank: the language model's input of each layer.

    ``tokens`` are the batch's; ``sharing`` ranks hold equal shares of them (modeling.sequence_parallel).
    """
    text = config.text_config
    return int(text.num_hidden_layers * text.hidden_size * math.ceil(tokens / sharing) * number_bytes)


def plan_recipe(config: Path, gpus: str, argv: Sequence[str] = (), *, model: str | None = None) -> str:
    """Describe what the recipe ``config`` would do on ``gpus``, without them and without the model's weights.

    ``gpus`` is "8x80" for a machine of 8 GPUs of 80 GiB, "2x8x80" for two. ``argv`` overrides fields of the YAML. Configuration
    and processor come from ``model`` (a Hub id or a folder), by default from the recipe's own start or, if an earlier stage has
    not made that yet, from the model that stage 1 starts from. The data are measured as for training.

    Raises ValueError naming the argument and the fix.
    """
    machines, local, device_bytes = parse_gpus(gpus)
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    # parse_stage fits a recipe to this machine; what it leaves out without a GPU is read as the recipe and argv say.
    with tempfile.TemporaryDirectory() as folder:
        stage, model_config, training = parse_stage(
            config, [*_without(PLANNED, argv), "--deepspeed", "", "--output_dir", folder]
        )
    settings |= {name: yaml.safe_load(value) for name in PLANNED if (value := value_of(f"--{name}", argv)) is not None}
    zero = None
    if settings.get("deepspeed"):
        path = Path(settings["deepspeed"])
        path = path if path.is_file() else config.resolve().parents[1] / path
        zero = json.loads(path.read_text(encoding="utf-8"))["zero_optimization"]
    engine = Engine(machines * local, local, zero, bool(settings.get("bf16")), model_config.use_peft)
    start = model or str(model_config.model_name_or_path)
    if not model and Path(start).parts[0] == "runs" and not Path(start, "config.json").is_file():
        start = BASE_MODEL
    if model_config.load_in_4bit or model_config.load_in_8bit:
        raise ValueError("load_in_4bit, load_in_8bit: weights are quantized as they are loaded; plan LoRA, which takes more.")
    planned: Any = model_by_config(start, "bfloat16" if engine.bf16 and (zero or engine.adapters) else "float32")
    set_trainable(
        planned,
        vision_tower=stage.train_vision_tower,
        projector=stage.train_projector,
        language_model=stage.train_language_model,
    )
    if adapters := adapter_config(stage, model_config):
        planned = get_peft_model(planned, adapters)
    processor = load_processor(start, max_pixels=stage.max_pixels)
    data = prepare_data(stage, training, processor, planned.config, ranks=engine.ranks)
    if stage.samples_a_step is not None:
        together = training.per_device_train_batch_size * (engine.ranks // stage.sequence_parallel_size)
        training.gradient_accumulation_steps = data.accumulation or max(stage.samples_a_step // together, 1)
    batch = batch_bytes(*largest_batch(data, training.per_device_train_batch_size), _patch_size(planned))
    workers = int(settings.get("dataloader_num_workers") or 0)
    needs = host_needs(engine, engine.measure(planned), training, workers=workers, batch=batch)
    assert training.max_length is not None  # parse_stage has seen to it
    text = describe_plan(
        stage, training, engine, planned, data, needs,
        packing=training.packing, max_length=training.max_length, device_bytes=device_bytes,
    )  # fmt: skip
    return f"{config.name} on {gpus}, {start} by its configuration\n{text}"


def _without(names: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Leave fields and their values out of a command line."""
    kept: list[str] = []
    passed_over = False
    for argument in arguments:
        if passed_over or argument.partition("=")[0].removeprefix("--") in names:
            passed_over = not passed_over and "=" not in argument
        else:
            kept.append(argument)
    return kept


def parse_gpus(gpus: str) -> tuple[int, int, int]:
    """Read "8x80" or "2x8x80": machines, GPUs of each, bytes of each GPU (80 GiB). Raises ValueError naming the argument."""
    found = re.fullmatch(r"(?:(?P<machines>[1-9]\d*)x)?(?P<gpus>[1-9]\d*)x(?P<gib>[1-9]\d*)", gpus)
    if found is None:
        raise ValueError(f"gpus: {gpus!r} is no number of GPUs and GiB of each, such as 8x80, or 2x8x80 for two machines.")
    return int(found["machines"] or 1), int(found["gpus"]), int(found["gib"]) * 2**30


def model_by_config(name_or_path: str, dtype: str) -> PreTrainedModel:
    """Build a model from its configuration alone, its parameters without memory (PyTorch's meta device)."""
    config = load_config(name_or_path, argument="model")
    with torch.device("meta"):
        model = FAMILIES[config.model_type].model(config)
    return model.to(getattr(torch, dtype))
