"""Turn the words of a printed page into lines, columns, blocks in reading order, and paragraphs, by their geometry.

Boxes are in points (content.py).
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dataset_builders.pages.content import Box, PageContent, Word, union


@dataclass(frozen=True, slots=True)
class Line:
    """Words on one baseline within one column. ``lead`` counts leading bold characters; ``italic`` says that all are italic."""

    text: str
    box: Box
    size: float
    lead: int
    italic: bool
    words: tuple[Word, ...] = field(repr=False)

    @property
    def bold(self) -> bool:
        return self.lead >= len(self.text)


@dataclass(frozen=True, slots=True)
class Gutter:
    """White space between two columns: the x of its middle and the top and bottom between which it runs."""

    x: float
    top: float
    bottom: float


# Gaps in units of the font size. Word spaces in justified text stay below 1 em, gutters of journals above.
_LINE_GAP = 1.5
_MARKER_GAP = 4.0  # from the bullet or number of a list to its text
_MARKER = re.compile(r"[•●▪■◦‣○*–—-]|\(?(?:\d{1,2}|[a-z])[.)]|\[\d{1,3}\]")
_GUTTER_GAP = 0.45
_SPACE_GAP = 0.12
_MIN_GUTTER_LINES = 4
_MIN_GUTTER_HEIGHT = 28.0  # points: four lines of small type
_MIN_COLUMN_SHARE = 0.12  # of the page width: narrower stacks are bullets or reference numbers, not columns
# The following were chosen by us from pages of journals, books and scans.
_LARGE_TYPE = 14.0  # points: headings and initials are put into rows first, so that body text beside them joins theirs
_RECENT_ROWS = 40  # rows that a word may belong to; it is never further back in a page read from the top
_ROW_OVERLAP = 0.5  # of the lower height that a word shares with its row
_TALLER, _TALL_OVERLAP = 1.2, 0.7  # times a row's height, and the share of it: such a word is the row's core from then on
_MARGIN_SHARE = 0.15  # of the page width on either side in which no gutter lies
_STRIP = (7.0, 1.5)  # points left of a column between which nothing may stand: narrower than any gutter
_ROW_HEIGHT = 3.0  # points: bottoms that differ by less are of one row
_NEAR_EDGE = 0.45  # of the page width: words further from a gutter are of another column
_EDGE = 3.0  # points by which edges of one thing differ in print
_SAME_LINE = 0.6  # of the lower height that pieces of one printed line share
_RAISED = (0.8, 0.12)  # font size of a raised number at most, and height above the baseline at least, in sizes of the line
# Numbers with signs of U+2212 and of keyboards, points, commas and ranges; a charge ("2+").
_EXPONENT = re.compile(r"[-−–+±]?[\d.,·\-−–/\s]*\d[\d.,·\-−–\s]*[+\-−–]?|[+−–-]")
_RINGS = "∘º˚◦"
_RING_AFTER_NUMBER = re.compile(r"(?<=\d)[∘º˚]")
_HAN_GAP = 0.9  # font sizes: Chinese is set without spaces, but with gaps beside punctuation
_PIECE_GAP = 3.0  # font sizes between pieces of one printed line at most
_OVERLAP_UP = 0.5  # font sizes by which the next line's box may reach into the one above
_WIDTH_SHARE = 0.5  # of the narrower width that a rule or a next line shares with what is above it
_TELLING_LINE = 20  # characters of a line at least from which the usual spacing is taken: shorter ones are labels
_BLOCK_GAP = (0.95, 1.3, 2.2)  # gap within a block in font sizes: always, times the usual one, and at most
_BLOCK_OVERLAP = 0.3  # of the narrower width that a line shares with its block
_LAST_LINES = 3  # of a block, whose width stands for it
_SHARED_COLUMN = 5.0  # points of width that boxes of one column share at least


def find_lines(words: Sequence[Word], page_width: float, jitter: float = 0.0) -> tuple[list[Line], list[Gutter]]:
    """Join words into lines, in no particular order, and find the gutters that separate columns.

    ``jitter`` is how far apart (points) the left edges of one column's lines may lie: OCR finds them less exactly.
    """
    rows = _rows(words)
    gutters = _find_gutters(rows, page_width, jitter)
    lines = []
    for row in rows:
        group = [row[0]]
        for word in row[1:]:
            gap = word.box.x0 - group[-1].box.x1
            size = max(word.size, group[-1].size)
            middle = Box(group[-1].box.x1, min(word.box.top, group[-1].box.top), word.box.x0, word.box.bottom)
            divided = gap > _GUTTER_GAP * size and any(_lies_in(gutter, middle) for gutter in gutters)
            reach = _MARKER_GAP if len(group) == 1 and _MARKER.fullmatch(group[0].text) else _LINE_GAP
            if divided or gap > reach * size:
                lines.append(_line(group))
                group = []
            group.append(word)
        lines.append(_line(group))
    return lines, gutters


def find_blocks(
    lines: Sequence[Line], gutters: Sequence[Gutter], rules: Sequence[Box] = (), size_slack: float = 0.45
) -> list[list[Line]]:
    """Stack lines of one size and one column with ordinary line spacing, each stack from top to bottom, in no particular order.

    A rule of ``rules`` that reaches beyond a line ends the stack below it. Sizes that differ by up to ``size_slack`` points
    are one size: OCR measures them less exactly than a text layer.
    """
    blocks: list[list[Line]] = []
    spacing = _usual_spacing(lines)
    for line in sorted(lines, key=lambda line: (line.box.bottom, line.box.x0)):
        alone = not any(line.box.overlap_y(other.box) > 2 for other in lines if other is not line)
        beside = [] if alone else gutters  # the short last line of a wide paragraph stands in no column
        candidates = [
            block
            for block in blocks
            if not _ruled_off(block[-1].box, line.box, rules) and _continues(block, line, beside, size_slack, spacing)
        ]
        if candidates:
            max(candidates, key=lambda block: block[-1].box.bottom).append(line)
        else:
            blocks.append([line])
    return [_sort_baselines(block) for block in blocks]


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """Return the indices of ``boxes`` in reading order: down a column, then down the next one to its right.

    Elements that span both columns divide what is above from what is below. Breuel's two rules ("High performance document
    layout analysis", 2003): a comes before b if it is above b and they share columns, or if it is left of b and nothing
    between them in height spans both.
    """
    count = len(boxes)
    before: list[set[int]] = [set() for _ in range(count)]  # before[b]: what must be read first
    for a in range(count):
        for b in range(count):
            if a != b and _precedes(boxes, a, b):
                before[b].add(a)
    order: list[int] = []
    left = set(range(count))
    while left:
        ready = [index for index in left if not before[index] & left] or list(left)  # a cycle: take the topmost
        chosen = min(ready, key=lambda index: _resume(boxes, order, index))
        order.append(chosen)
        left.discard(chosen)
    return order


def join_lines(texts: Sequence[str], vocabulary: Counter[str] | None = None) -> str:
    """Join printed lines into running text: undo hyphenation, and put no space between Han characters.

    A hyphen at the end of a line is dropped if the next line starts in lower case, unless the document itself (``vocabulary``,
    counts of its words in lower case) writes the word with a hyphen more often than without.
    """
    result = ""
    for text in texts:
        text = text.strip()
        if not result or not text:
            result = result or text
        elif result[-1] in "-\u00ad\u2010" and len(result) > 1 and result[-2].isalpha() and text[0].islower():
            first, second = re.split(r"[\s(]", result[:-1])[-1], re.split(r"[\s,.;:)]", text)[0]
            words = vocabulary or Counter()
            keep = words[f"{first}-{second}".lower()] > words[f"{first}{second}".lower()]
            result = result[:-1] + ("-" if keep else "") + text
        elif result[-1] == "\u00ad":
            result = result[:-1] + "-" + text
        elif result[-1] in "-\u2010–—/" and len(result) > 1 and not result[-2].isspace():
            result += text
        else:
            result += ("" if is_han(result[-1]) or is_han(text[0]) else " ") + text
    return result


def mark_raised(word: Word, size: float, base: float) -> str:
    """Return a word's text, as "^−22^" if it is a number that is set small and raised, as exponents and references are.

    ``size`` is the font size of its line and ``base`` where the line's full-sized words end below, in points. A raised o or
    ring is the sign of a degree.
    """
    if not (word.size < _RAISED[0] * size and base - word.box.bottom > _RAISED[1] * size):
        return word.text
    if word.text in _RINGS:
        return "°"
    return f"^{word.text}^" if _EXPONENT.fullmatch(word.text) else word.text


def append_word(text: str, piece: str, spaced: bool) -> str:
    """Append a word to a line's text; raised pieces that touch are one, and a ring after a number is a degree."""
    if not spaced and text.endswith("^") and piece.startswith("^"):
        return text[:-1] + piece[1:]
    return _RING_AFTER_NUMBER.sub("°", text + (" " if spaced else "") + piece)


def is_han(character: str) -> bool:
    """Tell whether a character is Chinese writing: a Han character or full-width punctuation."""
    return "\u2e80" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef"


def body_size(pages: Iterable[PageContent]) -> float:
    """Return the font size, to half a point, that most characters are set in; 10 if there is no text."""
    counts: Counter[float] = Counter()
    for page in pages:
        for word in page.words:
            counts[round(word.size * 2) / 2] += len(word.text)
    return max(counts, key=lambda size: (counts[size], size)) if counts else 10.0


def _rows(words: Sequence[Word]) -> list[list[Word]]:
    """Words that share a baseline, across all columns, left to right."""
    rows: list[tuple[Box, list[Word]]] = []
    recent: list[int] = []
    for word in sorted(words, key=lambda word: (-word.size if word.size > _LARGE_TYPE else 0, word.box.bottom, word.box.x0)):
        best, best_overlap = -1, _ROW_OVERLAP
        for index in recent[-_RECENT_ROWS:]:
            core = rows[index][0]
            share = core.overlap_y(word.box) / max(min(core.height, word.box.height), 0.1)
            if share > best_overlap:
                best, best_overlap = index, share
        if best < 0:
            recent.append(len(rows))
            rows.append((word.box, [word]))
        else:
            core, members = rows[best]
            members.append(word)
            if word.box.height > core.height * _TALLER and word.box.overlap_y(core) > _TALL_OVERLAP * core.height:
                rows[best] = (word.box, members)
    return [sorted(members, key=lambda word: word.box.x0) for _, members in rows]


def _find_gutters(rows: Sequence[Sequence[Word]], page_width: float, jitter: float) -> list[Gutter]:
    """White strips with at least four lines of real width on either side."""
    words = [word for row in rows for word in row]
    if len(words) < 2 * _MIN_GUTTER_LINES:
        return []
    margin = _MARGIN_SHARE * page_width
    starts = sorted({round(word.box.x0) for word in words if margin < word.box.x0 < page_width - margin})
    stacks = Counter(round(word.box.x0) for word in words)
    candidates = [x for x in starts if sum(stacks[x + d] for d in (-1, 0, 1)) >= _MIN_GUTTER_LINES]
    candidates = [x for x in candidates if stacks[x] == max(stacks[x + d] for d in (-2, -1, 0, 1, 2))]
    gutters: list[Gutter] = []
    for x in candidates:
        left_edge = min((word.box.x0 for word in words if abs(word.box.x0 - x) <= jitter), default=float(x))
        strip_x0, strip_x1 = left_edge - _STRIP[0], left_edge - _STRIP[1]
        crossing = sorted(
            (word.box.top, word.box.bottom) for word in words if word.box.x0 < strip_x1 and word.box.x1 > strip_x0
        )
        edges = [min(word.box.top for word in words) - 1, max(word.box.bottom for word in words) + 1]
        free, start = [], edges[0]
        for top, bottom in crossing:
            if top > start:
                free.append((start, top))
            start = max(start, bottom)
        if edges[1] > start:
            free.append((start, edges[1]))
        for top, bottom in free:
            if bottom - top < _MIN_GUTTER_HEIGHT:
                continue
            inside = [word for word in words if word.box.top >= top - 1 and word.box.bottom <= bottom + 1]
            left = [word for word in inside if word.box.x1 <= strip_x0 + 1]
            right = [word for word in inside if word.box.x0 >= strip_x1 - 1]
            if _is_column(left, page_width, "x1") and _is_column(right, page_width, "x0"):
                gutters.append(Gutter((strip_x0 + strip_x1) / 2, top, bottom))
    return gutters


def _is_column(words: Sequence[Word], page_width: float, near_edge: str) -> bool:
    rows = Counter(round(word.box.bottom / _ROW_HEIGHT) for word in words)
    if len(rows) < _MIN_GUTTER_LINES:
        return False
    near = max if near_edge == "x1" else min
    edge = near(getattr(word.box, near_edge) for word in words)
    close = [word for word in words if abs(getattr(word.box, near_edge) - edge) < _NEAR_EDGE * page_width]
    extents: dict[int, list[Box]] = {}
    for word in close:
        extents.setdefault(round(word.box.bottom / _ROW_HEIGHT), []).append(word.box)
    widths = sorted(union(boxes).width for boxes in extents.values())
    return len(widths) >= _MIN_GUTTER_LINES and widths[len(widths) // 2] > _MIN_COLUMN_SHARE * page_width


def _lies_in(gutter: Gutter, gap: Box) -> bool:
    return gap.x0 - 0.5 <= gutter.x <= gap.x1 + 0.5 and gutter.top - 2 <= (gap.top + gap.bottom) / 2 <= gutter.bottom + 2


def _line(words: Sequence[Word]) -> Line:
    weights: Counter[float] = Counter()
    for word in words:
        weights[round(word.size, 1)] += len(word.text)
    size = max(weights, key=lambda value: (weights[value], value))
    base = max((word.box.bottom for word in words if abs(word.size - size) < 1), default=words[0].box.bottom)
    text, lead, all_bold = "", 0, True
    for previous, word in zip([None, *words[:-1]], words):
        piece = mark_raised(word, size, base)
        gap = word.box.x0 - previous.box.x1 if previous else 0.0
        limit = (
            _SPACE_GAP * size if previous and not is_han(previous.text[-1]) and not is_han(word.text[0]) else _HAN_GAP * size
        )
        text = append_word(text, piece, bool(previous) and (word.spaced or gap > limit))
        all_bold = all_bold and (word.bold or not any(c.isalnum() for c in piece))
        if all_bold:
            lead = len(text)
    lettered = [word for word in words if any(character.isalpha() for character in word.text)]
    italic = bool(lettered) and all(word.italic for word in lettered)
    return Line(text, union(word.box for word in words), size, lead, italic, tuple(words))


def _ruled_off(upper: Box, lower: Box, rules: Sequence[Box]) -> bool:
    """Tell whether a rule between two lines is more than an underline of the upper one: longer than it, or further below."""
    return any(
        upper.bottom - _EDGE < rule.top < lower.top + _EDGE
        and (rule.x0 < upper.x0 - _EDGE or rule.x1 > upper.x1 + _EDGE or rule.top > upper.bottom + 2)
        and rule.overlap_x(upper) > _WIDTH_SHARE * min(rule.width, upper.width)
        for rule in rules
    )


def _usual_spacing(lines: Sequence[Line]) -> float:
    """Return the usual gap between a line and the next one below it on the page, in font sizes (double spacing: about 1.3)."""
    gaps = []
    for line in lines:
        below = [
            other.box.top - line.box.bottom
            for other in lines
            if other.box.top > line.box.bottom - _OVERLAP_UP * line.size
            and other.box.overlap_x(line.box) > _WIDTH_SHARE * line.box.width
        ]
        if below and len(line.text) > _TELLING_LINE:
            gaps.append(min(below) / line.size)
    return sorted(gaps)[len(gaps) // 2] if gaps else 0.0


def _continues(block: Sequence[Line], line: Line, gutters: Sequence[Gutter], size_slack: float, spacing: float) -> bool:
    last = block[-1]
    size = max(last.size, line.size)
    if abs(last.size - line.size) > size_slack:
        return False
    extent = union(item.box for item in block[-_LAST_LINES:])
    if any(_divides(gutter, extent, line.box) for gutter in gutters):
        return False
    if last.box.overlap_y(line.box) > _SAME_LINE * min(last.box.height, line.box.height):
        return abs(last.box.overlap_x(line.box)) < _PIECE_GAP * size
    gap = line.box.top - last.box.bottom
    shared = extent.overlap_x(line.box)
    always, times, most = _BLOCK_GAP
    follows = -_OVERLAP_UP * size < gap < max(always, min(times * spacing, most)) * size
    return follows and shared > _BLOCK_OVERLAP * min(extent.width, line.box.width)


def _divides(gutter: Gutter, upper: Box, lower: Box) -> bool:
    """Tell whether a gutter beside the lower box divides the two boxes: they are in different columns, or one crosses it."""

    def side(box: Box) -> int:
        return -1 if box.x1 <= gutter.x + _EDGE else 1 if box.x0 >= gutter.x - _EDGE else 0

    runs_beside = gutter.top - 2 <= (lower.top + lower.bottom) / 2 <= gutter.bottom + 2
    ran_beside = gutter.top - 2 <= (upper.top + upper.bottom) / 2 <= gutter.bottom + 2
    return (runs_beside or ran_beside) and side(upper) != side(lower)


def _sort_baselines(block: list[Line]) -> list[Line]:
    """Put pieces of one printed line (split at a wide gap) side by side, and the rest from top to bottom."""
    rows: list[list[Line]] = []
    for line in block:
        if rows and rows[-1][0].box.overlap_y(line.box) > _SAME_LINE * min(rows[-1][0].box.height, line.box.height):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.box.x0)]


def _precedes(boxes: Sequence[Box], a: int, b: int) -> bool:
    first, second = boxes[a], boxes[b]
    shared = first.overlap_x(second)
    if shared > min(_SHARED_COLUMN, _BLOCK_OVERLAP * min(first.width, second.width)):
        return (first.top + first.bottom) < (second.top + second.bottom)
    if first.x0 + first.x1 >= second.x0 + second.x1:
        return False
    low, high = sorted(((first.top + first.bottom) / 2, (second.top + second.bottom) / 2))
    return not any(
        index not in (a, b)
        and low < (box.top + box.bottom) / 2 < high
        and box.overlap_x(first) > _SHARED_COLUMN
        and box.overlap_x(second) > _SHARED_COLUMN
        for index, box in enumerate(boxes)
    )


def _resume(boxes: Sequence[Box], order: Sequence[int], index: int) -> tuple[float, float, float]:
    """Prefer what stands right below the box read last, then what is higher up, then what is further left."""
    box = boxes[index]
    if order and boxes[order[-1]].overlap_x(box) > _SHARED_COLUMN:
        return (0.0, box.top, box.x0)
    return (1.0, box.top, box.x0)
