"""Tables of a page as Markdown: ruled grids by their lines, open tables by the white space between their columns.

A table's area is a stack of long horizontal rules, or a grid of rules, that no running text interrupts. Numbers matter more
than looks: lines of an open table become one row only where the spacing of its rows shows that they wrap.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pdfplumber.table import cells_to_tables, edges_to_intersections, intersections_to_cells, merge_edges

from dataset_builders.pages.content import Box, PageContent, Word, union
from dataset_builders.pages.layout import Line, append_word, join_lines, mark_raised
from dataset_builders.sources.pdf.figures import Caption

_MIN_WIDTH = 0.2  # of the page: shorter rules are underlines, unless they are a grid's
_MIN_GRID_WIDTH = 0.08
CAPTION_REACH = 32.0  # points from a table to its caption
_MAX_EDGES = 3_000
_MAX_UNWRAPPED = 0.3  # of the closer lines: from this share on, lines are rows
_NUMBER = r"[<>≤≥=~]?\s?[-−–+±]?\d+(?:[.,·]\d+)*\s?[%°*†‡§]*"
_VALUE = re.compile(  # whole: "48.8", "1121 (48.8)", "5.2 ± 1.1", "12/40", "0.4–0.9", "−"
    rf"(?:{_NUMBER}(?:\s?(?:±|/|to|[-−–]|\+/-)\s?{_NUMBER})?(?:\s?[(\[][^()\[\]]*[)\]])?|[-−–+✓✔×]|(?i:yes|no|n/?a|n\.?s\.?))"
)
_SMALL = 0.85  # of the usual size: raised or lowered type
_MAX_HEAD = 60.0  # points: height of a head row


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a page.

    label     "Table 2", or "" for a table without a number.
    markdown  the caption, lines between it and the table, then the table.
    box       of the caption and the table.
    held      the parts of ``box`` whose lines ``markdown`` holds.
    caption   the caption of a table that was not found; None if the table has rows.
    """

    label: str
    markdown: str
    box: Box
    held: tuple[Box, ...] = field(default=(), compare=False)
    caption: Caption | None = field(default=None, compare=False)


def find_tables(
    page: PageContent, captions: Sequence[Caption], others: Sequence[Box], blocks: Sequence[Sequence[Line]]
) -> list[Table]:
    """Find the tables of a page with their captions (above, below or beside); a caption without a table stands alone.

    ``captions`` are the page's table captions, ``others`` the boxes of figure captions, ``blocks`` its other text.
    """
    walls = [*others, *(caption.box for caption in captions)]
    lines = [line for block in blocks for line in block]
    found = []
    for area in _find_areas(page, walls, blocks, [caption.box for caption in captions]):
        rows = _read_rows(page, area, [word for line in lines if area.grown(1).holds(line.box) for word in line.words])
        if len(rows) >= 2 and sum(any(row[index] for row in rows) for index in range(len(rows[0]))) >= 2:
            found.append((area, rows))
    owners = match_captions([caption.box for caption in captions], [area for area, _ in found])
    tables = []
    for index, (area, rows) in enumerate(found):
        caption = captions[owners[index]] if index in owners else None
        gap = caption_distance(caption.box, area) if caption else CAPTION_REACH
        if any(caption_distance(other, area) < gap for other in others):
            owners.pop(index, None)
            continue  # the frame or the grid lines of a figure
        if caption is None:
            tables.append(Table("", _to_markdown(rows), area, (area.grown(1),)))
            continue
        notes = _lines_between(caption.box, area, lines)
        if notes and _is_tabular(notes):  # the head of a table whose first rule is below it
            area, notes = union((area, *(line.box for line in notes))), []
            rows = _read_rows(page, area, [word for line in lines if area.grown(1).holds(line.box) for word in line.words])
        parts = [caption.text, *([join_lines([line.text for line in notes])] if notes else []), _to_markdown(rows)]
        held = (area.grown(1), *(line.box.grown(0.1) for line in notes))
        tables.append(Table(caption.label, "\n\n".join(parts), union((area, caption.box)), held))
    free = [caption for index, caption in enumerate(captions) if index not in owners.values()]
    return tables + [Table(caption.label, caption.text, caption.box, caption=caption) for caption in free]


def match_captions(captions: Sequence[Box], areas: Sequence[Box]) -> dict[int, int]:
    """Return the index of its caption for every table area that has one: as many pairs as possible, by side and order.

    The captions of a page stand on one side of their tables: on the side that gives more tables a caption; above, if both
    give as many. The other side takes what is left. No other table or caption lies between a table and its caption.
    """
    from scipy.optimize import linear_sum_assignment

    pairs: dict[str, dict[tuple[int, int], float]] = {"above": {}, "below": {}, "beside": {}}
    for row, area in enumerate(areas):
        for column, caption in enumerate(captions):
            gap = caption_distance(caption, area)
            others = [box for box in (*areas, *captions) if box not in (area, caption)]
            if gap <= CAPTION_REACH and not any(_parts(box, caption, area) for box in others):
                pairs[_side(caption, area)][row, column] = gap
    usual = max(("above", "below"), key=lambda side: len({column for _, column in pairs[side]}))
    far = 1e6
    cost = [[far] * len(captions) for _ in areas]
    for side, found in pairs.items():
        for (row, column), gap in found.items():
            cost[row][column] = gap + (0.0 if side == usual else 2 * CAPTION_REACH)
    if not captions or not areas:
        return {}
    return {int(row): int(column) for row, column in zip(*linear_sum_assignment(cost)) if cost[row][column] < far}


def long_rules(page: PageContent) -> list[Box]:
    """List horizontal rules and horizontal edges of filled boxes, joined if they touch, from the top of the page."""
    pieces = [graphic.box for graphic in page.graphics if graphic.kind == "rule" and graphic.box.height < 3]
    rows: list[list[Box]] = []
    for piece in sorted(pieces, key=lambda box: (box.top, box.x0)):
        row = next((row for row in reversed(rows[-12:]) if abs(row[0].top - piece.top) < 2), None)
        if row is None:
            rows.append([piece])
        else:
            row.append(piece)
    joined: list[Box] = []
    for row in rows:
        group: list[Box] = []
        for piece in sorted(row):
            if group and piece.x0 - max(box.x1 for box in group) > 5:
                joined.append(union(group))
                group = []
            group.append(piece)
        joined.append(union(group))
    return sorted((rule for rule in joined if rule.width > _MIN_GRID_WIDTH * page.width), key=lambda box: box.top)


def caption_distance(caption: Box, area: Box) -> float:
    """Measure from a caption above, below or beside a table to it, in points; a million if it stands at none of these."""
    across, down = caption.overlap_x(area), caption.overlap_y(area)
    if across > 0.3 * min(caption.width, area.width):
        return max(-down, 0.0)
    return -across if down > 0 else 1e6


def _side(caption: Box, area: Box) -> str:
    if caption.overlap_y(area) > 0.5 * min(caption.height, area.height):
        return "beside"
    return "above" if caption.top + caption.bottom < area.top + area.bottom else "below"


def _parts(box: Box, caption: Box, area: Box) -> bool:
    """Say whether ``box`` lies between a caption and a table below or above it."""
    upper, lower = sorted((caption, area), key=lambda item: item.top + item.bottom)
    middle = (box.top + box.bottom) / 2
    return upper.bottom - 2 < middle < lower.top + 2 and box.overlap_x(caption) > 0 and box.overlap_x(area) > 0


def _lines_between(caption: Box, area: Box, lines: Sequence[Line]) -> list[Line]:
    """The lines between a caption and the table below it, from top to bottom: "Values are means"."""
    if _side(caption, area) != "above":
        return []
    between = [
        line
        for line in lines
        if caption.bottom - 2 < (line.box.top + line.box.bottom) / 2 < area.top - 1 and line.box.overlap_x(area) > 0
    ]
    return sorted(between, key=lambda line: (line.box.top, line.box.x0))


def _find_areas(
    page: PageContent, walls: Sequence[Box], blocks: Sequence[Sequence[Line]], captions: Sequence[Box]
) -> list[Box]:
    """Stacks of rules of one width, top to bottom, without a caption or running text between neighbours."""
    rules = long_rules(page)
    uprights = [graphic.box for graphic in page.graphics if graphic.box.width < 3 and graphic.box.height > 6]
    prose = [union(line.box for line in block) for block in blocks if len(block) >= 3 and not _is_tabular(block)]
    stacks: list[list[Box]] = []
    for rule in rules:
        for stack in stacks:
            extent = union(stack)
            between = Box(extent.x0, extent.bottom, extent.x1, rule.top)
            similar = abs(extent.x0 - rule.x0) < 10 and abs(extent.x1 - rule.x1) < 10
            # Beside a cell that spans rows the rule is shorter; the grid's uprights go on past it.
            part = extent.x0 - 10 < rule.x0 and rule.x1 < extent.x1 + 10 and _tied(between, uprights)
            if (similar or part) and not _interrupted(between, walls, prose, uprights):
                stack.append(rule)
                break
        else:
            stacks.append([rule])
    areas = [_with_head(page, union(stack)) for stack in stacks if _is_table(page, stack, uprights, captions)]
    # A grid with broken rules gives smaller stacks inside the whole one.
    areas.sort(key=lambda area: -area.area)
    kept: list[Box] = []
    for area in areas:
        if not any(area.intersects(other) for other in kept):
            kept.append(area)
    return sorted(kept, key=lambda area: (area.top, area.x0))


def _is_tabular(block: Sequence[Line]) -> bool:
    """Say whether most lines have a gap as wide as a letter is high, which justified text seldom has."""
    lines = _baselines([word for line in block for word in line.words])
    gapped = [any(b.box.x0 - a.box.x1 > max(a.size, b.size) for a, b in pairwise(line)) for line in lines]
    return sum(gapped) > 0.6 * len(lines)


def _with_head(page: PageContent, area: Box) -> Box:
    """The area with the shaded boxes of a head row that has no rule above it."""
    heads = [
        graphic.box
        for graphic in page.graphics
        if graphic.kind == "path"
        and graphic.box.height < _MAX_HEAD
        and graphic.box.top < area.top - 5
        and abs(graphic.box.bottom - area.top) < 4
        and graphic.box.x0 > area.x0 - 6
        and graphic.box.x1 < area.x1 + 6
    ]
    return union([area, *heads])


def _is_table(page: PageContent, stack: Sequence[Box], uprights: Sequence[Box], captions: Sequence[Box]) -> bool:
    area = union(stack)
    if len(stack) < 2 or area.height < 18:
        return False
    if area.width < _MIN_WIDTH * page.width:
        captioned = any(caption_distance(caption, area) <= CAPTION_REACH for caption in captions)
        return len(stack) > 2 and (captioned or sum(area.grown(2).holds(box) for box in uprights) > 2)
    framed = len(stack) == 2 and any(graphic.kind == "image" and area.holds(graphic.box) for graphic in page.graphics)
    return not framed  # two rules that close a box around something drawn


def _interrupted(between: Box, walls: Sequence[Box], prose: Sequence[Box], uprights: Sequence[Box]) -> bool:
    inside = between.grown(2, -1)
    if any(inside.holds(wall) for wall in walls):
        return True
    if _tied(between, uprights):
        return False
    return any(inside.holds(box) and box.width > 0.7 * between.width for box in prose)


def _tied(between: Box, uprights: Sequence[Box]) -> bool:
    """Say whether two upright rules or more fill the height of ``between``, as those of a grid do."""
    inside = between.grown(2)
    return sum(box.overlap_y(between) > 0.5 * between.height and box.overlap_x(inside) > 0 for box in uprights) >= 2


def _read_rows(page: PageContent, area: Box, words: Sequence[Word]) -> list[list[str]]:
    inside = area.grown(2)
    edges = [
        edge
        for graphic in page.graphics
        if graphic.kind in ("rule", "path") and inside.holds(graphic.box)
        for edge in _edges(graphic.box)
    ]
    edges += _edges(Box(area.x0, area.top, area.x1, area.top))
    vertical = {round(edge["x0"] / 3) for edge in edges if edge["orientation"] == "v" and edge["height"] > 6}
    if len(vertical) >= 3 and len(edges) <= _MAX_EDGES:
        rows = _grid_rows(edges, words)
        if len(rows) >= 2:
            return rows
    return _open_rows(words)


def _edges(box: Box) -> list[dict[str, Any]]:
    """What pdfplumber's table functions take: the sides of a box, one side for a thin one."""

    def edge(orientation: str, x0: float, top: float, x1: float, bottom: float) -> dict[str, Any]:
        size = {"x0": x0, "top": top, "x1": x1, "bottom": bottom, "width": x1 - x0, "height": bottom - top}
        return {"orientation": orientation, "object_type": "line", **size}

    middle_x, middle_y = (box.x0 + box.x1) / 2, (box.top + box.bottom) / 2
    if box.height < 3 and box.width >= 3:
        return [edge("h", box.x0, middle_y, box.x1, middle_y)]
    if box.width < 3 and box.height >= 3:
        return [edge("v", middle_x, box.top, middle_x, box.bottom)]
    return []


def _grid_rows(edges: list[dict[str, Any]], words: Sequence[Word]) -> list[list[str]]:
    tolerance = 3.0
    merged = merge_edges(edges, tolerance, tolerance, tolerance, tolerance)
    cells = intersections_to_cells(edges_to_intersections(merged, tolerance, tolerance))
    found = cells_to_tables(cells)
    if not found:
        return []
    boxes = [Box(*cell) for cell in max(found, key=len)]
    lefts = _distinct([box.x0 for box in boxes])
    tops = _distinct([box.top for box in boxes])
    held: dict[tuple[int, int], list[Word]] = {}
    for segment in (segment for line in _baselines(words) for segment in _segments(line)):
        for word in segment:
            # Words of a cell go to its first column; in a wide cell, or one with a broken border, where their segment starts.
            home = next((box for box in boxes if box.holds(word.box)), word.box)
            wide = sum(home.x0 - 3 < left < home.x1 - 3 for left in lefts) > 1
            start = segment[0].box.x0 if wide else home.x0
            held.setdefault((_last_before(tops, home.top), _last_before(lefts, start)), []).append(word)
    rows = [[_cell_text(held.get((row, column), [])) for column in range(len(lefts))] for row in range(len(tops))]
    return [row for row in rows if any(row)]


def _last_before(starts: Sequence[float], value: float) -> int:
    """Index of the last of the sorted ``starts`` that is not beyond ``value``, to 3 points."""
    return max((index for index, start in enumerate(starts) if start <= value + 3), default=0)


def _open_rows(words: Sequence[Word]) -> list[list[str]]:
    """Rows by baseline, columns by the gaps that most rows share."""
    lines = _baselines(words)
    if len(lines) < 2:
        return []
    columns = _columns(lines)
    if len(columns) < 2:
        return []
    sizes = [max(word.size for word in line) for line in lines]
    bottoms = [min(word.box.bottom for word in line if word.size > _SMALL * size) for line, size in zip(lines, sizes)]
    pitches = [lower - upper for upper, lower in pairwise(bottoms)]
    narrow, wide = min(pitches), max(pitches)
    limit = (narrow + wide) / 2 if wide > 1.35 * narrow else 0.0  # closer lines are one wrapped row
    near = [pair for pair, pitch in zip(pairwise(lines), pitches) if pitch < limit]
    if sum(_are_two_rows(upper, lower, columns) for upper, lower in near) > _MAX_UNWRAPPED * len(near):
        limit = 0.0  # the wider gaps part the head or groups of rows, not the rows
    rows: list[list[list[Word]]] = []
    for index, line in enumerate(lines):
        if index == 0 or pitches[index - 1] >= limit:
            rows.append([[] for _ in columns])
        for segment in _segments(line):
            box = union(word.box for word in segment)
            widest = max(range(len(columns)), key=lambda i: min(columns[i][1], box.x1) - max(columns[i][0], box.x0))
            touched = [i for i, (x0, x1) in enumerate(columns) if min(x1, box.x1) - max(x0, box.x0) > 2]
            rows[-1][min(touched, default=widest)].extend(segment)
    return [[_cell_text(cell) for cell in row] for row in rows]


def _are_two_rows(upper: Sequence[Word], lower: Sequence[Word], columns: Sequence[tuple[float, float]]) -> bool:
    """Say whether two lines cannot be one wrapped row: two values in a column, or a break that the width did not ask for.

    A cell breaks only before a word that no longer fits its column.
    """
    for x0, x1 in columns:
        above = [word for word in upper if min(word.box.x1, x1) - max(word.box.x0, x0) > 0]
        below = [word for word in lower if min(word.box.x1, x1) - max(word.box.x0, x0) > 0]
        if not above or not below:
            continue
        if _VALUE.fullmatch(" ".join(word.text for word in above)) and _VALUE.fullmatch(" ".join(word.text for word in below)):
            return True
        run = [below[0], *(word for left, word in pairwise(below) if word.box.x0 - left.box.x1 < 0.12 * word.size)]
        used = above[-1].box.x1 - above[0].box.x0 + 0.3 * above[-1].size + sum(word.box.width for word in run)
        if used < x1 - x0 and above[-1].text[-1] not in "-\u00ad\u2010":
            return True
    return False


def _columns(lines: Sequence[Sequence[Word]]) -> list[tuple[float, float]]:
    """Extents of the columns: what the fullest lines cover. A line with few segments may be a head over several columns."""
    split = [[union(word.box for word in segment) for segment in _segments(line)] for line in lines]
    most = max(len(segments) for segments in split)
    full = [segments for segments in split if len(segments) >= 0.7 * most]
    columns: list[tuple[float, float]] = []
    for box in sorted(box for segments in full for box in segments):
        if columns and box.x0 < columns[-1][1] + 1:
            columns[-1] = (columns[-1][0], max(columns[-1][1], box.x1))
        else:
            columns.append((box.x0, box.x1))
    return columns


def _segments(line: Sequence[Word]) -> list[list[Word]]:
    """The words of one line, parted where the gap is wider than a word space."""
    segments = [[line[0]]]
    for previous, word in pairwise(line):
        if word.box.x0 - previous.box.x1 < 0.55 * word.size:
            segments[-1].append(word)
        else:
            segments.append([word])
    return segments


def _baselines(words: Sequence[Word]) -> list[list[Word]]:
    """Words by line; small ones that are raised or lowered stand on the line of the words beside them."""
    usual = sorted(word.size for word in words)[len(words) // 2] if words else 0.0
    lines: list[list[Word]] = []
    small = []
    for word in sorted(words, key=lambda word: (word.box.bottom, word.box.x0)):
        if word.size < _SMALL * usual:
            small.append(word)
            continue
        line = next(
            (line for line in reversed(lines[-3:]) if abs(line[0].box.bottom - word.box.bottom) < 0.45 * word.size), None
        )
        if line is None:
            lines.append([word])
        else:
            line.append(word)
    for word in small:
        beside = [
            (abs(other.box.bottom - word.box.bottom), index)
            for index, line in enumerate(lines)
            for other in line
            if other.box.overlap_y(word.box) > 0.4 * word.box.height and -other.box.overlap_x(word.box) < other.size
        ]
        level = [
            (abs(line[0].box.bottom - word.box.bottom), index)
            for index, line in enumerate(lines)
            if abs(line[0].box.bottom - word.box.bottom) < 0.45 * word.size
        ]
        if beside or level:
            lines[min(beside or level)[1]].append(word)
        else:
            lines.append([word])
    ordered = sorted(lines, key=lambda line: line[0].box.bottom)
    return [sorted(line, key=lambda word: word.box.x0) for line in ordered]


def _cell_text(words: Sequence[Word]) -> str:
    if not words:
        return ""
    lines = []
    for line in _baselines(words):
        size = max(word.size for word in line)
        base = max(word.box.bottom for word in line if word.size > _SMALL * size)
        text = mark_raised(line[0], size, base)
        for previous, word in pairwise(line):
            gap = word.box.x0 - previous.box.x1
            text = append_word(text, mark_raised(word, size, base), word.spaced or gap > 0.12 * word.size)
        lines.append(text)
    return join_lines(lines)


def _distinct(values: Sequence[float]) -> list[float]:
    result: list[float] = []
    for value in sorted(values):
        if not result or value - result[-1] > 3:
            result.append(value)
    return result


def _to_markdown(rows: Sequence[Sequence[str]]) -> str:
    """A pipe table; the first row is its head. Columns that are empty throughout are left out."""
    width = max(len(row) for row in rows)
    full = [[*row, *[""] * (width - len(row))] for row in rows]
    used = [index for index in range(width) if any(row[index] for row in full)]
    written = ["| " + " | ".join(row[index].replace("|", "\\|") for index in used) + " |" for row in full]
    return "\n".join([written[0], "|" + " --- |" * len(used), *written[1:]])
