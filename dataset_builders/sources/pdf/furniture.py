"""What stands on page after page and is no part of the text: running heads and feet, page and line numbers, ornaments."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from dataset_builders.pages.content import Box, Graphic, PageContent, Word
from dataset_builders.pages.layout import Line
from dataset_builders.sources.pdf.figures import read_caption

_MARGIN = 0.12  # of the page height: where running heads and feet stand
_PAGE_NUMBER = re.compile(
    r"(?:page\s*|第\s*)?[-–—|]*\s*(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:of|/)\s*\d+)?\s*[-–—|]*(?:\s*页)?", re.IGNORECASE
)
_MARK_SIZE = 12.0  # points: a publisher's mark of digits is set larger than a table's numbers
_MIN_LINE_NUMBERS = 5  # on a page


def find_furniture(pages: Sequence[tuple[PageContent, Sequence[Line]]]) -> set[int]:
    """Return the ids of running heads and feet (words recurring at one height on other pages) and of page numbers.

    A number in the margin is a page number where numbers at that height count up with the pages; on a single page where
    nothing stands beside or beyond it. Other numbers may be a table's.
    """
    seen: dict[str, list[tuple[int, float, Line]]] = {}
    numbers: dict[int, list[tuple[int, float, Line]]] = {}
    found: set[int] = set()
    for page, lines in pages:
        for line in lines:
            middle = (line.box.top + line.box.bottom) / 2
            if min(middle, page.height - middle) > _MARGIN * page.height:
                continue
            # Pages may be of two sizes: feet are measured from the lower edge.
            place = line.box.top if middle < page.height / 2 else line.box.top - page.height
            if read_caption(line.text, line.box, line.lead > 4) or _in_grid(line, page):
                continue  # "Table 2 (continued)" and its head row come back as running heads do
            text = line.text.strip()
            if _PAGE_NUMBER.fullmatch(text):
                value = re.search(r"\d+", text)
                offset = int(value.group()) - page.number if value else -1
                numbers.setdefault(offset, []).append((page.number, place, line))
                if len(pages) == 1 and _stands_alone(line, lines, page):
                    found.add(id(line))
            elif len(re.findall(r"[^\W\d_]", text)) > 2:
                key = re.sub(r"[\dIVXivx]+\b|\d+", "#", text).lower()
                seen.setdefault(key, []).append((page.number, place, line))
            elif line.size > _MARK_SIZE:
                seen.setdefault(text, []).append((page.number, place, line))
    for places in [*seen.values(), *numbers.values()]:
        for number, top, line in places:
            if any(other != number and abs(top - height) < 4 for other, height, _ in places):
                found.add(id(line))
    return found


def _in_grid(line: Line, page: PageContent) -> bool:
    """Whether upright rules run beside the line on both sides, as in a table."""
    sides = [
        graphic.box.x0 > line.box.x0
        for graphic in page.graphics
        if _is_upright(graphic.box) and graphic.box.overlap_y(line.box) > 0.5 * line.box.height
    ]
    return any(sides) and not all(sides)


def _stands_alone(line: Line, lines: Sequence[Line], page: PageContent) -> bool:
    """Whether nothing is beside the line, or between it and the nearer edge of the page."""
    upper = line.box.top + line.box.bottom < page.height
    others = [other for other in lines if other is not line]
    return not any(other.box.top < line.box.bottom if upper else other.box.bottom > line.box.top for other in others)


def without_ornaments(pages: Sequence[PageContent]) -> list[PageContent]:
    """Remove drawn things in the margins that stand at the same place on three pages or more.

    The head of a table that goes on over pages stands so too: what an upright rule ties to the rest of the page is kept.
    """

    def place(graphic: Graphic) -> tuple[int, ...]:
        return tuple(round(value) for value in graphic.box)

    def in_margin(graphic: Graphic, page: PageContent) -> bool:
        return graphic.box.bottom < _MARGIN * page.height or graphic.box.top > (1 - _MARGIN) * page.height

    counts = Counter(key for page in pages for key in {place(g) for g in page.graphics if in_margin(g, page)})
    cleaned = []
    for page in pages:
        gone = {graphic for graphic in page.graphics if in_margin(graphic, page) and counts[place(graphic)] >= 3}
        tied = {g for g in page.graphics if not in_margin(g, page) and _is_upright(g.box)} if gone else set()
        while tied:
            tied = {g for g in gone if any(g.box.grown(1).intersects(other.box) for other in tied)}
            gone -= tied
        cleaned.append(replace(page, graphics=tuple(graphic for graphic in page.graphics if graphic not in gone)))
    return cleaned


def _is_upright(box: Box) -> bool:
    """Whether a drawn thing is a rule between columns."""
    return box.width < 3 and box.height > 6


def without_line_numbers(pages: Sequence[PageContent]) -> list[PageContent]:
    """Remove the numbers that a manuscript's lines have in the left margin.

    They are numbers left of where the document's lines start that count up by one step (1 or 5) down the page. Numbers of
    references and of tables stand within the text's own edges.
    """
    starts = Counter(
        round(min(row, key=lambda word: word.box.x0).box.x0)
        for page in pages
        for row in _rows([word for word in page.words if not word.text.isdigit()])
    )
    often = [start for start, count in starts.items() if count >= 0.1 * starts.total()]
    if not often:
        return list(pages)
    columns = [
        sorted((w for w in page.words if w.text.isdigit() and w.box.x1 < min(often)), key=lambda word: word.box.bottom)
        for page in pages
    ]
    edges = [word.box.x1 for column in columns if _counts_up(column) for word in column]
    gone = {id(word) for column in columns for word in column if any(abs(word.box.x1 - edge) < 2 for edge in edges)}
    return [replace(page, words=tuple(word for word in page.words if id(word) not in gone)) for page in pages]


def _counts_up(column: Sequence[Word]) -> bool:
    steps = Counter(int(lower.text) - int(upper.text) for upper, lower in pairwise(column))
    return len(column) >= _MIN_LINE_NUMBERS and max(steps[1], steps[5]) >= 0.8 * (len(column) - 1)


def _rows(words: Sequence[Word]) -> list[list[Word]]:
    rows: dict[int, list[Word]] = {}
    for word in words:
        rows.setdefault(round(word.box.bottom / 3), []).append(word)
    return list(rows.values())
