"""Typeset the embedded PDFs, and turn a page of a book into a scan of itself."""

import io
import json
import random
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import numpy as np
import pypdfium2
import typst
from PIL import Image, ImageFilter

from dataset_builders.phantom.sketch import FONT_FOLDER

SCAN_PPI = 170
_SCAN_FILE = "scan.jpg"


def typeset(source: str, images: Mapping[str, bytes], values: Mapping[str, object], seed: int) -> bytes:
    """Compile text/``source`` to a PDF whose bytes depend on the arguments alone.

    images  file name -> SVG or PNG bytes that the text shows.
    values  what the text says about them, under ``planted``.
    seed    seed of the scanner's skew and noise, if the text has a scanned page.

    Raises typst.TypstError if the text names an image that is not there, and ValueError if the part to be scanned does not
    fit on one page.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in resources.files(__package__).joinpath("text").iterdir():
            if file.name.endswith(".typ"):
                (folder / file.name).write_bytes(file.read_bytes())
        for file_name, content in images.items():
            (folder / file_name).write_bytes(content)
        inputs = {"values": json.dumps(values, ensure_ascii=False), "scan": ""}
        font_paths = typst.Fonts(include_system_fonts=False, font_paths=[str(FONT_FOLDER)])
        compiler = typst.Compiler(str(folder / source), root=str(folder), font_paths=font_paths, sys_inputs=inputs)
        pdf = _compile(compiler)
        if page := _scanned_page(compiler):
            (folder / _SCAN_FILE).write_bytes(scan(_render_page(pdf, page), seed))
            inputs["scan"] = _SCAN_FILE
            compiler = typst.Compiler(str(folder / source), root=str(folder), font_paths=font_paths, sys_inputs=inputs)
            pdf = _compile(compiler)
        return pdf


def _compile(compiler: typst.Compiler) -> bytes:
    pdf = compiler.compile(format="pdf")
    assert isinstance(pdf, bytes)  # one PDF holds all pages; only image formats come as a list
    return pdf


def _render_page(pdf: bytes, page: int) -> Image.Image:
    """Render a page (1-based) in grey at SCAN_PPI."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return document[page - 1].render(scale=SCAN_PPI / 72, grayscale=True).to_pil()
    finally:
        document.close()


def scan(page: Image.Image, seed: int) -> bytes:
    """Make a page look as an office scanner leaves it (grey, skewed, soft, noisy); return a JPEG of the same size."""
    rng = random.Random(f"scan:{seed}")
    noise = np.random.default_rng(rng.getrandbits(32))
    angle = rng.choice((-1, 1)) * rng.uniform(0.5, 0.9)
    image = page.rotate(angle, Image.Resampling.BICUBIC, fillcolor=255).filter(ImageFilter.GaussianBlur(0.6))
    grey = np.asarray(image, dtype=np.float32)
    paper = 236 + 10 * np.linspace(0, 1, grey.shape[1], dtype=np.float32)  # the lid does not close along one edge
    worn = grey / 255 * (paper - 30) + 30 + noise.normal(0, 7, grey.shape)
    specks = noise.random(grey.shape) < 0.0002
    worn[specks] = 60
    buffer = io.BytesIO()
    Image.fromarray(np.clip(worn, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=72)
    return buffer.getvalue()


def _scanned_page(compiler: typst.Compiler) -> int | None:
    """Return the 1-based number of the page to be scanned, None if the text marks none."""
    marks = json.loads(compiler.query("<scanned>", field="value"))
    if not marks:
        return None
    first, last = marks
    if first != last:
        raise ValueError(f"the scanned part runs from page {first} to {last}; it must fit on one page")
    return int(first)
