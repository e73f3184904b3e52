"""What a PNG or JPEG says beside its pixels goes; the pixels stay to the last bit."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from dataset_builders.image_metadata import drop_metadata

WORD = "Quibblesworth"


def picture(mode="RGB"):
    grey = np.arange(64 * 48, dtype=np.uint32).reshape(48, 64) % 251
    image = Image.fromarray(grey.astype(np.uint8))
    return image.convert(mode)


def exif(orientation=1):
    data = Image.Exif()
    data[0x010E], data[0x013B], data[0x0112] = WORD, WORD, orientation
    return data


def jpeg(**options):
    out = io.BytesIO()
    picture().save(out, "JPEG", comment=WORD.encode(), xmp=f"<x:xmpmeta>{WORD}</x:xmpmeta>".encode(), **options)
    return out.getvalue()


def png(mode="RGB"):
    out, text = io.BytesIO(), PngImagePlugin.PngInfo()
    text.add_text("PatientName", WORD)
    text.add_itxt("XML:com.adobe.xmp", WORD, zip=False)
    picture(mode).save(out, "PNG", pnginfo=text, exif=exif(), icc_profile=WORD.encode())
    chunk = b"prVt" + WORD.encode()
    private = struct.pack(">I", len(WORD)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return out.getvalue()[:33] + private + out.getvalue()[33:]


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize(
    "data", [jpeg(exif=exif()), jpeg(exif=exif(), progressive=True), png(), png("L"), png("RGBA"), png("P")]
)
def test_words_go_and_pixels_stay(data):
    trailing = data + WORD.encode()
    assert data.count(WORD.encode()) >= 2
    bare = drop_metadata(trailing)
    assert WORD.encode() not in bare and bare[:3] == data[:3]
    assert np.array_equal(pixels(bare), pixels(data))
    assert drop_metadata(bare) == bare


def test_a_thumbnail_in_the_header_goes():
    data = jpeg()
    start = data.index(b"JFIF\0")
    header = data[start : start + 12] + b"\x01\x01" + b"abc"
    made = b"\xff\xd8\xff\xe0" + struct.pack(">H", len(header) + 2) + header + data[20:]
    assert b"abc" in made[:40] and b"\x01\x01abc" not in drop_metadata(made)
    assert np.array_equal(pixels(drop_metadata(made)), pixels(data))


def test_an_image_that_exif_turns_stays_upright():
    bare = drop_metadata(jpeg(exif=exif(orientation=6)))
    turned = Image.open(io.BytesIO(jpeg(exif=exif(orientation=6)))).transpose(Image.Transpose.ROTATE_270)
    assert np.array_equal(pixels(bare), np.asarray(turned)) and WORD.encode() not in bare


def test_a_file_that_ends_early_is_an_error_and_other_files_stay():
    for data in (jpeg(), png()):
        with pytest.raises(ValueError):
            drop_metadata(data[: len(data) // 2])
    assert drop_metadata(b"II*\0") == b"II*\0"
