"""Pages to one running text: headings, paragraphs joined across columns and pages, figures and tables where they stand."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from dataset_builders.pages.layout import (
    Box,
    Line,
    PageContent,
    Word,
    body_size,
    find_blocks,
    find_lines,
    is_han,
    join_lines,
    reading_order,
    union,
)
from dataset_builders.sources.pdf.figures import Caption, FigureRegion, find_clusters, match_regions, read_caption
from dataset_builders.sources.pdf.furniture import find_furniture, without_line_numbers, without_ornaments
from dataset_builders.sources.pdf.tables import Table, find_tables, long_rules

_BULLET = re.compile(
    r"(?:[•●▪■◦‣○*]|[-–—](?=\s)|\(?\d{1,2}[.)](?=\s)|\(?[a-z][.)](?=\s)|[（(][一二三四五六七八九十\d]+[)）]|\[\d+\])\s*"
)
_BULLET_GLYPH = re.compile(r"(?:[•●▪■◦‣○*]|[-–—](?=\s))\s*")
_ENDS = re.compile(r"[.!?。！？:：;；](?:[\"”’')\]）】]|\^[^^]*\^|\[\d[\d,\s–-]*\])*\s*$")
_OCR_JITTER = 2.5  # points
_OCR_SIZE_SLACK = 1.6
_TEXT_SIZE_SLACK = 0.45
_NUMBERED = re.compile(r"\d{1,2}(?:\.\d{1,2}){1,3}\.?\s+[A-Z\u4e00-\u9fff]")
_SIZE_STEP = 0.4  # points of difference that make another style


@dataclass(frozen=True, slots=True)
class Element:
    """One piece of the document in reading order.

    kind     "heading", "paragraph", "list", "aside" (smaller than the body), "table" or "figure".
    text     running text; a table's is its caption and Markdown; a figure's is its whole caption.
    level    of a heading, 1–6.
    label    of a figure or table ("Figure 3"), "" without one.
    picture  where a figure stands on its page, None where the page has a caption and no picture.
    """

    kind: str
    text: str
    page: int
    level: int = 0
    label: str = ""
    picture: Box | None = None
    size: float = 0.0


@dataclass(frozen=True, slots=True)
class Flow:
    """A document in reading order; ``furniture`` are the running heads and feet that were taken out, a line each."""

    elements: tuple[Element, ...]
    furniture: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Something with a place on a page: a stack of lines, or a figure or table with its caption's translation as lines."""

    box: Box
    lines: tuple[Line, ...] = ()
    region: FigureRegion | None = None
    table: Table | None = None


def read_flow(pages: Sequence[PageContent]) -> Flow:
    """Everything on ``pages`` in reading order."""
    pages = without_line_numbers(without_ornaments(pages))
    body = body_size(pages)
    split = [
        find_lines(_readable_words(page, body), page.width, _OCR_JITTER if page.source == "ocr" else 0.0) for page in pages
    ]
    furniture = find_furniture([(page, lines) for page, (lines, _) in zip(pages, split)])
    vocabulary = Counter(
        word.strip(".,;:()[]").lower()
        for lines, _ in split
        for line in lines
        for word in line.text.split()
        if not word.endswith("-")
    )
    positions: Counter[str] = Counter()
    for _ in range(2):  # the second time the document's own caption position is known
        votes = positions
        positions = Counter()
        layouts = []
        for page, (lines, gutters) in zip(pages, split):
            kept = [line for line in lines if id(line) not in furniture]
            rules = long_rules(page)
            blocks = find_blocks(kept, gutters, rules, _OCR_SIZE_SLACK if page.source == "ocr" else _TEXT_SIZE_SLACK)
            pieces = _page_pieces(page, blocks, body, votes, vocabulary)
            positions.update(piece.region.position for piece in pieces if piece.region and piece.region.position)
            layouts.append(pieces)
        if len(positions) < 2:
            break
    builder = _Builder(body, vocabulary, _heading_sizes(layouts, body))
    for page, pieces in zip(pages, layouts):
        for index in reading_order(_across([piece.box for piece in pieces])):
            builder.add(pieces[index], page)
    heads = dict.fromkeys(line.text for lines, _ in split for line in lines if id(line) in furniture)
    return Flow(tuple(builder.elements), tuple(heads), builder.title)


def _across(boxes: Sequence[Box]) -> list[Box]:
    """The boxes; what stands alone at its height and over the middle of the text is as wide as the text, as titles are."""
    if not boxes:
        return []
    text = union(boxes)
    middle = (text.x0 + text.x1) / 2
    return [
        Box(text.x0, box.top, text.x1, box.bottom)
        if box.x0 < middle < box.x1 and not any(other is not box and box.overlap_y(other) > 1 for other in boxes)
        else box
        for box in boxes
    ]


def _readable_words(page: PageContent, body: float) -> list[Word]:
    """Words without the small print inside pictures, which is part of the picture."""
    images = [graphic.box for graphic in page.graphics if graphic.kind == "image" and graphic.box.height > 30]
    return [word for word in page.words if word.size >= 0.75 * body or not any(box.holds(word.box) for box in images)]


def _page_pieces(
    page: PageContent, blocks: Sequence[Sequence[Line]], body: float, votes: Counter[str], vocabulary: Counter[str]
) -> list[_Piece]:
    """Figures, tables and what text is left of a page."""
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
                captions.append(caption)
            else:
                texts.append(list(part))
    figures = [caption for caption in captions if caption.kind == "figure"]
    tables = find_tables(
        page, [caption for caption in captions if caption.kind == "table"], [caption.box for caption in figures], texts
    )
    areas = [table.box for table in tables]
    texts = [block for block in texts if not any(area.holds(union(line.box for line in block)) for area in areas)]
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
    pieces = [_Piece(table.box, translations.get(table.label, ()), table=table) for table in tables]
    for region in regions:
        boxes = [box for box in (region.box, region.caption and region.caption.box) if box]
        translation = translations.get(region.caption.label, ()) if region.caption else ()
        pieces.append(_Piece(union(boxes), translation, region=region))
    for block in texts:
        box = union(line.box for line in block)
        if not any(_share(box, area) > 0.6 for area in taken):
            pieces.append(_Piece(box, tuple(block)))
    return pieces


def _is_translation(first: Caption, second: Caption) -> bool:
    """Whether ``second`` stands right below ``first`` and says the same in another language: 图1 … Fig. 1 …"""
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
        if line.lead > 4 or _ENDS.search(before.text) or translated or label:
            cuts.append(index)
    parts = [block[start:end] for start, end in zip(cuts, [*cuts[1:], len(block)])]
    return [piece for part in parts for piece in (_cut_after_caption(part) if one_size else [part])]


def _cut_after_caption(part: Sequence[Line]) -> list[Sequence[Line]]:
    """A caption ends with a sentence, before a line that starts elsewhere or after one that is far from full."""
    if not read_caption(part[0].text, part[0].box, part[0].lead > 4):
        return [part]
    for index, (line, following) in enumerate(pairwise(part), 1):
        if not _ENDS.search(line.text) or not re.match(r"[A-Z\d\u4e00-\u9fff]", following.text):
            continue
        moved = abs(line.box.x0 - following.box.x0) > 0.8 * line.size
        right = max(other.box.x1 for other in part[:index])
        if moved or right - line.box.x1 > 0.25 * (right - line.box.x0):
            return [part[:index], part[index:]]
    return [part]


def _is_running(block: Sequence[Line], box: Box, page: PageContent, body: float) -> bool:
    """Whether a block is text that a figure cannot reach over: paragraphs and headings, not labels in a drawing."""
    letters = sum(len(line.text) for line in block)
    wide = box.width > 0.25 * page.width
    heading = (block[0].size > body + _SIZE_STEP or block[0].bold) and block[0].size >= body and letters > 12
    return (letters > 100 and wide) or (abs(block[0].size - body) < _SIZE_STEP and letters > 40 and wide) or heading


def _share(box: Box, area: Box) -> float:
    return max(box.overlap_x(area), 0) * max(box.overlap_y(area), 0) / max(box.area, 1e-6)


def _heading_sizes(layouts: Sequence[Sequence[_Piece]], body: float) -> list[float]:
    """Font sizes above the body's, largest first: their ranks are the heading levels."""
    sizes = {
        round(line.size * 2) / 2
        for pieces in layouts
        for piece in pieces
        for line in piece.lines
        if line.size > body + _SIZE_STEP
    }
    return sorted(sizes, reverse=True)


class _Builder:
    """Collects elements; keeps the paragraph that may go on in the next column or page."""

    def __init__(self, body: float, vocabulary: Counter[str], sizes: Sequence[float]) -> None:
        self.elements: list[Element] = []
        self.title = ""
        self._title_size = 0.0
        self._body, self._vocabulary, self._sizes = body, vocabulary, sizes
        self._open: int | None = None  # index of the body paragraph read last
        self._open_place: tuple[int, Box] | None = None

    def add(self, piece: _Piece, page: PageContent) -> None:
        if piece.region:
            caption = piece.region.caption
            self.elements.append(
                Element(
                    "figure",
                    caption.text if caption else "",
                    page.number,
                    label=caption.label if caption else "",
                    picture=piece.region.box,
                )
            )
        if piece.table:
            self.elements.append(Element("table", piece.table.markdown, page.number, label=piece.table.label))
        if piece.region or piece.table:
            if piece.lines:
                self.elements.append(Element("aside", join_lines([line.text for line in piece.lines]), page.number))
            return
        for position, (lines, kind) in enumerate(self._paragraphs(piece.lines)):
            self._add_text(lines, kind, page, piece.box, first=position == 0)

    def _add_text(self, lines: Sequence[Line], kind: str, page: PageContent, box: Box, first: bool) -> None:
        text = join_lines([line.text for line in lines], self._vocabulary)
        if kind == "list":
            text = _BULLET_GLYPH.sub("", text)
        size = max(line.size for line in lines)
        if not text:
            return
        if kind == "heading":
            self._add_heading(text, size, page.number)
            return
        if kind == "paragraph":
            heading, text = _run_in_heading(lines[0], text)
            if heading:
                self._add_heading(heading, 0.0, page.number)
        if kind != "aside" and first and self._goes_on(text, kind, page.number, box, size):
            assert self._open is not None
            before = self.elements[self._open]
            self.elements[self._open] = replace(before, text=join_lines([before.text, text], self._vocabulary))
        else:
            self.elements.append(Element(kind, f"- {text}" if kind == "list" else text, page.number, size=size))
            if kind != "aside":
                self._open = len(self.elements) - 1
        if kind != "aside":
            self._open_place = (page.number, box)

    def _add_heading(self, text: str, size: float, page: int) -> None:
        rounded = round(size * 2) / 2
        level = min(self._sizes.index(rounded) + 1 if rounded in self._sizes else len(self._sizes) + 1, 6)
        worded = len(text.split()) > 2 or len(re.findall(r"[\u4e00-\u9fff]", text)) > 3
        if page == 1 and worded and size > max(self._title_size, self._body + 1):
            self._title_size, self.title = size, text
        self.elements.append(Element("heading", text, page, level=level, size=size))
        self._open = None

    def _goes_on(self, text: str, kind: str, page: int, box: Box, size: float) -> bool:
        """Whether ``text``, at the top of a block, continues the open paragraph: it is unfinished and was cut by a break."""
        if self._open is None or self._open_place is None or kind == "list":
            return False
        before = self.elements[self._open]
        if abs(before.size - size) > _SIZE_STEP or _ENDS.search(before.text):
            return False
        last_page, last_box = self._open_place
        same_column = last_page == page and last_box.overlap_x(box) > 0.5 * min(last_box.width, box.width)
        return not same_column or text[0].islower() or before.text[-1] in "-\u00ad,"

    def _paragraphs(self, lines: Sequence[Line]) -> list[tuple[list[Line], str]]:
        left = min(line.box.x0 for line in lines)
        right = max(line.box.x1 for line in lines)
        gaps = sorted(lower.box.top - upper.box.bottom for upper, lower in pairwise(lines))
        usual = gaps[len(gaps) // 2] if gaps else 0.0
        groups: list[tuple[list[Line], str]] = []
        for index, line in enumerate(lines):
            kind = self._kind(line, right)
            previous = lines[index - 1] if index else None
            restyled = not groups or (kind != groups[-1][1] and (groups[-1][1], kind) != ("list", "paragraph"))
            if restyled or previous is None or kind == "list" or _starts_paragraph(previous, line, left, right, usual):
                groups.append(([line], kind))
            else:
                groups[-1][0].append(line)
        return [(group, self._demote(group, kind)) for group, kind in groups]

    def _kind(self, line: Line, right: float) -> str:
        if line.size < self._body - _SIZE_STEP:
            return "aside"
        if (line.size > self._body + _SIZE_STEP or line.bold) and re.search(r"[^\W\d_]", line.text):
            return "heading"
        short = line.box.x1 < right - 3 * line.size and not line.text.rstrip().endswith((".", ",", ";", "。", "，"))
        if short and line.text[0].isalnum() and (line.italic or _NUMBERED.match(line.text)) and not line.text[0].islower():
            return "heading"
        return "list" if _BULLET.match(line.text) else "paragraph"

    def _demote(self, group: Sequence[Line], kind: str) -> str:
        """Bold or large text that is too long, or ends like a sentence, is a paragraph."""
        text = " ".join(line.text for line in group)
        if kind == "heading" and (len(text) > 250 or (text.rstrip().endswith((".", ",", ";", "。")) and len(text) > 60)):
            return "paragraph"
        return kind


def _starts_paragraph(previous: Line, line: Line, left: float, right: float, usual_gap: float) -> bool:
    size = line.size
    if line.box.overlap_y(previous.box) > 0.5 * line.box.height:
        return False
    indent, previous_indent = line.box.x0 - left, previous.box.x0 - left
    if 0.7 * size < indent < 5 * size and previous_indent < 0.4 * size and previous.box.x1 > right - 6 * size:
        return bool(_ENDS.search(previous.text)) or line.text[0].isupper()
    if 0.7 * size < indent < 5 * size and previous_indent < 0.4 * size and _ENDS.search(previous.text):
        return True
    gap = line.box.top - previous.box.bottom
    if gap > usual_gap + 0.3 * size and (_ENDS.search(previous.text) or not line.text[0].islower()):
        return True
    short = previous.box.x1 < right - max(2.5 * size, 0.1 * (right - left))
    return short and bool(_ENDS.search(previous.text)) and not line.text[0].islower()


def _run_in_heading(line: Line, text: str) -> tuple[str, str]:
    """A bold opening that ends in a full stop or colon, and the rest; ("", text) where there is none."""
    lead = line.text[: line.lead].strip()
    if (
        not lead
        or line.bold
        or len(lead.split()) > 12
        or not lead.endswith((".", ":", "。", "："))
        or not text.startswith(lead)
    ):
        return "", text
    rest = text[len(lead) :].strip()
    return (lead.rstrip(".:。："), rest) if len(rest) > 30 else ("", text)
