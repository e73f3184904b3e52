"""Random draws that are the same in every build."""

import hashlib
import random
from collections.abc import Sequence

from dataset_builders.item import LETTERS

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
