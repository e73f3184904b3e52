"""Train stage 4 by GRPO on multiple choice and level questions (Shao et al. 2024, DeepSeekMath).

prepare_questions    rows of the data set ─▶ questions that ask for last lines which rewards can read
QuestionTrainer      TRL's GRPOTrainer over them
train_questions      rewards before ─▶ train ─▶ rewards after ─▶ model, processor and training_summary.json in output_dir
"""

import hashlib
import json
import logging
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, Features, List, Value, concatenate_datasets
from transformers import PreTrainedModel
from trl import GRPOConfig, GRPOTrainer, ModelConfig

from modeling.adapters import adapter_config, keep_adapters_in_float32
from modeling.arguments import GRPOArguments
from modeling.collator import decode_image
from modeling.curriculum import ROW_FEATURES, Dropped, Source, is_held_out, measure_all, read_source, spread, with_features
from modeling.families import SpineGPTProcessor
from modeling.output import saving_into
from modeling.pixels import rgb
from modeling.rewards import ANSWER, LEVELS, REWARDS, stand_alone, wanted_lines
from modeling.samples import SampleGenerations
from modeling.sft import StopOnBadLoss, describe_run, save_final
from modeling.spinegpt import count_parameters

LETTERS = "ABCDEFGHIJ"
COLUMNS = ("messages", "images", "language", "options", "answer", "levels", "discs")
INSTRUCTIONS = {
    "en": ("End your reply with {lines}, and write nothing after that:", "this line", "these lines"),
    "zh": ("请在回答的最后写出{lines}，其后不再写任何内容：", "下面这一行", "下面各行"),
}
PLACEHOLDERS = {
    "en": {LEVELS: "vertebrae and discs concerned, such as L5, L4/L5", ANSWER: "letter of the right option"},
    "zh": {LEVELS: "所涉及的椎体和椎间盘，例如 L5, L4/L5", ANSWER: "正确选项的字母"},
}
QUESTION_FEATURES = Features(
    {
        **ROW_FEATURES,
        "language": Value("string"),
        "options": List(Value("string")),
        "answer": Value("string"),
        "levels": List(Value("string")),
        "discs": List(Value("string")),
    }
)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class QuestionData:
    """Questions, made from their rows (QUESTION_FEATURES) only as they are read; the rest as in StageData.

    train       in training order
    held_out    for evaluation
    """

    train: Dataset
    held_out: Dataset
    dropped: tuple[Dropped, ...]
    samples: Mapping[str, int]
    fingerprint: str


def prepare_questions(
    sources: Sequence[Source],
    processor: SpineGPTProcessor,
    *,
    max_prompt_length: int,
    validation_share: float = 0.0,
    seed: int = 0,
    num_proc: int | None = None,
) -> QuestionData:
    """Choose and shuffle the questions of all sources that have options or levels, at most ``max_prompt_length`` tokens each.

    They are measured in ``num_proc`` processes, and a later start reads the measures from datasets' cache.

    A source's ``weight`` below 1 takes that share of its questions; no question is taken twice. Raises ValueError, naming the
    argument and the fix, if no question is left.
    """
    loaded = [read_source(source, seed + number, COLUMNS) for number, source in enumerate(sources)]
    dropped = [drop for _, licence_drops in loaded for drop in licence_drops]
    merged = concatenate_datasets([with_features(rows, QUESTION_FEATURES) for rows, _ in loaded])
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    measured = measure_all(merged, processor, num_proc, conversation=_wanted_conversation, version=code)
    ids, documents, languages = (list(merged[name]) for name in ("id", "source_id", "language"))
    rng = np.random.default_rng(seed)
    samples: dict[str, int] = {}
    train: list[int] = []
    held_out: list[int] = []
    first = 0
    for source, (rows, _) in zip(sources, loaded):
        usable = []
        for number in range(first, first + len(rows)):
            if problem := _problem(measured[number], languages[number], max_prompt_length):
                dropped.append(Dropped(ids[number], *problem))
            else:
                usable.append(number)
        first += len(rows)
        taken = rng.permutation(usable)[: round(min(source.weight, 1.0) * len(usable))].astype(int).tolist()
        held = {number for number in taken if is_held_out(documents[number] or ids[number], validation_share)}
        held_out += sorted(held)
        train += sorted(set(taken) - held)
        samples[source.name] = samples.get(source.name, 0) + len(taken) - len(held)
    if not train:
        reasons = dict(Counter(drop.reason for drop in dropped))
        raise ValueError(
            f"datasets: no question is left to train on ({reasons}; {len(held_out)} held out). Raise max_prompt_length "
            f"(now {max_prompt_length}), lower max_pixels or validation_share, or correct the recipe's datasets."
        )
    train = rng.permutation(train).tolist()
    digests = json.dumps([measured[number]["digest"] for number in train])
    return QuestionData(
        train=merged.select(train).with_transform(_asked),
        held_out=merged.select(held_out).with_transform(_asked),
        dropped=tuple(dropped),
        samples=samples,
        fingerprint=hashlib.sha256(digests.encode()).hexdigest(),
    )


def ask(row: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a row's first turn into a question that asks for the lines of modeling.rewards, with the reply it wants.

    ``levels`` become discs, and vertebrae that are not the end of one of them (rewards.stand_alone). Options without a right
    answer count as none, and null lists as empty ones. ``language`` must be one of INSTRUCTIONS, ``messages`` not empty.
    """
    language = row["language"]
    choices = LETTERS[: len(row["options"] or [])] if row["answer"] else ""
    levels = sorted(stand_alone([*(row["levels"] or []), *(row["discs"] or [])]))
    answer = "".join(sorted(row["answer"])) if choices else None
    wanted = wanted_lines(choices, levels)
    sentence, one, several = INSTRUCTIONS[language]
    form = [sentence.format(lines=one if len(wanted) == 1 else several)]
    form += [f"{name}: <{PLACEHOLDERS[language][name]}>" for name in wanted]
    first = row["messages"][0]
    parts = [*first["content"], {"type": "text", "text": "\n\n" + "\n".join(form)}]
    said = {LEVELS: ", ".join(levels), ANSWER: answer}
    shown = sum(part["type"] == "image" for part in first["content"])
    return {
        "id": row["id"],
        "source_id": row.get("source_id") or row["id"],
        "source_kind": row.get("source_kind"),
        "prompt": [{"role": first["role"], "content": parts}],
        "images": (row["images"] or [])[:shown],
        "reference": "\n".join(f"{name}: {said[name]}" for name in wanted),
        "choices": choices or None,
        "answer": answer,
        "levels": levels,
    }


class QuestionTrainer(GRPOTrainer):
    """GRPOTrainer over ``QuestionData``, with answer, level and format rewards and an evaluation before the first step."""

    def __init__(
        self,
        model: PreTrainedModel,
        args: GRPOConfig,
        data: QuestionData,
        processor: SpineGPTProcessor,
        *,
        stage: GRPOArguments,
        model_config: ModelConfig,
    ) -> None:
        processor.tokenizer.padding_side = "left"  # TRL pads its own ids so, and would read the processor's beside them
        args.remove_unused_columns = False  # the rewards read the other columns
        args.shuffle_dataset = False  # prepare_questions has shuffled, and TRL's sampler would start anew after a resume
        # TRL gathers images for its tables only on ranks whose questions show some, and these wait for the others for ever.
        args.log_multimodal = False
        args.eval_on_start = True
        args.logging_nan_inf_filter = False
        args.ddp_find_unused_parameters = False  # over several processes the vision half is frozen (parse_grpo)
        assert args.generation_batch_size and args.num_generations  # GRPOConfig sets them
        questions = args.generation_batch_size // args.num_generations
        if len(data.train) < questions:
            raise ValueError(
                f"datasets: {len(data.train)} questions, and a step takes {questions}: there would be no step. Lower "
                "per_device_train_batch_size or gradient_accumulation_steps, launch fewer processes, or add data."
            )
        self.reward_questions = spread(data.held_out if len(data.held_out) else data.train, stage.reward_samples)
        super().__init__(
            model=model,
            reward_funcs=list(REWARDS),
            args=args,
            train_dataset=data.train,
            eval_dataset=self.reward_questions,
            processing_class=processor,
            peft_config=adapter_config(stage, model_config),
            callbacks=[StopOnBadLoss()],
        )
        if model_config.load_in_4bit or model_config.load_in_8bit:
            assert self.model is not None  # the Trainer's type allows none until it starts
            keep_adapters_in_float32(self.model)
        if stage.sample_generations:
            shown = spread(self.reward_questions, stage.sample_generations)
            self.add_callback(
                SampleGenerations(
                    self,
                    Dataset.from_list([_wanted_conversation(row) for row in shown.with_format(None)], features=ROW_FEATURES),
                    Dataset.from_dict({"rows": [[place] for place in range(len(shown))]}),
                    processor,
                    max_new_tokens=stage.sample_max_new_tokens,
                )
            )

    def _tokenize_prompts(self, prompts: list[Any]) -> Any:
        """Replace the None that TRL gives for a prompt without images: the processor refuses it beside prompts with images."""
        prompt_ids, images, fields = super()._tokenize_prompts(prompts)
        return prompt_ids, None if images is None else [shown or [] for shown in images], fields

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Save a checkpoint that counts only once it is whole."""
        folder = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"
        with saving_into(folder, first_rank=self.args.should_save):
            super()._save_checkpoint(model, trial)

    def _send_telemetry(self) -> None:
        """Send nothing: TRL reports each run to the Hub, and a hospital's training must report to nobody."""

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write no card: TRL's says nothing of data or limits, and modeling.checkpoints writes the project's own."""


def describe_questions(stage: GRPOArguments, trainer: QuestionTrainer, data: QuestionData) -> str:
    """Describe the run to come, in lines: questions and replies a step, questions used and dropped, parameters trained."""
    args: Any = trainer.args
    replies = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
    questions = replies // args.num_generations
    steps = args.max_steps if args.max_steps > 0 else math.ceil(len(data.train) / questions * args.num_train_epochs)
    lines = [
        f"stage {stage.stage}: {len(data.train):,} questions, {steps:,} steps, learning rate {args.learning_rate:g}",
        f"  a step           {questions} questions × {args.num_generations} replies, {args.max_completion_length:,} tokens",
        f"  samples          {', '.join(f'{name} {count:,}' for name, count in data.samples.items())}",
        f"  held out         {len(data.held_out):,}; rewards are taken on {len(trainer.reward_questions):,}",
        f"  dropped          {dict(Counter(drop.reason for drop in data.dropped)) or 'none'}",
    ]
    assert trainer.model is not None
    for part, (trainable, total) in count_parameters(trainer.model).items():
        lines.append(f"  {part.replace('_', ' '):<16} {trainable:,} of {total:,} parameters trained")
    return "\n".join(lines)


def train_questions(
    trainer: QuestionTrainer,
    stage: GRPOArguments,
    model_config: ModelConfig,
    data: QuestionData,
    processor: SpineGPTProcessor,
) -> dict[str, Any]:
    """Train and save as modeling.sft.train_stage does, with rewards (means over replies, 0 to 1) in place of losses."""
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=trainer.args.resume_from_checkpoint)
    trainer.evaluate()
    evaluations = [entry for entry in trainer.state.log_history if "eval_reward" in entry]
    summary = {
        "stage": stage.stage,
        "method": "grpo",
        "start_model": model_config.model_name_or_path,
        "loss": {},
        "reward": {"start_model": _rewards(evaluations[0]), "trained": _rewards(evaluations[-1])},
        "reward_samples": len(trainer.reward_questions),
        "held_out": len(data.held_out),
        "steps": trainer.state.global_step,
        "tokens": int(trainer.state.num_input_tokens_seen),
        "samples": dict(data.samples),
        "dropped": dict(Counter(drop.reason for drop in data.dropped).most_common()),
        "dataset_fingerprint": data.fingerprint,
        "datasets": stage.datasets,
        **describe_run(trainer, model_config),
        "seconds": round(time.monotonic() - began, 1),
    }
    save_final(trainer, processor, model_config, summary, data.dropped)
    return summary


def describe_rewards(summary: Mapping[str, Any], output_dir: str | Path) -> str:
    """Describe a finished stage in a line: mean reward on the same questions before and after, steps, seconds."""
    before, after = (summary["reward"][name]["reward"] for name in ("start_model", "trained"))
    return (
        f"stage {summary['stage']} done: reward on {summary['reward_samples']} questions: start model {before:.3f}, trained "
        f"{after:.3f}; {summary['steps']} steps, {summary['seconds']:.0f} s; {output_dir}"
    )


def _asked(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Turn rows, as datasets reads them, into questions with decoded images."""
    questions = [ask(dict(zip(rows, values))) for values in zip(*rows.values())]
    for question in questions:
        question["images"] = [rgb(decode_image(image)) for image in question["images"]]
    return {name: [question[name] for question in questions] for name in questions[0]}


def _problem(size: Mapping[str, Any], language: str | None, limit: int) -> tuple[str, str] | None:
    """Return the reason and detail if a question of this measure cannot be used."""
    if language not in INSTRUCTIONS:
        return "unknown_language", f"language is {language!r}, none of {', '.join(INSTRUCTIONS)}"
    if size["problem"] == "no_assistant_turn":  # the reply is the reference, empty if there is nothing to name
        return "no_options_no_levels", "neither a right option nor a level to reward"
    if size["problem"]:
        return size["problem"], size["detail"]
    tokens = size["tokens"] - size["supervised_tokens"]
    return ("over_max_prompt_length", f"{tokens} tokens, {limit} allowed") if tokens > limit else None


def _wanted_conversation(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row's question and the reply that it wants as a conversation, which is empty if there is nothing to ask."""
    if not row["messages"] or row["language"] not in INSTRUCTIONS:
        return {**row, "messages": []}
    question = ask(row)
    said = (
        [{"role": "assistant", "content": [{"type": "text", "text": question["reference"]}]}] if question["reference"] else []
    )
    kept = ("id", "images", "source_id", "source_kind")
    return {"messages": [*question["prompt"], *said], **{name: question[name] for name in kept}}


def _rewards(entry: Mapping[str, float]) -> dict[str, float]:
    names = {"eval_reward": "reward"} | {f"eval_rewards/{reward.__name__}/mean": reward.__name__ for reward in REWARDS}
    return {short: entry[name] for name, short in names.items() if name in entry}
