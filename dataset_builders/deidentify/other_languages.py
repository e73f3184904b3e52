"""Tell whether a text is in a language that de-identification cannot read, and find in such a text what must be masked.

The rules and word lists read English and Chinese. In another language a name stands between words that none of them knows, so
strict mode must not let the text pass. The other way round, a refused note is lost: short notes, tables, lists of names,
damaged or clipped English are no evidence. So a language is told by what only it has: its script, or its small words
(other_languages.yaml), which must be many, differ, and outnumber those of English. One pass over the words: linear in time.

Language detectors with trained profiles always name a language, telegram style and lists of drugs included; here most such
notes must give none.
"""

import functools
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builders.deidentify.identifiers import HAN, Span, clinical_spans, outside
from dataset_builders.deidentify.known_words import english_words, is_medical, listed
from dataset_builders.deidentify.rules import read_table

CHOICES = ("refuse", "mask")
"""What to do with a hospital text in another language."""

UNKNOWN = "unknown"
"""What a language that cannot be named is called."""

_LATIN = r"A-Za-z\u00c0-\u024f\u1e00-\u1eff"
_JOINTS = (" ", ", ", ". ", "-", "'", "’", ".")
_MOST = 0.5  # share of a text's letters: what is more is most of it
_FEWEST_LETTERS = 24  # of another script, a Han character beside kana counted as two: fewer are a name or two
_OWN_LETTERS = 0.02  # share of letters that only one language of a script has
_KANA = 0.12  # share of kana among a text's kana and Han characters: Japanese has more, Chinese quotes less
_HAN_LETTERS = 2  # letters that say as much as one Han character
_FEWEST_WORDS = 5  # in Latin letters: in fewer no language is told
_FEWEST_HITS = 3  # different small words of a language: names and Latin terms have one or two
_HITS = 0.2  # share of small words among all words; running text in any tabled language has more, English far less
_FEWEST_UNKNOWN = 25  # words in lower case: in fewer, damaged or clipped English looks like no language
_KNOWN = 0.25  # share of English or medical words: damaged English has more
_ENGLISH = 0.04  # share of English small words: running English, however damaged, has more


def find_other_language(text: str) -> str | None:
    """Return the code of the language that most of a text is in if it is neither English nor Chinese, else None.

    "unknown" is a language that cannot be named. None also if there is too little text to tell.
    """
    letters = {name: len(pattern.findall(text)) for name, pattern in _scripts().items()}
    han, latin = letters.pop("han"), letters.pop("latin")
    other = sum(letters.values())
    if letters["ja"] > _KANA * (han + letters["ja"]):
        other, han = other + han * _HAN_LETTERS, 0
    if other >= _FEWEST_LETTERS and other > _MOST * (other + latin + han * _HAN_LETTERS):
        return _tell_by_letters(text, max(letters, key=lambda name: letters[name]))
    return _find_latin_language(text) if latin > _MOST * (latin + han * _HAN_LETTERS) else None


def find_all_but_medicine(text: str) -> list[Span]:
    """Find everything in a folded text but clinical values and medicine in lower case, for a text that cannot be read.

    English words are masked, too: which of them are words of the other language, or names in it, cannot be told.
    """
    words = [Span(*match.span(), "OTHER_ID") for match in re.finditer(r"[^\W_]+", text)]
    spans: list[Span] = []
    for word in outside(words, clinical_spans(text)):
        if text[word.start : word.end] in listed("medical") or word.end - word.start == 1:
            continue
        if spans and text[spans[-1].end : word.start] in _JOINTS:
            spans[-1] = Span(spans[-1].start, word.end, "OTHER_ID")
        else:
            spans.append(word)
    return spans


def _find_latin_language(text: str) -> str | None:
    words = [word for word in _words().findall(text) if len(word) > 1]
    if len(words) < _FEWEST_WORDS:
        return None
    counted = Counter(map(_unaccented, words))
    tables = _tables()
    english = sum(counted[word] for word in tables.english if word in counted)
    hits = {language: sum(counted[word] for word in own if word in counted) for language, own in tables.words.items()}
    best = max(hits, key=lambda language: hits[language])
    different = sum(word in counted for word in tables.words[best])
    if different >= _FEWEST_HITS and hits[best] >= _HITS * len(words) and hits[best] > english:
        return best
    lower = [word for word in words if word.islower()]
    if len(lower) < _FEWEST_UNKNOWN or english > _ENGLISH * len(words):
        return None
    known = sum(word in english_words() or is_medical(word) for word in lower)
    return UNKNOWN if known < _KNOWN * len(lower) else None


def _tell_by_letters(text: str, script: str) -> str:
    """Tell languages of one script apart by the letters that only one of them has."""
    own = _scripts()[script]
    for language, letters in _table()["letters"].items():
        if own.match(letters) and len(re.findall(f"[{letters}]", text)) > _OWN_LETTERS * len(own.findall(text)):
            return language
    return script


@dataclass(frozen=True, slots=True)
class _Tables:
    english: frozenset[str]
    words: dict[str, frozenset[str]]


@functools.cache
def _tables() -> _Tables:
    table = _table()
    words = {language: frozenset(map(_unaccented, own.split())) for language, own in table["words"].items()}
    return _Tables(frozenset(table["english"].split()), words)


@functools.cache
def _scripts() -> dict[str, re.Pattern[str]]:
    scripts = {"han": HAN, "latin": _LATIN, **_table()["scripts"]}
    return {name: re.compile(f"[{inside}]") for name, inside in scripts.items()}


@functools.cache
def _words() -> re.Pattern[str]:
    return re.compile(rf"[{_LATIN}]+")


@functools.cache
def _unaccented(word: str) -> str:
    letters = unicodedata.normalize("NFD", word.lower().translate(_PLAIN))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


_PLAIN = str.maketrans({"đ": "d", "ø": "o", "ł": "l", "ı": "i", "ß": "ss", "æ": "ae"})


@functools.cache
def _table() -> dict[str, Any]:
    return read_table(Path(__file__).with_name("other_languages.yaml"))
