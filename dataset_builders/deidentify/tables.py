"""Find identifiers in the tables of a text by the headings of their columns, or by the cell before them.

    | Name  | Level |     Markdown, with its line of dashes or without; HTML
    Name    Level         columns set apart by two blanks or a tab
    Name,Level            CSV with commas, semicolons or tabs

A first row in which headings and values take turns ("| 姓名 | 成功 | 性别 | 男 |") is a form's: a value stands right of its
heading.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from dataset_builders.deidentify.headings import find_heading, is_heading, mask_value
from dataset_builders.deidentify.identifiers import Span

Cell = tuple[int, int]
"""Start and end of a cell in the text."""

_LINE = re.compile(r"[^\n]*(?:\n|$)")
_RULE = re.compile(r"[ \t]{0,8}\|?[ \t]{0,8}:?-{2,}:?[ \t]{0,8}(?:\|[ \t]{0,8}:?-{2,}:?[ \t]{0,8})*\|?[ \t\r]{0,8}")
_ALIGNED_CELL = re.compile(r"\S+(?: \S+)*")
_CSV_CELL = {mark: re.compile(rf'"(?:[^"\n]|"")*"|[^{mark}\n]*') for mark in ",;\t"}
_HTML_ROW = re.compile(r"<tr\b[^<>]*>(.*?)(?=<tr\b|</t(?:able|body|head)|$)", re.IGNORECASE | re.DOTALL)
_HTML_CELL = re.compile(r"<t[dh]\b[^<>]*>([^<]*)", re.IGNORECASE)
_LONGEST_HEAD = 400  # characters: a longer line is prose
_LONGEST_LINE = 4000
_FEWEST_CELLS = 2


def find_in_tables(text: str) -> list[Span]:
    """Find the values that stand under, or right of, identifying headings in a folded text's tables."""
    spans: list[Span] = []
    for rows, has_rule in _tables(text):
        spans += _read(text, rows, has_rule)
    return spans


def _tables(text: str) -> Iterator[tuple[list[list[Cell]], bool]]:
    """Yield each table's rows, and whether a line of dashes says that the first is its head."""
    lines = [match.span() for match in _LINE.finditer(text) if match.end() > match.start()]
    index = 0
    while index < len(lines):
        start, end = lines[index]
        line = text[start:end]
        if line.count("|") >= _FEWEST_CELLS - 1 and not line.startswith(("MSH|", "PID|")):
            last = index
            while last + 1 < len(lines) and "|" in text[slice(*lines[last + 1])]:
                last += 1
            block = lines[index : last + 1]
            ruled = [_is_rule(text[slice(*span)]) for span in block]
            rows = [_pipe_cells(text, *span) for span, is_rule in zip(block, ruled, strict=True) if not is_rule]
            yield rows, len(ruled) > 1 and ruled[1]
            index = last + 1
        elif len(line) <= _LONGEST_HEAD and (found := _separated(text, lines, index)):
            rows, index = found
            yield rows, False
        else:
            index += 1
    if "<tr" in text or "<TR" in text:
        rows = [[cell.span(1) for cell in _HTML_CELL.finditer(text, *row.span(1))] for row in _HTML_ROW.finditer(text)]
        yield rows, False


def _is_rule(line: str) -> bool:
    return "--" in line[:_LONGEST_HEAD] and len(line) <= _LONGEST_LINE and _RULE.fullmatch(line.rstrip("\n")) is not None


def _pipe_cells(text: str, start: int, end: int) -> list[Cell]:
    cells, position = [], start
    for mark in re.finditer(r"(?<!\\)\||\n|$", text[start:end]):
        stop = start + mark.start()
        cells.append((position, stop))
        position = stop + 1
    if cells and not text[slice(*cells[0])].strip():
        cells.pop(0)
    return cells


def _separated(text: str, lines: Sequence[Cell], index: int) -> tuple[list[list[Cell]], int] | None:
    """Read a table without pipes that begins at a line, and the index of the line after it; None if none does."""
    line = text[slice(*lines[index])]
    ways: list[Callable[[Cell], list[Cell]]] = [partial(_csv_cells, text, mark) for mark in ",;\t" if mark in line]
    if "  " in line.strip() or "\u3000\u3000" in line:
        ways.append(partial(_aligned_cells, text))
    for cells_of in ways:
        head = cells_of(lines[index])
        known = [is_heading(text[slice(*cell)]) for cell in head]
        if (
            len(head) < _FEWEST_CELLS
            or not any(find_heading(text[slice(*cell)]) for cell in head)
            or sum(known) * 2 < len(head)
        ):
            continue
        rows, last = [head], index
        while last + 1 < len(lines) and lines[last + 1][1] - lines[last + 1][0] <= _LONGEST_LINE:
            cells = cells_of(lines[last + 1])
            if len(cells) < _FEWEST_CELLS:
                break
            rows.append(_under(head, cells, lines[index][0], lines[last + 1][0]))
            last += 1
        if len(rows) > 1:
            return rows, last + 1
    return None


def _aligned_cells(text: str, span: Cell) -> list[Cell]:
    return [cell.span() for cell in _ALIGNED_CELL.finditer(text, *span)]


def _csv_cells(text: str, mark: str, span: Cell) -> list[Cell]:
    cells, position = [], span[0]
    end = span[1] - text[span[0] : span[1]].endswith("\n")
    while position <= end:
        match = _CSV_CELL[mark].match(text, position, end)
        stop = match.end() if match else position
        cells.append((position, stop))
        position = stop + 1
    return cells


def _under(head: Sequence[Cell], cells: Sequence[Cell], head_line: int, line: int) -> list[Cell]:
    """Sort an aligned row's cells under its headings: by count, or, if a cell is empty, by where they stand on the line."""
    if len(cells) == len(head):
        return list(cells)
    placed: list[Cell] = [(line, line)] * len(head)
    for cell in cells:
        at = cell[0] - line
        column = min(range(len(head)), key=lambda number: abs(head[number][0] - head_line - at))
        start = placed[column][0] if placed[column][0] < placed[column][1] else cell[0]
        placed[column] = (start, cell[1])
    return placed


def _read(text: str, rows: Sequence[Sequence[Cell]], has_rule: bool) -> list[Span]:
    """Mask by column if the first row is a head, and by the cell to the left elsewhere."""
    spans: list[Span] = []
    if not rows:
        return spans
    headings = [find_heading(text[slice(*cell)]) for cell in rows[0]]
    is_head = has_rule or _is_head(text, rows)
    if is_head:
        for row in rows[1:]:
            for heading, cell in zip(headings, row, strict=False):
                if heading and not is_heading(text[slice(*cell)]) and (span := mask_value(heading, text, *cell)):
                    spans.append(span)
    for row in rows[1:] if is_head else rows:
        for left, right in itertools.pairwise(row):
            heading = find_heading(text[slice(*left)])
            if heading and not is_heading(text[slice(*right)]) and (span := mask_value(heading, text, *right)):
                spans.append(span)
    return spans


def _is_head(text: str, rows: Sequence[Sequence[Cell]]) -> bool:
    """Tell a table's head from a form's first row: two headings side by side, and none at the same places below."""
    known = [is_heading(text[slice(*cell)]) for cell in rows[0]]
    if not any(known) or len(rows) == 1:
        return False
    below = [is_heading(text[slice(*cell)]) for cell in rows[1][: len(known)]]
    if any(above and under for above, under in zip(known, below, strict=False)):
        return False
    return len(known) == 1 or any(left and right for left, right in itertools.pairwise(known)) or sum(known) * 2 > len(known)
