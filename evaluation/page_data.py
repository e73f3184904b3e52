"""Collect what the report page shows of data sets and training folders: counts, example rows with images, losses."""

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict, Image, List, concatenate_datasets, get_dataset_config_names, load_dataset
from PIL import Image as Images

from dataset_builders.levels import DISCS, VERTEBRAE
from dataset_builders.schema import LANGUAGES, TASKS
from evaluation.records import read_json

COUNTED = {
    "task": "Task",
    "language": "Language",
    "modality": "Modality",
    "source_kind": "Source kind",
    "subfield": "Sub-field",
    "axis": "Evaluation axis",
    "image_modality": "First image",
    "source_licence": "Licence",
}
PROVENANCE = (
    "source_kind", "source_id", "source_title", "source_doi", "source_url", "source_licence", "source_locator", "source_sha256",
    "case_id", "draft_model", "revise_model", "prompt_id", "prompt_sha256", "generation_id", "review_status", "review_group",
    "review_verdict", "reviewed_at", "levels", "discs", "specialty", "subfield", "axis", "image_modality", "agreement",
)  # fmt: skip
_SUMMARY, _STATE = "training_summary.json", "trainer_state.json"
_LARGEST = 480  # pixels on the longer side of an image on the page


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of a data set by value of each counted column, most frequent first; a row with several levels counts for each."""

    rows: int
    by: Mapping[str, Sequence[tuple[str, int]]]
    vertebrae: Sequence[tuple[str, int]]
    discs: Sequence[tuple[str, int]]
    sources: int
    images: int


@dataclass(frozen=True, slots=True)
class Example:
    """One row as the page shows it: turns of (role, text), images as data URIs, and its provenance."""

    id: str
    task: str
    language: str
    modality: str
    turns: Sequence[tuple[str, str]]
    images: Sequence[str]
    options: Sequence[str]
    answer: str | None
    rubric: Sequence[tuple[str, str]]
    provenance: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stage:
    """A trained stage: losses that training_summary.json states, and (step, loss) points of the log."""

    name: str
    losses: Mapping[str, float]
    points: Sequence[tuple[int, float]]
    facts: Mapping[str, str]


def load_rows(name: str) -> Dataset:
    """Load all rows of a data set, including training splits and the `general` configuration, with images undecoded."""
    known = get_dataset_config_names(name)
    configs = [config for config in ("default", "general") if config in known] or known[:1]
    parts: list[Dataset] = []
    for config in configs:
        loaded = load_dataset(name, config)
        parts += list(loaded.values()) if isinstance(loaded, DatasetDict) else [loaded]
    rows = concatenate_datasets(parts) if len(parts) > 1 else parts[0]
    return rows.cast_column("images", List(Image(decode=False)))


def count(rows: Dataset) -> Counts:
    """Count the rows by the columns of COUNTED, by vertebra and by disc (both in anatomical order)."""
    columns = {column: Counter(value if value is not None else "(none)" for value in rows[column]) for column in COUNTED}
    vertebrae = Counter(level for levels in rows["levels"] for level in levels)
    discs = Counter(disc for row in rows["discs"] for disc in row)
    imaged = rows.filter(lambda modality: modality == "image_text", input_columns="modality")
    return Counts(
        rows=len(rows),
        by={column: sorted(counter.items(), key=lambda pair: (-pair[1], pair[0])) for column, counter in columns.items()},
        vertebrae=[(name, vertebrae[name]) for name in VERTEBRAE if vertebrae[name] or name not in ("T13", "L6")],
        discs=[(name, discs[name]) for name in DISCS if discs[name]],
        sources=len(set(rows["source_id"])),
        images=sum(len(images) for images in imaged["images"]),
    )


def choose_examples(rows: Dataset) -> list[Example]:
    """Choose one row for each task and language: the first in the data set's order, of those with images if there are any."""
    keys = list(zip(rows["task"], rows["language"], rows["modality"]))
    chosen = []
    for task in TASKS:
        for language in LANGUAGES:
            places = [place for place, (of, spoken, _) in enumerate(keys) if (of, spoken) == (task, language)]
            places.sort(key=lambda place: keys[place][2] != "image_text")
            if places:
                chosen.append(_example(rows[places[0]]))
    return chosen


def read_stage(folder: Path) -> Stage:
    """Read the losses of a training folder. Raises FileNotFoundError naming what is missing."""
    for name in (_SUMMARY, _STATE):
        if not (folder / name).exists():
            raise FileNotFoundError(f"--training {folder}: no {name}; is it the output folder of a finished stage?")
    summary = read_json(folder / _SUMMARY)
    history = read_json(folder / _STATE)["log_history"]
    facts = {
        "steps": summary.get("steps"),
        "tokens": summary.get("tokens"),
        "learning rate": summary.get("learning_rate"),
        "seconds": summary.get("seconds"),
        "samples in the losses": summary.get("loss_samples"),
    }
    return Stage(
        name=f"Stage {summary['stage']}" if "stage" in summary else folder.name,
        losses={name.replace("_", " "): loss for name, loss in summary["loss"].items() if loss is not None},
        points=[(entry["step"], entry["loss"]) for entry in history if "loss" in entry],
        facts={
            name: f"{value:,}" if isinstance(value, int) else str(value) for name, value in facts.items() if value is not None
        },
    )


def data_uri(encoded: bytes) -> str:
    """Re-encode an image as PNG in a data URI, at most _LARGEST pixels long, so that nothing but its pixels is kept."""
    with Images.open(io.BytesIO(encoded)) as image:
        small = image.convert("RGB" if image.mode not in ("L", "1") else "L")
    small.thumbnail((_LARGEST, _LARGEST))
    file = io.BytesIO()
    small.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _example(row: Mapping[str, Any]) -> Example:
    if "messages" in row:
        turns = [
            (turn["role"], "\n".join(part["text"] for part in turn["content"] if part["type"] == "text"))
            for turn in row["messages"]
        ]
        options: Sequence[str] = ()  # they stand in the first turn
    else:
        turns, options = [("user", row["question"])], row["options"]
    return Example(
        id=row["id"],
        task=row["task"],
        language=row["language"],
        modality=row["modality"],
        turns=turns,
        images=[data_uri(image["bytes"]) for image in row["images"]],
        options=options,
        answer=row["answer"],
        rubric=[(line["dimension"], line["criterion"]) for line in row.get("rubric") or ()],
        provenance={name: _shown(row[name]) for name in PROVENANCE if row[name] not in (None, [])},
    )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
