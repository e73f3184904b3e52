"""Write data set cards: YAML configurations over the partitions, counts, columns, sources and limits, all from the rows."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.levels import VERTEBRAE
from dataset_builders.schema import BENCHMARK_TASKS, COLUMNS, TASKS, spinebench_features, spinemed_features

COUNTED = (
    "task",
    "language",
    "modality",
    "source_kind",
    "specialty",
    "subfield",
    "levels",
    "axis",
    "source_licence",
    "draft_model",
)

SPINEMED_CONFIGS = {
    "default": ["data/spine/*/train-*.parquet", "data/orthopaedics/*/train-*.parquet"],
    **{task: [f"data/spine/{task}/train-*.parquet", f"data/orthopaedics/{task}/train-*.parquet"] for task in TASKS},
    "spine": ["data/spine/*/train-*.parquet"],
    "orthopaedics": ["data/orthopaedics/*/train-*.parquet"],
    "general": ["data/general/*/train-*.parquet"],
}


@dataclass(slots=True)
class Counts:
    """Rows by value for every column in COUNTED (a row with several levels counts once for each), and their sources."""

    rows: int = 0
    documents: set[str] = field(default_factory=set)
    cases: set[str] = field(default_factory=set)
    by: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in COUNTED})

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row of either data set."""
        self.rows += 1
        self.documents.add(row["source_id"])
        if row["case_id"]:
            self.cases.add(row["case_id"])
        for name, counter in self.by.items():
            value = row[name]
            counter.update(value if isinstance(value, list) else [value or "(none)"])


def spinebench_configs() -> dict[str, list[str]]:
    """Return the globs of every configuration of SpineBench: all items, and one for each task of BENCHMARK_TASKS."""
    return {"default": ["data/*/test-*.parquet"], **{task: [f"data/{task}/test-*.parquet"] for task in BENCHMARK_TASKS}}


def write_training_card(folder: Path, counts: Counts, facts: Mapping[str, Any]) -> None:
    """Write README.md of SpineMed-450k into ``folder``. ``facts``: see ``describe_build``."""
    body = f"""# SpineMed-450k

Instructions for vertebral-level reasoning over X-ray, CT, MRI and text, each with the source it was made from.
This build holds **{counts.rows:,} rows** from {len(counts.documents):,} source documents, of which {len(counts.cases):,} are
patient cases. It was built by the open pipeline of this project; it is not the corpus of the paper that described
SpineMed-450k, whose data were never published.

```python
from datasets import load_dataset
load_dataset("spinemed-450k")             # spine and orthopaedics
load_dataset("spinemed-450k", "report")   # one task: {", ".join(TASKS)}
load_dataset("spinemed-450k", "spine")    # one specialty: spine, orthopaedics, general
```

`default` leaves out `general` (other medicine, for the first training stage only).

{_tables(counts)}
## Columns

{_columns(spinemed_features())}
{_build(facts)}
## Limits

- Rows with `draft_model` of `rules/…` were written by rules from what the source says or what image labels show; they are
  plain in wording and were not written by a language model.
- `review_status` says whether a clinician has seen a row. Unreviewed rows must not be taken for clinical advice.
- Rows of licence LicenseRef-Hospital, LicenseRef-Unknown or LicenseRef-Contested
  are for the machine they were built on: `publish` leaves them out.
"""
    _write(folder, "SpineMed-450k", SPINEMED_CONFIGS, "train", counts, body)


def write_benchmark_card(
    folder: Path, counts: Counts, facts: Mapping[str, Any], strata: Mapping[tuple[str, ...], int] | None = None
) -> None:
    """Write README.md of SpineBench into ``folder``. ``facts``: see ``describe_build``.

    strata   task, source kind, language, modality, axis and level -> items (sampling.stratum_of).
    """
    body = f"""# SpineBench

A level-aware benchmark for spine care: {_list_words([task.title for task in BENCHMARK_TASKS.values()])}, sampled from the
same build as SpineMed-450k by its source distribution and held apart from it by source document and by case. This build holds
**{counts.rows:,} items** from {len(counts.documents):,} source documents, of which {len(counts.cases):,} are patient cases.

```python
from datasets import load_dataset
load_dataset("spinebench")
load_dataset("spinebench", "multiple_choice")   # one task: {", ".join(BENCHMARK_TASKS)}
```

Score it with `python -m evaluation run --model … --benchmark spinebench --output …`.

{_sampling(counts, strata or {})}
{_tables(counts)}
## Columns

{_columns(spinebench_features())}
{_build(facts)}
## Limits

- `review_status` says whether clinicians accepted an item. The paper's 487 + 87 items were corrected by 17 surgeons; the items
  here are unreviewed unless that column says otherwise.
- Items written by rules (`draft_model` of `rules/…`) test reading of labels, captions and passages, not all of practice.
"""
    _write(folder, "SpineBench", spinebench_configs(), "test", counts, body)


def _sampling(counts: Counts, strata: Mapping[tuple[str, ...], int]) -> str:
    """The protocol in words, what it reached of what it asked for, and the table of strata."""
    asked = [f"| {task.title} | {task.most:,} | {counts.by['task'][name]:,} |" for name, task in BENCHMARK_TASKS.items()]
    rows = [f"| {' | '.join(part or '–' for part in stratum)} | {count:,} |" for stratum, count in sorted(strata.items())]
    return "\n".join([
        "## Sampling", "",
        "Every source kind gives its share of each task; within a kind the strata of the second table take turns. At most two",
        "items come of a patient's case, and one of twins (the same question in both languages); questions that fill one",
        "template are capped; a report whose reference stands in other documents' replies is not taken. Where the corpus is",
        "too small for the numbers asked for, this is the largest sample that keeps to these rules.",
        "",
        "| Task | Asked for | Sampled |", "|---|---:|---:|", *asked, "",
        "| Task | Source | Language | Modality | Axis | Level | Items |", "|---|---|---|---|---|---|---:|", *rows, "",
    ])  # fmt: skip


def _list_words(words: Sequence[str]) -> str:
    """Join words as a sentence lists them: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _write(folder: Path, name: str, configs: dict[str, list[str]], split: str, counts: Counts, body: str) -> None:
    head: dict[str, Any] = {
        "pretty_name": name,
        "language": sorted(counts.by["language"]),
        "license": "other",
        "license_name": "per-row",
        "license_link": "README.md#licences",
        "task_categories": ["question-answering", "visual-question-answering", "text-generation"],
        "tags": ["medical", "spine", "radiology", "vertebral-level"],
        "size_categories": [_size_category(counts.rows)],
        "configs": [
            {
                "config_name": config,
                **({"default": True} if config == "default" else {}),
                "data_files": [{"split": split, "path": globs if len(globs) > 1 else globs[0]}],
            }
            for config, globs in configs.items()
        ],
    }
    # load_dataset's cache key for a local folder is its configurations, not its files: without the build's own hash in
    # them, a data set that was built again would silently load as it was before.
    build = _hash_data(folder)
    for config in head["configs"]:
        config["description"] = f"build {build}"
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    (folder / "README.md").write_text(f"---\n{front}---\n\n{body}", encoding="utf-8")


def _hash_data(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.parquet")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _tables(counts: Counts) -> str:
    titles = {
        "task": "Task",
        "language": "Language",
        "modality": "Modality",
        "source_kind": "Source",
        "specialty": "Specialty",
        "subfield": "Sub-field",
        "axis": "Axis",
        "draft_model": "Drafted by",
    }
    parts = ["## Counts\n"]
    for column, title in titles.items():
        parts.append(_table(title, counts.by[column].most_common()))
    levels = counts.by["levels"]
    parts.append(_table("Level", [(name, levels[name]) for name in VERTEBRAE if levels[name]]))
    parts.append("## Licences\n")
    parts.append(_table("Licence", counts.by["source_licence"].most_common()))
    return "\n".join(parts)


def _table(title: str, pairs: list[tuple[str, int]]) -> str:
    return "\n".join([f"| {title} | Rows |", "|---|---:|", *(f"| {name} | {count:,} |" for name, count in pairs), ""])


def _columns(features: Mapping[str, Any]) -> str:
    return "\n".join(["| Column | |", "|---|---|", *(f"| `{name}` | {COLUMNS[name]} |" for name in features), ""])


def _build(facts: Mapping[str, Any]) -> str:
    steps = "\n".join(
        f"| {step['step']} | {step['version']} | {step['records_in']:,} | {step['records_out']:,} | "
        f"{'; '.join(f'{reason}: {count}' for reason, count in step['dropped'].items()) or '–'} |"
        for step in facts["steps"]
    )
    return f"""## How it was built

Every step's version, what went in and came out, and what left the build there, by reason:

| Step | Version | In | Out | Left out |
|---|---:|---:|---:|---|
{steps}
"""


def _size_category(rows: int) -> str:
    bounds = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return next((name for bound, name in bounds if rows < bound), "1M<n<10M")
