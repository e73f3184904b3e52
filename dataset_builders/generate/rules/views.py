"""What can be read off one image: its plane and weighting, which findings it shows, and which vertebrae can be numbered in it.

A finding is asked about only on an image of the kind that it is judged on, and a level only on an image in which a reader can
count to it from a landmark: C2, or the sacrum. A single axial image has neither.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dataset_builders.document import Figure, Finding
from dataset_builders.levels import vertebrae_of_disc
from dataset_builders.levels.anatomy import VERTEBRA_ORDER

LANDMARKS = ("C2", "S1")
"""Vertebrae known by their own shape: the axis with its dens, and the first segment of the sacrum."""
FEWEST_NUMBERED = 3
"""Vertebrae in a row, the landmark among them, without which an image is no view of the column (ours)."""

_PLANES = {
    "sagittal": ("sagittal", "矢状"),
    "coronal": ("coronal", "冠状"),
    "axial": ("axial", "transverse", "轴位", "横断", "轴状"),
}
_RADIOGRAPHS = {"sagittal": ("lateral", "侧位"), "coronal": ("anteroposterior", "正位")}
# "T1" alone may be a vertebra in view.
_WEIGHTING = re.compile(r"\bt([12])(?:w\b|[-_ ]?weighted|/stir\b|(?=(?: space)? (?:mid-)?(?:sagittal|axial|coronal)))")
# Present only in some people.
_OPTIONAL = {"T13", "L6"}


@dataclass(frozen=True, slots=True)
class _Needs:
    """What an image must be to show a finding; ``weightings`` of MR images (both of them, where two are listed together)."""

    planes: tuple[str, ...]
    modalities: tuple[str, ...] = ("radiograph", "ct", "mri")
    weightings: tuple[tuple[str, ...], ...] = (("T1",), ("T2",), ())


# Pfirrmann 2001 graded sagittal T2-weighted images. Modic 1988 told types by T1- and T2-weighted images side by side. The
# stenoses: series on which the RSNA 2024 set graded each. Discs beyond their margin and the canal: T2. The others are of shape.
_NEEDS = {
    "wedge_fracture": _Needs(("sagittal",)),
    "spondylolisthesis": _Needs(("sagittal",)),
    "disc_narrowing": _Needs(("sagittal",)),
    "endplate_change": _Needs(("sagittal",), ("ct", "mri")),
    "disc_degeneration": _Needs(("sagittal",), ("mri",), (("T2",),)),
    "disc_bulge": _Needs(("sagittal", "axial"), ("mri",), (("T2",),)),
    "disc_herniation": _Needs(("sagittal", "axial"), ("mri",), (("T2",),)),
    "canal_stenosis": _Needs(("sagittal", "axial"), ("mri",), (("T2",),)),
    "subarticular_stenosis": _Needs(("axial",), ("mri",), (("T2",),)),
    "foraminal_narrowing": _Needs(("sagittal",), ("mri",), (("T1",), ("T2",))),
    "modic_change": _Needs(("sagittal",), ("mri",), (("T1", "T2"),)),
}  # fmt: skip


def plane_of(figure: Figure) -> str | None:
    """Return "sagittal", "coronal" or "axial" as caption and locator say; None if they do not."""
    said = _said(figure)
    words = _RADIOGRAPHS if figure.image_modality == "radiograph" else _PLANES
    return next((plane for plane, names in words.items() if any(name in said for name in names)), None)


def weighting_of(figure: Figure) -> str | None:
    """Return "T1" or "T2" (STIR counts as T2: it shows what T2 shows) of an MR image, as caption and locator say."""
    match = _WEIGHTING.search(_said(figure)) if figure.image_modality == "mri" else None
    return f"T{match[1]}" if match else None


def shows(figures: Sequence[Figure], finding: Finding) -> bool:
    """Tell whether ``finding``, labelled in each of ``figures``, can be judged on them together."""
    needs = _NEEDS.get(finding.name)
    if needs is None:
        return False
    fit = [f for f in figures if f.image_modality in needs.modalities and plane_of(f) in needs.planes and finding in f.findings]
    if any(figure.image_modality != "mri" for figure in fit):
        return True
    weightings = {weighting_of(figure) for figure in fit}
    return bool(fit) and any({*wanted} <= weightings for wanted in needs.weightings)


def shown_findings(figures: Sequence[Figure]) -> tuple[Finding, ...]:
    """Return the findings labelled in ``figures`` that can be judged on them, each once, in the order labelled."""
    labelled = dict.fromkeys(finding for figure in figures for finding in figure.findings)
    return tuple(finding for finding in labelled if shows(figures, finding))


def numbered_levels(figure: Figure) -> tuple[str, ...]:
    """Return the vertebrae of an image that a reader can number, head to tail: those in an unbroken row with a landmark.

    () for anything but a sagittal image whose labels lie on the bones. The sacrum is in view if the disc above it is.
    """
    if not figure.on_bone or plane_of(figure) != "sagittal":
        return ()
    beside = [vertebra for disc in figure.discs for vertebra in vertebrae_of_disc(disc) if vertebra in LANDMARKS]
    row = longest_row((*figure.levels, *beside))
    return row if len(row) >= FEWEST_NUMBERED else ()


def numbered_together(figures: Sequence[Figure]) -> tuple[str, ...]:
    """Return the vertebrae that a reader can number in a set of images of one case, head to tail; () if there are none.

    The sagittal images decide. A set without any is numbered if its images go through an unbroken row with a landmark.
    """
    rows = [numbered_levels(figure) for figure in figures]
    if not any(plane_of(figure) == "sagittal" for figure in figures):
        rows.append(longest_row(level for figure in figures if figure.on_bone for level in figure.levels))
    longest: tuple[str, ...] = max(rows, key=len, default=())
    return longest if len(longest) >= FEWEST_NUMBERED else ()


def is_numbered(level: str, numbered: Iterable[str]) -> bool:
    """Tell whether a vertebra, or both vertebrae of a disc, are among those that can be numbered."""
    return set(vertebrae_of_disc(level) if "/" in level else (level,)) <= set(numbered)


def longest_row(levels: Iterable[str]) -> tuple[str, ...]:
    """Return the longest unbroken row of vertebrae that holds a landmark, head to tail; () if none does."""
    rows: list[list[str]] = []
    for level in sorted(set(levels), key=VERTEBRA_ORDER.__getitem__):
        if rows and _are_neighbours(rows[-1][-1], level):
            rows[-1].append(level)
        else:
            rows.append([level])
    held = [row for row in rows if not set(row).isdisjoint(LANDMARKS)]
    longest: list[str] = max(held, key=len, default=[])
    return tuple(longest)


def _are_neighbours(upper: str, lower: str) -> bool:
    return (upper, lower) in _NEIGHBOURS


def _said(figure: Figure) -> str:
    return f"{figure.caption} {figure.locator}".lower()


_ORDERED = tuple(sorted(VERTEBRA_ORDER, key=VERTEBRA_ORDER.__getitem__))
_NEIGHBOURS = {
    *pairwise(_ORDERED),
    *((upper, lower) for upper, optional, lower in zip(_ORDERED, _ORDERED[1:], _ORDERED[2:]) if optional in _OPTIONAL),
}
