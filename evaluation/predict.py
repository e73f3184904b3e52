"""Ask a model every question of a benchmark: resumable, deterministic, one line of predictions.jsonl an item.

A question with options is answered in one of two ways, which the results record because they are not comparable:

    generate     the model answers in words, greedily; the choice is read from the text (extract_answer)
    likelihood   the option letter with the highest next-token log-probability; one pass, nothing to parse. Local models only.

Default: likelihood for local models (it also measures models too small or untrained to follow instructions), generate for
endpoints. Tasks without options (reports) are always generated.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from dataset_builders.schema import BENCHMARK_TASKS
from dataset_builders.taxonomy import LETTERS
from evaluation.benchmark import Benchmark, BenchmarkItem, format_options
from evaluation.multiple_choice_accuracy.multiple_choice_accuracy import extract_answer
from evaluation.prompts import Prompt, load_prompt
from evaluation.records import PREDICTIONS, append_lines, read_lines

MCQ_MAX_NEW_TOKENS = 512
"""Longest answer to a question with options, in tokens."""

_CONTROL_TOKEN = re.compile(r"<\|[A-Za-z_]+\|>")


@dataclass(frozen=True, slots=True)
class Request:
    """One user turn: encoded images (PNG or JPEG bytes), then text. ``is_hospital``: for trusted endpoints only."""

    text: str
    images: tuple[bytes, ...] = ()
    is_hospital: bool = False
    prompt_id: str = ""
    prompt_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of a model. ``truncated``: the limit of tokens ended it, not the model."""

    text: str
    truncated: bool


class Generator(Protocol):
    """A model that writes answers: LocalModel, or an endpoint."""

    id: str
    version: str
    parameters: int | None

    def generate(self, requests: Sequence[Request], max_new_tokens: int) -> list[Reply]:
        """Return greedy answers, in order."""
        ...


class LetterScorer(Protocol):
    """A model that can also give the log-probability of a next token."""

    def score_next(self, requests: Sequence[Request], words: Sequence[Sequence[str]]) -> list[list[float]]:
        """Return the log-probability of each word as the next token, in order."""
        ...


def choose_prompts(scoring: str) -> dict[str, Prompt]:
    """Load the prompt of every task. Likelihood uses one without an instruction: the letter is compared, not written.

    Raises ValueError naming the entry of BENCHMARK_TASKS whose prompt does not exist.
    """
    prompts = {}
    for task in BENCHMARK_TASKS.values():
        name = f"{task.prompt}_likelihood" if task.has_options and scoring == "likelihood" else task.prompt
        try:
            prompts[task.name] = load_prompt(name)
        except FileNotFoundError as error:
            raise ValueError(
                f"BENCHMARK_TASKS[{task.name!r}] of dataset_builders/schema.py: evaluation/prompts has no prompt {name!r}"
            ) from error
    return prompts


def predict(
    model: Generator,
    benchmark: Benchmark,
    output: Path,
    *,
    scorer: LetterScorer | None = None,
    batch_size: int = 1,
    max_new_tokens: int = 1024,
    images: bool = True,
) -> list[dict[str, Any]]:
    """Answer every item and return the predictions in the benchmark's order.

    ``scorer`` scores multiple choice by likelihood; if it is None, the choice is read from a generated answer.
    ``images=False`` asks without images, to measure what the model knows without looking. Answers already in ``output`` are
    kept; a batch that was cut off is asked again as a whole, so that a resumed run sees the same batches as an undisturbed
    one. An item whose text holds a control token of chat templates ("<|image_pad|>") is not asked: it is unreadable, its answer
    empty and without a choice, so that it counts as wrong and one item does not end a run.
    """
    path = output / PREDICTIONS
    done = {record["id"]: record for record in read_lines(path)}
    prompts = choose_prompts("likelihood" if scorer else "generate")
    readable = [item for item in benchmark.items if _is_readable(item)]
    refused = [item for item in benchmark.items if item not in readable]
    unreadable = [_unreadable(item, prompts[item.task]) for item in refused if item.id not in done]
    append_lines(path, unreadable)
    done.update({record["id"]: record for record in unreadable})
    with tqdm(total=len(benchmark.items), initial=len(done), desc="predict", unit="item") as bar:
        for batch in _batches(readable, batch_size):
            if all(item.id in done for item in batch):
                continue
            requests = [_request(item, prompts[item.task], images) for item in batch]
            if batch[0].rules.has_options and scorer is not None:
                records = list(_by_likelihood(scorer, batch, requests))
            else:
                limit = min(max_new_tokens, MCQ_MAX_NEW_TOKENS) if batch[0].rules.has_options else max_new_tokens
                records = [_generated(item, reply) for item, reply in zip(batch, model.generate(requests, limit))]
            new = [
                {**record, "prompt_id": prompts[item.task].id, "n_images": len(request.images)}
                for record, item, request in zip(records, batch, requests)
                if item.id not in done
            ]
            append_lines(path, new)
            done.update({record["id"]: record for record in new})
            bar.update(len(new))
    return [done[item.id] for item in benchmark.items]


def choose_by_likelihood(scorer: LetterScorer, items: Sequence[BenchmarkItem]) -> list[str | None]:
    """Return the letter of each item's likeliest option, asked one at a time; None for an item that cannot be asked."""
    prompts = choose_prompts("likelihood")
    choices: list[str | None] = []
    for item in items:
        if _is_readable(item):
            (record,) = _by_likelihood(scorer, [item], [_request(item, prompts[item.task], images=True)])
            choices.append(record["choice"])
        else:
            choices.append(None)
    return choices


def _is_readable(item: BenchmarkItem) -> bool:
    return not _CONTROL_TOKEN.search("\n".join((item.question, *item.options)))


def _batches(items: Sequence[BenchmarkItem], size: int) -> Iterator[Sequence[BenchmarkItem]]:
    """Yield consecutive items of one task; which items share a batch depends on the benchmark alone."""
    for task in BENCHMARK_TASKS:
        of_task = [item for item in items if item.task == task]
        for start in range(0, len(of_task), size):
            yield of_task[start : start + size]


def _request(item: BenchmarkItem, prompt: Prompt, images: bool) -> Request:
    values: Mapping[str, str] = {"question": item.question, "options": format_options(item.options)}
    text = prompt.fill(item.language, **values)
    return Request(text, item.images if images else (), item.is_hospital, prompt.id, prompt.sha256)


def _unreadable(item: BenchmarkItem, prompt: Prompt) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": item.id,
        "task": item.task,
        "text": "",
        "truncated": False,
        "unreadable": "a control token in its text",
    }
    if item.rules.has_options:
        record["choice"] = None
    return {**record, "prompt_id": prompt.id, "n_images": 0}


def _by_likelihood(
    scorer: LetterScorer, items: Sequence[BenchmarkItem], requests: Sequence[Request]
) -> Iterator[dict[str, Any]]:
    letters = [LETTERS[: len(item.options)] for item in items]
    for item, asked, scores in zip(items, letters, scorer.score_next(requests, letters)):
        best = max(range(len(asked)), key=lambda place: scores[place])
        yield {
            "id": item.id,
            "task": item.task,
            "text": "",
            "choice": asked[best],
            "log_probabilities": {letter: round(score, 6) for letter, score in zip(asked, scores)},
        }


def _generated(item: BenchmarkItem, reply: Reply) -> dict[str, Any]:
    record = {"id": item.id, "task": item.task, "text": reply.text, "truncated": reply.truncated}
    if item.rules.has_options:
        record["choice"] = extract_answer(reply.text, item.options)
    return record
