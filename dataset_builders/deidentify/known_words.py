"""Look words up: English vocabulary, medicine and eponyms, names of many languages, and a Chinese word segmenter.

General English comes from symspellpy's word list, names from Faker's lists, Chinese words and their parts of speech from
jieba's dictionary through rjieba, medicine from known_words.yaml. Everything is bundled with the packages: no network, no
model.
"""

import functools
import importlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from dataset_builders.deidentify.rules import RuleError, clue, read_table

_FILE = Path(__file__).with_name("known_words.yaml")
# Faker's lists in Latin script: the languages that names of hospital staff and patients come from.
_LOCALES = (
    *("en_US", "en_GB", "en_IN", "en_IE", "en_NG", "en_KE", "en_PK", "es_ES", "es_MX", "fr_FR", "de_DE", "it_IT", "nl_NL"),
    *("pl_PL", "cs_CZ", "sv_SE", "da_DK", "fi_FI", "no_NO", "hu_HU", "pt_BR", "tr_TR", "vi_VN", "hr_HR", "ro_RO", "id_ID"),
    "sl_SI",
)
_SHORTEST_TERM = 8  # letters: only longer words are told by how medicine forms them; "station" is no term
_SHORTEST_MISSPELT = 6  # letters: one edit makes a word of nearly every shorter one
_LONGEST_WORD = 30  # letters: no English word is longer
_COMMON_USES = 2_500_000  # uses in the word list's corpus (ours): of a word so frequent a capital makes no name
_SHORTEST_NAME = 3  # letters: shorter entries of the lists of names are particles and initials
_SHORTEST_LOWER_NAME = 4  # letters: shorter given names in lower case are too often words
_CLINICAL_FREQUENCY = 100_000  # what the segmenter takes our clinical words to be counted: it then never cuts them


def is_known(word: str) -> bool:
    """Tell whether a word in any case is English vocabulary, medicine or an eponym.

    A compound is known if all its parts are; a possessive 's does not count.
    """
    parts = [part for part in re.split(r"[-'’./_]", word.lower()) if part and part != "s"]
    return all(len(part) == 1 or part in english_words() or is_medical(part) for part in parts)


def is_medical(word: str) -> bool:
    """Tell whether a word is one of known_words.yaml's medicine, eponyms or ordinary words, or formed like a medical term."""
    lower = word.lower().strip(".'’-")
    if lower in listed("medical") or lower in listed("eponyms") or lower in listed("ordinary"):
        return True
    if len(lower) < _SHORTEST_TERM or not lower.isascii():
        return False
    return bool(clue("medical_ending").search(lower) or clue("medical_beginning").match(lower))


def is_given_name(word: str) -> bool:
    """Tell whether a word, in any case, is in lists of given names and is no ordinary word."""
    return word.lower() in _names().given


def is_family_name(word: str) -> bool:
    """Tell whether a word, in any case, is in lists of family names and is no ordinary word."""
    return word.lower() in _names().family


def is_given_or_word(word: str) -> bool:
    """Tell whether a word is in lists of given names, even if it is also an ordinary word ("Grace", "Mark")."""
    return word.lower() in _names().any_given


def is_family_or_word(word: str) -> bool:
    """Tell whether a word is in lists of family names, even if it is also an ordinary word ("Young", "Park")."""
    return word.lower() in _names().any_family


def is_lower_given_name(word: str) -> bool:
    """Tell whether a word in lower case is an English given name that is hardly a word otherwise ("naomi", not "mark")."""
    return word in _names().lower_given


def is_misspelt(word: str) -> bool:
    """Tell whether one edit (a letter dropped, added or changed, or two swapped) turns a long word into a known English one."""
    lower = word.lower()
    if not _SHORTEST_MISSPELT <= len(lower) <= _LONGEST_WORD or not lower.isascii():
        return False
    letters = "abcdefghijklmnopqrstuvwxyz"
    for i in range(len(lower) + 1):
        head, tail = lower[:i], lower[i:]
        candidates = [head + letter + tail for letter in letters]
        if tail:
            candidates += [head + tail[1:], head + tail[1:2] + tail[0] + tail[2:]]
            candidates += [head + letter + tail[1:] for letter in letters]
        if any(candidate in english_words() or candidate in listed("medical") for candidate in candidates):
            return True
    return False


def cut_chinese(text: str) -> list[tuple[str, str]]:
    """Cut a text into pairs of word and part of speech, whose words join to ``text``.

    "med" marks our clinical words; other parts of speech are jieba's ("nr" names of people, "ns" of places, "nt" of
    organisations).
    """
    return _segmenter().tag(text, hmm=True)


@functools.cache
def listed(name: str) -> frozenset[str]:
    """Return a word list of known_words.yaml. Raises RuleError if there is none of this name."""
    if name not in _data():
        raise RuleError(f"{_FILE}: no list {name}; it has {', '.join(sorted(_data()))}")
    return frozenset(_data()[name].split())


def is_common(word: str) -> bool:
    """Tell whether a word is so frequent that it is no name even with a capital."""
    return all(english_words().get(part, 0) >= _COMMON_USES for part in re.split(r"[-'’]", word.lower()) if len(part) > 1)


def is_chinese_word(word: str) -> bool:
    """Tell whether the segmenter's dictionary holds a word."""
    return _segmenter().has_word(word)


@functools.cache
def english_words() -> dict[str, int]:
    """Return some 80,000 English words in lower case, and how often each was counted in the word list's corpus."""
    lines = resources.files("symspellpy").joinpath("frequency_dictionary_en_82_765.txt").read_text(encoding="utf-8-sig")
    return {word: int(count) for word, count in (line.split() for line in lines.splitlines())}


def name_lists() -> Iterator[tuple[str, bool, list[str]]]:
    """Yield Faker's lists of names in Latin script: locale, whether they are given names, and the names as written."""
    for locale in _LOCALES:
        for attribute, values in vars(importlib.import_module(f"faker.providers.person.{locale}").Provider).items():
            if attribute.startswith(("first_name", "last_name")) and not callable(values):
                yield locale, attribute.startswith("first_name"), [str(value) for value in values]


@dataclass(frozen=True)
class _Names:
    given: frozenset[str]
    family: frozenset[str]
    any_given: frozenset[str]
    any_family: frozenset[str]
    lower_given: frozenset[str]


@functools.cache
def _names() -> _Names:
    given: set[str] = set()
    family: set[str] = set()
    english: set[str] = set()
    for locale, is_given, values in name_lists():
        words = {part.lower() for value in values for part in value.split() if len(part) >= _SHORTEST_NAME}
        words |= {_unaccented(word) for word in words}
        (given if is_given else family).update(words)
        if is_given and locale.startswith("en_"):
            english |= words
    known = listed("ordinary") | listed("medical")
    lower_given = (
        {word for word in english if len(word) >= _SHORTEST_LOWER_NAME}
        - known
        - listed("eponyms")
        - listed("given_names_that_are_words")
    )
    return _Names(*map(frozenset, (given - known, family - known, given, family, lower_given)))


def _unaccented(word: str) -> str:
    """Write a word as notes without a foreign keyboard do: "Phương" as "phuong"."""
    return "".join(c for c in unicodedata.normalize("NFD", word.translate(_PLAIN_LETTERS)) if not unicodedata.combining(c))


_PLAIN_LETTERS = str.maketrans({"đ": "d", "ø": "o", "ł": "l", "ı": "i", "ß": "ss", "æ": "ae"})


@functools.cache
def _segmenter() -> Any:
    import rjieba

    segmenter = rjieba.Jieba()
    for word in sorted(listed("clinical_zh")):
        segmenter.add_word(word, _CLINICAL_FREQUENCY, "med")
    return segmenter


@functools.cache
def _data() -> dict[str, str]:
    return read_table(_FILE)
