"""Measure what a reader who sees no image gets right, rule by rule, and drop the items by which a rule can be guessed.

A multiple-choice item that shows an image must need it. Three guesses are made, each from the items of *other* documents only:

    position    the letter that is right most often
    majority    the option that is right most often, of those on offer
    text_only   what the items with the most similar words have as their answer (TF-IDF), else the option that is right most
                often when it is on offer

Where a guess is right more often than chance by more than ALLOWED, items that it gets right leave, in an order that only their
ids decide, until it is not (as adversarial filtering does, Le Bras 2020): what is common in the spine then no longer stands out
among the answers. If fewer than FEWEST items are left of a rule that had as many, all of them leave.
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dataset_builders.characters import comparable
from dataset_builders.item import LETTERS, Item, question_of
from dataset_builders.overlap.shingles import tokenise

ALLOWED = 0.10
"""A guess may be right this much more often than chance."""
FEWEST = 6
"""Items of a rule below which what is left of it says nothing (ours)."""
NEAREST = 5
"""Items that the text-only guess asks, of those with similar words (ours)."""
GUESSES = ("position", "majority", "text_only")

_KEPT = 50  # neighbours kept of each item: enough, when some of them leave
_BATCH = 512  # rows of similarities in memory at once


@dataclass(frozen=True, slots=True)
class RuleGuesses:
    """How often the items of one rule are guessed.

    items, documents   how many there are, and of how many groups of documents.
    chance             mean of 1 / options.
    right              guess -> expected number of items it gets right (a draw between options counts in part).
    """

    items: int
    documents: int
    chance: float
    right: Mapping[str, float]

    def excess(self, guess: str) -> float:
        """Return by how much the share of right guesses is above chance."""
        return self.right[guess] / self.items - self.chance if self.items else 0.0


def needs_image(item: Item) -> bool:
    """Tell whether an item is one that must not be guessed: a single choice that shows an image."""
    return item.task == "multiple_choice" and bool(item.images) and len(item.answer or "") == 1


def measure_guesses(items: Iterable[Item], groups: Mapping[str, str]) -> dict[str, RuleGuesses]:
    """Return prompt_id -> how often its items are guessed. ``groups`` maps an item's id to that of its document or case."""
    return {rule: _Pool(members, groups).measure() for rule, members in _by_rule(items).items()}


def find_guessable(items: Iterable[Item], groups: Mapping[str, str]) -> dict[str, str]:
    """Return the id of every item that leaves, and why in a few words."""
    found: dict[str, str] = {}
    for members in _by_rule(items).values():
        found |= _thin(_Pool(members, groups))
    return found


def _by_rule(items: Iterable[Item]) -> dict[str, list[Item]]:
    rules: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if needs_image(item):
            rules[item.generation.prompt_id].append(item)
    return {rule: sorted(members, key=lambda item: item.id) for rule, members in sorted(rules.items())}


def _thin(pool: "_Pool") -> dict[str, str]:
    whole = len(pool.alive())
    found: dict[str, str] = {}
    while alive := pool.alive():
        hits = {guess: pool.hits(guess) for guess in GUESSES}
        chance = sum(pool.chance[index] for index in alive) / len(alive)
        guess = max(GUESSES, key=lambda name: float(sum(hits[name][index] for index in alive)))
        right = float(sum(hits[guess][index] for index in alive))
        over = right - (chance + ALLOWED) * len(alive)
        if over <= 1e-9:
            break
        guessed = sorted((i for i in alive if hits[guess][i] > pool.chance[i]), key=lambda i: _hash(pool.items[i].id))
        for index in guessed[: max(1, math.ceil(over / 2))]:
            found[pool.items[index].id] = f"{guess} guess"
            pool.remove(index)
    if found and len(pool.alive()) < min(FEWEST, whole):
        found |= {pool.items[index].id: "too few of its rule are left" for index in pool.alive()}
    return found


class _Pool:
    """The items of a rule, some of which leave; guesses about one are made from those of other documents that are left."""

    def __init__(self, items: Sequence[Item], groups: Mapping[str, str]):
        self.items = items
        self.chance = [1 / len(item.options) for item in items]
        self._group = [groups[item.id] for item in items]
        self._options = [[comparable(option) for option in item.options] for item in items]
        self._key = [options[LETTERS.index(item.answer or "")] for item, options in zip(items, self._options)]
        self._alive = [True] * len(items)
        self._near = list(self._neighbours())

    def alive(self) -> list[int]:
        return [index for index, alive in enumerate(self._alive) if alive]

    def remove(self, index: int) -> None:
        self._alive[index] = False

    def measure(self) -> RuleGuesses:
        alive = self.alive()
        chance = sum(self.chance[index] for index in alive) / len(alive)
        documents = len({self._group[index] for index in alive})
        right = {guess: float(sum(self.hits(guess)[index] for index in alive)) for guess in GUESSES}
        return RuleGuesses(len(alive), documents, chance, right)

    def hits(self, guess: str) -> list[float]:
        """Return for every item how likely ``guess`` is right about it; an item that has left counts 0."""
        if guess == "position":
            return self._guess_by(
                [LETTERS[: len(options)] for options in self._options], [item.answer or "" for item in self.items], rate=False
            )
        if guess == "majority":
            return self._guess_by(self._options, self._key, rate=False)
        prior = self._guess_by(self._options, self._key, rate=True)
        return [self._ask_neighbours(index, prior[index]) if alive else 0.0 for index, alive in enumerate(self._alive)]

    def _guess_by(self, offered: Sequence[Sequence[str]], keys: Sequence[str], *, rate: bool) -> list[float]:
        """Guess what is right most often elsewhere; ``rate``: of the times that it is on offer."""
        right, shown = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        right_all, shown_all = Counter[str](), Counter[str]()
        for index in self.alive():
            right[self._group[index], keys[index]] += 1
            right_all[keys[index]] += 1
            for option in offered[index]:
                shown[self._group[index], option] += 1
                shown_all[option] += 1
        guesses = []
        for index, options in enumerate(offered):
            if not self._alive[index]:
                guesses.append(0.0)
                continue
            group = self._group[index]
            scores = []
            for option in options:
                times = right_all[option] - right[group, option]
                among = shown_all[option] - shown[group, option]
                scores.append((times + self.chance[index]) / (among + 1) if rate else times)
            best = [option for option, score in zip(options, scores) if score == max(scores)]
            guesses.append((keys[index] in best) / len(best))
        return guesses

    def _ask_neighbours(self, index: int, prior: float) -> float:
        votes: dict[str, float] = defaultdict(float)
        asked = 0
        for other, similarity in self._near[index]:
            if self._alive[other]:
                votes[self._key[other]] += similarity
                asked += 1
                if asked == NEAREST:
                    break
        scores = [votes[option] for option in self._options[index]]
        if max(scores) <= 0:
            return prior
        best = [option for option, score in zip(self._options[index], scores) if score == max(scores)]
        return (self._key[index] in best) / len(best)

    def _neighbours(self) -> Iterator[list[tuple[int, float]]]:
        """Of every item those of other groups with the most similar words, nearest first."""
        rows = _tf_idf([tokenise(" ".join((question_of(item), *item.options))) for item in self.items])
        groups = np.unique(self._group, return_inverse=True)[1]
        for start in range(0, len(self.items), _BATCH):
            similar = (rows[start : start + _BATCH] @ rows.T).toarray()
            similar[groups[start : start + _BATCH, None] == groups[None, :]] = 0
            for line in similar:
                order = np.argsort(-line, kind="stable")[:_KEPT]
                yield [(int(other), float(line[other])) for other in order if line[other] > 0]


def _tf_idf(texts: Sequence[Sequence[str]]) -> csr_array:
    """Rows of unit length: log of how often a word stands in a text, times how rare it is."""
    numbers: dict[str, int] = {}
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for row, words in enumerate(texts):
        for word, count in Counter(words).items():
            rows.append(row)
            columns.append(numbers.setdefault(word, len(numbers)))
            values.append(1 + math.log(count))
    found: NDArray[np.int64] = np.bincount(columns, minlength=len(numbers))
    weights = np.asarray(values) * (np.log((1 + len(texts)) / (1 + found)) + 1)[columns]
    lengths = np.sqrt(np.bincount(rows, weights=weights**2, minlength=len(texts)))
    return csr_array((weights / lengths[rows], (rows, columns)), shape=(len(texts), len(numbers)))


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
