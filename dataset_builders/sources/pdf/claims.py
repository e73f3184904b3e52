"""What only the whole document tells of captions: an image on the facing page, and labels that a sentence began a line with."""

from collections.abc import Sequence
from itertools import pairwise

from dataset_builders.figures.captions import is_continued
from dataset_builders.pages.content import Box
from dataset_builders.pages.layout import Line
from dataset_builders.sources.pdf.figures import FigureRegion
from dataset_builders.sources.pdf.pieces import Piece


def claim_facing_images(layouts: Sequence[Sequence[Piece]]) -> list[list[Piece]]:
    """Give a caption without an image the image that ends the page before, or opens the page after.

    The image has no caption, nothing stands between it and the edge of its page, and the caption is the first, or the last,
    of its own page: so are plates with a legend on the facing page set. Drawings that no caption takes are left out.
    """
    pages = [list(pieces) for pieces in layouts]
    for before, after in pairwise(pages):
        _claim(before, after, image_first=True)
        _claim(after, before, image_first=False)
    return [[piece for piece in pieces if not piece.unclaimed] for pieces in pages]


def return_citations(layouts: Sequence[Sequence[Piece]]) -> list[list[Piece]]:
    """Turn captions without image or rows into text if another caption of that label has them.

    A figure has one caption; "Figure 1B. And the results" at the top of a column goes on with a sentence. Captions that say
    that they are continued stay.
    """
    found = {label for pieces in layouts for piece in pieces if (label := _label(piece)) and not _is_bare(piece)}
    return [
        [
            Piece(piece.box, (*_caption_lines(piece), *piece.lines))
            if _label(piece) in found and _is_bare(piece) and _caption_lines(piece)
            else piece
            for piece in pieces
        ]
        for pieces in layouts
    ]


def _claim(imaged: list[Piece], captioned: list[Piece], image_first: bool) -> None:
    """Move the caption next to the page break from one page's pieces to the image next to it on the other page."""
    images = [piece for piece in imaged if piece.unclaimed or (piece.region and piece.region.caption is None)]
    captions = [piece for piece in captioned if piece.region and piece.region.caption and piece.region.box is None]
    free = [piece for piece in images if not _beyond(piece.box, imaged, below=image_first)]
    first = [piece for piece in captions if not _beyond(piece.box, captioned, below=not image_first)]
    if len(free) != 1 or len(first) != 1:
        return
    (image,), (caption,) = free, first
    assert caption.region is not None
    captioned.remove(caption)
    region = FigureRegion(caption.region.caption, image.box)
    imaged[imaged.index(image)] = Piece(image.box, caption.lines, region=region)


def _beyond(box: Box, pieces: Sequence[Piece], below: bool) -> bool:
    """Say whether anything stands between a box and the lower, or upper, edge of its page."""
    others = [piece.box for piece in pieces if piece.box != box and piece.box.overlap_x(box) > 0]
    return any(other.bottom > box.bottom + 1 if below else other.top < box.top - 1 for other in others)


def _label(piece: Piece) -> str:
    if piece.region and piece.region.caption:
        return piece.region.caption.label
    return piece.table.label if piece.table else ""


def _is_bare(piece: Piece) -> bool:
    """Say whether a piece is a caption alone, and not one that a part on another page goes on with."""
    caption = piece.region.caption if piece.region else piece.table.caption if piece.table else None
    return caption is not None and not (piece.region and piece.region.box) and not is_continued(caption.text)


def _caption_lines(piece: Piece) -> tuple[Line, ...]:
    caption = piece.region.caption if piece.region else piece.table.caption if piece.table else None
    return caption.lines if caption else ()
