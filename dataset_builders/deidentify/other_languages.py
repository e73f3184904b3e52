"""Tell a text that is neither English nor Chinese: masking was neither written for it nor measured on it.

By scripts first, then, in Latin letters, by frequent words of each language against those of English (other_languages.yaml).
Only clear evidence counts: short notes, lists of names and damaged English are never taken for another language.
"""

import functools
import re
from collections import Counter
from pathlib import Path

from dataset_builders.deidentify.rules import read_table

CHOICES = ("refuse", "mask")
"""What to do with a hospital text in another language."""

_SCRIPTS = {
    "cyrillic": "\u0400-\u052f",
    "greek": "\u0370-\u03ff\u1f00-\u1fff",
    "arabic": "\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc",
    "hebrew": "\u0590-\u05ff",
    "devanagari": "\u0900-\u097f",
    "bengali": "\u0980-\u09ff",
    "tamil": "\u0b80-\u0bff",
    "thai": "\u0e00-\u0e7f",
    "hangul": "\u1100-\u11ff\uac00-\ud7af",
    "kana": "\u3040-\u30ff",
}
_SCRIPT = re.compile("|".join(f"(?P<{name}>[{characters}])" for name, characters in _SCRIPTS.items()))
_HAN = re.compile("[\u3400-\u9fff]")
_WORD = re.compile(r"[^\W\d_]+")
_FEWEST_LETTERS = 20  # of another script: fewer are a name or a quotation
_SHARE_OF_LETTERS = 0.3
_SHARE_OF_KANA = 0.1  # of Japanese letters that are kana, at least
_FEWEST_WORDS = 5  # frequent words of another language: fewer are a name's particles
_DIFFERENT = 3  # of them that differ
_SHARE_OF_WORDS = 0.12
_TIMES = 2.0  # as many frequent words as English ones


def find_other_language(text: str) -> str | None:
    """Name the language that most of a text is in if it is neither English nor Chinese, or None if it may be one of them.

    Time is linear. A script that several languages share is named for all of them.
    """
    letters = sum(map(str.isalpha, text))
    scripts = Counter(match.lastgroup for match in _SCRIPT.finditer(text))
    for script, count in scripts.most_common(1):
        least = _SHARE_OF_KANA if script == "kana" else _SHARE_OF_LETTERS
        if script and count >= _FEWEST_LETTERS and count >= least * letters:
            return _table()[script]
    words = [word.lower() for word in _WORD.findall(text) if not _HAN.match(word)]
    if sum(map(len, words)) < letters * 4 / 5:  # Chinese with Latin terms in it
        return None
    counted = Counter(words)
    english = sum(counted[word] for word in _frequent()["english"])
    best, hits, different = "", 0, 0
    for language, frequent in _frequent().items():
        own = frequent - _frequent()["english"]
        count = sum(counted[word] for word in own)
        if language != "english" and count > hits:
            best, hits, different = language, count, sum(word in counted for word in own)
    if hits < _FEWEST_WORDS or different < _DIFFERENT or hits < _SHARE_OF_WORDS * len(words) or hits < _TIMES * english:
        return None
    return best.replace("_", " or ")


@functools.cache
def _frequent() -> dict[str, frozenset[str]]:
    return {name: frozenset(words.split()) for name, words in _table().items() if name not in _SCRIPTS}


@functools.cache
def _table() -> dict[str, str]:
    return read_table(Path(__file__).with_name("other_languages.yaml"))
