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
from datasets import Dataset, Features, Image, List, Value, concatenate_datasets
from transformers import PreTrainedModel
from trl import GRPOConfig, GRPOTrainer, ModelConfig

from modeling.adapters import adapter_config, keep_adapters_in_float32
from modeling.arguments import GRPOArguments
from modeling.collator import measure
from modeling.curriculum import Dropped, Source, is_held_out, read_source, spread
from modeling.families import SpineGPTProcessor
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
_TEXT_PARTS = List({"type": Value("string"), "text": Value("string")})
QUESTION_FEATURES = Features(
    {
        "id": Value("string"),
        "source_id": Value("string"),
        "source_kind": Value("string"),
        "prompt": List({"role": Value("string"), "content": _TEXT_PARTS}),
        "images": List(Image()),
        "reference": Value("string"),
        "choices": Value("string"),
        "answer": Value("string"),
        "levels": List(Value("string")),
    }
)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class QuestionData:
    """Questions with QUESTION_FEATURES: ``train`` in training order, ``held_out`` for evaluation; the rest as in StageData."""

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
) -> QuestionData:
    """Choose and shuffle the questions of all sources that have options or levels, at most ``max_prompt_length`` tokens each.

    A source's ``weight`` below 1 takes that share of its questions; no question is taken twice. Raises ValueError, naming the
    argument and the fix, if no question is left.
    """
    dropped: list[Dropped] = []
    parts: list[Dataset] = []
    samples: dict[str, int] = {}
    rng = np.random.default_rng(seed)
    for number, source in enumerate(sources):
        rows, refused = read_source(source, seed + number, COLUMNS)
        rows = rows.cast_column("images", List(Image(decode=False)))
        dropped += refused
        questions = []
        for row in rows:
            question = ask(row)
            problem = _problem(question, processor, max_prompt_length)
            if problem is None:
                questions.append(question)
            else:
                dropped.append(Dropped(row["id"], *problem))
        taken = sorted(rng.permutation(len(questions))[: round(min(source.weight, 1.0) * len(questions))])
        questions = [questions[place] for place in taken]
        trained = sum(not is_held_out(question["source_id"], validation_share) for question in questions)
        samples[source.name] = samples.get(source.name, 0) + trained
        by_column = {name: [question[name] for question in questions] for name in QUESTION_FEATURES}
        parts.append(Dataset.from_dict(by_column, features=QUESTION_FEATURES))
    merged = concatenate_datasets(parts)
    held_out = np.asarray([is_held_out(source_id, validation_share) for source_id in merged["source_id"]], dtype=bool)
    train = rng.permutation(np.flatnonzero(~held_out))
    if not len(train):
        reasons = dict(Counter(drop.reason for drop in dropped))
        raise ValueError(
            f"datasets: no question is left to train on ({reasons}; {held_out.sum()} held out). Raise max_prompt_length "
            f"(now {max_prompt_length}), lower max_pixels or validation_share, or correct the recipe's datasets."
        )
    content = [{name: row[name] for name in ("prompt", "choices", "answer", "levels")} for row in merged.select(train)]
    return QuestionData(
        train=merged.select(train),
        held_out=merged.select(np.flatnonzero(held_out)),
        dropped=tuple(dropped),
        samples=samples,
        fingerprint=hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest(),
    )


def ask(row: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a row's first turn into a question that asks for the lines of modeling.rewards, with the reply it wants.

    ``levels`` become discs, and vertebrae that are not the end of one of them (rewards.stand_alone).
    """
    language = row["language"]
    choices = LETTERS[: len(row["options"])]
    levels = sorted(stand_alone([*row["levels"], *row["discs"]]))
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
        "images": row["images"][:shown],
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
                    Dataset.from_list([_with_reference(row) for row in shown.cast_column("images", List(Image(decode=False)))]),
                    Dataset.from_dict({"rows": [[place] for place in range(len(shown))]}),
                    processor,
                    max_new_tokens=stage.sample_max_new_tokens,
                )
            )

    def _tokenize_prompts(self, prompts: list[Any]) -> Any:
        """Replace the None that TRL gives for a prompt without images: the processor refuses it beside prompts with images."""
        prompt_ids, images, fields = super()._tokenize_prompts(prompts)
        return prompt_ids, None if images is None else [shown or [] for shown in images], fields

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


def _problem(question: Mapping[str, Any], processor: SpineGPTProcessor, limit: int) -> tuple[str, str] | None:
    """Return the reason and detail if a question cannot be used."""
    if not question["reference"]:
        return "no_options_no_levels", "neither a right option nor a level to reward"
    size = measure(_with_reference(question), processor)
    if size.problem:
        return size.problem, size.detail
    tokens = size.tokens - size.supervised_tokens
    return ("over_max_prompt_length", f"{tokens} tokens, {limit} allowed") if tokens > limit else None


def _with_reference(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return a question and the reply that it wants as a conversation."""
    reply = {"role": "assistant", "content": [{"type": "text", "text": question["reference"]}]}
    kept = ("id", "images", "source_id", "source_kind")
    return {"messages": [*question["prompt"], reply], **{name: question[name] for name in kept}}


def _rewards(entry: Mapping[str, float]) -> dict[str, float]:
    names = {"eval_reward": "reward"} | {f"eval_rewards/{reward.__name__}/mean": reward.__name__ for reward in REWARDS}
    return {short: entry[name] for name, short in names.items() if name in entry}
