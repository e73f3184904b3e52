"""Read a page image into words and drawn things, or regions, with the OCR engine that the settings name.

"rapidocr" (bundled.py) and "paddle" (PaddleOCR with models of your own, see paddle.py; extra ``[paddle]``) find lines, which
go through the same layout analysis as a PDF's text layer. With a layout model, "paddle" is PP-StructureV3, which analyses
the layout itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from PIL import Image

from dataset_builders.pages import bundled, paddle
from dataset_builders.pages.content import Box, Graphic, PageContent, Quad, Word
from dataset_builders.pages.paddle import PaddleModel

ENGINES = ("rapidocr", "paddle")
MIN_SCORE = 0.5  # of a recognised line; below it the engine is guessing
_SIZE_OF_HEIGHT = 0.72  # font size over the height of a detected line, measured on rendered pages at 150 dpi
_INK_CELL = 2.0  # points
_MIN_GRAPHIC = 12.0  # points


@dataclass(frozen=True, slots=True)
class OcrSettings:
    """Which engine reads the images of pages; small and picklable, so that a build can hand it to its worker processes.

    engine  one of ENGINES.
    models  of "paddle": see paddle.find_models. () for "rapidocr", whose models come with its package.
    """

    engine: str = "rapidocr"
    models: tuple[PaddleModel, ...] = ()

    @property
    def identity(self) -> dict[str, str]:
        """Return what the text depends on besides our code: engine, PaddleOCR's versions, each model's name and digest."""
        if self.engine == "rapidocr":
            return {"engine": self.engine}
        models = {model.part: f"{model.name} {model.sha256}" for model in self.models}
        return {"engine": self.engine, **paddle.versions(), **models}


BUNDLED = OcrSettings()


def load_settings(engine: str = "rapidocr", models: Path | None = None) -> OcrSettings:
    """Check the options --ocr and --paddle-models before a build starts, and load the models of "paddle" once.

    Raises ValueError for an unknown engine, for models without "paddle" and "paddle" without models, for a package that is not
    installed, and for models that PaddleOCR cannot load; FileNotFoundError if ``models`` lacks a folder or file.
    """
    if engine not in ENGINES:
        raise ValueError(f"--ocr {engine}: there is no such engine; use {' or '.join(ENGINES)}")
    if engine == "rapidocr":
        if models is not None:
            raise ValueError(f"--paddle-models {models}: only --ocr paddle reads with models of your own; add it")
        return BUNDLED
    if models is None:
        raise ValueError("--ocr paddle: give the folder of its models with --paddle-models DIR (nothing is downloaded)")
    paddle.check_installed()
    settings = OcrSettings(engine, paddle.find_models(models))
    paddle.check_loading(settings.models)
    return settings


def recognise_page(
    image: Image.Image, dpi: float, number: int = 1, ocr: OcrSettings = BUNDLED
) -> tuple[PageContent, Image.Image]:
    """Read the image of page ``number`` (from 1) at ``dpi`` pixels per inch.

    Returns the page in points with ``source="ocr"``, and the RGB image that it lies on: ``image``, turned straight if the lines
    of a scan are skewed.
    """
    image = image.convert("RGB")
    scale = 72 / dpi
    size = (image.width * scale, image.height * scale)
    if paddle.analyses_layout(ocr.models):
        regions = paddle.read_regions(image, ocr.models, scale)
        return PageContent(number, *size, (), (), source="ocr", regions=tuple(regions)), image
    quads, texts = _read_lines(image, ocr)
    skew = _skew(quads)
    if abs(skew) <= 0.2:
        skew = 0.0
    if skew:
        image = straighten(image, skew)
        quads = [_rotate(quad, skew, image.size) for quad in quads]
    words = [_word(quad, text, scale) for quad, text in zip(quads, texts)]
    if words:
        usual = median(word.size for word in words if len(word.text) > 20) if any(len(w.text) > 20 for w in words) else 10.0
        words = [replace(word, size=usual) if abs(word.size - usual) < 0.18 * usual else word for word in words]
    graphics = _find_graphics(image, [word.box for word in words], scale)
    return PageContent(number, *size, tuple(words), tuple(graphics), source="ocr", skew=skew), image


def straighten(image: Image.Image, skew: float) -> Image.Image:
    """Turn an RGB image by ``skew`` degrees counter-clockwise about its middle; corners that come into view are white."""
    return image.rotate(skew, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255)) if skew else image


def _read_lines(image: Image.Image, ocr: OcrSettings) -> tuple[list[Quad], list[str]]:
    """Corners (pixels) and text of the lines that the engine is sure of."""
    lines = paddle.read_lines(image, ocr.models) if ocr.engine == "paddle" else bundled.read_lines(image)
    kept = [(quad, text.strip()) for quad, text, score in lines if score >= MIN_SCORE and text.strip()]
    return [quad for quad, _ in kept], [text for _, text in kept]


def _skew(quads: Sequence[Quad]) -> float:
    """Return how far the long lines are turned clockwise, in degrees: the counter-clockwise turn that straightens them."""
    angles = []
    for (x0, y0), (x1, y1), *_ in quads:
        if x1 - x0 > 150:
            angles.append(math.degrees(math.atan2(y1 - y0, x1 - x0)))
    return median(angles) if len(angles) >= 3 else 0.0


def _rotate(quad: Quad, degrees: float, size: tuple[int, int]) -> Quad:
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


def _word(quad: Quad, text: str, scale: float) -> Word:
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
