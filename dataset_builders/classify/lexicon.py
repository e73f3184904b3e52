"""Read the weighted terms of terms.yaml, count them in a text, and refuse a table that cannot be used.

    Lexicon.count(text)    {term: how often it occurs}; a longer term hides a shorter one inside it
    Lexicon.weigh(counts)  {name: {term: weight * (1 + ln(count))}}

One pattern of all terms finds them, in time linear in the length of the text.
"""

import math
import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.schema import IMAGE_MODALITIES
from dataset_builders.taxonomy import SUBFIELDS
from dataset_builders.terms import WORD_START, alternatives, term_pattern

TABLE = Path(__file__).with_name("terms.yaml")
# A sub-field or kind of image is named only if a term of this weight speaks for it; weaker ones tip the balance between those
# that are named.
NAMING_WEIGHT = 2
WEIGHTS = (1, 2, 3)
ELSEWHERE = "elsewhere"
"""The name under which terms of other medicine stand."""

Weighted = Mapping[str, Mapping[int, Iterable[str]]]


class Lexicon:
    """Terms, each with the weight it gives to one or more names."""

    def __init__(self, names: Weighted):
        self.weights: dict[str, dict[str, int]] = {}
        for name, by_weight in names.items():
            for weight, terms in by_weight.items():
                for term in terms or ():
                    self.weights.setdefault(term, {})[name] = weight
        self._terms = sorted(self.weights, key=lambda term: (-len(term), term))
        latin = alternatives(term for term in self._terms if term[0].isascii())
        han = alternatives(term for term in self._terms if not term[0].isascii())
        self._pattern = re.compile(f"{WORD_START}{latin}|{han}")
        self._patterns = {term: re.compile(term_pattern(term)) for term in self._terms}

    def count(self, text: str) -> Counter[str]:
        """Count how often each term occurs in lower-case ``text``; a longer term hides a shorter one inside it."""
        counts: Counter[str] = Counter()
        for words, count in Counter(self._pattern.findall(text)).items():
            counts[next(term for term in self._terms if self._patterns[term].fullmatch(words))] += count
        return counts

    def named(self, counts: Mapping[str, int]) -> set[str]:
        """Return the names for which a term of NAMING_WEIGHT speaks."""
        return {name for term in counts for name, weight in self.weights[term].items() if weight >= NAMING_WEIGHT}

    def weigh(self, counts: Mapping[str, int]) -> dict[str, dict[str, float]]:
        """Return the terms of each name with their weight, ``weight * (1 + ln(count))``."""
        weighed: dict[str, dict[str, float]] = {}
        for term, count in counts.items():
            for name, weight in self.weights[term].items():
                weighed.setdefault(name, {})[term] = weight * (1 + math.log(count))
        return weighed


@dataclass(frozen=True, slots=True)
class NoUse:
    """A reason why an image is of no use: ``pattern`` matches, and the modality is one of ``modalities``, if there are any."""

    reason: str
    modalities: frozenset[str]
    pattern: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What terms.yaml says; ``no_use`` in the order in which the reasons are tried."""

    subfields: Lexicon
    specialties: Lexicon
    images: Lexicon
    no_use: tuple[NoUse, ...]
    other_region: re.Pattern[str]
    spine_region: re.Pattern[str]


def read_terms(path: Path = TABLE) -> Terms:
    """Read a table of terms.

    Raises ValueError, which names file and entry, if no other table knows a name, a weight is not 1 to 3, a term has capitals
    or two weights for one name, a part is missing, or a priority is missing or given twice.
    """
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    parts = {"subfields", ELSEWHERE, "specialties", "images", "irrelevant", "other_body_region", "spine_region"}
    if not isinstance(table, dict) or set(table) != parts:
        raise ValueError(f"{path}: holds {sorted(table or ())}, not {', '.join(sorted(parts))}")
    _check(path, "subfields", table["subfields"], SUBFIELDS)
    _check(path, "specialties", table["specialties"], ("spine", "orthopaedics"))
    _check(path, "images", table["images"], IMAGE_MODALITIES)
    elsewhere = {ELSEWHERE: table[ELSEWHERE]}
    _check(path, ELSEWHERE, elsewhere, elsewhere)
    return Terms(
        # Terms of other medicine are in both lexicons, so that words of the field inside them do not count.
        Lexicon(table["subfields"] | elsewhere),
        Lexicon(table["specialties"] | elsewhere),
        Lexicon(table["images"]),
        _no_use(path, table["irrelevant"]),
        re.compile(WORD_START + alternatives(table["other_body_region"])),
        re.compile(WORD_START + alternatives(table["spine_region"])),
    )


def _check(path: Path, part: str, names: Weighted, known: Container[str]) -> None:
    for name, by_weight in names.items():
        where = f"{path}: {part}, {name}"
        if name not in known:
            raise ValueError(f"{where}: no such name; correct it, or add it to taxonomy.py or schema.py first")
        found: Counter[str] = Counter()
        for weight, terms in by_weight.items():
            if weight not in WEIGHTS:
                raise ValueError(f"{where}: weight {weight}; choose one of {', '.join(map(str, WEIGHTS))}")
            found.update(set(terms or ()))
            if capitals := [term for term in terms or () if term != term.lower()]:
                raise ValueError(f"{where}: {capitals[0]!r} is never found: write it in lower case")
        if twice := [term for term, count in found.items() if count > 1]:
            raise ValueError(f"{where}: {twice[0]!r} has two weights; keep one")


def _no_use(path: Path, reasons: Mapping[str, Mapping[str, Any]]) -> tuple[NoUse, ...]:
    for reason, rule in reasons.items():
        where = f"{path}: irrelevant, {reason}"
        if set(rule) != {"priority", "with", "terms"}:
            raise ValueError(f"{where}: holds {', '.join(rule)}, not priority, with, terms")
        if unknown := sorted(set(rule["with"]) - set(IMAGE_MODALITIES)):
            raise ValueError(f"{where}: no kind of image is called {', '.join(unknown)}")
    if len({rule["priority"] for rule in reasons.values()}) < len(reasons):
        raise ValueError(f"{path}: irrelevant: two reasons have one priority; number them from 1")
    return tuple(
        NoUse(
            reason,
            frozenset(rule["with"]),
            re.compile(WORD_START + alternatives(rule["terms"])) if rule["terms"] else None,
        )
        for reason, rule in sorted(reasons.items(), key=lambda item: item[1]["priority"])
    )
