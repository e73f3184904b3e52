"""Read SpineBench for the harness: checked rows, image bytes, and a fingerprint of what was measured."""

import hashlib
import io
import json
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import PIL.Image
from datasets import DatasetDict, Image, List, load_dataset

from dataset_builders.schema import (
    BENCHMARK_TASKS,
    LANGUAGES,
    PRIVATE_KINDS,
    SOURCE_KINDS,
    BenchmarkTask,
    find_benchmark_task,
    spinebench_features,
)
from dataset_builders.taxonomy import LETTERS

MAX_PIXELS = 100_000_000
"""Of an image of a row; more is a decompression bomb."""

METRICS = ("accuracy", "judge")
"""Metrics that the harness knows: right or wrong (0 or 100), and a judge's scored dimensions (report_score's P3, 20-100)."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the weighted total, named as in schema.BENCHMARK_TASKS, and the metric of the items that count towards it."""

    name: str
    title: str
    metric: str


@dataclass(frozen=True, slots=True)
class BenchmarkItem:
    """One row. ``images`` are encoded images (PNG or JPEG bytes); ``row`` holds the other columns of schema.py."""

    id: str
    task: str
    language: str
    modality: str
    question: str
    options: tuple[str, ...]
    answer: str
    images: tuple[bytes, ...]
    row: Mapping[str, Any]

    @property
    def rules(self) -> BenchmarkTask:
        """The rules by which items of this task are asked and scored."""
        return find_benchmark_task(self.task)

    @property
    def part(self) -> str:
        """The part of the total that the item counts towards, named as in schema.BENCHMARK_TASKS ("text_mcq", "report" …)."""
        return self.rules.parts[self.modality][0]

    @property
    def is_hospital(self) -> bool:
        """Whether the item may go to trusted endpoints only."""
        return self.row["source_kind"] in PRIVATE_KINDS


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The items of a run in order, and the SHA-256 of all their columns and image bytes."""

    name: str
    items: tuple[BenchmarkItem, ...]
    fingerprint: str


def total_parts() -> dict[str, Part]:
    """Return the parts of the total by name, in the order of schema.BENCHMARK_TASKS."""
    return {name: Part(name, title, task.metric) for task in BENCHMARK_TASKS.values() for name, title in task.parts.values()}


def load_benchmark(name: str, limit: int | None = None) -> Benchmark:
    """Load a folder or Hub data set that has the columns of spinebench_features.

    ``limit`` takes that many items, in turn from each part of the total and language, so that a short run covers all of them.
    Raises ValueError naming what is missing or which row is wrong, and the table's entry if a task cannot be scored.
    """
    loaded = load_dataset(name)
    if isinstance(loaded, DatasetDict):
        split = "test" if "test" in loaded else next(iter(loaded))
        loaded = loaded[split]
    missing = sorted(set(spinebench_features()) - set(loaded.column_names))
    if missing:
        raise ValueError(f"--benchmark {name}: no column {', '.join(missing)}; is it a data set of schema.spinebench_features?")
    for task in sorted(set(loaded["task"])):
        _check_task(name, task)
    rows = loaded.cast_column("images", List(Image(decode=False)))
    items = [_item(name, row) for row in rows]
    if len({item.id for item in items}) != len(items):
        raise ValueError(f"--benchmark {name}: ids repeat; every row needs its own")
    if not items:
        raise ValueError(f"--benchmark {name}: no rows")
    if limit is not None:
        items = take_in_turn(items, limit)
    return Benchmark(name, tuple(items), fingerprint(items))


def fingerprint(items: Sequence[BenchmarkItem]) -> str:
    """Return the SHA-256 over every column and image of the items, in order.

    Equal content gives an equal fingerprint on any machine.
    """
    digest = hashlib.sha256()
    for item in items:
        images = [hashlib.sha256(image).hexdigest() for image in item.images]
        digest.update(json.dumps([dict(item.row), images], ensure_ascii=False, sort_keys=True).encode())
    return digest.hexdigest()


def format_options(options: Sequence[str]) -> str:
    """Format one line an option, "A. …", as SpineMed's multiple choice rows do."""
    return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options))


def _check_task(name: str, task: str) -> None:
    """Raise ValueError, naming the entry of BENCHMARK_TASKS, for a task that the harness cannot score."""
    try:
        rules = find_benchmark_task(task)
    except ValueError as error:
        raise ValueError(f"--benchmark {name}: {error}") from error
    if rules.metric not in METRICS or (rules.metric == "accuracy") != rules.has_options:
        raise ValueError(
            f"--benchmark {name}: BENCHMARK_TASKS[{task!r}] of dataset_builders/schema.py has the metric {rules.metric!r}; "
            f"evaluation knows {' and '.join(METRICS)}; accuracy goes with has_options=True, judge with False"
        )


def _item(name: str, row: dict[str, Any]) -> BenchmarkItem:
    where = f"--benchmark {name}: row {row['id']}"
    images = tuple(image["bytes"] for image in row["images"])
    if any(image is None for image in images):
        raise ValueError(f"{where}: an image is not embedded; build the data set with embedded images")
    for image in images:
        _check_image(where, image)
    if row["source_kind"] not in (None, *SOURCE_KINDS):
        raise ValueError(
            f"{where}: source_kind {row['source_kind']!r} has no entry in KINDS of dataset_builders/source_kinds.py"
        )
    task, answer, options = find_benchmark_task(row["task"]), row["answer"], tuple(row["options"])
    if row["modality"] not in task.parts:
        raise ValueError(f"{where}: modality {row['modality']!r}; BENCHMARK_TASKS[{task.name!r}] has parts of {[*task.parts]}")
    if task.has_options:
        if not 2 <= len(options) <= len(LETTERS):
            raise ValueError(f"{where}: {len(options)} options; {task.title} needs 2 to {len(LETTERS)}")
        if not answer or not set(answer) <= set(LETTERS[: len(options)]):
            raise ValueError(f"{where}: answer {answer!r} is not a letter of its {len(options)} options")
    elif not (answer or "").strip():
        raise ValueError(f"{where}: no reference in 'answer'")
    if row["language"] not in LANGUAGES:
        raise ValueError(f"{where}: language {row['language']!r}; prompts are in {' and '.join(LANGUAGES)}")
    rest = {key: value for key, value in row.items() if key != "images"}
    return BenchmarkItem(
        row["id"], row["task"], row["language"], row["modality"], row["question"], options, answer, images, rest
    )


def _check_image(where: str, image: bytes) -> None:
    """Raise ValueError for an image that cannot be opened or has more than MAX_PIXELS; no pixel is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(io.BytesIO(image)) as opened:
                pixels = opened.width * opened.height
    except PIL.Image.DecompressionBombError as error:
        raise ValueError(f"{where}: an image has more than {MAX_PIXELS:,} pixels; make it smaller") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{where}: an image cannot be opened ({type(error).__name__}); store it as PNG or JPEG") from error
    if pixels > MAX_PIXELS:
        raise ValueError(f"{where}: an image of {pixels:,} pixels, the limit is {MAX_PIXELS:,}; make it smaller")


def take_in_turn(items: Sequence[BenchmarkItem], limit: int) -> list[BenchmarkItem]:
    """Take ``limit`` items in turn from each part of the total and language, in the benchmark's order."""
    if limit < 1:
        raise ValueError(f"--limit {limit}: give at least 1")
    places: dict[tuple[str, str], int] = defaultdict(int)
    ranked = []
    for position, item in enumerate(items):
        key = (item.part, item.language)
        ranked.append((places[key], position))
        places[key] += 1
    chosen = sorted(position for _, position in sorted(ranked)[:limit])
    return [items[position] for position in chosen]
