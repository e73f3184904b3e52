"""Read labelled notes, and hold one as stretches of text each of which is an identifier, a look-alike or neither.

A notes file is JSON lines in UTF-8, a note a row, with its marks in the text

    {"id": "1", "language": "en", "genre": "letter", "marked": "Dr {NAME|Quill} saw her on {DATE|3 May}: {|L4/5} is narrow."}

or beside it, with offsets in code points, end exclusive

    {"id": "1", "language": "en", "genre": "letter", "text": "Dr Quill saw her on 3 May: L4/5 is narrow.",
     "spans": [{"start": 3, "end": 8, "type": "NAME", "text": "Quill"}, {"start": 20, "end": 25, "type": "DATE"}],
     "traps": [{"start": 27, "end": 32, "kind": "level"}]}

language   "en" or "zh": that of most of the note
genre      the kind of document (optional); results are given for each
type       that of an identifier; measure.DIRECT lists the names that count as direct ones
traps      look-alikes (optional): what looks like an identifier and is none (a level, a dose, an eponym)

A span's own "text" is optional, and makes sure that offsets fit. Mark the smallest stretch that identifies: the name without
its title, the number without its key, an address as one span. Marks neither overlap nor begin or end with a blank.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

TRAP = "trap"
"""The type of a stretch that looks like an identifier and is none: a level, a dose, an eponym."""

_MARK = re.compile(r"\{(?P<type>[A-Z][A-Z0-9_]*)?\|(?P<words>[^{}]*)\}")
_MARK_BEGINS = re.compile(r"\{\w*\|")
_WORD = re.compile(r"[A-Za-z]{2}|[0-9]{2}")
_FEWEST_CUT = 3  # spans that begin or end within a word, before a file counts as shifted
_MOST_CUT = 0.2  # of a file's spans; where OCR glued words together, about 0.01 do


class LabelError(ValueError):
    """A notes file that cannot be used: names file and line, what is wrong and what to do, and quotes nothing of the note."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a note. ``type`` is that of an identifier, TRAP, or None for what is between; ``kind`` is a trap's."""

    text: str
    type: str | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A labelled note as pieces that join to its text."""

    id: str
    language: str
    genre: str
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    def spans(self) -> Iterator[tuple[int, int, str]]:
        """Yield start, end and type of each identifier and each trap."""
        position = 0
        for piece in self.pieces:
            if piece.type:
                yield position, position + len(piece.text), piece.type
            position += len(piece.text)


def read_notes(path: Path) -> list[Note]:
    """Read a notes file. Raises LabelError.

    It does for a file that is no UTF-8 or holds no note; for a row that is no labelled note; for spans that overlap, lie
    outside the text or do not hold their own "text"; and for a file whose spans cut through so many words that they must be
    shifted (counted in bytes or UTF-16 units, say).
    """
    notes = []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise LabelError(f"{path}: no UTF-8 at byte {error.start}; write the file in UTF-8") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                notes.append(_read_row(json.loads(line)))
            except json.JSONDecodeError as error:
                raise LabelError(f"{path}, line {number}: no JSON at character {error.pos}; write one object a line") from None
            except ValueError as error:
                raise LabelError(f"{path}, line {number}: {error}") from None
    if not notes:
        raise LabelError(f"{path}: no notes; write one JSON object a line")
    _check_shift(path, notes)
    return notes


def parse_marks(marked: str) -> tuple[Piece, ...]:
    """Split a text with marks: "{TYPE|words}" is an identifier, "{|words}" a trap.

    Raises ValueError for a mark that is not closed, holds nothing or has a type that is not in capitals.
    """
    pieces, position = [], 0
    for match in _MARK.finditer(marked):
        pieces += [Piece(marked[position : match.start()]), Piece(match["words"], match["type"] or TRAP)]
        position = match.end()
    pieces = [piece for piece in [*pieces, Piece(marked[position:])] if piece.text or piece.type]
    place = 0
    for piece in pieces:
        if piece.type is None and (begin := _MARK_BEGINS.search(piece.text)):
            raise ValueError(
                f"the mark at character {place + begin.start()} of the text (marks left out) is no mark; write "
                '{TYPE|words}, the type in capitals and no brace in the words, or use "text" and "spans"'
            )
        place += len(piece.text)
    _check_edges(pieces)
    return tuple(pieces)


def split_text(text: str, marks: Sequence[tuple[int, int, str, str]]) -> tuple[Piece, ...]:
    """Split a text at marks: start, end, type and kind, in any order. Raises ValueError if they overlap or lie outside it."""
    pieces, position = [], 0
    for start, end, type_, kind in sorted(marks):
        if not 0 <= start < end <= len(text):
            raise ValueError(
                f"the span {start} to {end} is empty or outside the text ({len(text)} characters); count code points"
            )
        if start < position:
            raise ValueError(f"the span {start} to {end} overlaps the one before it; let one of the two go")
        pieces += [Piece(text[position:start]), Piece(text[start:end], type_, kind)]
        position = end
    return tuple(piece for piece in [*pieces, Piece(text[position:])] if piece.text)


def _read_row(row: Any) -> Note:
    if not isinstance(row, dict):
        raise ValueError(f"a {type(row).__name__}, no object with id, language, and text and spans or marked")
    if "marked" in row:
        pieces = parse_marks(_take(row, "marked", str))
    else:
        text = _take(row, "text", str)
        marks = [_read_span(span, text, "type") for span in _take(row, "spans", list)]
        marks += [_read_span(trap, text, "kind") for trap in (_take(row, "traps", list) if "traps" in row else [])]
        pieces = split_text(text, marks)
        _check_edges(pieces)
    language = _take(row, "language", str)
    if language not in ("en", "zh"):
        raise ValueError("its language is neither en nor zh")
    return Note(str(_take(row, "id", str | int)), language, _take(row, "genre", str) if row.get("genre") else "", pieces)


def _take(row: dict[str, Any], key: str, kind: Any) -> Any:
    if key not in row:
        raise ValueError(f"no {key!r}; see labelled_notes.py for the format")
    if not isinstance(row[key], kind) or isinstance(row[key], bool):
        raise ValueError(f"its {key!r} is a {type(row[key]).__name__}; see labelled_notes.py for the format")
    return row[key]


def _read_span(span: Any, text: str, name: str) -> tuple[int, int, str, str]:
    if not isinstance(span, dict):
        raise ValueError(f"a span is a {type(span).__name__}, no object with start, end and {name}")
    start, end, word = _take(span, "start", int), _take(span, "end", int), _take(span, name, str)
    if "text" in span and span["text"] != text[max(start, 0) : max(end, 0)]:
        raise ValueError(f'the span {start} to {end} does not hold its own "text"; count offsets in code points, from 0')
    if name == "type" and (not word or word == TRAP):
        raise ValueError(f"the span {start} to {end} has no type of an identifier")
    return (start, end, word, "") if name == "type" else (start, end, TRAP, word)


def _check_edges(pieces: Sequence[Piece]) -> None:
    position = 0
    for piece in pieces:
        if (piece.type and piece.text != piece.text.strip()) or not piece.text:
            what = "begins or ends with a blank" if piece.text else "is empty"
            raise ValueError(f"the span {position} to {position + len(piece.text)} {what}; is it shifted?")
        position += len(piece.text)


def _check_shift(path: Path, notes: Sequence[Note]) -> None:
    marked = [note for note in notes for piece in note.pieces if piece.type]
    cut = [note for note in notes for left, right in pairwise(note.pieces) if _cuts(left, right)]
    if len(cut) >= _FEWEST_CUT and len(cut) > _MOST_CUT * len(marked):
        raise LabelError(
            f"{path}: {len(cut)} edges of {len(marked)} spans cut through a word or number, the first in note {cut[0].id}: the "
            'spans are shifted; count offsets in code points, and give each span its "text"'
        )


def _cuts(left: Piece, right: Piece) -> bool:
    return bool(_WORD.fullmatch(left.text[-1:] + right.text[:1]))
