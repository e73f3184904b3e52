"""Pages whose layout an OCR engine analysed itself: its regions as the pieces that other pages are made of."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dataset_builders.pages.content import Box, PageContent, Region, union
from dataset_builders.pages.layout import Line
from dataset_builders.sources.markup import html_table_to_markdown
from dataset_builders.sources.pdf.figures import Caption, match_regions, read_caption
from dataset_builders.sources.pdf.pieces import Piece
from dataset_builders.sources.pdf.tables import Table, match_captions

# An engine gives kinds and no font sizes: points above or below the body's size that make the same of a line.
_SIZES = {"title": 8.0, "heading": 3.0, "text": 0.0, "caption": 0.0, "aside": -1.0}


def region_pieces(page: PageContent, body: float, votes: Counter[str]) -> list[Piece]:
    """Turn ``page.regions`` into pieces, in the engine's order.

    A caption goes to its image or table as on any page; the two are one piece, at the place of the first of them.
    ``body`` is the document's usual font size in points, ``votes`` as for figures.match_regions.
    """
    regions = page.regions
    captions = _read_captions(regions)
    pieces: list[tuple[int, Piece]] = []
    used = set(captions)
    owners = _own_captions(regions, captions)
    for index, region in enumerate(regions):
        if region.kind == "table":
            captioned = owners.get(index)
            caption = captions.pop(captioned) if captioned is not None else None
            pieces.append((min(index, index if captioned is None else captioned), _table_piece(region, caption)))
        elif region.kind in _SIZES and index not in used:
            pieces += [(index, piece) for piece in _paragraphs(region, body + _SIZES[region.kind])]
    walls = [
        region.box for index, region in enumerate(regions) if region.kind not in ("figure", "furniture") and index not in used
    ]
    images = [region.box for region in regions if region.kind == "figure"]
    figures = [caption for caption in captions.values() if caption.kind == "figure"]
    for figure in match_regions(figures, images, walls, [], votes, images, (page.width, page.height)):
        box = union(box for box in (figure.box, figure.caption and figure.caption.box) if box)
        first = next(index for index, region in enumerate(regions) if box.holds(region.box))
        pieces.append((first, Piece(box, region=figure)))
    for index, caption in captions.items():
        if caption.kind == "table":  # without a table that was recognised
            pieces.append((index, Piece(caption.box, table=Table(caption.label, caption.text, caption.box))))
    return [piece for _, piece in sorted(pieces, key=lambda item: item[0])]


def furniture_of(page: PageContent) -> list[str]:
    """List the running heads, feet and page numbers that the engine told from the text."""
    return [region.text for region in page.regions if region.kind == "furniture" and region.text]


def _read_captions(regions: Sequence[Region]) -> dict[int, Caption]:
    """Captions by the index of their region; the engine may call one text."""
    found = {}
    for index, region in enumerate(regions):
        if region.kind in ("caption", "text"):
            caption = read_caption(" ".join(region.text.split()), region.box, region.kind == "caption")
            if caption is not None:
                found[index] = caption
    return found


def _own_captions(regions: Sequence[Region], captions: dict[int, Caption]) -> dict[int, int]:
    """The index of its caption's region for the index of every table's region that has one."""
    tables = [index for index, region in enumerate(regions) if region.kind == "table"]
    titles = [index for index, caption in captions.items() if caption.kind == "table"]
    found = match_captions([regions[index].box for index in titles], [regions[index].box for index in tables])
    return {tables[row]: titles[column] for row, column in found.items()}


def _table_piece(region: Region, caption: Caption | None) -> Piece:
    rows = html_table_to_markdown(region.text)
    if caption is None:
        return Piece(region.box, table=Table("", rows, region.box))
    box = union((region.box, caption.box))
    return Piece(box, table=Table(caption.label, f"{caption.text}\n\n{rows}", box))


def _paragraphs(region: Region, size: float) -> Iterator[Piece]:
    """A piece of one line for each paragraph of a region."""
    paragraphs = [" ".join(text.split()) for text in region.text.splitlines() if text.strip()]
    height = region.box.height / len(paragraphs)
    for number, text in enumerate(paragraphs):
        top = region.box.top + number * height
        box = Box(region.box.x0, top, region.box.x1, top + height)
        yield Piece(box, (Line(text, box, size, 0, False, ()),))
