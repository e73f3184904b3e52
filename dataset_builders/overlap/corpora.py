"""Read any corpus as samples to look for benchmark items in: our data sets, a `datasets` folder, Parquet, Arrow, JSON lines.

Rows stream: a batch of them, images included, is in memory at a time. Columns that are looked for:

    messages, conversations           turns: {"role", "content"} or {"from", "value"}; content a string or a list of parts
    question (and options), instruction, prompt, answer, output, response, text, content   words
    images, image                     {"bytes", "path"}, encoded bytes, or a path from the file's folder
    id, source_id, case_id, source_licence                             as in schema.py
"""

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataset_builders.document import HOSPITAL_LICENCE
from dataset_builders.overlap.decontaminate import Sample, SampleImage
from dataset_builders.taxonomy import LETTERS

_CONVERSATIONS = ("messages", "conversations")
_ASKED = ("question", "instruction", "prompt")
_SAID = ("answer", "output", "response", "text", "content")
_FACTS = ("id", "task", "options", "images", "image", "source_id", "case_id", "source_licence")
_ROWS = 20  # of a Parquet file at a time
_SUFFIXES = (".parquet", ".arrow", ".jsonl", ".json.gz", ".jsonl.gz")
_USERS = ("user", "human")

Row = Mapping[str, Any]


def read_benchmark(folder: Path) -> list[Sample]:
    """Read the items of a SpineBench folder.

    Raises FileNotFoundError if there is none, and ValueError if the folder holds another kind of data set.
    """
    samples = []
    for path in data_files(folder):
        for number, row in enumerate(_read_rows(path), 1):
            if not {"question", "options", "answer", "task"} <= set(row):
                raise ValueError(f"{path}: no benchmark: it has no columns question, options, answer and task")
            is_report = row["task"] == "report"
            samples.append(
                Sample(
                    row["id"],
                    asked=() if is_report else ("\n".join((row["question"], *_lettered(row["options"]))),),
                    said=(row["answer"],) if is_report else (),
                    **_facts(row, path, number, Counter()),
                )
            )
    if not samples:
        raise ValueError(f"{folder}: no items; build the benchmark again")
    return samples


def read_corpus(path: Path, columns: Sequence[str] = (), unread: Counter[str] | None = None) -> Iterator[Sample]:
    """Read the rows of a folder or file, one by one.

    columns  names of the columns of words or turns; by default those listed above that the file has.
    unread   counts, as "corpus", images that a row names but that are not there.

    Raises FileNotFoundError if nothing is there to read, and ValueError, which names file, row and columns, if a column is
    not there or holds no words.
    """
    missing = Counter[str]() if unread is None else unread
    for file in data_files(path):
        chosen: tuple[str, ...] = ()
        for number, row in enumerate(_read_rows(file, columns), 1):
            if not chosen or not set(chosen) <= set(row):
                chosen = _choose(row, columns, file, number)
            asked, said = _words(row, chosen, file, number)
            name = str(row["id"]) if row.get("id") is not None else f"{file.name}:{number}"
            yield Sample(name, asked=asked, said=said, **_facts(row, file, number, missing))


def count_rows(path: Path) -> int | None:
    """Count the rows of a corpus if that costs nothing (Parquet), for a progress bar; return None if not."""
    files = data_files(path)
    if all(file.suffix == ".parquet" for file in files):
        return sum(pq.read_metadata(file).num_rows for file in files)
    return None


def data_files(path: Path) -> list[Path]:
    """List the data files of a folder, or the file itself. Raises FileNotFoundError if there are none."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.name.endswith(_SUFFIXES))
    if not files or not files[0].name.endswith(_SUFFIXES):
        kinds = ", ".join(_SUFFIXES)
        raise FileNotFoundError(f"{path}: no data set: give a folder or file of {kinds} (of the Hub: hf download it first)")
    return files


def _read_rows(file: Path, columns: Sequence[str] = ()) -> Iterator[Row]:
    wanted = {*_CONVERSATIONS, *_ASKED, *_SAID, *_FACTS, *columns}
    if file.suffix == ".parquet":
        with pq.ParquetFile(file) as table:
            names = [name for name in table.schema_arrow.names if name in wanted]
            if not names:
                raise ValueError(_no_words(file, 1, table.schema_arrow.names))
            for batch in table.iter_batches(batch_size=_ROWS, columns=names):
                yield from batch.to_pylist()
    elif file.suffix == ".arrow":
        with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                for start in range(0, batch.num_rows, _ROWS):
                    yield from batch.slice(start, _ROWS).to_pylist()
    else:
        with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _parse(line, file, number)


def _parse(line: str, file: Path, number: int) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{file}:{number}: not a line of JSON ({error})") from None
    if not isinstance(row, dict):
        raise ValueError(f"{file}:{number}: a JSON {type(row).__name__}, not an object with named columns")
    return row


def _choose(row: Row, columns: Sequence[str], file: Path, number: int) -> tuple[str, ...]:
    chosen = tuple(columns) or next(((name,) for name in _CONVERSATIONS if name in row), ())
    chosen = chosen or tuple(name for name in (*_ASKED, *_SAID) if name in row)
    if not chosen or not set(chosen) <= set(row):
        raise ValueError(_no_words(file, number, list(row), columns))
    return chosen


def _no_words(file: Path, number: int, names: Sequence[str], columns: Sequence[str] = ()) -> str:
    what = f"no column {', '.join(columns)}" if columns else "no column of words or turns that is known"
    return f"{file}:{number}: {what}; it has {', '.join(names)}: choose with --column"


def _words(row: Row, columns: Sequence[str], file: Path, number: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what a row asks and what it says. Running text counts as asked, too, because it may be a question."""
    asked: list[str] = []
    said: list[str] = []
    for name in columns:
        value = row[name]
        if isinstance(value, str):
            text = "\n".join((value, *_lettered(row.get("options")))) if name in _ASKED else value
            (said if name in _SAID and name != "text" else asked).append(text)
        elif isinstance(value, list) and all(isinstance(turn, dict) for turn in value):
            for turn in value:
                role = turn.get("role", turn.get("from"))
                text = _content(turn.get("content", turn.get("value")))
                (asked if role in _USERS else said).append(text)
        elif value is not None:
            raise ValueError(f"{file}:{number}: column {name} holds a {type(value).__name__}, not words or turns")
    return tuple(filter(None, asked)), tuple(filter(None, said))


def _content(value: Any) -> str:
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    return "\n".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def _lettered(options: Any) -> list[str]:
    texts = list(options.values()) if isinstance(options, dict) else options or []
    return [f"{letter}. {text}" for letter, text in zip(LETTERS, texts, strict=False)]


def _facts(row: Row, file: Path, number: int, missing: Counter[str]) -> dict[str, Any]:
    values = row.get("images") or ([row["image"]] if row.get("image") else [])
    images = [_image(value, file, number, missing) for value in values]
    return {
        "images": tuple(image for image in images if image),
        "source_id": row.get("source_id"),
        "case_id": row.get("case_id"),
        "quotable": row.get("source_licence") != HOSPITAL_LICENCE,
    }


def _image(value: Any, file: Path, number: int, missing: Counter[str]) -> SampleImage | None:
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    load: Callable[[], bytes]
    if isinstance(value, bytes):
        load = partial(bytes, value)
    elif isinstance(value, str):
        path = file.parent / value
        # A path in a row is data: it may not lead out of the corpus.
        if not path.resolve().is_relative_to(file.parent.resolve()) or not path.is_file():
            missing["corpus"] += 1
            return None
        load = path.read_bytes
    else:
        raise ValueError(f"{file}:{number}: an image is a {type(value).__name__}, not bytes or a path")
    return SampleImage(hashlib.sha256(load()).hexdigest(), load)
