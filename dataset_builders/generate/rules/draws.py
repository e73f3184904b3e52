"""Random draws that are the same in every build."""

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, zip_longest
from typing import TypeVar

from dataset_builders.item import LETTERS

T = TypeVar("T")

WRONG_OPTIONS = 3
"""Wrong options of a question, if there are as many fair ones."""


def seeded(*parts: str) -> random.Random:
    """Return a random generator that depends on ``parts`` alone."""
    return random.Random(int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8]))


def shuffle_options(rng: random.Random, right: str, wrong: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the options in random order, and the letter of the right one."""
    options = [right, *wrong]
    rng.shuffle(options)
    return tuple(options), LETTERS[options.index(right)]


def take_in_turn(rng: random.Random, values: Iterable[T], key: Callable[[T], object]) -> list[T]:
    """Put ``values`` in random order, each ``key`` once before one comes again: what is common does not swamp the rest."""
    order = list(values)
    rng.shuffle(order)
    by_key: dict[object, list[T]] = {}
    for value in order:
        by_key.setdefault(key(value), []).append(value)
    return [value for value in chain.from_iterable(zip_longest(*by_key.values())) if value is not None]
