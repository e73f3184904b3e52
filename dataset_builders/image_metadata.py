"""Drop what a PNG or JPEG file says beside its pixels: EXIF, XMP, comments, text, thumbnails, what follows the image.

The compressed pixels are copied as they are. A JPEG whose EXIF turns the image is decoded, turned and stored as PNG: without
EXIF it would lie on its side. Colour profiles go, too, because they hold free text.
"""

import io
import struct

_PNG = b"\x89PNG\r\n\x1a\n"
# Chunks that say how pixels are shown (PNG 3rd edition, section 11); every other one may hold text or another image.
_PNG_KEPT = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs", b"bKGD")
_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP14, _APP15 = 0xE0, 0xEE, 0xEF
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD8))  # TEM, RST0-7
_ORIENTATION = 0x0112


def drop_metadata(data: bytes) -> bytes:
    """Return a PNG or JPEG file with the same pixels and nothing else; any other file as it is.

    Raises ValueError for a file that ends before its image does or is not built like its format.
    """
    try:
        if data.startswith(_PNG):
            return _clean_png(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _turned(data) or _clean_jpeg(data)
    except (struct.error, IndexError) as error:
        raise ValueError("the file ends before its image does") from error
    return data


def _clean_png(data: bytes) -> bytes:
    parts, position, name = [_PNG], len(_PNG), b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise ValueError("the file ends before its image does")
        if name in _PNG_KEPT:
            parts.append(data[position:end])
        position = end
    return b"".join(parts)


def _clean_jpeg(data: bytes) -> bytes:
    """Copy the segments that decode the image (ITU-T T.81, annex B), JFIF's header without thumbnail, and Adobe's transform."""
    parts, position = [data[:2]], 2
    while True:
        if data[position] != 0xFF:
            raise ValueError("a JPEG segment does not begin where it should")
        while data[position + 1] == 0xFF:  # fill bytes
            position += 1
        marker = data[position + 1]
        if marker == _EOI:
            return b"".join([*parts, b"\xff\xd9"])
        if marker in _WITHOUT_LENGTH or marker == _SOI:
            parts.append(data[position : position + 2])
            position += 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        end = position + 2 + length
        body = data[position + 4 : end]
        if marker == _APP0 and body.startswith(b"JFIF\0"):
            parts.append(b"\xff\xe0\x00\x10" + body[:12] + b"\0\0")
        elif marker == _APP14 and body.startswith(b"Adobe"):
            parts.append(b"\xff\xee\x00\x0e" + body[:12])
        elif not (_APP0 <= marker <= _APP15 or marker == _COM):
            parts.append(data[position:end])
        position = end
        if marker == _SOS:
            position = _end_of_scan(data, end)
            parts.append(data[end:position])


def _end_of_scan(data: bytes, start: int) -> int:
    """The first marker after entropy-coded data that is no stuffed zero and no restart."""
    position = start
    while True:
        position = data.find(b"\xff", position)
        if position < 0:
            raise ValueError("the file ends before its image does")
        following = data[position + 1]
        if following != 0 and not 0xD0 <= following <= 0xD7 and following != 0xFF:
            return position
        position += 1 if following == 0xFF else 2


def _turned(data: bytes) -> bytes | None:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data)) as image:
        if image.getexif().get(_ORIENTATION, 1) in (0, 1):
            return None
        upright = ImageOps.exif_transpose(image)
        plain = Image.frombytes(upright.mode, upright.size, upright.tobytes())
        out = io.BytesIO()
        (plain if plain.mode in ("L", "RGB") else plain.convert("RGB")).save(out, "PNG")
        return out.getvalue()
