"""Rows of tabular text: JSON lines, JSON (an array, an object of objects, one object), CSV, TSV and XLSX, one at a time.

A CSV's separator (comma, semicolon, tab, bar) is the one that its first rows agree on. Titles above the header are skipped. A
workbook's cells are read as Excel shows them; a cell merged over rows counts for each of them. Encodings: encodings.py.
"""

import codecs
import csv
import hashlib
import io
import itertools
import json
import re
import statistics
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from dataset_builders.document import SourceError, describe_error
from dataset_builders.sources.encodings import detect_encoding

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".xlsx")
_SAMPLE_BYTES = 1 << 20
_MAX_ROW_CHARACTERS = 1 << 24
_DEEPEST = 8  # levels of objects inside a column that are opened
_MAX_TITLES = 10  # rows above a header that may be titles
_FEW_FIELDS = 6  # beside a table that stands in an object, as its version and title do
_SEPARATORS = ",;\t|"
_MAX_MERGED_BYTES = 200 << 20  # of a workbook's sheets, unpacked: one with merged cells is held in memory
_MAX_WORKBOOK_BYTES = 2 << 30
_LONGEST_KNOWN = 300  # characters: a longer value is a text, not an identifier


Cells = TypeVar("Cells", bound="list[Any] | BadRow")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: ``where`` in its file ("line 12", "row 3"), its values by column, and the SHA-256 of its own bytes.

    The bytes are the line of a JSON-lines file; elsewhere the values as JSON with sorted keys.
    sheet   "sheet 2" in a workbook of several sheets, else "".
    """

    where: str
    number: int
    values: dict[str, Any]
    sha256: str
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read, and why."""

    where: str
    reason: str
    detail: str


def read_rows(path: Path) -> Iterator[Row | BadRow]:
    """Read every row of the file, in order. Raises SourceError: "unknown_encoding", "broken_json", "broken_table"."""
    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        yield from _read_xlsx(path)
        return
    encoding = detect_encoding(path)
    if suffix in (".jsonl", ".ndjson"):
        yield from _read_json_lines(path, encoding)
    elif suffix == ".json":
        yield from _read_json(path, encoding)
    else:
        yield from _read_csv(path, encoding)


def columns_beside(values: Mapping[str, Any], used: Collection[str] = ()) -> tuple[tuple[str, str], ...]:
    """Return a row's other columns as pairs of heading and words, for Document.known; ``used`` are columns that are texts.

    Objects and lists are opened: each of their values stands under its own key ({"patient": {"mrn": 7}} gives ("mrn", "7")).
    """
    return tuple(
        pair
        for column, value in values.items()
        if fold_heading(str(column)) not in used
        for pair in _flatten(str(column), value, 0)
    )


def _flatten(heading: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items() if depth < _DEEPEST else ():
            yield from _flatten(str(key), inner, depth + 1)
    elif isinstance(value, list):
        for inner in value if depth < _DEEPEST else ():
            yield from _flatten(heading, inner, depth + 1)
    elif value not in (None, "", True, False) and len(str(value)) <= _LONGEST_KNOWN:
        yield heading, str(value)


def fold_heading(name: str) -> str:
    """Return a column's name in lower case, blanks and hyphens as underscores: "Correct Answer" is "correct_answer"."""
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


def first_columns(path: Path, head: bytes) -> frozenset[str]:
    """Return the column names of the first readable row, as spelled; empty if the file is not a table of these formats.

    Of a workbook, those of every sheet.
    """
    if path.suffix.lower() not in SUFFIXES or not head.strip():
        return frozenset()
    try:
        if path.suffix.lower() == ".xlsx":
            return frozenset(name for _, header, _ in _sheets(path) for name in header if name)
        for row in itertools.islice(read_rows(path), 20):
            if isinstance(row, Row):
                return frozenset(row.values)
    except SourceError:
        pass
    return frozenset()


def _row(where: str, number: int, values: Any, raw: bytes | None = None) -> Row | BadRow:
    if not isinstance(values, Mapping):
        return BadRow(where, "no_columns", f"expected an object with named columns, found {type(values).__name__}")
    if raw is None:
        raw = json.dumps(values, ensure_ascii=False, sort_keys=True, default=str).encode()
    return Row(where, number, dict(values), hashlib.sha256(raw).hexdigest())


def _read_json_lines(path: Path, encoding: str) -> Iterator[Row | BadRow]:
    if encoding == "utf-16":
        lines: Iterator[bytes] = (line.encode() for line in io.StringIO(path.read_text(encoding)))
        encoding = "utf-8"
    else:
        lines = iter(path.open("rb"))
    for number, line in enumerate(lines, 1):
        where = f"line {number}"
        raw = line.strip().removeprefix(codecs.BOM_UTF8)
        if not raw:
            continue
        try:
            values = json.loads(raw.decode(encoding))
        except UnicodeDecodeError as error:
            yield BadRow(where, "broken_encoding", f"not {encoding.removesuffix('-sig')}: {error.reason} at byte {error.start}")
        except (ValueError, RecursionError) as error:
            yield BadRow(where, "broken_line", f"no JSON: {describe_error(error)}")
        else:
            yield _row(where, number, values, raw)


def _read_json(path: Path, encoding: str) -> Iterator[Row | BadRow]:
    with path.open(encoding=encoding) as file:
        opening = file.read(1)
        while opening and opening.isspace():
            opening = file.read(1)
        if opening == "[":
            yield from _read_array(file)
            return
        file.seek(0)
        try:
            value = json.load(file)
        except (ValueError, RecursionError) as error:
            raise SourceError(
                "broken_json", f"no JSON: {describe_error(error)}; if every line is an object, name the file .jsonl"
            ) from error
    lists = [inner for inner in value.values() if isinstance(inner, list)] if isinstance(value, dict) else []
    if len(lists) == 1 and lists[0] and all(isinstance(inner, dict) for inner in lists[0]) and len(value) < _FEW_FIELDS:
        for number, inner in enumerate(lists[0], 1):  # {"version": 1, "data": [rows]}
            yield _row(f"row {number}", number, inner)
    elif isinstance(value, dict) and value and all(isinstance(inner, dict) for inner in value.values()):
        for number, (key, inner) in enumerate(value.items(), 1):
            yield _row(f"row {number}", number, {"id": key, **inner})
    else:
        yield _row("row 1", 1, value)


def _read_array(file: io.TextIOBase) -> Iterator[Row | BadRow]:
    """The elements of a JSON array whose bracket was read, without holding the whole array."""
    decoder = json.JSONDecoder()
    buffer, number, ended = "", 0, False
    while True:
        buffer = buffer.lstrip(" \t\r\n,")
        if buffer.startswith("]"):
            return
        try:
            value, end = decoder.raw_decode(buffer)
            complete = ended or end < len(buffer)  # a number at the very end may go on
        except (ValueError, RecursionError) as error:
            complete, problem = False, describe_error(error)
        else:
            problem = "the array is not closed"
        if complete:
            number += 1
            yield _row(f"row {number}", number, value)
            buffer = buffer[end:]
            continue
        if ended or len(buffer) > _MAX_ROW_CHARACTERS:
            yield BadRow(f"row {number + 1}", "broken_json", f"{problem}; nothing after row {number} can be read")
            return
        try:
            chunk = file.read(max(_SAMPLE_BYTES, len(buffer)))
        except UnicodeDecodeError as error:
            yield BadRow(f"row {number + 1}", "broken_encoding", f"{error.reason}; nothing after row {number} can be read")
            return
        buffer, ended = buffer + chunk, not chunk


def _read_csv(path: Path, encoding: str) -> Iterator[Row | BadRow]:
    csv.field_size_limit(_MAX_ROW_CHARACTERS)
    separator = "\t" if path.suffix.lower() == ".tsv" else _choose_separator(path, encoding)
    header: list[str] | None = None
    for number, cells in _skip_titles(_csv_lines(path, encoding, separator)):
        if isinstance(cells, BadRow):
            yield cells
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            if not _is_mmlu_row(cells):
                continue
            header = ["question", "A", "B", "C", "D", "answer"]
        yield _cells_to_row(f"line {number}", number, header, cells)


def _choose_separator(path: Path, encoding: str) -> str:
    """The separator that gives header and first rows the most cells; a comma if none does."""
    with path.open(encoding=encoding, newline="", errors="replace") as file:
        sample = file.read(_SAMPLE_BYTES >> 4)
    cells = {}
    for separator in _SEPARATORS:
        try:
            read = enumerate(csv.reader(io.StringIO(sample), delimiter=separator))
            rows = [row for _, row in _skip_titles(itertools.islice(((n, row) for n, row in read if row), 20))]
        except csv.Error:
            rows = []
        # Semicolons in the sentences of a table with one column are no separators: its header has none.
        cells[separator] = min(len(rows[0]), statistics.median(map(len, rows))) if rows else 1
    return max(_SEPARATORS, key=lambda separator: cells[separator])


def _csv_lines(path: Path, encoding: str, separator: str) -> Iterator[tuple[int, list[Any] | BadRow]]:
    with path.open(encoding=encoding, newline="", errors="replace") as file:
        reader = csv.reader(file, delimiter=separator)
        line = 0
        while True:
            first_line = line + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield first_line, BadRow(f"line {first_line}", "broken_line", describe_error(error))
                line = reader.line_num
                continue
            line = reader.line_num
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield first_line, cells


def _skip_titles(rows: Iterable[tuple[int, Cells]]) -> Iterator[tuple[int, Cells]]:
    """Leave out rows above the header that say one thing only, if a row below says more."""
    rows = iter(rows)
    first = list(itertools.islice(rows, _MAX_TITLES))
    kept = next((i for i, (_, cells) in enumerate(first) if isinstance(cells, BadRow) or not _is_title(cells)), 0)
    if kept < len(first) and isinstance(first[kept][1], BadRow):
        kept = 0
    yield from itertools.chain(first[kept:], rows)


def _is_title(cells: list[Any]) -> bool:
    said = {str(cell).strip() for cell in cells if cell not in (None, "")}
    words = next(iter(said)).split() if len(said) == 1 else []
    # A column's name is one word; "题库 2024" beside empty cells is a title, too.
    return len(words) > 1 or (len(said) == 1 and len(cells) > 1)


def _cells_to_row(where: str, number: int, header: list[str], cells: list[Any]) -> Row | BadRow:
    if len(cells) > len(header) and any(cell not in (None, "") for cell in cells[len(header) :]):
        return BadRow(
            where, "broken_line", f"{len(cells)} cells under {len(header)} columns; quote cells that hold the separator"
        )
    if any(isinstance(cell, str) and "\ufffd" in cell for cell in cells):
        return BadRow(where, "broken_encoding", "bytes that are not in the file's encoding")
    return _row(where, number, {name: cells[i] if i < len(cells) else None for i, name in enumerate(header) if name})


def _is_mmlu_row(cells: list[str]) -> bool:
    """MMLU's own CSV files have no header: question, four options, the letter."""
    return len(cells) == 6 and cells[5].strip() in ("A", "B", "C", "D") and cells[1].strip() not in ("A", "opa")


def _read_xlsx(path: Path) -> Iterator[Row | BadRow]:
    for sheet, header, rows in _sheets(path):
        for number, cells in rows:
            where = f"{sheet} row {number}" if sheet else f"row {number}"
            row = _cells_to_row(where, number, header, cells)
            yield replace(row, sheet=sheet) if isinstance(row, Row) else row


def _sheets(path: Path) -> Iterator[tuple[str, list[str], Iterator[tuple[int, list[Any]]]]]:
    """Each sheet with a header: its name ("sheet 2"; "" if there is one alone), its header, and its rows, to be read next."""
    import openpyxl

    try:
        in_memory = _has_merged_cells(path)
        book = openpyxl.load_workbook(path, read_only=not in_memory, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise SourceError(
            "broken_table", f"no XLSX workbook ({describe_error(error)}); save it again as .xlsx or .csv"
        ) from error
    try:
        for place, sheet in enumerate(book.worksheets, 1):
            rows = _skip_titles(_shown_rows(sheet))
            if header := next(rows, None):
                name = f"sheet {place}" if len(book.worksheets) > 1 else ""
                yield name, [(cell or "").strip() for cell in header[1]], rows
    finally:
        book.close()


def _has_merged_cells(path: Path) -> bool:
    """Whether a sheet has merged cells, which openpyxl tells only of a workbook that it holds in memory.

    Raises SourceError: "too_large", "merged_cells".
    """
    with zipfile.ZipFile(path) as archive:
        size = sum(part.file_size for part in archive.infolist())
        if size > _MAX_WORKBOOK_BYTES:
            raise SourceError(
                "too_large", f"the workbook unpacks to {size} bytes, the limit is {_MAX_WORKBOOK_BYTES}; split it"
            )
        for name in archive.namelist():
            if name.startswith("xl/worksheets/") and name.endswith(".xml") and _holds(archive, name, b"mergeCell "):
                if size > _MAX_MERGED_BYTES:
                    detail = f"cells are merged in a workbook that unpacks to {size} bytes; unmerge them or save as CSV"
                    raise SourceError("merged_cells", detail)
                return True
    return False


def _holds(archive: zipfile.ZipFile, name: str, sign: bytes) -> bool:
    tail = b""
    with archive.open(name) as file:
        while chunk := file.read(_SAMPLE_BYTES):
            if sign in tail + chunk:
                return True
            tail = chunk[-len(sign) :]
    return False


def _shown_rows(sheet: Any) -> Iterator[tuple[int, list[str | None]]]:
    """Rows that are not empty, as shown; what is merged over rows stands in each of them, in the first merged column."""
    merged: dict[tuple[int, int], str | None] = {}
    for area in getattr(getattr(sheet, "merged_cells", None), "ranges", ()):
        top = _shown(sheet.cell(area.min_row, area.min_col))
        merged |= {(row, area.min_col): top for row in range(area.min_row + 1, area.max_row + 1)}
    for number, cells in enumerate(sheet.iter_rows(), 1):
        shown = [merged.get((number, column), _shown(cell)) for column, cell in enumerate(cells, 1)]
        if any(cell is not None for cell in shown):
            yield number, shown


def _shown(cell: Any) -> str | None:
    """A cell's text; a number as its format shows it: 25%, 0.50, 1/2."""
    value = cell.value
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | date | time) or not isinstance(value, int | float):
        return str(value)
    style = str(cell.number_format or "").split(";")[0]
    decimals = len(match[1]) if (match := re.search(r"\.(0+)", style)) else 0
    if style.endswith("%"):
        return f"{value:.{decimals}%}"
    if "?/?" in style:
        return str(Fraction(value).limit_denominator(99 if "??/" in style else 9))
    if re.fullmatch(r"[#,]*0(?:\.0+)?", style) and (decimals or isinstance(value, float)):
        return f"{value:.{decimals}f}"
    return f"{value:.11g}" if isinstance(value, float) else str(value)
