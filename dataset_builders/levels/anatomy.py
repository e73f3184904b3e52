"""The spine as one table: vertebrae, discs and nerve roots in order, with transitional anatomy (T13, L6).

Names are those of the published columns: vertebrae C1–C7, T1–T13, L1–L6, S1–S5, Co; discs upper/lower ("L4/L5").
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """A region of the spine and how it is written: ``usual`` vertebrae, ``most`` with transitional ones, nerve ``roots``."""

    letter: str
    usual: int
    most: int
    roots: int
    letters: tuple[str, ...]
    words: tuple[str, ...]
    zh: str


# Head to tail. D (dorsal) and Th are thoracic. C8 is a root and a cord segment, not a vertebra.
REGIONS = (
    Region("C", 7, 7, 8, ("C",), ("cervical",), "颈"),
    Region("T", 12, 13, 12, ("T", "TH", "D"), ("thoracic", "dorsal"), "胸"),
    Region("L", 5, 6, 5, ("L",), ("lumbar",), "腰"),
    Region("S", 5, 5, 5, ("S",), ("sacral",), "骶"),
)
COCCYX = "Co"

VERTEBRAE = (*(f"{region.letter}{n}" for region in REGIONS for n in range(1, region.most + 1)), COCCYX)
USUAL_VERTEBRAE = (*(f"{region.letter}{n}" for region in REGIONS for n in range(1, region.usual + 1)), COCCYX)
NERVE_ROOTS = tuple(f"{region.letter}{n}" for region in REGIONS for n in range(1, region.roots + 1))

VERTEBRA_ORDER = {name: index for index, name in enumerate(VERTEBRAE)}
ROOT_ORDER = {name: index for index, name in enumerate(NERVE_ROOTS)}

# Every pair of neighbours, with and without T13 and L6. C1/C2 is a motion segment without a disc.
DISCS = tuple(
    f"{upper}/{lower}"
    for upper, lower in sorted(
        {*itertools.pairwise(VERTEBRAE), *itertools.pairwise(USUAL_VERTEBRAE)},
        key=lambda pair: (VERTEBRA_ORDER[pair[0]], VERTEBRA_ORDER[pair[1]]),
    )
)
DISC_ORDER = {name: index for index, name in enumerate(DISCS)}
USUAL_DISCS = tuple(  # the 23 of the textbook, C2/C3 to L5/S1
    f"{upper}/{lower}" for upper, lower in itertools.pairwise(USUAL_VERTEBRAE[1:25])
)


def sort_levels(names: Iterable[str]) -> tuple[str, ...]:
    """Sort vertebrae head to tail, each once. Raises ValueError naming every item that is not a vertebra."""
    return _sort(names, VERTEBRA_ORDER, "vertebra")


def sort_discs(names: Iterable[str]) -> tuple[str, ...]:
    """Sort discs head to tail, each once. Raises ValueError naming every item that is not a disc."""
    return _sort(names, DISC_ORDER, "disc")


def vertebrae_of_disc(disc: str) -> tuple[str, str]:
    """Return the upper and lower vertebra of a disc: "L4/L5" gives ("L4", "L5"). Raises ValueError if ``disc`` is not one."""
    if disc not in DISC_ORDER:
        raise ValueError(f"{disc!r} is not a disc; write upper/lower neighbours, as in 'L4/L5'")
    upper, lower = disc.split("/")
    return upper, lower


def neighbours(name: str, count: int = 4) -> tuple[str, ...]:
    """Return up to ``count`` usual vertebrae (or discs, for a disc), the nearest first and the upper before the lower.

    Transitional T13 and L6 have neighbours but are never returned: a wrong answer made from them would name a rarity.
    Raises ValueError if ``name`` is neither a vertebra nor a disc.
    """
    if name in VERTEBRA_ORDER:
        order, usual = VERTEBRA_ORDER, USUAL_VERTEBRAE
    elif name in DISC_ORDER:
        order, usual = DISC_ORDER, USUAL_DISCS
    else:
        raise ValueError(f"{name!r} is neither a vertebra nor a disc; vertebrae are C1 … {COCCYX}, discs like 'L4/L5'")
    above = [other for other in usual if order[other] < order[name]][::-1]
    below = [other for other in usual if order[other] > order[name]]
    nearest = [other for pair in zip(above, below) for other in pair]
    paired = len(nearest) // 2
    return tuple((nearest + above[paired:] + below[paired:])[:count])


def vertebrae_between(upper: str, lower: str) -> tuple[str, ...]:
    """Return all vertebrae from ``upper`` to ``lower``, both included; T13 and L6 only if they are an end."""
    first, last = sorted((VERTEBRA_ORDER[upper], VERTEBRA_ORDER[lower]))
    return tuple(name for name in VERTEBRAE[first : last + 1] if name in USUAL_VERTEBRAE or name in (upper, lower))


def discs_between(upper: str, lower: str) -> tuple[str, ...]:
    """Return all discs from ``upper`` to ``lower``."""
    column = vertebrae_between(upper, lower)
    return tuple(f"{above}/{below}" for above, below in itertools.pairwise(column))


def _sort(names: Iterable[str], order: dict[str, int], kind: str) -> tuple[str, ...]:
    found = set(names)
    if unknown := sorted(found - order.keys()):
        raise ValueError(f"not a {kind}: {', '.join(map(repr, unknown))}")
    return tuple(sorted(found, key=order.__getitem__))
