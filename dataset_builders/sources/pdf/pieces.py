"""One page in pieces: figures with their captions, tables, and the stacks of lines that are left."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from dataset_builders.pages.content import Box, PageContent, union
from dataset_builders.pages.layout import Line, is_han, join_lines
from dataset_builders.sources.pdf.figures import Caption, FigureRegion, find_clusters, match_regions, read_caption, unclaimed
from dataset_builders.sources.pdf.formulas import cut_formulas
from dataset_builders.sources.pdf.tables import Table, find_tables

_GOES_ON = re.compile(
    r"(?:\b(?:an?|and|as|at|by|for|from|in|of|on|or|see|the|to|with)|[,(（，、见如在和与及])\s*$", re.IGNORECASE
)
_SLACK = 0.5  # font sizes by which ragged lines end early
SIZE_STEP = 0.4  # points of difference that make another style
ENDS = re.compile(r"[.!?。！？:：;；](?:[\"”’')\]）】]|\^[^^]*\^|\[\d[\d,\s–-]*\])*\s*$")  # a sentence, with what may follow it


@dataclass(frozen=True, slots=True)
class Piece:
    """Something with a place on a page: a stack of lines, or a figure or table with its caption's translation as lines.

    ``formula`` is the text of a display formula. ``unclaimed`` are large drawings that are no figure unless a caption on the
    next page says so.
    """

    box: Box
    lines: tuple[Line, ...] = ()
    region: FigureRegion | None = None
    table: Table | None = None
    unclaimed: bool = False
    formula: str = ""


def page_pieces(
    page: PageContent, blocks: Sequence[Sequence[Line]], body: float, votes: Counter[str], vocabulary: Counter[str]
) -> list[Piece]:
    """Find the figures and tables of a page, and what text is left, in no particular order.

    blocks      the page's stacks of lines (layout.find_blocks).
    body        the document's usual font size in points.
    votes       where the document's captions stand to their figures so far (figures.match_regions).
    vocabulary  counts of the document's words (layout.join_lines).
    """
    texts: list[list[Line]] = []
    captions: list[Caption] = []
    translations: dict[str, tuple[Line, ...]] = {}
    for block in blocks:
        for part in _split_captions(block, page.source == "ocr"):
            caption = read_caption(
                join_lines([line.text for line in part], vocabulary), union(line.box for line in part), part[0].lead > 4
            )
            if caption and captions and _is_translation(captions[-1], caption):
                captions[-1] = replace(captions[-1], box=union((captions[-1].box, caption.box)))
                translations[captions[-1].label] = tuple(part)
            elif caption:
                captions.append(replace(caption, lines=tuple(part)))
            else:
                texts.append(list(part))
    figures = [caption for caption in captions if caption.kind == "figure"]
    tables = find_tables(
        page, [caption for caption in captions if caption.kind == "table"], [caption.box for caption in figures], texts
    )
    areas = [table.box for table in tables]
    held = [box for table in tables for box in table.held]
    texts = [left for block in texts if (left := _without(block, areas, held))]
    texts, formulas = cut_formulas(texts, page.graphics)
    clusters = find_clusters(page.graphics, page.width, page.height, areas)
    walls: list[Box] = []
    labels: list[Box] = []
    for block in texts:
        box = union(line.box for line in block)
        running = _is_running(block, box, page, body) and not any(_share(box, cluster) > 0.6 for cluster in clusters)
        (walls if running else labels).append(box)
    walls += areas
    regions = match_regions(
        figures, clusters, walls, labels, votes, [g.box for g in page.graphics if g.kind == "image"], (page.width, page.height)
    )
    taken = [region.box for region in regions if region.box]
    pieces = [Piece(table.box, translations.get(table.label, ()), table=table) for table in tables]
    pieces += [Piece(cluster, unclaimed=True) for cluster in unclaimed(clusters, regions, (page.width, page.height))]
    pieces += [Piece(formula.box, formula=formula.text) for formula in formulas]
    for region in regions:
        boxes = [box for box in (region.box, region.caption and region.caption.box) if box]
        translation = translations.get(region.caption.label, ()) if region.caption else ()
        pieces.append(Piece(union(boxes), translation, region=region))
    for block in texts:
        box = union(line.box for line in block)
        if not any(_share(box, area) > 0.6 for area in taken):
            pieces.append(Piece(box, tuple(block)))
    return pieces


def _without(block: Sequence[Line], areas: Sequence[Box], held: Sequence[Box]) -> list[Line]:
    """The lines of a block that no table holds; a block with its middle outside all tables stays whole."""
    middle = union(line.box for line in block)
    if not any(area.holds(middle) for area in (*areas, *held)):
        return list(block)
    return [line for line in block if not any(box.holds(line.box) for box in held)]


def has_room(before: Line, line: Line, right: float) -> bool:
    """Say whether the first word of ``line`` had room at the end of the line ``before``, so that the break was meant.

    ``right`` is where the lines of the column end, in points. Without it a line would be broken where a word is too long.
    """
    first = next((word.box.width for word in line.words if word.text.strip()), 0.0)
    return before.box.x1 + 0.3 * before.size + first < right - _SLACK * before.size


def _is_translation(first: Caption, second: Caption) -> bool:
    """Say whether ``second`` stands right below ``first`` and says the same in another language: 图1 … Fig. 1 …"""
    numbers = [re.sub(r"^\D*(?=S?\d)", "", caption.label) for caption in (first, second)]
    near = 0 <= second.box.top - first.box.bottom + 6 < 24 and first.box.overlap_x(second.box) > 0
    return near and first.kind == second.kind and first.label != second.label and numbers[0] == numbers[1]


def _split_captions(block: Sequence[Line], one_size: bool) -> list[Sequence[Line]]:
    """The block cut before every line that opens a caption in bold, after a sentence or a short line, or in another language.

    ``one_size`` says that print sizes are not told apart (OCR), so that a caption may stand in one block with the paragraph
    below it: then it is cut at its end too.
    """
    cuts = [0]
    for index, line in enumerate(block[1:], 1):
        before, start = block[index - 1], block[cuts[-1]]
        if not read_caption(line.text, line.box, line.lead > 4):
            continue
        captioned = read_caption(start.text, start.box, start.lead > 4) is not None
        translated = captioned and is_han(before.text[-1]) != is_han(line.text[0])
        label = before.box.width < 0.6 * line.box.width  # a panel's letter or an axis title, not a full line of text
        # A bold label below an unfinished line is a citation, unless it had room on that line or the type changes.
        restyled = abs(before.size - line.size) > SIZE_STEP / 2 or before.bold
        room = has_room(before, line, max(other.box.x1 for other in block)) and not _GOES_ON.search(before.text)
        broken = line.lead > 4 and (restyled or room)
        if broken or ENDS.search(before.text) or translated or label:
            cuts.append(index)
    parts = [block[start:end] for start, end in zip(cuts, [*cuts[1:], len(block)])]
    return [piece for part in parts for piece in (_cut_after_caption(part) if one_size else [part])]


def _cut_after_caption(part: Sequence[Line]) -> list[Sequence[Line]]:
    """A caption ends with a sentence, before a line that starts elsewhere or after one that is far from full."""
    if not read_caption(part[0].text, part[0].box, part[0].lead > 4):
        return [part]
    for index, (line, following) in enumerate(pairwise(part), 1):
        if not ENDS.search(line.text) or not re.match(r"[A-Z\d\u4e00-\u9fff]", following.text):
            continue
        moved = abs(line.box.x0 - following.box.x0) > 0.8 * line.size
        right = max(other.box.x1 for other in part[:index])
        if moved or right - line.box.x1 > 0.25 * (right - line.box.x0):
            return [part[:index], part[index:]]
    return [part]


def _is_running(block: Sequence[Line], box: Box, page: PageContent, body: float) -> bool:
    """Say whether a block is text that a figure cannot reach over: paragraphs and headings, not labels in a drawing."""
    letters = sum(len(line.text) for line in block)
    wide = box.width > 0.25 * page.width
    heading = (block[0].size > body + SIZE_STEP or block[0].bold) and block[0].size >= body and letters > 12
    return (letters > 100 and wide) or (abs(block[0].size - body) < SIZE_STEP and letters > 40 and wide) or heading


def _share(box: Box, area: Box) -> float:
    return max(box.overlap_x(area), 0) * max(box.overlap_y(area), 0) / max(box.area, 1e-6)
