"""Wrong options that make a question level-aware: other levels of the same region."""

import random
from collections.abc import Collection, Iterable, Sequence

from dataset_builders.generate.rules.draws import WRONG_OPTIONS
from dataset_builders.levels.anatomy import NERVE_ROOTS, USUAL_DISCS, USUAL_VERTEBRAE, VERTEBRA_ORDER

SPINE = USUAL_VERTEBRAE[: USUAL_VERTEBRAE.index("S1") + 1]
"""Vertebrae that a question may offer, head to tail: C1 to S1 (the fused sacrum and coccyx are no one's fair alternative)."""

DISC_SPACES = tuple(disc for disc in USUAL_DISCS if disc.split("/")[1] in SPINE)
"""Discs of the same, C2/C3 to L5/S1."""

LONGEST_BLOCK = 8
"""Levels that are offered beside each other without regard to region: those of an image of one region and its borders."""

_ROOTS = NERVE_ROOTS[: NERVE_ROOTS.index("S2") + 1]


def is_disc(level: str) -> bool:
    """Return whether a canonical level names a disc ("L4/L5")."""
    return "/" in level


def region_of(level: str) -> str:
    """Return "C", "T", "L" or "S" of a vertebra, or of a disc's upper one."""
    return level[0]


def head_to_tail(levels: Iterable[str]) -> list[str]:
    """Sort vertebrae and discs together, each once; a disc follows its upper vertebra."""
    return sorted(set(levels), key=_place)


def draw_wrong_levels(
    rng: random.Random, level: str, within: Sequence[str] | None = None, *, without: Collection[str] = ()
) -> list[str]:
    """Draw at most WRONG_OPTIONS other levels of the same kind, in random order.

    within    levels to draw from (default: SPINE or DISC_SPACES): those of the same region (cervical, thoracic, lumbar with
              S1), or all if they are no more than LONGEST_BLOCK.
    without   levels that must not be offered.

    The levels nearest to the right one would give it away: it would be the one in their middle. Any level of the region is
    drawn as often beside any other, so the options together say nothing about which of them is right.
    """
    column = (DISC_SPACES if is_disc(level) else SPINE) if within is None else within
    fair = [other for other in column if is_disc(other) == is_disc(level) and other not in without]
    if len(fair) > LONGEST_BLOCK:
        fair = [other for other in fair if _block_of(other) == _block_of(level)]
    return _draw(rng, level, fair)


def draw_wrong_roots(rng: random.Random, root: str, within: Sequence[str] | None = None) -> list[str]:
    """Draw at most WRONG_OPTIONS other roots, in random order.

    within   roots to draw from (default: those of the same region: C1 to C8, T1 to T12, L1 to S2).
    """
    fair = [other for other in _ROOTS if _block_of(other) == _block_of(root)] if within is None else within
    return _draw(rng, root, fair)


def root_of_disc(disc: str, part: str) -> str | None:
    """Return the nerve root at a disc; None if the rule of thumb does not hold (thoracic, transitional levels).

    part   "exiting": through the foramen. Lumbar roots leave below the pedicle of their own vertebra (L4/L5: L4), cervical
           ones above it (C5/C6: C6; C7/T1: C8). "traversing": past the disc to leave one level below (lumbar only, L4/L5: L5).
    """
    if disc not in DISC_SPACES:
        return None
    upper, lower = disc.split("/")
    if upper.startswith("L"):
        return upper if part == "exiting" else lower
    if upper.startswith("C") and part == "exiting":
        return "C8" if disc == "C7/T1" else lower
    return None


def _draw(rng: random.Random, right: str, fair: Sequence[str]) -> list[str]:
    others = [other for other in fair if other != right]
    return rng.sample(others, min(WRONG_OPTIONS, len(others)))


def _block_of(level: str) -> str:
    return "L" if region_of(level) == "S" else region_of(level)


def _place(level: str) -> float:
    return VERTEBRA_ORDER[level.split("/")[0]] + (0.5 if is_disc(level) else 0)
