"""Show images at a size that a screen needs: decoded, scaled and stored once as PNG, without what else the file says."""

import io
import threading
from pathlib import Path

import numpy
from PIL import Image

from dataset_builders.engine.store import ImageStore
from dataset_builders.private_files import make_private_folder, open_private_file
from dataset_builders.review.refusals import Refused

LONGEST_SIDE = 2048
"""Pixels of the longest side of an image as it is shown."""


class ScaledImages:
    """The images of a store, scaled on first use and kept in ``folder`` (0700); decoded one at a time, to bound memory."""

    def __init__(self, store: ImageStore, folder: Path):
        self._store = store
        self._folder = folder
        self._lock = threading.Lock()
        make_private_folder(folder)

    def get(self, sha256: str) -> bytes:
        """Return an image as PNG. Raises Refused "image_missing", "image_too_large" or "image_unreadable"."""
        path = self._folder / f"{sha256}.{LONGEST_SIDE}.png"
        if not path.exists():
            with self._lock:
                if not path.exists():
                    self._scale(sha256, path)
        return path.read_bytes()

    def _scale(self, sha256: str, path: Path) -> None:
        try:
            encoded = self._store.get(sha256)
        except FileNotFoundError:
            raise Refused("image_missing", f"image {sha256[:12]} is not in the build's store", 404) from None
        try:
            scaled = scale(encoded)
        except Image.DecompressionBombError as error:
            raise Refused("image_too_large", f"image {sha256[:12]}: {error}", 415) from error
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise Refused("image_unreadable", f"image {sha256[:12]} cannot be decoded: {type(error).__name__}", 415) from error
        partial = path.with_suffix(".partial")
        with open_private_file(partial, "wb") as file:
            file.write(scaled)
        partial.replace(path)


def scale(encoded: bytes) -> bytes:
    """Return an image as an 8-bit PNG, its longest side LONGEST_SIDE at most.

    Raises what Pillow raises: DecompressionBombError above 178 million pixels (the readers of sources stop at 100 million), and
    OSError, ValueError, SyntaxError or EOFError for what is no image.
    """
    with Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG")) as image:
        image.draft(None, (LONGEST_SIDE, LONGEST_SIDE))
        if image.mode not in ("L", "RGB"):
            has_grey = image.mode in ("1", "LA", "I", "I;16", "I;16B", "F")
            shown = (
                _to_8_bits(image) if image.mode in ("I", "I;16", "I;16B", "F") else image.convert("L" if has_grey else "RGB")
            )
        else:
            shown = image.copy() if max(image.size) <= LONGEST_SIDE else image
        if max(shown.size) > LONGEST_SIDE:
            shown.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX, reducing_gap=2.0)
        output = io.BytesIO()
        shown.save(output, "PNG", compress_level=1)
        return output.getvalue()


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Spread the values of a deep grey image over 0–255."""
    values = numpy.asarray(image.convert("F"))
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) * (255 / max(high - low, 1e-9))).astype(numpy.uint8))
