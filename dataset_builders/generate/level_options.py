"""Wrong options that make a question level-aware: the levels next to the right one."""

from collections.abc import Sequence

SPINE = (*(f"C{i}" for i in range(1, 8)), *(f"T{i}" for i in range(1, 13)), *(f"L{i}" for i in range(1, 6)), "S1")
"""Vertebrae of the common anatomy that a question may offer, head to tail (no transitional T13 or L6)."""

DISCS = tuple(f"{upper}/{lower}" for upper, lower in zip(SPINE[1:], SPINE[2:]))
"""Discs of the same, C2/C3 to L5/S1."""


_ROOTS = (*SPINE[:7], "C8", *SPINE[7:], "S2")


def is_disc(level: str) -> bool:
    """Whether a canonical level names a disc ("L4/L5")."""
    return "/" in level


def region_of(level: str) -> str:
    """ "C", "T", "L" or "S" of a vertebra, or of a disc's upper one."""
    return level[0]


def near_levels(level: str, within: Sequence[str] | None = None) -> list[str]:
    """Levels of the same kind, nearest first (the lower one before the upper one at equal distance), without ``level``.

    ``within`` restricts the answer (default: the whole common spine). Transitional levels sort by their neighbours.
    """
    column = DISCS if is_disc(level) else SPINE
    here = _place(level)
    others = [
        other
        for other in (column if within is None else dict.fromkeys(within))
        if other != level and is_disc(other) == is_disc(level)
    ]
    return sorted(others, key=lambda other: (abs(_place(other) - here), -_place(other)))


def root_of_disc(disc: str, part: str) -> str | None:
    """The nerve root at a disc; None where the rule of thumb does not hold (thoracic, transitional levels).

    part  "exiting": through the foramen. Lumbar roots leave below the pedicle of their own vertebra (L4/L5: L4), cervical
          ones above it (C5/C6: C6; C7/T1: C8). "traversing": past the disc to leave one level below (lumbar only, L4/L5: L5).
    """
    if disc not in DISCS:
        return None
    upper, lower = disc.split("/")
    if upper.startswith("L"):
        return upper if part == "exiting" else lower
    if upper.startswith("C") and part == "exiting":
        return "C8" if disc == "C7/T1" else lower
    return None


def near_roots(root: str) -> list[str]:
    """The other roots C1–C8, T1–T12, L1–L5, S1–S2, nearest first."""
    here = _ROOTS.index(root)
    return sorted(
        (other for other in _ROOTS if other != root), key=lambda other: (abs(_ROOTS.index(other) - here), -_ROOTS.index(other))
    )


def _place(level: str) -> float:
    """Position on the spine, head to tail; a disc lies half a step below its upper vertebra."""
    if is_disc(level):
        return _place(level.split("/")[0]) + 0.5
    if level in SPINE:
        return SPINE.index(level)
    if level == "T13":
        return SPINE.index("T12") + 0.3
    if level == "L6":
        return SPINE.index("L5") + 0.3
    return len(SPINE) + (int(level[1:]) if level[1:].isdigit() else 9)
