"""Describe each character of a text for the tagger: what it is, which word it stands in, and what the rules say of it.

All columns but the first are bits, so that a model cannot learn a word by heart: it sees whether a word is known, frequent,
medicine, an eponym or a name, how it is written, and what the segmenter and the rules make of it.
"""

import functools
import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dataset_builders.deidentify.identifiers import HAN, Span, clinical_spans
from dataset_builders.deidentify.known_words import (
    cut_chinese,
    english_words,
    is_family_or_word,
    is_given_or_word,
    is_medical,
    listed,
)
from dataset_builders.deidentify.rules import compound_surnames, sure_surnames, surname_characters

BUCKETS = 4096
"""Numbers of characters: ASCII has one each, all others share the rest by their code point."""

_SCRIPTS = 12
_CASES = 5
_WORD_BITS = 15
_HAN_TAGS = 9
_DIGIT_RUNS = 14
_VERDICTS = ("NAME", "GEO", "ORG", "DATE", "NUMBER", "UNKNOWN_NAME", "UNKNOWN_CODE")
_OFFSETS = np.cumsum([0, _SCRIPTS, _CASES, _WORD_BITS, _HAN_TAGS + 4, _DIGIT_RUNS, 2, len(_VERDICTS)])
_SCRIPT, _CASE, _WORD, _HAN_WORD, _DIGITS, _CLINICAL, _VERDICT, BITS = (int(offset) for offset in _OFFSETS)
WORD_BITS = slice(_WORD, _HAN_WORD + _HAN_TAGS)
"""The columns that look words up; training hides them now and then."""
VERDICT_BITS = slice(_VERDICT, BITS)
"""The columns that say what the rules found; training hides them now and then."""

_TOKEN = re.compile(rf"[^\W\d_{HAN}]+(?:['’][^\W\d_{HAN}]+)*|\d+|[{HAN}]+")
_FREQUENT, _COMMON, _RARE = 20_000_000, 2_500_000, 100_000  # uses in the word list's corpus (ours): bands of frequency
_TAGS = {"nr": 0, "nrt": 0, "nrfg": 0, "ns": 1, "nt": 2, "nz": 3, "m": 4, "t": 5, "med": 6}
_ASCII = 128
_OTHER_TAG, _SINGLE = 7, 8


def describe(text: str, found: Iterable[Span], unknown: Iterable[Span]) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Describe a folded text (identifiers.fold), character by character.

    found     what the rules recognise in it (identifiers.find_in_view).
    unknown   what strict mode would mask besides (unknown_words.find_unknown).

    Returns the characters' numbers, (length,), below BUCKETS, and the bits, (length, BITS), each 0 or 1.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.int64)
    numbers = np.where(codes < _ASCII, codes, _ASCII + codes % (BUCKETS - _ASCII)).astype(np.int16)
    bits = np.zeros((len(text), BITS), np.uint8)
    bits[np.arange(len(text)), [_script(character) for character in text]] = 1
    chinese = []
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        first = text[start]
        if first.isdecimal():
            for number in _run_of(match.group()):
                bits[start:end, _DIGITS + number] = 1
        elif "\u4e00" <= first <= "\u9fff":
            chinese.append((start, end))
        else:
            row = _latin_word(match.group())
            bits[start:end, _CASE:_HAN_WORD] = row
            bits[start, _HAN_WORD + _HAN_TAGS + 1] = 1
    if chinese:
        _describe_chinese(text, bits)
    for start, end in clinical_spans(text):
        bits[start:end, _CLINICAL] = 1
        bits[start, _CLINICAL + 1] = 1
    for span in found:
        bits[span.start : span.end, _VERDICT + _verdict(span.category)] = 1
    for span in unknown:
        is_code = span.category not in ("NAME", "GEO", "ORG")
        bits[span.start : span.end, _VERDICT + (6 if is_code else 5)] = 1
    return numbers, bits


def _verdict(category: str) -> int:
    return _VERDICTS.index(category) if category in _VERDICTS else _VERDICTS.index("NUMBER")


@functools.lru_cache(maxsize=20_000)
def _script(character: str) -> int:
    if character.isdigit():
        return 0
    if "\u4e00" <= character <= "\u9fff":
        return 1
    if character.isalpha():
        if character.isascii():
            return 2 if character.islower() else 3
        return 4
    if character == "\n":
        return 5
    if character.isspace():
        return 6
    if character in ":：=":
        return 7
    if character in ",，、;；|\t":
        return 8
    if character in ".。!?！？":
        return 9
    if character in "-–—/\\":
        return 10
    return 11


@functools.lru_cache(maxsize=100_000)
def _latin_word(word: str) -> NDArray[np.uint8]:
    row = np.zeros(_CASES + _WORD_BITS, np.uint8)
    row[0 if word.islower() else 1 if len(word) == 1 else 2 if word.isupper() else 3 if word[0].isupper() else 4] = 1
    bits = row[_CASES:]
    lower = re.split("['’]", word.lower())[0]
    uses = english_words().get(lower, 0)
    bits[0 if uses >= _FREQUENT else 1 if uses >= _COMMON else 2 if uses >= _RARE else 3 if uses else 4] = 1
    bits[5] = is_medical(lower)
    bits[6] = lower in listed("eponyms")
    bits[7] = is_given_or_word(lower)
    bits[8] = is_family_or_word(lower)
    bits[9 + min(len(word), 6) - 1] = 1
    return row


def _describe_chinese(text: str, bits: NDArray[np.uint8]) -> None:
    surnames, sure, compounds = surname_characters(), sure_surnames(), compound_surnames()
    position = 0
    extra = _HAN_WORD + _HAN_TAGS
    for word, tag in cut_chinese(text):
        end = position + len(word)
        if "\u4e00" <= word[0] <= "\u9fff":
            bits[position:end, _HAN_WORD + _TAGS.get(tag, _OTHER_TAG)] = 1
            if len(word) == 1:
                bits[position, _HAN_WORD + _SINGLE] = 1
            bits[position, extra + 1] = 1
            bits[end - 1, extra] = 1
            bits[position:end, extra + 2] = [character in surnames for character in word]
            bits[position:end, extra + 3] = [character in sure for character in word]
            if word[:2] in compounds:
                bits[position : position + 2, extra + 2 : extra + 4] = 1
        position = end


@functools.lru_cache(maxsize=20_000)
def _run_of(digits: str) -> tuple[int, ...]:
    """The bits of a run of digits: its length in bands, and whether it may be a day, a month, a year."""
    length = len(digits)
    band = min(length, 5) - 1 if length <= 4 else 4 if length <= 6 else 5 if length <= 8 else 6 if length <= 11 else 7
    value = int(digits[:18])
    chosen = [band, 8] if digits[0] == "0" else [band]
    if length <= 2 and 1 <= value <= 12:
        chosen.append(9)
    if length <= 2 and 13 <= value <= 31:
        chosen.append(10)
    if length == 4 and 1900 <= value <= 2049:
        chosen.append(11)
    if length <= 3 and value >= 90:
        chosen.append(12)
    if length == 8 and (digits[:2] in ("19", "20")):
        chosen.append(13)
    return tuple(chosen)
