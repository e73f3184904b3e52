import io
import struct
import zlib

import numpy
import pytest
from PIL import Image

from dataset_builders.engine.store import ImageStore
from dataset_builders.review.images import LONGEST_SIDE, ScaledImages, scale
from dataset_builders.review.refusals import Refused
from tests.support.review import png


def encode(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(encoded):
    return Image.open(io.BytesIO(encoded))


def test_a_small_image_keeps_its_pixels_and_loses_all_else():
    image = Image.fromarray(numpy.arange(48, dtype=numpy.uint8).reshape(6, 8))
    shown = opened(scale(encode(image, comment="name of a patient")))
    assert numpy.array_equal(numpy.asarray(shown), numpy.asarray(image)) and shown.info == {}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_image_of_a_hundred_megapixels_is_shown_scaled():
    large = encode(Image.new("1", (12_500, 8_000)))
    assert opened(scale(large)).size == (LONGEST_SIDE, 1311)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "1"])
def test_every_mode_becomes_grey_or_colour(mode):
    assert opened(scale(encode(Image.new("RGB", (9, 9), (200, 10, 10)).convert(mode)))).mode in ("L", "RGB")


def test_sixteen_bits_are_spread_over_eight():
    deep = Image.fromarray(numpy.array([[100, 1100], [600, 2100]], dtype=numpy.uint16))
    assert numpy.asarray(opened(scale(encode(deep)))).tolist() == [[0, 127], [63, 255]]


@pytest.fixture
def images(tmp_path):
    return ScaledImages(ImageStore(tmp_path / "images"), tmp_path / "scaled")


def refusal(images, sha256):
    with pytest.raises(Refused) as refused:
        images.get(sha256)
    return refused.value.name


def test_an_image_is_scaled_once_and_kept_for_its_owner(images, tmp_path):
    sha256 = images._store.put(png())
    first = images.get(sha256)
    images._store.path(sha256).unlink()
    assert images.get(sha256) == first
    kept = next((tmp_path / "scaled").iterdir())
    assert kept.stat().st_mode & 0o777 == 0o600 and (tmp_path / "scaled").stat().st_mode & 0o777 == 0o700


def test_what_cannot_be_shown_is_named(images):
    header = struct.pack(">4sIIBBBBB", b"IHDR", 20_000, 20_000, 1, 0, 0, 0, 0)
    bomb = png()[:12] + header + struct.pack(">I", zlib.crc32(header)) + png()[33:]
    assert refusal(images, images._store.put(bomb)) == "image_too_large"
    assert refusal(images, images._store.put(png()[:50])) == "image_unreadable"
    assert refusal(images, images._store.put(b"<svg onload='alert(1)'/>")) == "image_unreadable"
    assert refusal(images, "0" * 64) == "image_missing"
