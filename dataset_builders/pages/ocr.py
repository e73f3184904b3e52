"""Page image ─▶ words and drawn things, or Markdown.

Two engines: "rapidocr" (PP-OCR models bundled with the package, English and Chinese, no network; 4–6 s a page on two
cores), whose lines go through the same layout analysis as a PDF's text layer; and "paddle" (PP-StructureV3, extra
``[paddle]``), which analyses the layout itself.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from PIL import Image

from dataset_builders.pages.layout import Box, Graphic, PageContent, Word

MIN_SCORE = 0.5  # of a recognised line; below it the engine is guessing
_SIZE_OF_HEIGHT = 0.72  # font size over the height of a detected line, measured on rendered pages at 150 dpi
_INK_CELL = 2.0  # points
_MIN_GRAPHIC = 12.0  # points


@dataclass(frozen=True, slots=True)
class RecognisedLine:
    """What the engine reads in one place: how sure it is (0–1), and in pixels the height of the type and the box around it
    (left, top, right, bottom)."""

    text: str
    score: float
    height: float
    box: tuple[int, int, int, int]


def recognise_page(image: Image.Image, dpi: float, number: int = 1) -> tuple[PageContent, Image.Image]:
    """The page in points with ``source="ocr"``, and the image turned straight (skew of a scan removed) that it lies on."""
    image = image.convert("RGB")
    quads, texts = _run_rapidocr(image)
    skew = _skew(quads)
    if abs(skew) <= 0.2:
        skew = 0.0
    if skew:
        image = straighten(image, skew)
        quads = [_rotate(quad, skew, image.size) for quad in quads]
    scale = 72 / dpi
    words = [_word(quad, text, scale) for quad, text in zip(quads, texts)]
    if words:
        usual = median(word.size for word in words if len(word.text) > 20) if any(len(w.text) > 20 for w in words) else 10.0
        words = [replace(word, size=usual) if abs(word.size - usual) < 0.18 * usual else word for word in words]
    graphics = _find_graphics(image, [word.box for word in words], scale)
    size = (image.width * scale, image.height * scale)
    return PageContent(number, *size, tuple(words), tuple(graphics), source="ocr", skew=skew), image


def straighten(image: Image.Image, skew: float) -> Image.Image:
    """The RGB image turned by ``skew`` degrees counter-clockwise about its middle, white where nothing was."""
    return image.rotate(skew, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255)) if skew else image


def recognise_lines(image: Image.Image) -> list[RecognisedLine]:
    """Every line the bundled engine reads in a picture, however unsure."""
    import numpy as np

    result = _engine()(np.asarray(image.convert("RGB"))[:, :, ::-1])
    if result.boxes is None:
        return []
    lines = []
    for quad, text, score in zip(result.boxes, result.txts, result.scores):
        (left, top), (right, bottom) = quad.min(axis=0), quad.max(axis=0)
        height = min(math.dist(quad[0], quad[3]), math.dist(quad[0], quad[1]))
        box = (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
        lines.append(RecognisedLine(text.strip(), float(score), float(height), box))
    return lines


@functools.lru_cache(maxsize=1)
def _engine() -> Any:
    """One engine a process: loading its three models takes a second and 200 MB.

    It runs on one thread: a build has a process a core, and engines that share the cores by threads slow each other down.
    """
    import logging

    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1}
    engine = RapidOCR(params={"Global.log_level": "error", **threads})
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)  # a picture without text is no warning
    return engine


def _run_rapidocr(image: Image.Image) -> tuple[list[list[tuple[float, float]]], list[str]]:
    import numpy as np

    result = _engine()(np.asarray(image)[:, :, ::-1])  # the engine takes BGR
    if result.boxes is None:
        return [], []
    lines = zip(result.boxes, result.txts, result.scores)
    kept = [
        ([(float(x), float(y)) for x, y in box], text.strip())
        for box, text, score in lines
        if score >= MIN_SCORE and text.strip()
    ]
    return [quad for quad, _ in kept], [text for _, text in kept]


def _skew(quads: Sequence[Sequence[tuple[float, float]]]) -> float:
    """Degrees, counter-clockwise positive as in PIL, that the long lines are turned clockwise by."""
    angles = []
    for (x0, y0), (x1, y1), *_ in quads:
        if x1 - x0 > 150:
            angles.append(math.degrees(math.atan2(y1 - y0, x1 - x0)))
    return median(angles) if len(angles) >= 3 else 0.0


def _rotate(quad: Sequence[tuple[float, float]], degrees: float, size: tuple[int, int]) -> list[tuple[float, float]]:
    """Corners after ``Image.rotate(degrees)`` about the middle of an image of ``size`` (y down)."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    middle_x, middle_y = size[0] / 2, size[1] / 2
    return [
        (
            middle_x + (x - middle_x) * cosine + (y - middle_y) * sine,
            middle_y - (x - middle_x) * sine + (y - middle_y) * cosine,
        )
        for x, y in quad
    ]


def _word(quad: Sequence[tuple[float, float]], text: str, scale: float) -> Word:
    xs, ys = [x * scale for x, _ in quad], [y * scale for _, y in quad]
    box = Box(min(xs), min(ys), max(xs), max(ys))
    size = _SIZE_OF_HEIGHT * (ys[3] - ys[0] + ys[2] - ys[1]) / 2
    inset = (box.height - size) / 2  # detected boxes are taller than the type
    return Word(text, Box(box.x0, box.top + inset, box.x1, box.bottom - inset), round(size, 1))


def _find_graphics(image: Image.Image, text_boxes: Sequence[Box], scale: float) -> list[Graphic]:
    """Connected ink outside the recognised text, joined over 2 points."""
    import numpy as np
    from scipy import ndimage

    columns, rows = max(int(image.width * scale / _INK_CELL), 1), max(int(image.height * scale / _INK_CELL), 1)
    grey = np.asarray(image.convert("L").resize((columns, rows), Image.Resampling.BOX), dtype=float)
    paper = float(np.percentile(grey, 90))
    ink = grey < 0.82 * paper
    for box in text_boxes:
        area = box.grown(3)
        ink[
            max(int(area.top / _INK_CELL), 0) : int(area.bottom / _INK_CELL) + 1,
            max(int(area.x0 / _INK_CELL), 0) : int(area.x1 / _INK_CELL) + 1,
        ] = False
    labels, _ = ndimage.label(ndimage.binary_dilation(ink, np.ones((3, 3))), np.ones((3, 3)))
    graphics = []
    for vertical, horizontal in ndimage.find_objects(labels):
        box = Box(
            horizontal.start * _INK_CELL, vertical.start * _INK_CELL, horizontal.stop * _INK_CELL, vertical.stop * _INK_CELL
        )
        if max(box.width, box.height) >= _MIN_GRAPHIC and box.area < 0.8 * columns * rows * _INK_CELL**2:
            graphics.append(Graphic(box, "rule" if min(box.width, box.height) <= 3 * _INK_CELL else "image"))
    return graphics
