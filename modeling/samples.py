"""Answer a few fixed samples greedily at each evaluation, to show what the model says.

output_dir/samples/step-000500.md      prompt, reference and answer, to read
output_dir/samples/step-000500.jsonl   the same, a line a sample

Prompts and references are the data set's own text, hospital rows included: the folder stays on this machine, and
``modeling.checkpoints.push`` leaves it out. A tracker named in ``report_to`` that takes tables (wandb, trackio) gets the rows
whose ``source_kind`` is known and is not a hospital case.
"""

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from datasets import Dataset
from transformers import GenerationConfig, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from modeling.attention import PACKED_SDPA
from modeling.collator import decode_image
from modeling.families import SpineGPTProcessor
from modeling.pixels import rgb

FOLDER = "samples"
TABLE_TRACKERS = ("wandb", "trackio")
PRIVATE_KINDS = ("hospital_case",)  # as in dataset_builders.schema; a test holds the two equal


@dataclass(frozen=True, slots=True)
class Sample:
    """A row up to its first answer: the question, the images shown with it, the row's own answer and the model's."""

    id: str
    prompt: str
    images: int
    reference: str
    generation: str


class SampleGenerations(TrainerCallback):
    """Answers ``units`` (of one row each) once at each step with an evaluation, and writes the files described above.

    Every rank answers the same prompts, because ZeRO-3 gathers the layers from all ranks; only the first rank writes.
    """

    def __init__(
        self, trainer: Trainer, rows: Dataset, units: Dataset, processor: SpineGPTProcessor, *, max_new_tokens: int
    ) -> None:
        self.trainer = trainer
        self.rows = rows.select([unit["rows"][0] for unit in units])
        self.processor = processor
        self.max_new_tokens = max_new_tokens
        self.last_step = -1

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Answer and write the samples once a step, although it is called for each evaluated data set."""
        del control, kwargs
        if state.global_step == self.last_step:
            return
        self.last_step = state.global_step
        samples = answer(self.trainer.model, list(self.rows), self.processor, self.max_new_tokens)
        if not state.is_world_process_zero:
            return
        write_samples(Path(str(args.output_dir)) / FOLDER, state.global_step, samples)
        public = [sample for sample, row in zip(samples, self.rows) if row["source_kind"] not in (None, *PRIVATE_KINDS)]
        for name in TABLE_TRACKERS:
            if public and name in (args.report_to or ()):
                tracker = importlib.import_module(name)
                table = pd.DataFrame([{"step": state.global_step, **asdict(sample)} for sample in public])
                tracker.log({"samples": tracker.Table(dataframe=table)})


def answer(model: Any, rows: Sequence[Mapping[str, Any]], processor: SpineGPTProcessor, max_new_tokens: int) -> list[Sample]:
    """Answer the rows' turns before their first answer, greedily and in one batch; ``model`` keeps its mode and attention."""
    conversations = [_before_answer(row["messages"]) for row in rows]
    texts = [
        processor.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
        for conversation in conversations
    ]
    counts = [sum(part["type"] == "image" for turn in turns for part in turn["content"]) for turns in conversations]
    images = [[rgb(decode_image(image)) for image in row["images"][:count]] for row, count in zip(rows, counts)]
    batch = processor(
        text=texts,
        images=images if any(images) else None,
        padding=True,
        padding_side="left",
        return_tensors="pt",
        add_special_tokens=False,
    ).to(model.device)
    own = model.generation_config
    tokenizer = processor.tokenizer
    config = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=False,
        use_cache=True,
        eos_token_id=own.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with answering(model):
        sequences = model.generate(**batch, generation_config=config)
    answers = tokenizer.batch_decode(sequences[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return [
        Sample(row["id"], _text(turns), count, _text([_first_answer(row["messages"])]), said.strip())
        for row, turns, count, said in zip(rows, conversations, counts, answers)
    ]


@contextmanager
def answering(model: Any) -> Iterator[None]:
    """Let a model that is being trained answer: no dropout, no gradients, attention that takes padded batches and a cache."""
    was_training = model.training
    text_config = model.config.get_text_config()
    attention = text_config._attn_implementation
    if attention == PACKED_SDPA:  # it takes one packed row without a cache; a padded batch needs plain SDPA
        text_config._attn_implementation = "sdpa"
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        text_config._attn_implementation = attention
        model.train(was_training)


def write_samples(folder: Path, step: int, samples: Sequence[Sample]) -> None:
    """Write step-NNNNNN.md and .jsonl in ``folder``, replacing those of an earlier run."""
    folder.mkdir(exist_ok=True)
    lines = [json.dumps({"step": step, **asdict(sample)}, ensure_ascii=False) + "\n" for sample in samples]
    (folder / f"step-{step:06d}.jsonl").write_text("".join(lines), encoding="utf-8")
    parts = [f"# Step {step}\n"]
    for sample in samples:
        images = f" ({sample.images} images)" if sample.images else ""
        parts.append(f"## {sample.id}\n")
        for title, text in (
            (f"Prompt{images}", sample.prompt),
            ("Reference", sample.reference),
            ("Model", sample.generation),
        ):
            quoted = "\n".join(f"> {line}" for line in text.splitlines()) or "> (nothing)"
            parts.append(f"**{title}**\n\n{quoted}\n")
    (folder / f"step-{step:06d}.md").write_text("\n".join(parts), encoding="utf-8")


def _before_answer(messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    return list(messages[: [message["role"] for message in messages].index("assistant")])


def _first_answer(messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next(message for message in messages if message["role"] == "assistant")


def _text(turns: Sequence[Mapping[str, Any]]) -> str:
    return "\n\n".join("".join(part["text"] for part in turn["content"] if part["type"] == "text") for turn in turns)
