"""Tell a text's encoding by its first MiB: UTF-8, UTF-16 with a byte order mark, GB18030, Big5 or Windows-1252."""

import codecs
import functools
import re
from pathlib import Path

from dataset_builders.document import SourceError

_SAMPLE_BYTES = 1 << 20


def detect_encoding(path: Path) -> str:
    """Return "utf-8-sig", "utf-16", "cp1252", "gb18030" or "big5hkscs": most non-ASCII lines of the first MiB must decode.

    So one broken line in a UTF-8 file stays that line's reject. Western text ("90°", "Schmörl") decodes as GB18030 too, but its
    bytes beyond ASCII stand alone, where Chinese ones come in pairs. GB18030 decodes Big5 and Shift JIS as well, but into rare
    characters: the encoding that gives common ones is taken. Raises SourceError("unknown_encoding").
    """
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    lines = sample.splitlines()
    if len(sample) == _SAMPLE_BYTES and len(lines) > 1:
        lines.pop()  # cut off, perhaps within a character
    lines = [line for line in lines if not line.isascii()]
    runs = [run for line in lines for run in re.findall(rb"[\x80-\xff]+", line)]
    western = sum(len(run) == 1 for run in runs) * 2 > len(runs)
    if sum(_decodes(line, "utf-8-sig") for line in lines) * 2 >= len(lines):
        return "utf-8-sig"
    if western and _western_share(lines) >= _MIN_WESTERN:
        return "cp1252"
    best = max(_CHINESE, key=lambda encoding: _common_share(lines, encoding))
    if _common_share(lines, best) >= _MIN_COMMON:
        return best
    raise SourceError(
        "unknown_encoding",
        "the text is neither UTF-8, UTF-16 with a byte order mark, GB18030, Big5, nor Windows-1252; save it as UTF-8",
    )


_CHINESE = ("gb18030", "big5hkscs")
_MIN_COMMON = 0.9
"""Least share of a text's characters beyond ASCII that must be common ones, for its encoding to be believed (ours)."""


def _common_share(lines: list[bytes], encoding: str) -> float:
    """The share of common characters among those beyond ASCII; 0 if most lines do not decode."""
    decoded = [line.decode(encoding, errors="ignore") for line in lines if _decodes(line, encoding)]
    characters = [character for text in decoded for character in text if not character.isascii()]
    if len(decoded) * 2 < len(lines) or not characters:
        return 0.0
    return sum(map(_is_common, characters)) / len(characters)


_SIGNS = frozenset("，。、；：？！（）《》“”‘’【】—…·°×μ±≥≤①②③④⑤ⅠⅡⅢⅣ")


@functools.cache
def _is_common(character: str) -> bool:
    """Whether a character is of the first level of GB 2312 or Big5, or a common sign."""
    if character in _SIGNS or "！" <= character <= "～":
        return True
    try:
        simplified = character.encode("gb2312")
    except UnicodeEncodeError:
        simplified = b""
    try:
        traditional = character.encode("big5")
    except UnicodeEncodeError:
        traditional = b""
    return b"\xb0\xa1" <= simplified <= b"\xd7\xf9" or b"\xa4\x40" <= traditional <= b"\xc6\x7e"


_MIN_WESTERN = 0.8
"""Least share of letters and common signs among a Western text's characters beyond ASCII (ours): Big5 gives other signs."""


def _western_share(lines: list[bytes]) -> float:
    decoded = [line.decode("cp1252", errors="ignore") for line in lines if _decodes(line, "cp1252")]
    characters = [character for text in decoded for character in text if not character.isascii()]
    good = sum(character.isalpha() or character in "°±µ×²³–—‘’“”…•½¼" for character in characters)
    return good / len(characters) if len(decoded) * 2 >= len(lines) and characters else 0.0


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(line, final=False)
    except UnicodeDecodeError:
        return False
    return True
