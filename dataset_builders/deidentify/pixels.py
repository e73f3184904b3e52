"""Mask writing in images: names and dates burned into pixels are found by OCR and filled with what surrounds them.

    look ─▶ fill every line, with a margin, in all frames ─▶ look again, closer ─▶ … until nothing is read, or refuse

The first look is at the image as it is shown and with its local contrast raised. If that finds writing, the filled image
is read again in these two ways, inverted, and, if it is small enough, enlarged to twice its size, by a lower standard.

Whatever is small enough for type and is no marking of the device (markings: sides, levels, scale, series, window) is writing:
two letters (``WU``), two characters (``王明``), and a box that the recogniser finds and cannot read. Recognisers see letters in
bone and noise, too: a lone letter or digit is none unless its box is wider than one, and a line higher than type must be read
for sure and hold letters or digits enough for a name or date. Lone letters ("7B", "M") are filled beside writing only.

Writing that the engine does not find (handwriting, type below about eight pixels, type as dim as the noise about it) stays: a
build's residual-risk report lists images to look at.
"""

import dataclasses
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from dataset_builders.deidentify.markings import is_marking
from dataset_builders.document import Deidentification, Document, Figure, Masking, Reject, SourceError
from dataset_builders.pages.bundled import RecognisedLine, recognise_lines
from dataset_builders.source_kinds import find_kind

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""

MIN_SCORE = 0.75  # of a recognised line (ours): noise in rendered CT and MR slices stays below it
MIN_SCORE_SHORT = 0.9  # of a line of fewer than _LONG letters and digits (ours): stacked vertebrae look like "080"
MIN_SCORE_AGAIN = 0.5  # once writing was found: a line that remains need not be read well to be one
MIN_HEIGHT = 5.0  # pixels of a line; smaller type cannot be read
TYPE_SHARE = (
    1 / 8
)  # of the image's shorter side (ours): a line up to so high may be type, whatever is read; vertebrae are higher
MIN_SCORE_MARKING = 0.75  # below it, what was read as a marking may be a name
MIN_SCORE_CHARACTER = 0.9  # of a lone Chinese character: it may be a family name
MAX_SHARE = 0.2  # of the image under masks (ours): four corners of annotations stay below it, a page or a screenshot does not
ROUNDS = 4  # looks and fills; what is read after so many is bone that looks like letters, or writing that cannot be masked
_ENGINE_SIDE = 2000  # pixels: of larger images the engine sees a smaller copy
_WRITING = re.compile(r"[^\W_]{3,}|[\u4e00-\u9fff]{2,}|(?:\d\W*){4,}")
_ANY = re.compile(r"[^\W_]")
_LONG = 5  # letters and digits
_MARGIN_PARTS, _LEAST_MARGIN = 4, 2  # a quarter of a line's height, at least two pixels: strokes blur beyond the box
_TALLEST = 3  # times the tallest sure line: taller lines beside it are bone
_WINDOW = (0.5, 99.9)  # percentiles: a few hot pixels must not darken the rest
_CONTRAST, _TILES = 4.0, (8, 8)  # clip limit and tiles of CLAHE: faint grey type on grey becomes readable (ours)
_WIDE = 1.5  # times its height: a box so wide holds more than the one letter that was read
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_SAME_PLACE = 0.7  # share of a line's box that lies within a marking's: another reading of it


def mask_figures(document: Document, mask: Callable[[str], tuple[str, tuple[Box, ...]]]) -> tuple[Document, list[Reject]]:
    """Mask the writing in a hospital case's images; return the document, and a Reject for each image that cannot be masked.

    mask   takes the SHA-256 of an image; gives that of the masked one and the boxes, or raises SourceError (mask_image).

    Documents of other kinds come back as they are.
    """
    if not find_kind(document.provenance.source_kind).is_private:
        return document, []
    figures: list[Figure] = []
    rejects: list[Reject] = []
    maskings: list[Masking] = []
    markdown = document.markdown
    for figure in document.figures:
        if figure.image_sha256 is None:
            figures.append(figure)
            continue
        try:
            sha256, boxes = mask(figure.image_sha256)
        except SourceError as error:
            rejects.append(Reject(document.id, error.reason, error.detail, figure.locator or figure.label))
            markdown = markdown.replace(figure.image_sha256, "")
            continue
        if boxes:
            maskings.append(Masking(figure.image_sha256, boxes))
        markdown = markdown.replace(figure.image_sha256, sha256)
        figures.append(dataclasses.replace(figure, image_sha256=sha256))
    earlier = document.deidentification or Deidentification()
    counted = dataclasses.replace(earlier, maskings=(*earlier.maskings, *maskings))
    return dataclasses.replace(document, markdown=markdown, figures=tuple(figures), deidentification=counted), rejects


def mask_image(image: bytes) -> tuple[bytes, tuple[Box, ...]]:
    """Mask the writing in an encoded image; return it as PNG, and the boxes that were filled.

    The PNG holds the pixels and nothing else: comments and EXIF of a hospital's files may hold names, too. Raises SourceError
    "burned_in_text" as mask_writing does, and "broken_image" if the image cannot be decoded.
    """
    masked, boxes = mask_writing(_decode(image)[None])
    buffer = io.BytesIO()
    Image.fromarray(masked[0]).save(buffer, "PNG")
    return buffer.getvalue(), boxes


def mask_writing(frames: NDArray) -> tuple[NDArray, tuple[Box, ...]]:
    """Fill the writing that OCR finds in any of the frames; return them, and the boxes that were filled in every frame.

    frames   (n, rows, columns) or (n, rows, columns, 3), integers of any depth. Outside the boxes every value is kept.

    Raises SourceError "burned_in_text" if writing is still read after ROUNDS rounds, or if more than MAX_SHARE of the image
    would be filled (a scanned page, a screenshot).
    """
    masked, boxes = frames, tuple[Box, ...]()
    for number in range(ROUNDS):
        images = render_frames(masked)
        found = {_grow(line, frames.shape) for image in images for line in find_writing(image, again=number > 0)}
        if not found:
            return masked, boxes
        boxes = (*boxes, *sorted(found))
        share = float(_covered(boxes, frames.shape[1:3]).mean())
        if share > MAX_SHARE:
            detail = f"writing covers {share:.0%} of the image: a page or screenshot; leave it out"
            raise SourceError("burned_in_text", detail)
        masked = fill_boxes(frames, boxes)
    raise SourceError("burned_in_text", f"writing is still read after {ROUNDS} rounds of masking; mask it at the source")


def fill_boxes(frames: NDArray, boxes: Sequence[Box]) -> NDArray:
    """Copy the frames with each box at the median of the values around it, frame by frame; see mask_writing for shapes."""
    filled = frames.copy()
    covered = _covered(boxes, frames.shape[1:3])
    for left, top, right, bottom in boxes:
        width = max(_LEAST_MARGIN, (bottom - top) // _MARGIN_PARTS)
        around = (slice(max(0, top - width), bottom + width), slice(max(0, left - width), right + width))
        for frame, target in zip(frames, filled):
            ring = frame[around][~covered[around]]
            background = ring if len(ring) else frame.reshape(-1, *frame.shape[2:])
            target[top:bottom, left:right] = np.percentile(background, 50, axis=0, method="lower")
    return filled


def find_writing(image: Image.Image, *, again: bool = False) -> tuple[RecognisedLine, ...]:
    """Find the lines of writing in a PIL image, in its pixels. ``again``: look closer, as after a first mask."""
    lines = [
        line
        for look in _looks(image, again)
        for line in look
        # If the engine finds no line it reads the whole image as one.
        if not (line.box[2] - line.box[0] >= image.width and line.box[3] - line.box[1] >= image.height)
    ]
    markings = [line for line in lines if line.score >= MIN_SCORE_MARKING and is_marking(line.text)]
    lines = [line for line in lines if not any(_reads_again(line, marking) for marking in markings)]
    sure = [line for line in lines if _is_writing(line, again) or _is_small_writing(line, image.size)]
    if again or not sure:
        return tuple(sure)
    tallest = _TALLEST * max(line.height for line in sure)
    beside = (line for line in lines if line not in sure and line.height <= tallest and _ANY.search(line.text))
    return (*sure, *beside)


def render_frames(frames: NDArray) -> Iterator[Image.Image]:
    """Render each frame as a PIL image: 8-bit grey or RGB between its values at the percentiles _WINDOW."""
    for frame in frames:
        low, high = np.percentile(frame, _WINDOW)
        scaled = (frame.astype(np.float32) - low) / max(high - low, 1e-6) * 255
        yield Image.fromarray(np.clip(scaled, 0, 255).astype(np.uint8))


def _is_writing(line: RecognisedLine, again: bool) -> bool:
    long = len(_ANY.findall(line.text)) >= _LONG
    least = MIN_SCORE_AGAIN if again else MIN_SCORE if long else MIN_SCORE_SHORT
    return line.score >= least and line.height >= MIN_HEIGHT and bool(_WRITING.search(line.text))


def _is_small_writing(line: RecognisedLine, size: tuple[int, int]) -> bool:
    """Tell whether a line is small enough for type and holds more than a lone letter or digit, however well it was read."""
    if not MIN_HEIGHT <= line.height <= TYPE_SHARE * min(size):
        return False
    left, top, right, bottom = line.box
    wide = max(right - left, bottom - top) >= _WIDE * line.height
    character = bool(_CHINESE.search(line.text)) and line.score >= MIN_SCORE_CHARACTER
    return wide or character or len(_ANY.findall(line.text)) > 1


def _reads_again(line: RecognisedLine, marking: RecognisedLine) -> bool:
    """Tell whether a line is a marking, or a worse reading of one in another look."""
    width, height = (
        max(0, min(line.box[axis + 2], marking.box[axis + 2]) - max(line.box[axis], marking.box[axis])) for axis in (0, 1)
    )
    area = (line.box[2] - line.box[0]) * (line.box[3] - line.box[1])
    return line == marking or (line.score < marking.score and width * height >= _SAME_PLACE * area)


def _decode(image: bytes) -> NDArray:
    """Decode an image to pixels as they are shown: grey of 8 or 16 bits, or RGB of 8."""
    try:
        with Image.open(io.BytesIO(image)) as opened:
            upright = ImageOps.exif_transpose(opened)
            if upright.mode.startswith("I;16"):
                return np.asarray(upright).astype(np.uint16)
            return np.asarray(upright.convert("L" if upright.mode in ("1", "L", "LA") else "RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise SourceError("broken_image", f"cannot be looked at for writing: {type(error).__name__}") from None


def _looks(image: Image.Image, again: bool) -> Iterator[list[RecognisedLine]]:
    grey = image.convert("L")
    raised = _raise_contrast(grey)
    yield recognise_lines(image)
    yield recognise_lines(raised)
    if again:
        yield recognise_lines(ImageOps.invert(grey))
        if max(image.size) <= _ENGINE_SIDE // 2:
            enlarged = raised.resize((2 * raised.width, 2 * raised.height), Image.Resampling.BICUBIC)
            yield [_halve(line) for line in recognise_lines(enlarged)]


def _raise_contrast(grey: Image.Image) -> Image.Image:
    import cv2

    return Image.fromarray(cv2.createCLAHE(_CONTRAST, _TILES).apply(np.asarray(grey)))


def _halve(line: RecognisedLine) -> RecognisedLine:
    left, top, right, bottom = line.box
    return RecognisedLine(line.text, line.score, line.height / 2, (left // 2, top // 2, right // 2 + 1, bottom // 2 + 1))


def _grow(line: RecognisedLine, shape: Sequence[int]) -> Box:
    """Return the line's box with a margin on every side, inside the image."""
    rows, columns = shape[1:3]
    margin = max(_LEAST_MARGIN, round(line.height / _MARGIN_PARTS))
    left, top, right, bottom = line.box
    return max(0, left - margin), max(0, top - margin), min(columns, right + margin), min(rows, bottom + margin)


def _covered(boxes: Sequence[Box], size: Any) -> NDArray[np.bool_]:
    covered = np.zeros(size, dtype=bool)
    for left, top, right, bottom in boxes:
        covered[top:bottom, left:right] = True
    return covered
