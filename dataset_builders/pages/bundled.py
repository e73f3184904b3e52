"""Read lines with rapidocr: PP-OCR models bundled with its package, English and Chinese, no network; 4–6 s a page on two cores.

It reads pages unless a build names another engine (ocr.py), and it alone finds the writing that de-identification masks.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from dataset_builders.pages.content import Quad

_MIN_SCORE = 0.5  # of a page's line, the engine's default; given with every call, as the engine keeps the last


@dataclass(frozen=True, slots=True)
class RecognisedLine:
    """One line that the engine read.

    score   the engine's confidence, from 0 to 1.
    height  of the type, in pixels.
    box     around the line, in pixels: left, top, right, bottom.
    """

    text: str
    score: float
    height: float
    box: tuple[int, int, int, int]


def recognise_lines(image: Image.Image) -> list[RecognisedLine]:
    """Read every line of an image with the bundled engine, whatever its confidence.

    De-identification masks what this finds, whichever engine reads a build's pages.
    """
    result = _engine()(np.asarray(image.convert("RGB"))[:, :, ::-1], text_score=0.0)
    if result.boxes is None:
        return []
    lines = []
    for quad, text, score in zip(result.boxes, result.txts, result.scores):
        (left, top), (right, bottom) = quad.min(axis=0), quad.max(axis=0)
        height = min(math.dist(quad[0], quad[3]), math.dist(quad[0], quad[1]))
        box = (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
        lines.append(RecognisedLine(text.strip(), float(score), float(height), box))
    return lines


def read_lines(image: Image.Image) -> list[tuple[Quad, str, float]]:
    """Find and read the lines of an RGB image: corners in pixels, text, score from 0 to 1."""
    result = _engine()(np.asarray(image)[:, :, ::-1], text_score=_MIN_SCORE)  # the engine takes BGR
    if result.boxes is None:
        return []
    lines = zip(result.boxes, result.txts, result.scores)
    return [([(float(x), float(y)) for x, y in box], text, float(score)) for box, text, score in lines]


@functools.lru_cache(maxsize=1)
def _engine() -> Any:
    """Load the engine once per process: loading its three models takes a second and 200 MB.

    It runs on one thread: a build runs a process per core, and engines that share the cores by threads slow each other down.
    """
    import logging

    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1}
    engine = RapidOCR(params={"Global.log_level": "error", **threads})
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)  # an image without text is no warning
    return engine
