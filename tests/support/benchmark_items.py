"""Benchmark items for tests: one builder, so that a test names only what it is about."""

from pathlib import Path

from datasets import Dataset

from dataset_builders.schema import spinebench_features
from evaluation.benchmark import Benchmark, BenchmarkItem, fingerprint

DISCS = ("L2/L3", "L3/L4", "L4/L5", "L5/S1")


def make_item(name: str, task: str = "multiple_choice", *, images=(), source_kind="textbook", **changes) -> BenchmarkItem:
    """A question in English whose right option is C, or a report whose reference names L4/L5."""
    values = {
        "language": "en",
        "modality": "image_text" if images else "text",
        "question": f"Which disc is narrow in {name}?" if task == "multiple_choice" else f"Report on {name}.",
        "options": DISCS if task == "multiple_choice" else (),
        "answer": "C" if task == "multiple_choice" else "The disc at L4/L5 is narrow.",
        **changes,
    }
    row = {"id": name, "axis": "level_identification", "source_kind": source_kind, "language": values["language"]}
    return BenchmarkItem(id=name, task=task, images=tuple(images), row=row, **values)


def make_benchmark(*items: BenchmarkItem) -> Benchmark:
    return Benchmark("made-up", items, fingerprint(items))


def write_benchmark(folder: Path) -> Path:
    """Two questions in English without images, as spinebench is laid out."""
    features = spinebench_features()
    rows = [
        {
            **dict.fromkeys(features),
            "id": name,
            "task": "multiple_choice",
            "language": "en",
            "modality": "text",
            "question": f"Which disc is narrow in {name}?",
            "options": DISCS,
            "answer": "C",
            "images": [],
            "rubric": [],
        }
        for name in ("case 1", "case 2")
    ]
    folder.mkdir()
    Dataset.from_list(rows, features=features).to_parquet(folder / "test.parquet")
    return folder
