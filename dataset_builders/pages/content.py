"""Define what stands on a printed page, and where: words, drawn things, regions and their boxes.

Text layers (sources/pdf/page.py) and OCR (ocr.py) both give a PageContent; everything after that is shared. Boxes are in
points (1/72 inch) from the top left of the upright page.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Box(NamedTuple):
    """Left, top, right, bottom in points, from the top left."""

    x0: float
    top: float
    x1: float
    bottom: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    def grown(self, x: float, y: float | None = None) -> "Box":
        """Grow the box by ``x`` points left and right and ``y`` points above and below; ``y`` is ``x`` if it is not given."""
        y = x if y is None else y
        return Box(self.x0 - x, self.top - y, self.x1 + x, self.bottom + y)

    def overlap_x(self, other: "Box") -> float:
        """Measure the width that both boxes share, in points; a negative value is the gap between them."""
        return min(self.x1, other.x1) - max(self.x0, other.x0)

    def overlap_y(self, other: "Box") -> float:
        """Measure the height that both boxes share, in points; a negative value is the gap between them."""
        return min(self.bottom, other.bottom) - max(self.top, other.top)

    def intersects(self, other: "Box") -> bool:
        return self.overlap_x(other) > 0 and self.overlap_y(other) > 0

    def holds(self, other: "Box") -> bool:
        """Tell whether the middle of ``other`` lies inside."""
        x, y = (other.x0 + other.x1) / 2, (other.top + other.bottom) / 2
        return self.x0 <= x <= self.x1 and self.top <= y <= self.bottom


Quad = list[tuple[float, float]]
"""Corners of a line in pixels: top left, top right, bottom right, bottom left as the text runs."""


def union(boxes: Iterable[Box]) -> Box:
    """Return the smallest box around all boxes. Raises IndexError if there are none."""
    corners = list(zip(*boxes))
    return Box(min(corners[0]), min(corners[1]), max(corners[2]), max(corners[3]))


@dataclass(frozen=True, slots=True)
class Word:
    """A run of characters without a gap; ``size`` is the font size in points. OCR gives a whole line as one word.

    ``spaced`` says that the source itself puts a space before it.
    """

    text: str
    box: Box
    size: float
    bold: bool = False
    spaced: bool = False
    italic: bool = False


@dataclass(frozen=True, slots=True)
class Graphic:
    """Something drawn: an "image", a "path", a "rule" (thin line) or a "label" (text set at an angle)."""

    box: Box
    kind: str


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a page that an OCR engine delimited itself.

    kind  "title" (of the document), "heading", "text", "figure" (its text is ""), "caption", "table" (text is HTML), "aside"
          (footnotes, margins) or "furniture" (running heads and feet, page numbers).
    text  running text; a line break is the end of a paragraph.
    """

    kind: str
    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class PageContent:
    """What stands on one page, upright.

    number    of the page, from 1.
    source    "text" if the words come from the text layer, "ocr" if they were recognised, "none" if there are none.
    rotation  how far the page was turned to be upright, in degrees clockwise: 0, 90, 180 or 270.
    covered   whether one image lies over most of the page, as in a scan; it is not among ``graphics``.
    skew      how far the page's image was turned to be straight, in degrees counter-clockwise.
    hidden    how many characters of the text layer are not shown on the page, and were left out.
    regions   in reading order, instead of words and graphics, if the OCR engine analysed the layout.
    """

    number: int
    width: float
    height: float
    words: tuple[Word, ...]
    graphics: tuple[Graphic, ...]
    rotation: int = 0
    source: str = "text"
    covered: bool = False
    skew: float = 0.0
    regions: tuple[Region, ...] = ()
    hidden: int = 0

    @property
    def text(self) -> str:
        """Return everything that can be read on the page, in no particular order."""
        return " ".join([*(word.text for word in self.words), *(region.text for region in self.regions)])
