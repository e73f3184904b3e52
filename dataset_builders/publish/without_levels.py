"""Write SpineMed-450k without its levels: the data of the ablation that asks what levels add to training.

    python -m dataset_builders.publish.without_levels spinemed-450k --output runs/ablations/spinemed-450k

Same rows, images, splits and order; only *which* vertebra, disc or root a text names is taken away. Each level of a row
becomes a letter, the same one wherever the row names that level and drawn anew for every row: "the L4/L5 disc presses on the
L5 root" is "the level R disc presses on the level P root". So a row stays a whole question whose options differ, its answer
still follows if the text decides it, and nothing in the corpus ties a name, or its neighbours, to a place in an image.
Regions ("lumbar") and numbers that are no level stay. The columns ``levels`` and ``discs`` are empty, and so are ``context``
and ``evidence``: the words of the source name the levels.

Leaving out the rows that name a level would not be the same: most of the spine's rows do, and the model would miss their
medicine and images, too.
"""

import argparse
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice, product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from tqdm import tqdm

from dataset_builders.levels import Span, find_levels
from dataset_builders.publish.shards import replace_folder

VERSION = 3
# Letters that are neither an option's (A–J), nor a region's (C, T, L, S, D), nor easily a digit or a Roman number.
LETTERS = "PQRUWYZKN"
WORDS = {"en": "level {}", "zh": "节段{}"}
_SEPARATORS = {"en": ", ", "zh": "、"}
_ROUNDS = 4
_BETWEEN = "\n\x1d\n"  # ASCII's group separator: in no pattern of levels, and in no text
_SAID_BEFORE = re.compile(r"(?:\blevels?\s+(?:of\s+)?|节段)$", re.IGNORECASE)
_SAID_AFTER = re.compile(r"\s+levels?\b|\s*(?:节段|水平)", re.IGNORECASE)
_ROWS = 100  # read and written at a time: images are in memory with them
_TEXTS = ("messages", "options", "answer")
_EMPTIED = ("levels", "discs", "context", "evidence")


def remove_levels(texts: Sequence[str], language: str, seed: str) -> list[str]:
    """Replace the levels in the texts of one row with letters, drawn by ``seed``.

    Raises ValueError, quoting it, if a level is left that cannot be taken out.
    """
    # As one text: whether "S1" alone is a level is told by the row around it.
    text = _BETWEEN.join(texts)
    drawn: dict[str, str] = {}
    for _ in range(_ROUNDS):
        spans = find_levels(text)
        if not spans:
            break
        names = sorted({_name(text, span) for span in spans} - drawn.keys())
        letters = list(islice(_letters(), len(drawn), len(drawn) + len(names)))
        random.Random(seed).shuffle(letters)
        drawn |= zip(names, letters)
        text = _replaced(text, spans, drawn, language)
    else:
        if left := [text[span.start : span.end] for span in find_levels(text)]:
            raise ValueError(f"levels are left after {_ROUNDS} rounds: {', '.join(map(repr, left))}")
    new = text.split(_BETWEEN)
    if len(new) != len(texts):
        raise ValueError("a level was read across two texts of the row, or one holds the sign that parts them")
    return new


def write_without_levels(source: Path, output: Path) -> dict[str, int]:
    """Write ``source``, a folder of this build, to ``output`` without levels; return counts of rows.

    A row with a level that cannot be taken out is left out, counted (``left_out``) and named in ``output/rejects.jsonl``.
    Raises FileNotFoundError if ``source`` is no data set folder, and ValueError if it lacks a column.
    """
    card = source / "README.md"
    shards = sorted(source.glob("data/**/*.parquet"))
    if not card.is_file() or not shards:
        raise FileNotFoundError(f"{source}: no README.md and data/**/*.parquet; give the folder of a built spinemed-450k")
    counts = {"rows": 0, "changed": 0, "left_out": 0}
    rejects: list[dict[str, str]] = []
    with replace_folder(output) as folder:
        for shard in tqdm(shards, desc="without levels", unit="shard"):
            target = folder / shard.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            _write_shard(shard, target, counts, rejects)
        (folder / "rejects.jsonl").write_text("".join(json.dumps(reject, ensure_ascii=False) + "\n" for reject in rejects))
        (folder / "README.md").write_text(_card(card.read_text(encoding="utf-8"), counts), encoding="utf-8")
    return counts


def _write_shard(shard: Path, target: Path, counts: dict[str, int], rejects: list[dict[str, str]]) -> None:
    with pq.ParquetFile(shard) as file:
        if missing := {"id", "language", *_TEXTS, *_EMPTIED} - set(file.schema_arrow.names):
            raise ValueError(f"{shard}: no column {', '.join(sorted(missing))}; build the data set again")
        with pq.ParquetWriter(target, file.schema_arrow, compression="zstd") as writer:
            for batch in file.iter_batches(batch_size=_ROWS):
                table = pa.Table.from_batches([batch])
                rows, kept = [], []
                for place, row in enumerate(table.select(["id", "language", *_TEXTS, *_EMPTIED]).to_pylist()):
                    counts["rows"] += 1
                    try:
                        new = _row(row)
                    except ValueError as error:
                        counts["left_out"] += 1
                        rejects.append({"id": row["id"], "reason": str(error)})
                        continue
                    counts["changed"] += new != {name: row[name] for name in new}
                    rows.append(new)
                    kept.append(place)
                table = table.take(kept)
                for name in (*_TEXTS, *_EMPTIED):
                    column = pa.array([row[name] for row in rows], type=table.schema.field(name).type)
                    table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
                if table.num_rows:
                    writer.write_table(table)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that change. A row's texts are read as one, so that a level has one letter in all of them."""
    said = [part["text"] for message in row["messages"] for part in message["content"]]
    texts = [*said, *row["options"], row["answer"]]
    removed = iter(remove_levels([text for text in texts if text is not None], row["language"], row["id"]))
    new = [None if text is None else next(removed) for text in texts]
    parts = iter(new)
    messages = [
        {"role": message["role"], "content": [{"type": part["type"], "text": next(parts)} for part in message["content"]]}
        for message in row["messages"]
    ]
    return {"messages": messages, "options": new[len(said) : -1], "answer": new[-1], **{name: [] for name in _EMPTIED}}


def _name(text: str, span: Span) -> str:
    """Return what shares a letter in a row: a kind with its names, or a level's words if it has no name ("C8" of the cord)."""
    return f"{span.kind} {'-'.join(span.names) or text[span.start : span.end]}"


def _replaced(text: str, spans: Sequence[Span], letters: Mapping[str, str], language: str) -> str:
    parts, done = [], 0
    starts = {span.start for span in spans}
    for span in spans:
        before, after = text[done : span.start], text[span.end : span.end + 1]
        said = _SAID_BEFORE.search(before) or _SAID_AFTER.match(text, span.end)
        new = ("{}" if said else WORDS[language]).format(letters[_name(text, span)])
        run_in = before[-1:].isalnum() and language != "zh"
        joint = " " if after.isascii() and after.isalnum() else ""
        if span.end in starts:  # "atlantoaxial": two levels in one word
            joint = _SEPARATORS[language]
        parts += [before, " " if run_in else "", new, joint]
        done = span.end
    return "".join([*parts, text[done:]])


def _letters() -> Iterator[str]:
    """Yield P, Q … N, PP, PQ …"""
    for size in count(1):
        for combination in product(LETTERS, repeat=size):
            yield "".join(combination)


def _card(text: str, counts: Mapping[str, int]) -> str:
    """Give the source's configurations a new description, by which load_dataset's cache tells data sets apart."""
    head = yaml.safe_load(text.split("---\n")[1])
    head["pretty_name"] = "SpineMed-450k without levels"
    for config in head["configs"]:
        config["description"] = f"{config.get('description', '')}, without levels {VERSION}".lstrip(", ")
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return (
        f"---\n{front}---\n\n# SpineMed-450k without levels\n\n{counts['changed']:,} of {counts['rows']:,} rows name levels; "
        f"here each is a letter, drawn anew for every row. {counts['left_out']:,} rows could not be changed and are left out. "
        "For the ablation only: do not train a model for use on it.\n"
    )


def main() -> None:
    """Run the command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m dataset_builders.publish.without_levels", description=__doc__.splitlines()[0]
    )
    parser.add_argument("source", type=Path, help="folder of a built spinemed-450k")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    try:
        counts = write_without_levels(arguments.source, arguments.output)
    except (FileNotFoundError, ValueError) as error:
        parser.exit(1, f"error: {error}\n")
    parser.exit(0, f"{arguments.output}: {', '.join(f'{name} {number:,}' for name, number in counts.items())}\n")


if __name__ == "__main__":
    main()
