"""What the imaging readers share: from a labelled volume to a Document with an image a slice.

Levels and discs of an image come from the label map alone. A scheme says which number means what:

    VERSE                1–7 C1–C7, 8–19 T1–T12, 20–25 L1–L6, 26 S1, 27 coccyx, 28 T13; discs 100 + the vertebra above
    TOTALSEGMENTATOR     version 2: 26 S1, 27–31 L5–L1, 32–43 T12–T1, 44–50 C7–C1
    SPINAL_CORD_TOOLBOX  the cord, numbered by vertebral level: 1–7 C1–C7, 8–19 T1–T12, 20–24 L1–L5, 25 S1. It says at which
                         vertebra's height the cord is; the bone itself is not labelled
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset_builders.deidentify.faces import check_face
from dataset_builders.document import Document, Figure, Finding, Provenance, SourceError
from dataset_builders.levels.anatomy import USUAL_VERTEBRAE, VERTEBRAE
from dataset_builders.licences import check_licence
from dataset_builders.source_kinds import find_kind
from dataset_builders.sources.base import UNKNOWN_LICENCE, Declared
from dataset_builders.sources.catalogue import Entry, load_catalogue
from dataset_builders.taxonomy import FINDINGS
from dataset_builders.volumes import (
    BONE_WINDOW,
    PLANES,
    SLICES_PER_CASE,
    Point,
    Slice,
    cut_labels,
    label_areas,
    label_centres,
    mri_window,
    render_slice,
    sample_slices,
    spacing_of,
    visible_labels,
)

_C1_TO_L5 = USUAL_VERTEBRAE[: USUAL_VERTEBRAE.index("S1")]
COLUMN = tuple(name for name in VERTEBRAE if name not in ("S2", "S3", "S4", "S5"))
"""Vertebrae from head to tail; T13 and L6 only where a case has them."""

VERSE = {**dict(enumerate((*_C1_TO_L5, "L6", "S1", "Co"), 1)), 28: "T13"}
VERSE_DISC = 100
TOTALSEGMENTATOR = dict(enumerate(("S1", *reversed(_C1_TO_L5)), 26))
SPINAL_CORD_TOOLBOX = dict(enumerate((*_C1_TO_L5, "S1"), 1))

MAX_VOXELS = 256 * 1024 * 1024
"""Largest volume read: 512 × 512 × 1,024."""


PHANTOM = Entry("phantom", "open_dataset", "Synthetic spine volumes made by this project", "Apache-2.0", url="")
"""What phantom.volumes writes; the real data sets are in catalogue.yaml."""
PHANTOM_SLICES = 10
"""Images of one of its cases: enough for every rule, and few enough for a demo that trains on a laptop's processor."""

_MODALITY_NAMES = {"ct": "CT", "mri": "MRI", None: "Volume"}
# Folders that say what part of a data set lies in them, and not which it is.
_PLAIN_FOLDERS = ("imagestr", "imagests", "imagesval", "images", "rawdata", "ct", "mri", "volumes")
# Findings of shape are judged where vertebrae are seen in profile.
_SHOWN_IN = {"wedge_fracture": ("sagittal",), "spondylolisthesis": ("sagittal",), "disc_narrowing": ("sagittal", "coronal")}
UNGRADED_BY_LABEL_MAPS = (
    "discs",
    "end plates",
    "spinal canal",
    "lateral recesses",
    "neural foramina",
    "spinal cord",
    "facet joints",
)
"""Structures that label maps of vertebrae outline or leave out, but do not judge (Document.ungraded)."""
# A slice shows a body or disc where it passes this near to its centre.
_NEAR_MM = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class ImagingCase:
    """One volume and what its files say of it. Arrays have axes (R, A, S).

    title       a line on what it is, without names of persons.
    labels      integers ≥ 0 on the image's grid, or None.
    names       label -> vertebra ("L4") or disc ("L4/L5"); labels without a name are no level.
    centres     level -> voxel index; of levels that are labelled and not given it is computed.
    on_bone     whether the labels are the vertebrae themselves, or only mark their height in the cord.
    weighting   "T1" or "T2" of an MR image; "" if it is not known.
    region      what names and headers say of the part of the body (faces.region_of).
    defaced     that the sources declare that no recognisable face is in it.
    ungraded    what its labels do not judge (Document.ungraded); () for a phantom, whose labels are complete.
    """

    title: str
    image: NDArray
    spacing: Point
    modality: str | None
    labels: NDArray | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    centres: Mapping[str, Point] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    on_bone: bool = True
    weighting: str = ""
    region: str | None = None
    defaced: bool = False
    ungraded: tuple[str, ...] = UNGRADED_BY_LABEL_MAPS


def to_document(case: ImagingCase, provenance: Provenance, count: int = SLICES_PER_CASE) -> Document:
    """Build a factual statement of the case and, as figures, ``count`` sampled slices (volumes.sample_slices), rendered.

    A vertebra or disc is in an image where volumes.visible_labels says so, but no vertebra that the upper or lower edge of the
    volume cuts off (the sacrum is known by its upper end), nor in a sagittal or coronal image one whose cut is less than half
    its neighbour's: a reader sees a process there and no vertebra to count. Where only vertebrae are labelled, a disc is in a
    sagittal or coronal image that shows both its vertebrae and passes within 10 mm of both their centres: it lies between.
    A finding is in an image that shows its level, within 10 mm of its centre, in a plane where it can be judged.

    Raises SourceError "face_in_volume" for a hospital's volume that may hold a face (faces.check_face).
    """
    shape = case.image.shape
    names = dict(case.names)
    labels = case.labels
    centres: dict[str, Point] = {}
    areas: dict[str, NDArray[np.floating]] = {}
    cut_off: set[str] = set()
    if labels is not None:
        named = np.where(np.isin(labels, list(names)), labels, 0)
        centres = {names[number]: point for number, point in label_centres(named, case.spacing).items()}
        areas = {plane: label_areas(named, case.spacing, plane) for plane in PLANES}
        bones = {number: level for number, level in names.items() if "/" not in level}
        cut_off = {bones[number] for number in cut_labels(named) if number in bones} - {"S1", "Co"}
    centres = {**centres, **case.centres}
    if find_kind(provenance.source_kind).is_private and not case.defaced:
        check_face(case.region, shape, case.spacing, centres)
    vertebrae = tuple(level for level in COLUMN if level in centres)
    discs = _in_order(level for level in centres if "/" in level)
    between = {} if discs or not case.on_bone else {f"{a}/{b}": (a, b) for a, b in pairwise(vertebrae) if _neighbours(a, b)}
    for disc, pair in between.items():
        middle = np.mean([centres[level] for level in pair], axis=0)
        centres[disc] = (float(middle[0]), float(middle[1]), float(middle[2]))
    slices = sample_slices(
        shape,
        case.spacing,
        [centres[level] for level in vertebrae],
        [centres[finding.level] for finding in case.findings if finding.level in centres],
        count,
    )
    window = BONE_WINDOW if case.modality == "ct" else mri_window(case.image)

    def _seen(cuts: NDArray[np.floating], visible: Sequence[int], where: Slice) -> list[str]:
        area_of = {names[number]: float(cuts[number]) for number in visible}
        slivers = _slivers(area_of) if where.plane != "axial" else set()
        return [level for level in area_of if level not in cut_off | slivers]

    def figure(where: Slice) -> Figure:
        seen = _seen(areas[where.plane][where.index], visible_labels(areas[where.plane], where.index), where) if areas else []
        levels = tuple(level for level in vertebrae if level in seen)
        near = {level for level, point in centres.items() if _distance(point, where, case.spacing) <= _NEAR_MM}
        spanned = [
            d for d, pair in between.items() if where.plane != "axial" and near.issuperset(pair) and set(pair) <= set(seen)
        ]
        shown_discs = _in_order([level for level in seen if "/" in level] + spanned)
        findings = tuple(
            finding
            for finding in case.findings
            if finding.level in near
            and finding.level in (*levels, *shown_discs)
            and where.plane in _SHOWN_IN.get(finding.name, PLANES)
        )
        return Figure(
            label="",
            caption=_caption(case, where, levels, shown_discs, findings),
            locator=where.locator,
            image_modality=case.modality,
            levels=levels,
            discs=shown_discs,
            findings=findings,
            on_bone=case.on_bone,
            image=render_slice(case.image, case.spacing, where, window),
        )

    all_discs = discs or _in_order(between)
    return Document(
        provenance=provenance,
        language="en",
        markdown=_statement(case, vertebrae, all_discs),
        figures=tuple(figure(where) for where in slices),
        findings=case.findings,
        levels=vertebrae,
        discs=all_discs,
        ungraded=case.ungraded,
    )


def verse_names(present: Iterable[int]) -> dict[int, str]:
    """Return the names of a VerSe-style map's labels; a disc's lower vertebra allows for T13 and L6 if they are present."""
    present = set(present)
    vertebrae = {number: level for number, level in VERSE.items() if number in present}
    extra = {"T13", "L6"} - set(vertebrae.values())
    column = [level for level in COLUMN if level not in extra]
    names = dict(vertebrae)
    for upper, lower in pairwise(column[: column.index("S1") + 1]):
        number = VERSE_DISC + next(n for n, level in VERSE.items() if level == upper)
        if number in present:
            names[number] = f"{upper}/{lower}"
    return names


def describe_finding(finding: Finding) -> str:
    """Describe a finding, for example: "vertebral wedge (compression) fracture of T12 (Genant 3, 51.3 %)"."""
    value = f"{finding.value:g} {finding.unit or ''}".strip() if finding.value is not None else ""
    details = ", ".join(part for part in (finding.grade, value) if part)
    return f"{FINDINGS[finding.name].en} at {finding.level}" + (f" ({details})" if details else "")


def _caption(case: ImagingCase, where: Slice, levels: Sequence[str], discs: Sequence[str], findings: Sequence[Finding]) -> str:
    weighting = f"{case.weighting}-weighted " if case.weighting else ""
    sentences = [f"{weighting}{_MODALITY_NAMES[case.modality]}, {where.locator}."]
    if levels:
        what = "Vertebrae" if case.on_bone else "Vertebral levels of the cord"
        sentences.append(f"{what} in view: {', '.join(levels)}.")
    if discs:
        sentences.append(f"Discs in view: {', '.join(discs)}.")
    if findings:
        sentences.append(f"Labelled findings: {'; '.join(map(describe_finding, findings))}.")
    return " ".join(sentences)


def _statement(case: ImagingCase, vertebrae: Sequence[str], discs: Sequence[str]) -> str:
    size = " × ".join(str(length) for length in case.image.shape)
    step = " × ".join(f"{mm:.3g}" for mm in case.spacing)
    lines = [
        f"# {case.title}",
        f"{_MODALITY_NAMES[case.modality]} of {size} voxels, {step} mm each (right–left, front–back, up–down).",
    ]
    if vertebrae:
        what = "Labelled vertebrae" if case.on_bone else "Vertebral levels labelled in the cord"
        lines.append(f"{what}: {', '.join(vertebrae)}.")
    else:
        lines.append("No vertebral level is labelled.")
    if discs:
        lines.append(f"Discs: {', '.join(discs)}.")
    if case.findings:
        lines.append(f"Labelled findings: {'; '.join(map(describe_finding, case.findings))}.")
    return "\n\n".join(lines) + "\n"


def _slivers(area_of: Mapping[str, float]) -> set[str]:
    """Return the vertebrae whose cut is less than half that of one above or below.

    C1 is a ring, C2 has its dens, and the sacrum is one large bone: none of them is a measure for others, C1 not by others.
    """
    found = set()
    column = [level for level in COLUMN if level in area_of]
    for upper, lower in pairwise(column):
        if not {upper, lower} & {"C1", "C2", "S1", "Co"} and _neighbours(upper, lower):
            found |= {a for a, b in ((upper, lower), (lower, upper)) if 2 * area_of[a] < area_of[b]}
    return found


def _in_order(discs: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(discs), key=lambda disc: COLUMN.index(disc.split("/")[0])))


def _neighbours(upper: str, lower: str) -> bool:
    """Whether nothing but the optional T13 or L6 is missing between two levels."""
    gap = COLUMN[COLUMN.index(upper) + 1 : COLUMN.index(lower)]
    return lower != "Co" and set(gap) <= {"T13", "L6"}


def _distance(point: Point, where: Slice, spacing: Point) -> float:
    axis = PLANES[where.plane]
    return abs(point[axis] - where.index) * spacing[axis]


def check_volume(shape: Sequence[int], affine: NDArray, dtype: np.dtype) -> None:
    """Raise SourceError for what cannot be read as one 3D image: not_3d, not_scalar, too_large, bad_affine."""
    if len(shape) < 3 or min(shape) < 1 or any(length != 1 for length in shape[3:]):
        raise SourceError("not_3d", f"{len(shape)} dimensions of {tuple(shape)}; store one 3D volume a file")
    if dtype.kind not in "iuf":
        raise SourceError("not_scalar", f"voxels of type {dtype}; one number a voxel is needed")
    if math.prod(shape) > MAX_VOXELS:
        raise SourceError(
            "too_large", f"{tuple(shape)} is {math.prod(shape)} voxels, the limit is {MAX_VOXELS}; crop or resample it"
        )
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise SourceError("bad_affine", "the affine holds NaN or is singular: directions and voxel size are unknown")
    if not all(0.05 <= mm <= 50 for mm in spacing_of(affine)):
        raise SourceError("bad_affine", f"voxels of {spacing_of(affine)} mm; from 0.05 to 50 mm are read")


def dataset_of(path: Path, declared: Declared) -> str:
    """Return the data set's id: from a file name that only it uses, else a folder named after it, else the folder's name."""
    for pattern, dataset in ((r"(sub-)?verse\d+", "verse"), (r"sub-phantom\d+", "phantom"), ("PAM50_", "sct")):
        if re.match(pattern, path.name):
            return dataset
    catalogue = load_catalogue()
    inside = [name for name in path.relative_to(declared.root).parent.parts if name.lower() not in _PLAIN_FOLDERS]
    folders = [declared.root.name, *inside]
    for folder in reversed(folders):
        for word in re.split(r"[-_ .]", folder.lower()):
            if word in catalogue and catalogue[word].kind == "open_dataset":
                return word
    return re.sub(r"[^a-z0-9]+", "-", folders[-1].lower()).strip("-") or "volume"


def provenance_of(
    path: Path, declared: Declared, dataset: str, case: str, name: str, digest: str, pseudonym: str | None = None
) -> Provenance:
    """Return the provenance of a case. Names of hospital files are left out, because they may hold a person's name.

    digest      SHA-256 of the case's bytes.
    pseudonym   16 hex digits that stand for a hospital case; None takes those of ``digest``.
    """
    if declared.source_kind and declared.is_private:
        pseudonym = f"hospital:{pseudonym or digest[:16]}"
        return Provenance(
            source_kind=declared.source_kind,
            source_id=declared.id or f"hospital:{digest[:16]}",
            source_licence=find_kind(declared.source_kind).licence,
            source_locator="volume",
            source_sha256=digest,
            case_id=declared.case_id or pseudonym,
        )
    known = PHANTOM if dataset == PHANTOM.id else load_catalogue().get(dataset)
    stated = known.licence_of(path) if known else UNKNOWN_LICENCE
    licence = check_licence(declared.licence).spdx if declared.licence else stated
    return Provenance(
        source_kind=declared.source_kind or "open_dataset",
        source_id=declared.id or f"{dataset}:{name}",
        source_licence=licence,
        source_locator=declared.relative(path),
        source_sha256=digest,
        source_title=declared.title or (f"{known.title}: {name}" if known else name),
        source_doi=declared.doi or (known.doi if known else None),
        source_url=declared.url or (known.url or None if known else None),
        case_id=declared.case_id or case,
    )
