"""Studies whose labels are points on single DICOM images (SPARK, RSNA 2024): one Document a study.

Its images are images as acquired, turned to radiological convention: those that are labelled first, then evenly over the
series, 25 a study. A level or finding is on an image because a point of it was set on that very image; the images beside
it state none. Of the tags only geometry and pixels are used.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from pydicom.dataset import Dataset

from dataset_builders.document import Document, Figure, Finding, Provenance, Reject, SourceError
from dataset_builders.sources.base import Declared, sha256_of_file
from dataset_builders.sources.imaging.dicom import check_lone_image, load_image, orient_image
from dataset_builders.sources.imaging.dicom_frames import check_slice
from dataset_builders.sources.imaging.volume_case import COLUMN, describe_finding
from dataset_builders.volumes import PLANES, SLICES_PER_CASE, Slice, mri_window, render_slice, spacing_of, spread_evenly

# From the least to the most: what a level is called by where several points or sides are graded.
_GRADES = ("Normal/Mild", "Moderate", "Severe", "protrusion", "extrusion")


@dataclass(frozen=True, slots=True)
class StudyImage:
    """One image file: its series, its number in it (InstanceNumber), and the weighting that the data set states ("T2")."""

    path: Path
    series: str
    number: int
    weighting: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled point: the vertebra ("L4") or disc ("L4/L5") there, in pixels from the left (x) and the top (y).

    side   "left" or "right" where the findings are of that side only, else "".
    """

    level: str
    x: float
    y: float
    findings: tuple[Finding, ...] = ()
    side: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """All images of a study, the marks on each, and what else its tables state (``statements``, sentences).

    ungraded   what its tables do not grade (Document.ungraded).
    """

    images: tuple[StudyImage, ...]
    marks: Mapping[Path, tuple[Mark, ...]]
    findings: tuple[Finding, ...]
    ungraded: tuple[str, ...]
    statements: tuple[str, ...] = ()


def read_study(study: Study, source: Provenance, declared: Declared) -> Iterator[Document | Reject]:
    """Yield the study's Document, and a Reject for each image that cannot be read and each mark outside its image.

    Raises SourceError("no_image") if none can be read.
    """
    series = _by_series(study.images)
    figures: list[Figure] = []
    for image in _choose(series, study.marks):
        where = declared.relative(image.path)
        try:
            loaded = load_image(image.path, declared)
            check_slice(loaded.dataset)
            # Both data sets are of the lumbar spine, whether or not a header says so.
            check_lone_image(replace(loaded, region=loaded.region or "below"), declared)
            dataset = loaded.dataset
            inside = [mark for mark in study.marks.get(image.path, ()) if _is_inside(mark, dataset)]
            figures.append(_image(image, dataset, inside, [other.number for other in series[image.series]]))
        except SourceError as error:
            yield Reject(where, error.reason, error.detail, where="image")
            continue
        for mark in study.marks.get(image.path, ()):
            if mark not in inside:
                detail = f"the point ({mark.x:g}, {mark.y:g}) lies outside {dataset.Columns} × {dataset.Rows} pixels"
                yield Reject(where, "mark_outside", detail, where=f"mark of {mark.level}")
    if not figures:
        raise SourceError("no_image", f"none of the study's {len(study.images)} images can be read")
    marked = {mark.level for marks in study.marks.values() for mark in marks}
    levels, discs = _split(marked | {finding.level for finding in study.findings})
    lines = [f"# {source.source_title or 'Imaging study'}", f"Spine MRI of {len(series)} series, {len(study.images)} images."]
    if levels:
        lines.append(f"Labelled vertebrae: {', '.join(levels)}.")
    if discs:
        lines.append(f"Labelled discs: {', '.join(discs)}.")
    if study.findings:
        lines.append(f"Labelled findings: {'; '.join(map(describe_finding, study.findings))}.")
    yield Document(
        provenance=source,
        language="en",
        markdown="\n\n".join([*lines, *study.statements]) + "\n",
        figures=tuple(figures),
        findings=study.findings,
        levels=levels,
        discs=discs,
        ungraded=study.ungraded,
    )


def worst_of(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Keep one finding for each name and level, the one with the highest grade, in order of first mention."""
    worst: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = finding.name, finding.level
        worst[key] = max(worst.get(key, finding), finding, key=_rank)
    return tuple(worst.values())


def digest_of(images: Sequence[StudyImage]) -> str:
    """Return the SHA-256 over the SHA-256s of the image files, in order."""
    return hashlib.sha256("".join(sha256_of_file(image.path) for image in images).encode()).hexdigest()


def _rank(finding: Finding) -> int:
    return _GRADES.index(finding.grade) if finding.grade in _GRADES else -1


def _by_series(images: Iterable[StudyImage]) -> dict[str, list[StudyImage]]:
    series: dict[str, list[StudyImage]] = {}
    for image in sorted(images, key=lambda image: (image.series, image.number, image.path)):
        series.setdefault(image.series, []).append(image)
    return series


def _choose(series: Mapping[str, Sequence[StudyImage]], marks: Mapping[Path, Sequence[Mark]]) -> list[StudyImage]:
    """Images with findings, then other marked ones, then in turn from every series, each far from those before."""
    images = [image for part in series.values() for image in part]
    marked = [image for image in images if marks.get(image.path)]
    marked.sort(key=lambda image: not any(mark.findings for mark in marks[image.path]))
    streams = [[part[i] for i in spread_evenly(len(part), 0.1 * len(part), 0.9 * len(part))] for part in series.values()]
    spread = [image for turn in zip_longest(*streams) for image in turn if image is not None]
    chosen = set(list(dict.fromkeys([*marked, *spread]))[:SLICES_PER_CASE])
    return [image for image in images if image in chosen]


def _is_inside(mark: Mark, dataset: Dataset) -> bool:
    return 0 <= mark.x < int(dataset.Columns) and 0 <= mark.y < int(dataset.Rows)


def _image(image: StudyImage, dataset: Dataset, marks: Sequence[Mark], numbers: Sequence[int]) -> Figure:
    pixels, affine = orient_image(dataset)
    plane = next(plane for plane, axis in PLANES.items() if pixels.shape[axis] == 1)
    rendered = render_slice(pixels, spacing_of(affine), Slice(plane, 0, 1), mri_window(pixels))
    locator = f"{image.weighting} {plane} slice {numbers.index(image.number) + 1} of {len(numbers)}".strip()
    levels, discs = _split({mark.level for mark in marks})
    sentences = [f"MRI, {locator}."]
    if levels:
        sentences.append(f"Vertebrae in view: {', '.join(levels)}.")
    if discs:
        sentences.append(f"Discs in view: {', '.join(discs)}.")
    if stated := [f"{mark.side} {describe_finding(finding)}".strip() for mark in marks for finding in mark.findings]:
        sentences.append(f"Labelled findings: {'; '.join(dict.fromkeys(stated))}.")
    return Figure(
        label="",
        caption=" ".join(sentences),
        locator=locator,
        image_modality="mri",
        levels=levels,
        discs=discs,
        findings=worst_of(finding for mark in marks for finding in mark.findings),
        image=rendered,
    )


def _split(levels: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Vertebrae and discs, each from head to tail."""
    ordered = sorted(set(levels), key=lambda level: COLUMN.index(level.split("/")[0]))
    return tuple(v for v in ordered if "/" not in v), tuple(d for d in ordered if "/" in d)
