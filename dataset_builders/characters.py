"""Fold characters that mean the same into one form, and remember where each character of the result stood in the input.

    fold("Ｌ４－５，2㎜").text              ->  "L4-5,2mm"
    fold("Ｌ４－５，2㎜").input_span(6, 8)  ->  (6, 7), the "㎜"
    comparable("Ｆig.  3\\nB")              ->  "fig. 3 b"

Use ``fold`` to find something in a text, ``comparable`` to tell whether two texts say the same.
"""

import bisect
import operator
import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

Edit = tuple[int, int, str]
"""Start and end of characters to replace, and what replaces them."""

INVISIBLE = "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
"""Marks without width (soft hyphens, joiners, directions, byte order): the inside of a regular expression's [...]."""


class Replacements(NamedTuple):
    """Replacements in order: ``old`` holds their places (start, end) in the text before, ``new`` those in the text after."""

    old: tuple[tuple[int, int], ...]
    new: tuple[tuple[int, int], ...]

    def before(self, position: int) -> tuple[int, int]:
        """Return the earlier place of the character at ``position``; if it was replaced, the whole replaced place."""
        index = bisect.bisect_right(self.new, position, key=operator.itemgetter(0)) - 1
        if index < 0:
            return position, position + 1
        if position < self.new[index][1]:
            return self.old[index]
        moved = position - self.new[index][1] + self.old[index][1]
        return moved, moved + 1


class Rewritten(NamedTuple):
    """A text after replacements (``steps``, first to last) that knows where its characters stood in the input."""

    text: str
    steps: tuple[Replacements, ...] = ()

    def replace(self, edits: Iterable[Edit]) -> "Rewritten":
        """Replace characters of ``text``; ``edits`` are in order and do not overlap. Without any, returns the same object."""
        edits = tuple(edits)
        if not edits:
            return self
        pieces: list[str] = []
        new: list[tuple[int, int]] = []
        done = length = 0
        for start, end, said in edits:
            pieces += (self.text[done:start], said)
            length += start - done
            new.append((length, length + len(said)))
            length += len(said)
            done = end
        pieces.append(self.text[done:])
        return Rewritten(
            "".join(pieces), (*self.steps, Replacements(tuple((start, end) for start, end, _ in edits), tuple(new)))
        )

    def input_span(self, start: int, end: int) -> tuple[int, int]:
        """Return where ``text[start:end]``, which must not be empty, stood in the input; a replacement is returned whole."""
        for step in reversed(self.steps):
            start, end = step.before(start)[0], step.before(end - 1)[1]
        return start, end


def fold(text: str) -> Rewritten:
    """Give characters that keyboards, fonts and PDFs write in several ways one plain form; case stays.

    Full-width forms, ligatures, subscripts, and Roman numerals, units and radicals that are one character (Ⅳ, ㎜, ⾻) become
    the usual characters. Hyphens become "-", dashes and the minus sign "–", tildes "~", slashes "/". Blanks become a space, and
    so do superscript digits (marks of citations, which separate words). Traditional characters of the spine's words become
    simplified ones. Invisible marks are removed, except that a soft hyphen between numbers becomes a hyphen.
    """
    if text.isascii():
        return Rewritten(text)
    if "\u00ad" in text:
        text = _HYPHEN_OF_NUMBERS.sub("-", text)
    folded = Rewritten(text)
    if _UNEVEN.search(text):
        folded = folded.replace(
            (match.start(), match.end(), _PLAIN.get(ord(match[0][0]), "")) for match in _UNEVEN.finditer(text)
        )
    return Rewritten(folded.text.translate(_PLAIN), folded.steps)


def comparable(text: str) -> str:
    """Return ``text`` in NFKC, case-folded, with each run of white space as one blank."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


_HYPHEN_OF_NUMBERS = re.compile(r"(?<=\d)\u00ad(?=[A-Za-z]?\d)")
# Subscripts, Roman numerals, radicals, units, Han and ligatures, small forms, wide forms: each as the first code point and the
# one after the last. Fractions, numbers in circles and signs such as "℃" stay: made plain they would read as numbers, levels.
_COMPATIBLE = (
    (0x2080, 0x208F),
    (0x2160, 0x2180),
    (0x2F00, 0x2FD6),
    (0x3380, 0x33E0),
    (0xF900, 0xFB07),
    (0xFE50, 0xFE6C),
    (0xFF01, 0xFF5F),
)
_SIGNS = {
    "-": "‐‑﹣－₋",
    "–": "‒–—―−﹘",
    "~": "～〜∼˜∽",
    "/": "∕⁄╱",
    " ": "⁰¹²³⁴⁵⁶⁷⁸⁹\u00a0\u2009\u202f\u3000",
}
_TRADITIONAL = dict(zip("圖頸間盤經節體與椎脊薦", "图颈间盘经节体与椎脊骶"))
_PLAIN: dict[int, str] = (
    {code: unicodedata.normalize("NFKC", chr(code)) for first, end in _COMPATIBLE for code in range(first, end)}
    | {ord(sign): said for said, signs in _SIGNS.items() for sign in signs}
    | {ord(traditional): simplified for traditional, simplified in _TRADITIONAL.items()}
)
_UNEVEN = re.compile(f"[{INVISIBLE}]+|[{''.join(chr(code) for code, said in _PLAIN.items() if len(said) > 1)}]")
