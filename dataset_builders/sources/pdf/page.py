"""One PDF page as words and drawn things, with pdfium: invisible text and clipped-away images are left out."""

import ctypes
import math
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from dataset_builders.document import SourceError
from dataset_builders.pages.content import Box, Graphic, PageContent, Word, union
from dataset_builders.pages.layout import is_han

# Text render modes (PDF 32000-1, table 106): 3, of OCR layers below a scan, and 7, a clip path, leave no ink.
_INVISIBLE = (3, 7)
_INKS = (((0, 2, 4, 6), pdfium.FPDFPageObj_GetFillColor), ((1, 2, 5, 6), pdfium.FPDFPageObj_GetStrokeColor))
_PALE = 225  # of 255: text of such a colour may be white on white
_TRANSPARENT = 8  # of 255
_TRACE, _TRACE_SCALE = 12, 2.0  # difference of grey that shows, at 144 pixels an inch
_BOLD_NAMES = ("bold", "black", "heavy", "semibold", "demi")
_FORCE_BOLD = 1 << 18  # font descriptor flag; pdfium's font weight is a guess from stem widths and calls plain faces bold
_RULE_THICKNESS = 2.5  # points
_PAGE_SHARE = 0.8  # an image or path over more of the page is its background
MAX_IMAGE_PIXELS = 100_000_000
_MAX_OBJECTS = 20_000
_MAX_DEPTH = 6
_MATHEMATICAL_LETTERS = range(0x1D400, 0x1D800)  # read as plain letters: an italic D of a formula is a D
_UNMAPPED = range(0x0B80, 0x1400)  # Tamil to Ethiopic
_HYPHEN_AT_LINE_END = 0x02  # what pdfium gives for it


def read_page(document: pypdfium2.PdfDocument, index: int) -> PageContent:
    """Read words and graphics of page ``index`` (0-based), turned upright if most text is set at 90 or 270 degrees.

    Raises SourceError("image_too_large") for an image of more than MAX_IMAGE_PIXELS, which is not decoded.
    """
    page = document[index]
    page.set_rotation(0)  # the text's own angle decides which way is up
    left, bottom, right, top = page.get_bbox()
    size = (right - left, top - bottom)
    textpage = page.get_textpage()
    try:
        graphics = list(_graphics(page, index + 1))
        covered = any(kind == "image" and _share(box, (left, bottom, right, top)) > _PAGE_SHARE for box, kind in graphics)
        read = list(_plain_letters(list(_characters(textpage))))
        characters = _shown(read, page, (left, bottom, right, top), covered)
        hidden = sum(not character.text.isspace() for character in read) - sum(not c.text.isspace() for c in characters)
    finally:
        textpage.close()
        page.close()
    angle = _main_angle(characters)
    turn = _Turn(angle, (left, bottom), size)
    words = list(_words([character for character in characters if character.angle == angle], turn))
    labels = [
        Graphic(turn.box(character.box), "label")
        for character in characters
        if character.angle != angle and not character.text.isspace()
    ]
    width, height = turn.page_size
    frame = Box(0, 0, width, height)
    drawn = [Graphic(_inside(turn.box(box), frame), kind) for box, kind in graphics]
    kept = [graphic for graphic in drawn if _is_visible(graphic, frame)]
    return PageContent(
        index + 1,
        width,
        height,
        tuple(words),
        (*kept, *labels),
        turn.angle,
        "text" if words else "none",
        covered,
        hidden=hidden,
    )


def render_page(document: pypdfium2.PdfDocument, content: PageContent, dpi: int) -> Image.Image:
    """Render the page as it looks, RGB, upright as in ``content``, at ``dpi`` pixels per inch."""
    page = document[content.number - 1]
    page.set_rotation(0)
    try:
        image = page.render(scale=dpi / 72, may_draw_forms=False).to_pil().convert("RGB")
    finally:
        page.close()
    turns = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
    return image.transpose(turns[content.rotation]) if content.rotation else image


@dataclass(frozen=True, slots=True)
class _Style:
    """Of a text object: size in points, angle 0, 90, 180 or 270 degrees."""

    size: float = 0.0
    bold: bool = False
    italic: bool = False
    angle: int = 0
    visible: bool = True
    pale: bool = False


class _Character:
    __slots__ = ("box", "style", "text")

    def __init__(self, text: str, box: tuple[float, float, float, float], style: _Style) -> None:
        self.text, self.box, self.style = text, box, style

    @property
    def angle(self) -> int:
        return self.style.angle

    @property
    def size(self) -> float:
        return self.style.size


class _Turn:
    """From PDF user space (origin bottom left, y up) to the upright page (origin top left, y down)."""

    def __init__(self, angle: int, origin: tuple[float, float], size: tuple[float, float]) -> None:
        self.angle, self._origin, self._size = angle, origin, size
        self.page_size = size if angle in (0, 180) else (size[1], size[0])

    def box(self, corners: tuple[float, float, float, float]) -> Box:
        x0, y0, x1, y1 = (value - self._origin[axis % 2] for axis, value in enumerate(corners))
        width, height = self._size
        if self.angle == 90:
            return Box(y0, x0, y1, x1)
        if self.angle == 180:
            return Box(width - x1, y0, width - x0, y1)
        if self.angle == 270:
            return Box(height - y1, width - x1, height - y0, width - x0)
        return Box(x0, height - y1, x1, height - y0)


def _shown(
    characters: list[_Character], page: pypdfium2.PdfPage, frame: tuple[float, float, float, float], covered: bool
) -> list[_Character]:
    """The characters that a reader of the page sees, and line ends and spaces.

    Left out are those outside the page's visible part (its crop box), of render mode 3 and fully transparent ones, and pale
    ones that leave no trace when the page is rendered: white on white, but not white on a dark box or image. On a page
    that a scan covers, its text layer is read whatever its colour.
    """
    left, bottom, right, top = frame
    inside = [
        character
        for character in characters
        if character.text.isspace()
        or (left <= sum(character.box[::2]) / 2 <= right and bottom <= sum(character.box[1::2]) / 2 <= top)
    ]
    if covered:
        return inside
    inside = [character for character in inside if character.style.visible]
    if not any(character.style.pale for character in inside):
        return inside
    shown = page.render(scale=_TRACE_SCALE, may_draw_forms=False).to_pil().convert("L")

    def leaves_trace(box: tuple[float, float, float, float]) -> bool:
        corners = (box[0] - left, top - box[3], box[2] - left, top - box[1])
        x0, y0, x1, y1 = (round(value * _TRACE_SCALE) for value in corners)
        darkest, lightest = shown.crop((x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))).getextrema()
        return lightest - darkest > _TRACE

    return [c for c in inside if not c.style.pale or c.text.isspace() or leaves_trace(c.box)]


def _characters(textpage: pypdfium2.PdfTextPage) -> Iterator[_Character]:
    """Characters in content order; a line end as "\\n", a space as " ", one guessed from a gap as a tab.

    Boxes reach from 0.2 em below the baseline to 0.8 em above.
    """
    raw = textpage.raw
    rectangle, matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
    x, y = ctypes.c_double(), ctypes.c_double()
    styles: dict[int, _Style] = {0: _Style()}
    high = 0
    for index in range(textpage.count_chars()):
        code = pdfium.FPDFText_GetUnicode(raw, index)
        if code == 0x20 and pdfium.FPDFText_IsGenerated(raw, index):
            yield _Character("\t", (0, 0, 0, 0), styles[0])
            continue
        if code in (0x0D, 0x0A):
            yield _Character("\n", (0, 0, 0, 0), styles[0])
            continue
        if code == _HYPHEN_AT_LINE_END:
            code = 0xAD
        if 0xD800 <= code < 0xDC00:  # pdfium gives a character beyond U+FFFF in two halves
            high = code
            continue
        if 0xDC00 <= code < 0xE000 and high:
            code = 0x10000 + ((high - 0xD800) << 10) + code - 0xDC00
        high = 0
        if code < 0x20 or code in (0x200B, 0xFEFF, 0xFFFE, 0xFFFF) or 0xD800 <= code < 0xE000 or code > 0x10FFFF:
            continue
        pointer = pdfium.FPDFText_GetTextObject(raw, index)
        key = ctypes.cast(pointer, ctypes.c_void_p).value or 0
        if key not in styles:
            pdfium.FPDFText_GetMatrix(raw, index, matrix)
            styles[key] = _style(pointer, pdfium.FPDFText_GetFontSize(raw, index), matrix)
        style = styles[key]
        pdfium.FPDFText_GetLooseCharBox(raw, index, rectangle)
        pdfium.FPDFText_GetCharOrigin(raw, index, x, y)
        upward = style.angle in (0, 270)
        below, above = (0.2, 0.8) if upward else (0.8, 0.2)
        if style.angle in (0, 180):
            box = (rectangle.left, y.value - below * style.size, rectangle.right, y.value + above * style.size)
        else:
            box = (x.value - below * style.size, rectangle.bottom, x.value + above * style.size, rectangle.top)
        yield _Character(" " if chr(code).isspace() else chr(code), box, style)


def _plain_letters(characters: list[_Character]) -> Iterator[_Character]:
    """The characters of a page with an italic D of a formula as a D.

    Such letters are left out of a page with signs of a font without a character map ("ሺ" for a bracket): equation editors put
    such a copy of a formula beside the one that is read.
    """
    garbled = any(ord(character.text) in _UNMAPPED for character in characters)
    for character in characters:
        if ord(character.text) not in _MATHEMATICAL_LETTERS:
            yield character
        elif not garbled:
            yield _Character(unicodedata.normalize("NFKC", character.text), character.box, character.style)


def _style(pointer: Any, nominal: float, matrix: Any) -> _Style:
    size = nominal * (math.hypot(matrix.c, matrix.d) or 1.0)
    angle = round(math.degrees(math.atan2(matrix.b, matrix.a)) / 90) * 90 % 360
    font = pdfium.FPDFTextObj_GetFont(pointer)
    buffer = ctypes.create_string_buffer(128)
    pdfium.FPDFFont_GetBaseFontName(font, buffer, 128)
    name = buffer.value.decode("ascii", "replace").lower()
    bold = any(word in name for word in _BOLD_NAMES) or name.endswith(("-b", ".b"))
    bold = bold or bool(pdfium.FPDFFont_GetFlags(font) & _FORCE_BOLD)
    slant = ctypes.c_int()
    pdfium.FPDFFont_GetItalicAngle(font, slant)
    italic = "italic" in name or "oblique" in name or name.endswith((".i", "-it")) or abs(slant.value) > 4
    mode = pdfium.FPDFTextObj_GetTextRenderMode(pointer)
    inks = [_ink(pointer, get) for modes, get in _INKS if mode in modes]
    visible = mode not in _INVISIBLE and (not inks or max(alpha for _, alpha in inks) > _TRANSPARENT)
    return _Style(size, bold, italic, angle, visible, pale=bool(inks) and all(light > _PALE for light, _ in inks))


def _ink(pointer: Any, get: Any) -> tuple[int, int]:
    """The darkest of the three colours and the opacity, 0 to 255, of what a text is filled or stroked with."""
    colours = [ctypes.c_uint() for _ in range(4)]
    if not get(pointer, *colours):
        return 0, 255
    red, green, blue, alpha = (colour.value for colour in colours)
    return min(red, green, blue), alpha


def _main_angle(characters: list[_Character]) -> int:
    angles = Counter(character.angle for character in characters if character.text not in "\n ")
    return max(sorted(angles), key=lambda angle: angles[angle]) if angles else 0


def _words(characters: list[_Character], turn: _Turn) -> Iterator[Word]:
    """Characters up to a space, a change of size or height, or a gap wider than the letters' own spacing."""
    group: list[tuple[str, Box, _Style]] = []
    spacing, spaced, guessed = 0.0, False, False
    for character in characters:
        if character.text in "\n\t " or character.size <= 0:
            if group:
                yield _word(group, spaced)
            last_is_han = bool(group) and is_han(group[-1][0])
            spaced = character.text == " " or (character.text == "\t" and bool(group) and not last_is_han)
            guessed, group = character.text == "\t", []
            continue
        box = turn.box(character.box)
        if group:
            last, size = group[-1][1], group[-1][2].size
            gap = box.x0 - last.x1
            limit = 0.2 * size if len(group) == 1 else max(0.09 * size, spacing + 0.08 * size)
            same = abs(box.bottom - last.bottom) <= 0.1 * size and character.size == size and -0.6 * size < gap < 1.2 * size
            if not same or gap > limit:
                yield _word(group, spaced)
                group, spaced = [], same and not (is_han(character.text) or is_han(group[-1][0]))
            spacing = gap
        elif guessed and is_han(character.text):
            spaced = False  # the quarter space that typesetters put between Han and Latin
        group.append((character.text, box, character.style))
    if group:
        yield _word(group, spaced)


def _word(group: list[tuple[str, Box, _Style]], spaced: bool) -> Word:
    text, box = "".join(item[0] for item in group), union(item[1] for item in group)
    bold = sum(style.bold for _, _, style in group) * 2 > len(group)
    italic = sum(style.italic for _, _, style in group) * 2 > len(group)
    return Word(text, box, group[0][2].size, bold, spaced, italic)


def _graphics(page: pypdfium2.PdfPage, number: int) -> Iterator[tuple[tuple[float, float, float, float], str]]:
    """Bounds (user space) and kind of images, shadings and visible paths, cut to their clip paths; forms are entered."""
    count = 0
    top_level = pdfium.FPDFPage_CountObjects(page.raw)
    upright: tuple[float, ...] = (1, 0, 0, 1, 0, 0)
    stack = [(pdfium.FPDFPage_GetObject(page.raw, i), upright, 0) for i in range(top_level)]
    stack.reverse()
    while stack and count < _MAX_OBJECTS:
        pointer, outer, depth = stack.pop()
        kind = pdfium.FPDFPageObj_GetType(pointer)
        if kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _MAX_DEPTH:
            inner = _multiply(_object_matrix(pointer), outer)
            children = [pdfium.FPDFFormObj_GetObject(pointer, i) for i in range(pdfium.FPDFFormObj_CountObjects(pointer))]
            stack.extend((child, inner, depth + 1) for child in reversed(children))
            continue
        if kind not in (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_SHADING):
            continue
        if kind == pdfium.FPDF_PAGEOBJ_PATH and not _draws(pointer):
            continue
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            _check_size(pointer, number)
        bounds = _clip(pointer, _bounds(pointer))
        if bounds is None:
            continue
        count += 1
        box = _transform(outer, bounds)
        thin = min(box[2] - box[0], box[3] - box[1]) < _RULE_THICKNESS
        yield box, "image" if kind != pdfium.FPDF_PAGEOBJ_PATH else "rule" if thin else "path"


def _check_size(pointer: Any, number: int) -> None:
    """Raise SourceError for an image that says it is huge, before anything decodes it."""
    width, height = ctypes.c_uint(), ctypes.c_uint()
    pdfium.FPDFImageObj_GetImagePixelSize(pointer, width, height)
    if width.value * height.value > MAX_IMAGE_PIXELS:
        detail = f"page {number} holds an image of {width.value} × {height.value} pixels, the limit is {MAX_IMAGE_PIXELS}"
        raise SourceError("image_too_large", detail)


def _bounds(pointer: Any) -> tuple[float, float, float, float]:
    values = [ctypes.c_float() for _ in range(4)]
    pdfium.FPDFPageObj_GetBounds(pointer, *values)
    return tuple(value.value for value in values)  # type: ignore[return-value]


def _draws(pointer: Any) -> bool:
    """Whether a path leaves ink: stroked, or filled with something other than white or nearly transparent."""
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(pointer, fill, stroke)
    colours = [ctypes.c_uint() for _ in range(4)]
    if stroke.value:
        pdfium.FPDFPageObj_GetStrokeColor(pointer, *colours)
        if not _is_white(colours):
            return True
    if fill.value:
        pdfium.FPDFPageObj_GetFillColor(pointer, *colours)
        return not _is_white(colours)
    return False


def _is_white(colours: list[ctypes.c_uint]) -> bool:
    red, green, blue, alpha = (colour.value for colour in colours)
    return min(red, green, blue) > 250 or alpha < _TRANSPARENT


def _clip(pointer: Any, bounds: tuple[float, float, float, float]) -> tuple[float, float, float, float] | None:
    """``bounds`` cut to the object's clip paths, or None where nothing is left."""
    path = pdfium.FPDFPageObj_GetClipPath(pointer)
    x, y = ctypes.c_float(), ctypes.c_float()
    x0, y0, x1, y1 = bounds
    for index in range(pdfium.FPDFClipPath_CountPaths(path) if path else 0):
        points = []
        for segment in range(pdfium.FPDFClipPath_CountPathSegments(path, index)):
            pdfium.FPDFPathSegment_GetPoint(pdfium.FPDFClipPath_GetPathSegment(path, index, segment), x, y)
            points.append((x.value, y.value))
        if points:
            columns, rows = zip(*points)
            x0, y0, x1, y1 = max(x0, min(columns)), max(y0, min(rows)), min(x1, max(columns)), min(y1, max(rows))
    return (x0, y0, x1, y1) if x1 > x0 - 0.01 and y1 > y0 - 0.01 else None


def _object_matrix(pointer: Any) -> tuple[float, ...]:
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(pointer, matrix)
    return (matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)


def _multiply(first: tuple[float, ...], second: tuple[float, ...]) -> tuple[float, ...]:
    """``first`` applied, then ``second``."""
    a, b, c, d, e, f = first
    p, q, r, s, t, u = second
    return (a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u)


def _transform(matrix: tuple[float, ...], box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    a, b, c, d, e, f = matrix
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in (box[0], box[2]) for y in (box[1], box[3])]
    xs, ys = zip(*corners)
    return min(xs), min(ys), max(xs), max(ys)


def _share(box: tuple[float, float, float, float], page: tuple[float, float, float, float]) -> float:
    width = min(box[2], page[2]) - max(box[0], page[0])
    height = min(box[3], page[3]) - max(box[1], page[1])
    return max(width, 0) * max(height, 0) / max((page[2] - page[0]) * (page[3] - page[1]), 1)


def _inside(box: Box, frame: Box) -> Box:
    return Box(max(box.x0, frame.x0), max(box.top, frame.top), min(box.x1, frame.x1), min(box.bottom, frame.bottom))


def _is_visible(graphic: Graphic, frame: Box) -> bool:
    box = graphic.box
    return box.width > -0.01 and box.height > -0.01 and box.area < _PAGE_SHARE * frame.area
