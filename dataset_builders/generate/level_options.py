"""Wrong options that make a question level-aware: the levels next to the right one."""

from collections.abc import Iterable, Sequence

from dataset_builders.anatomy import DISC_ORDER, NERVE_ROOTS, USUAL_DISCS, USUAL_VERTEBRAE, VERTEBRA_ORDER

SPINE = USUAL_VERTEBRAE[: USUAL_VERTEBRAE.index("S1") + 1]
"""Vertebrae that a question may offer, head to tail: C1 to S1 (the fused sacrum and coccyx are no one's fair alternative)."""

DISC_SPACES = tuple(disc for disc in USUAL_DISCS if disc.split("/")[1] in SPINE)
"""Discs of the same, C2/C3 to L5/S1."""

_ROOTS = NERVE_ROOTS[: NERVE_ROOTS.index("S2") + 1]


def is_disc(level: str) -> bool:
    """Whether a canonical level names a disc ("L4/L5")."""
    return "/" in level


def region_of(level: str) -> str:
    """ "C", "T", "L" or "S" of a vertebra, or of a disc's upper one."""
    return level[0]


def head_to_tail(levels: Iterable[str]) -> list[str]:
    """Vertebrae and discs together, in order, each once; a disc follows its upper vertebra."""
    return sorted(set(levels), key=_place)


def near_levels(level: str, within: Sequence[str] | None = None) -> list[str]:
    """Levels of the same kind, nearest first (the upper before the lower at equal distance), without ``level``.

    ``within`` restricts the answer (default: SPINE or DISC_SPACES).
    """
    column = (DISC_SPACES if is_disc(level) else SPINE) if within is None else within
    order = DISC_ORDER if is_disc(level) else VERTEBRA_ORDER
    return _nearest(order[level], {other: order[other] for other in column if other != level and other in order})


def near_roots(root: str) -> list[str]:
    """The other roots C1 to S2, nearest first."""
    return _nearest(_ROOTS.index(root), {other: place for place, other in enumerate(_ROOTS) if other != root})


def root_of_disc(disc: str, part: str) -> str | None:
    """The nerve root at a disc; None where the rule of thumb does not hold (thoracic, transitional levels).

    part  "exiting": through the foramen. Lumbar roots leave below the pedicle of their own vertebra (L4/L5: L4), cervical
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


def _nearest(here: int, places: dict[str, int]) -> list[str]:
    return sorted(places, key=lambda other: (abs(places[other] - here), places[other]))


def _place(level: str) -> float:
    return VERTEBRA_ORDER[level.split("/")[0]] + (0.5 if is_disc(level) else 0)
