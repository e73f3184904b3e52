"""Pages ─▶ one running text: headings, paragraphs joined across columns and pages, figures and tables where they stand."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from dataset_builders.figures.captions import parse_label, parse_table_caption
from dataset_builders.pages.content import Box, PageContent, Word, union
from dataset_builders.pages.layout import Line, body_size, find_blocks, find_lines, join_lines, reading_order
from dataset_builders.sources.pdf.claims import claim_facing_images, return_citations
from dataset_builders.sources.pdf.furniture import find_furniture, without_line_numbers, without_ornaments
from dataset_builders.sources.pdf.pieces import ENDS, SIZE_STEP, Piece, has_room, page_pieces
from dataset_builders.sources.pdf.regions import furniture_of, region_pieces
from dataset_builders.sources.pdf.tables import long_rules

_BULLET = re.compile(
    r"(?:[•●▪■◦‣○*]|[-–—](?=\s)|\(?\d{1,2}[.)](?=\s)|\(?[a-z][.)](?=\s)|[（(][一二三四五六七八九十\d]+[)）]|\[\d+\])\s*"
)
_NUMBERED_ITEM = re.compile(r"(?P<before>[(（\[]?)(?P<number>\d{1,3}|[a-z]|[一二三四五六七八九十])(?P<after>[.)）\]])\s*")
_DASH = re.compile(r"[*–—-]")
_COMES_TO_AN_END = re.compile(rf"(?:{ENDS.pattern}|[,，、]\s*$|\b(?:and|or)\s*$)")  # what an item's line ends in
_HAN_DIGITS = "一二三四五六七八九十"
_BULLET_GLYPH = re.compile(r"(?:[•●▪■◦‣○*]|[-–—](?=\s))\s*")
_OCR_JITTER = 2.5  # points
_OCR_SIZE_SLACK = 1.6
_TEXT_SIZE_SLACK = 0.45
_NUMBERED = re.compile(r"\d{1,2}(?:\.\d{1,2}){1,3}\.?\s+[A-Z\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Element:
    """One piece of the document in reading order.

    kind   "heading", "paragraph", "list", "aside" (smaller than the body), "formula", "table" or "figure".
    text   running text; a table's is its caption and Markdown; a figure's is its whole caption.
    level  of a heading, 1–6.
    label  of a figure or table ("Figure 3"), "" without one.
    place  of a figure on its page, in points; None if the page has its caption and no image.
    size   of its type in points, 0 if it has none.
    """

    kind: str
    text: str
    page: int
    level: int = 0
    label: str = ""
    place: Box | None = None
    size: float = 0.0


@dataclass(frozen=True, slots=True)
class Flow:
    """A document in reading order; ``furniture`` are the running heads and feet that were taken out, a line each."""

    elements: tuple[Element, ...]
    furniture: tuple[str, ...] = ()
    title: str = ""


def read_flow(pages: Sequence[PageContent]) -> Flow:
    """Put everything on ``pages`` into reading order; captions, running heads and headings are told from the whole document."""
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
            if page.regions:
                pieces = region_pieces(page, body, votes)
            else:
                kept = [line for line in lines if id(line) not in furniture]
                slack = _OCR_SIZE_SLACK if page.source == "ocr" else _TEXT_SIZE_SLACK
                blocks = find_blocks(kept, gutters, long_rules(page), slack)
                pieces = page_pieces(page, blocks, body, votes, vocabulary)
            positions.update(piece.region.position for piece in pieces if piece.region and piece.region.position)
            layouts.append(pieces)
        if len(positions) < 2:
            break
    layouts = claim_facing_images(layouts)
    layouts = return_citations(layouts)
    builder = _Builder(body, vocabulary, _heading_sizes(layouts, body))
    for page, pieces in zip(pages, layouts):
        for piece in pieces if page.regions else _in_reading_order(pieces):
            builder.add(piece, page)
    heads = dict.fromkeys(line.text for lines, _ in split for line in lines if id(line) in furniture)
    heads |= dict.fromkeys(text for page in pages for text in furniture_of(page))
    return Flow(tuple(builder.elements), tuple(heads), builder.title)


def _in_reading_order(pieces: Sequence[Piece]) -> list[Piece]:
    return [pieces[index] for index in reading_order(_across([piece.box for piece in pieces]))]


def _across(boxes: Sequence[Box]) -> list[Box]:
    """The boxes; one that stands alone at its height and over the middle of the text is as wide as the text, as titles are."""
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
    """Words without the small print inside images, which is part of the image."""
    images = [graphic.box for graphic in page.graphics if graphic.kind == "image" and graphic.box.height > 30]
    return [word for word in page.words if word.size >= 0.75 * body or not any(box.holds(word.box) for box in images)]


def _heading_sizes(layouts: Sequence[Sequence[Piece]], body: float) -> list[float]:
    """Font sizes above the body's, largest first: their ranks are the heading levels."""
    sizes = {
        round(line.size * 2) / 2
        for pieces in layouts
        for piece in pieces
        for line in piece.lines
        if line.size > body + SIZE_STEP
    }
    return sorted(sizes, reverse=True)


class _Builder:
    """Collects elements; keeps the paragraph that may go on in the next column or page."""

    def __init__(self, body: float, vocabulary: Counter[str], sizes: Sequence[float]) -> None:
        self.elements: list[Element] = []
        self.title = ""
        self._title_size = 0.0
        self._body, self._vocabulary, self._sizes = body, vocabulary, sizes
        self._last_item: dict[str, int] = {}  # the number read last by what stands before and after it
        self._open: int | None = None  # index of the body paragraph read last
        self._open_place: tuple[int, Box] | None = None

    def add(self, piece: Piece, page: PageContent) -> None:
        if piece.region:
            caption = piece.region.caption
            self.elements.append(
                Element(
                    "figure",
                    caption.text if caption else "",
                    page.number,
                    label=caption.label if caption else "",
                    place=piece.region.box,
                )
            )
        if piece.table:
            self.elements.append(Element("table", piece.table.markdown, page.number, label=piece.table.label))
        if piece.region or piece.table:
            if piece.lines:
                self.elements.append(Element("aside", join_lines([line.text for line in piece.lines]), page.number))
            return
        cut_off = self._is_cut_off(page.number, piece.box)
        if piece.formula:
            self.elements.append(Element("formula", f"$${piece.formula}$$", page.number))
            self._open = None
            return
        for position, (lines, kind) in enumerate(self._paragraphs(piece.lines, cut_off)):
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
        """Say whether ``text``, at the top of a block, continues the open paragraph, which a break cut off unfinished."""
        if self._open is None or self._open_place is None or kind == "list":
            return False
        before = self.elements[self._open]
        if abs(before.size - size) > SIZE_STEP or ENDS.search(before.text):
            return False
        last_page, last_box = self._open_place
        same_column = last_page == page and last_box.overlap_x(box) > 0.5 * min(last_box.width, box.width)
        return not same_column or text[0].islower() or before.text[-1] in "-\u00ad," or _opens_with_label(text)

    def _is_cut_off(self, page: int, box: Box) -> bool:
        """Say whether the open paragraph is unfinished, and ended where a column or page did."""
        if self._open is None or self._open_place is None:
            return False
        before = self.elements[self._open]
        last_page, last_box = self._open_place
        same_column = last_page == page and last_box.overlap_x(box) > 0.5 * min(last_box.width, box.width)
        return before.kind == "paragraph" and not same_column and not ENDS.search(before.text)

    def _opens_item(self, lines: Sequence[Line], index: int, right: float, cut_off: bool, listed: bool) -> bool:
        """Say whether a line that begins with a list's mark opens an item, rather than goes on with a sentence.

        An item stands on a line of its own: the text before it has ended, or had room for the mark. Items count up: "(3)"
        follows the item "(2)", and no "(2)" within the lines before it. ``listed`` says that all lines before it open items.
        """
        line = lines[index]
        if not _BULLET.match(line.text):
            return False
        item = _NUMBERED_ITEM.match(line.text)
        if item:
            style, value = item["before"] + item["after"], _value_of(item["number"])
            follows = self._last_item.get(style) == value - 1
            earlier = " ".join(other.text for other in lines[:index])
            inline = rf"(?<=\S)\s*{re.escape(item['before'] + _name_of(value - 1, item['number']) + item['after'])}"
            if value > 1 and not follows and item["before"] and re.search(inline, earlier):
                return False
        elif not _DASH.match(line.text):
            return True
        else:
            follows = False
        if index == 0:
            opens = not cut_off or follows
        else:
            before = lines[index - 1]
            indented = abs(line.box.x0 - min(other.box.x0 for other in lines[:index])) > 0.7 * line.size
            opens = follows or listed or indented or bool(_COMES_TO_AN_END.search(before.text)) or has_room(before, line, right)
        if opens and item:
            self._last_item[style] = value
        return opens

    def _paragraphs(self, lines: Sequence[Line], cut_off: bool) -> list[tuple[list[Line], str]]:
        left = min(line.box.x0 for line in lines)
        right = max(line.box.x1 for line in lines)
        gaps = sorted(lower.box.top - upper.box.bottom for upper, lower in pairwise(lines))
        usual = gaps[len(gaps) // 2] if gaps else 0.0
        groups: list[tuple[list[Line], str]] = []
        items = 0
        for index, line in enumerate(lines):
            kind = self._kind(line, right)
            if kind == "list" and not self._opens_item(lines, index, right, cut_off, index == items > 0):
                kind = "paragraph"
            items += kind == "list" and items == index  # without a wrapped line the width of the column is not known
            previous = lines[index - 1] if index else None
            restyled = not groups or (kind != groups[-1][1] and (groups[-1][1], kind) != ("list", "paragraph"))
            if restyled or previous is None or kind == "list" or _starts_paragraph(previous, line, left, right, usual):
                groups.append(([line], kind))
            else:
                groups[-1][0].append(line)
        return [(group, self._demote(group, kind)) for group, kind in groups]

    def _kind(self, line: Line, right: float) -> str:
        if line.size < self._body - SIZE_STEP:
            return "aside"
        if (line.size > self._body + SIZE_STEP or line.bold) and re.search(r"[^\W\d_]", line.text):
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


def _value_of(number: str) -> int:
    """The number of a list's mark: 3 for "3", "c" and "三"."""
    if number.isdigit():
        return int(number)
    return _HAN_DIGITS.index(number) + 1 if number in _HAN_DIGITS else ord(number) - ord("a") + 1


def _name_of(value: int, like: str) -> str:
    """``value`` written as the mark ``like`` is."""
    if like.isdigit():
        return str(value)
    return _HAN_DIGITS[value - 1] if like in _HAN_DIGITS else chr(ord("a") + value - 1)


def _starts_paragraph(previous: Line, line: Line, left: float, right: float, usual_gap: float) -> bool:
    size = line.size
    if line.box.overlap_y(previous.box) > 0.5 * line.box.height:
        return False
    indent, previous_indent = line.box.x0 - left, previous.box.x0 - left
    if 0.7 * size < indent < 5 * size and previous_indent < 0.4 * size and previous.box.x1 > right - 6 * size:
        return bool(ENDS.search(previous.text)) or line.text[0].isupper()
    if 0.7 * size < indent < 5 * size and previous_indent < 0.4 * size and ENDS.search(previous.text):
        return True
    gap = line.box.top - previous.box.bottom
    if gap > usual_gap + 0.3 * size and (ENDS.search(previous.text) or not line.text[0].islower()):
        return True
    short = previous.box.x1 < right - max(2.5 * size, 0.1 * (right - left))
    return short and bool(ENDS.search(previous.text)) and not line.text[0].islower()


def _opens_with_label(text: str) -> bool:
    """Tell whether ``text`` opens with the label of a figure or table."""
    return parse_label(text) is not None or parse_table_caption(text, styled=True) is not None


def _run_in_heading(line: Line, text: str) -> tuple[str, str]:
    """Split a bold opening that ends in a full stop or colon from the rest; ("", text) if there is none."""
    lead = line.text[: line.lead].strip()
    if (
        not lead
        or line.bold
        or len(lead.split()) > 12
        or _opens_with_label(lead)
        or not lead.endswith((".", ":", "。", "："))
        or not text.startswith(lead)
    ):
        return "", text
    rest = text[len(lead) :].strip()
    return (lead.rstrip(".:。："), rest) if len(rest) > 30 else ("", text)
