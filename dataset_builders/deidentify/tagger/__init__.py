"""Tag identifiers with small networks over characters, trained on labelled notes, beside the rules.

Rules and word lists cannot list how people write; the tagger has seen notes of many hands and generalises. It reads what the
rules say as one more feature, so it also tells which of it is likely to be medicine. docs/tagger.md: data, networks, figures.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from dataset_builders.deidentify.identifiers import HAN, Span, clinical_spans
from dataset_builders.deidentify.known_words import is_family_or_word, is_given_or_word, is_known, is_misspelt
from dataset_builders.deidentify.rules import clue
from dataset_builders.deidentify.tagger.features import describe
from dataset_builders.deidentify.tagger.network import CLASSES, GAP, REACH, Array, run_networks
from dataset_builders.document import MASK

THRESHOLD = 0.1
"""Probability from which a character is taken to identify; benchmarks/deidentification.py draws the curve it was chosen on."""

WEIGHTS = Path(__file__).with_name("weights.safetensors")
_GROWING = 0.1  # of the threshold: what stands beside a character over the threshold is taken from here on
_BRIDGE = 2  # characters that are no letters or digits within one identifier ("M. - O'Neill")
_PLAIN = 0.5  # a word of the vocabulary, in no list of names, must be so much likelier
_UNLIKELY = 0.5  # of the threshold: an unknown word of which no character reaches it stays
_MEDICINE = 0.05  # of the threshold: what the rules recognise by its form alone stays below it
_BY_FORM = frozenset(("NAME", "GEO", "ORG", "DATE", "OTHER_ID"))
_CATEGORIES = {"NUMBER": "OTHER_ID", "WEB": "URL"}
_WINDOW = 4000  # characters tagged at once
_MASKED = re.compile(MASK)
_TOKEN = re.compile(rf"[^\W\d_{HAN}]+|\d+")


def tag(
    text: str, found: Sequence[Span], unknown: Sequence[Span], threshold: float = THRESHOLD, weights: Path = WEIGHTS
) -> list[Span]:
    """Judge a folded text (identifiers.fold): return the tagger's own identifiers, and those of the rules that it lets stand.

    found       what the rules recognise. Names, places, organisations, dates and codes are dropped if the tagger is sure that
                they are none; everything else stays.
    unknown     what strict mode would mask besides (unknown_words.find_unknown); dropped if the tagger finds it unlikely.
    threshold   0 to 1: lower finds more and masks more that is medicine.
    weights     a file as train writes it.

    Levels, measurements, doses, grades, scores, clock times, durations and masks are never among the tagger's own. Words and
    runs of digits are taken whole.
    """
    of_class = probabilities(text, found, unknown, weights)
    likely = 1 - of_class[:, 0]
    spared = (match.span() for pattern in (clue("time_or_dose"), _MASKED) for match in pattern.finditer(text))
    for start, end in (*clinical_spans(text), *spared):
        likely[start:end] = 0
    for match in _TOKEN.finditer(text):
        most = likely[match.start() : match.end()].max()
        likely[match.start() : match.end()] = most * _PLAIN if _is_plain(match.group()) else most
    own = [Span(start, end, _category(of_class[start:end])) for start, end in _runs(text, likely, threshold)]

    def reaches(span: Span, share: float) -> bool:
        return bool(likely[span.start : span.end].max(initial=0) >= share * threshold)

    return [
        *own,
        *(span for span in found if span.category not in _BY_FORM or reaches(span, _MEDICINE)),
        *(span for span in unknown if reaches(span, _UNLIKELY)),
    ]


def probabilities(text: str, found: Sequence[Span], unknown: Sequence[Span], weights: Path = WEIGHTS) -> Array:
    """Return the probability of each class of network.CLASSES for each character of a folded text, (length, classes)."""
    numbers, bits = describe(text, found, unknown)
    numbers, bits = np.pad(numbers, GAP), np.pad(bits, ((GAP, GAP), (0, 0)))
    parts = [np.zeros((0, len(CLASSES)), np.float32)]
    for start in range(GAP, GAP + len(text), _WINDOW):
        first, last = max(0, start - REACH), min(len(numbers), start + _WINDOW + REACH)
        part = run_networks(_load(weights), numbers[first:last], bits[first:last])
        parts.append(part[start - first : start - first + _WINDOW])
    return np.concatenate(parts)[: len(text)]


def _runs(text: str, likely: Array, threshold: float) -> list[tuple[int, int]]:
    """Find stretches that reach the threshold somewhere and its tenth throughout, blanks and marks in them aside."""
    grown = likely >= threshold * _GROWING
    places = np.flatnonzero(grown)
    for before, after in zip(places[:-1].tolist(), places[1:].tolist()):
        between = text[before + 1 : after]
        if 1 <= len(between) <= _BRIDGE and "\n" not in between and not any(map(str.isalnum, between)):
            grown[before + 1 : after] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[0], grown.astype(np.int8), [0]]))).tolist()
    runs = zip(edges[::2], edges[1::2])
    return [run for run in runs if likely[slice(*run)].max() >= threshold and any(map(str.isalnum, text[slice(*run)]))]


@functools.lru_cache(maxsize=100_000)
def _is_plain(word: str) -> bool:
    """Tell whether a Latin word is vocabulary, or mends to it by one edit, and in no list of names."""
    if word[0].isdecimal() or is_given_or_word(word) or is_family_or_word(word):
        return False
    return is_known(word) or (word.islower() and is_misspelt(word))


def _category(of_class: Array) -> str:
    best = CLASSES[1 + int(of_class[:, 1:].sum(axis=0).argmax())]
    return _CATEGORIES.get(best, best)


@functools.cache
def _load(weights: Path) -> Mapping[str, Array]:
    return {name: values.astype(np.float32) for name, values in load_file(weights).items()}
