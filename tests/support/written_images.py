"""Synthetic slices with writing drawn into them, and what OCR still reads."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dataset_builders.deidentify.pixels import render_frames
from dataset_builders.pages.bundled import recognise_lines
from dataset_builders.phantom.hospital import make_hospital_cases

IDENTITY = ("QUILL", "ORLA", "TAVISH", "1961", "04-02", "77120093")


@lru_cache(maxsize=1)
def make_slice():
    """A square of a synthetic CT slice without writing, 8-bit grey, as PIL image: OCR takes longer on others."""
    image = Image.open(io.BytesIO(make_hospital_cases(0, 1)[0].images[0].png)).convert("L")
    return image.crop((0, 60, image.width, 60 + image.width))


def write(image, text, place, size, shade, turned=0):
    """Draw ``text`` into an image; ``turned`` by 90 or 270 degrees."""
    font = ImageFont.load_default(size)
    mask = Image.new("L", (int(font.getlength(text)) + 4, int(size * 1.4) + 2), 0)
    ImageDraw.Draw(mask).text((2, 1), text, font=font, fill=255)
    mask = mask.rotate(turned, expand=True)
    image.paste(shade, place, mask)
    return image


def png(image, **options):
    data = io.BytesIO()
    image.save(data, "PNG", **options)
    return data.getvalue()


def still_read(frames):
    """The parts of the drawn identity that OCR reads in any frame, however unsure."""
    read = " ".join(line.text.upper() for image in render_frames(frames) for line in recognise_lines(image))
    return [part for part in IDENTITY if part in read]


def outside(boxes, shape):
    """Where a frame of ``shape`` lies outside all boxes."""
    kept = np.ones(shape, dtype=bool)
    for left, top, right, bottom in boxes:
        kept[top:bottom, left:right] = False
    return kept
