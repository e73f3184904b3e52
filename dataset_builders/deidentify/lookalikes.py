"""Write characters that look or mean alike as the rules know them, one for one, so that places in the text stay the same.

    "Оrla" with a Cyrillic О, "𝐎𝐫𝐥𝐚" in mathematical bold, "٠٧٠٠" in Arabic digits  ->  "Orla", "Orla", "0700"

Only for matching: what is not masked stays as it was written.
"""

import re
import unicodedata

from dataset_builders.characters import INVISIBLE

UNSEEN = (
    INVISIBLE
    + "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u206a-\u206f\u3164\ufe00-\ufe0f\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
    + "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    + "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
)
"""Characters that a reader does not see as one: marks without width, accents of their own, control characters. The inside of a
regular expression's [...]."""

# Control characters that part lines or records: what stands before one is no part of what follows.
_BREAKS = dict.fromkeys(map(ord, "\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029"), "\n")
_NOT_PLAIN = re.compile(r"[^\x09\x0a\x0d\x20-\x7e\u4e00-\u9fff\u3000-\u3002\uff00-\uff5e]")
_WORD = re.compile(r"[A-Za-z\u00c0-\u024f\u0370-\u052f]{2,}")
_OTHER_SCRIPT = re.compile(r"[\u0370-\u052f]")
_LATIN = re.compile(r"[A-Za-z]")
_SAME_LOOK = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝӏ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορτυχγ",
    "ABESIJKMHOPCTYXaesijopcyxhdqwl" + "ABEZHIKMNOPTYXaikvoptuxy",
)
_LETTERS_AND_DIGITS = ("L", "Nd", "So")


def plain(text: str) -> str:
    """Return a text of the same length in which each character stands as the rules know it."""
    unusual = set(_NOT_PLAIN.findall(text))
    if not unusual:
        return text
    table = {ord(character): kind for character in unusual if (kind := _plain_form(character)) != character}
    return _WORD.sub(_of_one_script, text.translate(_BREAKS | table))


def _of_one_script(match: re.Match[str]) -> str:
    """Write a word of Latin letters, into which Greek or Cyrillic ones were put, in Latin ones alone."""
    word = match.group()
    return word.translate(_SAME_LOOK) if _OTHER_SCRIPT.search(word) and _LATIN.search(word) else word


def _plain_form(character: str) -> str:
    """The character as it is usually typed; itself if there is no such one, or if it would take more than one."""
    if ord(character) in _BREAKS:
        return "\n"
    category = unicodedata.category(character)
    if not category.startswith(_LETTERS_AND_DIGITS):
        return character
    if category == "Nd":
        return str(unicodedata.digit(character))
    form = unicodedata.normalize("NFKC", character)
    return form if len(form) == 1 and form.isalnum() else character
