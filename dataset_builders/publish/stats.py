"""Count a built data set, read with ``load_dataset`` as a user reads it."""

from pathlib import Path

from dataset_builders.publish.cards import COUNTED, Counts

TITLES = {
    "task": "task",
    "language": "language",
    "modality": "modality",
    "source_kind": "source",
    "specialty": "specialty",
    "subfield": "sub-field",
    "levels": "level",
    "source_licence": "licence",
}


def count_dataset(path: str, config: str = "default") -> Counts:
    """Count the rows of every split of ``config``. Raises FileNotFoundError if ``path`` holds no data set."""
    from datasets import load_dataset  # nearly a second to import, and every command imports this module

    if not (Path(path) / "README.md").exists():
        raise FileNotFoundError(f"{path}: no data set here; build it first (python -m dataset_builders build --sources …)")
    counts = Counts()
    # Streaming reads a configuration without rows too, which a whole load refuses.
    for rows in load_dataset(path, config, streaming=True).values():
        for row in rows.select_columns([*COUNTED, "source_id", "case_id"]):
            counts.add(row)
    return counts


def format_counts(columns: dict[str, Counts]) -> str:
    """Format one table for each column title of COUNTED: values down, data sets across.

    columns   heading -> the counts of that data set.
    """
    width = max(len(name) for name in columns)
    lines = []
    for title, numbers in (
        ("rows", [counts.rows for counts in columns.values()]),
        ("source documents", [len(counts.documents) for counts in columns.values()]),
        ("patient cases among them", [len(counts.cases) for counts in columns.values()]),
    ):
        lines.append(f"{title:<34}" + "".join(f"{number:>{width + 2},}" for number in numbers))
    for column, title in TITLES.items():
        values = sorted({value for counts in columns.values() for value in counts.by[column]})
        values.sort(key=lambda value: -sum(counts.by[column][value] for counts in columns.values()))
        lines += ["", f"{title:<34}" + "".join(f"{name:>{width + 2}}" for name in columns)]
        for value in values:
            lines.append(f"  {value:<32}" + "".join(f"{counts.by[column][value]:>{width + 2},}" for counts in columns.values()))
    return "\n".join(lines)
