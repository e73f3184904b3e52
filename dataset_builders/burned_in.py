"""Writing in pictures: names and dates burned into pixels, found by OCR.

Recognisers read letters into bone and noise; a line counts as writing only where the recogniser is sure, the line is as high as
type and it holds three letters or digits in a row.
"""

import io
import re
from typing import Any

MIN_SCORE = 0.75  # of a recognised line (ours): noise in rendered CT and MR slices stays below it
MIN_HEIGHT = 5.0  # pixels of a line; smaller type cannot be read
MAX_FRAMES = 12  # looked at in a multi-frame picture: burned-in names are on every frame
_WORD = re.compile(r"[^\W_]{3,}")


def written_in(image: bytes) -> str:
    """What OCR reads in an encoded picture, lines joined by a space; "" where there is no writing."""
    from PIL import Image

    with Image.open(io.BytesIO(image)) as picture:
        return " ".join(find_writing(picture))


def find_writing(picture: Any) -> tuple[str, ...]:
    """The lines of writing in a PIL picture."""
    from dataset_builders.ocr import recognise_lines

    return tuple(
        text
        for text, score, height in recognise_lines(picture)
        if score >= MIN_SCORE and height >= MIN_HEIGHT and _WORD.search(text)
    )


def render_pixels(dataset: Any) -> list[Any]:
    """PIL pictures of a data set's pixels, 8-bit grey between their 0.5th and 99.9th percentile; of many frames some."""
    import numpy as np
    from PIL import Image

    pixels = np.asarray(dataset.pixel_array, dtype=np.float32)
    colour = int(dataset.get("SamplesPerPixel", 1)) == 3
    frames = pixels.reshape(-1, *pixels.shape[-3:]) if colour else pixels.reshape(-1, *pixels.shape[-2:])
    step = max(1, len(frames) // MAX_FRAMES)
    pictures = []
    for frame in frames[::step]:
        low, high = np.percentile(frame, (0.5, 99.9))
        pictures.append(Image.fromarray(np.clip((frame - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)))
    return pictures
