"""Fold a short text to what two options must differ in."""

import re

from dataset_builders.characters import comparable
from dataset_builders.levels import DISCS, VERTEBRAE


def normalise(text: str) -> str:
    """Fold case, width, punctuation and spacing: what is left is what two options must differ in."""
    return " ".join(re.sub(r"[^\w/]+", " ", comparable(text)).split())


LEVEL_OF = {normalise(name): name for name in (*VERTEBRAE, *DISCS)}
"""Normalised name of a vertebra or disc -> its name."""
