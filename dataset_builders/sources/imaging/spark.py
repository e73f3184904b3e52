"""SPARK (Tianchi): lumbar MRI with a point in every disc and vertebra of a mid-sagittal image, and what is wrong there.

    folder/lumbar_train150_annotation.json
           {any folders below}/image7.dcm     joined to it by StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID

The annotation is a list of studies: studyUid, data: [{seriesUid, instanceUid, annotation: [{data: {point: […]}}]}]; a point
has coord ([x, y] in pixels) and tag: identification ("L4-L5", "L5") and either of

    disc       v1 normal, v2 bulge, v3 protrusion, v4 extrusion, v5 Schmorl's node; several joined by commas
    vertebra   v1 normal, v2 degenerative

One study is one Document, which its first file by name yields. Protrusion and extrusion are grades of disc_herniation, a
Schmorl's node is an end-plate change; a degenerative vertebra is stated in the text alone, for no finding is named so. UIDs
are only compared: ids are hashes of them. A study that is a hospital's, or whose kind is not declared, is left to dicom.py.
"""

import functools
import hashlib
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom

from dataset_builders.document import Companion, Document, Finding, Reject, SourceError, describe_error
from dataset_builders.sources.base import Declared, read_bytes
from dataset_builders.sources.imaging import dicom
from dataset_builders.sources.imaging.dicom_study import Mark, Study, StudyImage, digest_of, read_study, worst_of
from dataset_builders.sources.imaging.volume_case import COLUMN, provenance_of

_DISC = {
    "v1": None,
    "v2": ("disc_bulge", None),
    "v3": ("disc_herniation", "protrusion"),
    "v4": ("disc_herniation", "extrusion"),
    "v5": ("endplate_change", "Schmorl's node"),
}
_UNGRADED = ("disc signal", "spinal canal", "lateral recesses", "neural foramina", "spinal cord", "facet joints", "alignment")
_VERTEBRA = ("v1", "v2")
_WEIGHTING = re.compile(r"(?<![A-Za-z0-9])(T[12])(?![0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Labels:
    """Of one study: marks by (series UID, SOP instance UID), degenerative vertebrae, and what cannot be used and why."""

    marks: Mapping[tuple[str, str], tuple[Mark, ...]]
    degenerative: tuple[str, ...]
    problems: tuple[str, ...]


def accepts(path: Path, head: bytes) -> bool:
    """Accept the annotation by its keys, and a DICOM file of a study that an annotation in a folder above labels."""
    if path.suffix.lower() == ".json":
        return b'"studyUid"' in head and b'"instanceUid"' in head
    if not dicom.accepts(path, head) or (home := _home(path.parent)) is None:
        return False
    try:
        return _study_of(path) in _load_labels(home)
    except SourceError:  # said of the annotation itself
        return False


def read(path: Path, declared: Declared) -> Iterator[Document | Companion | Reject]:
    """Yield a study's Document, or a Companion of it; for the annotation, a Reject for each study without an image below it.

    Raises SourceError: bad_annotation, no_image, not_declared_open (an annotation among hospital or undeclared files).
    """
    if declared.source_kind is None or declared.is_private:
        if path.suffix.lower() == ".json":
            raise SourceError("not_declared_open", "SPARK's labels; declare source_kind: open_dataset in sources.yaml")
        yield from dicom.read(path, declared)
        return
    if path.suffix.lower() == ".json":
        studies = _list_images(path.parent)
        for number, study in enumerate(_load_labels(path), 1):
            if study not in studies:
                yield Reject(declared.relative(path), "no_image", "no DICOM file of the study lies below", f"study {number}")
        yield Companion(declared.relative(path), "the DICOM studies below it")
        return
    home, study = _home(path.parent), _study_of(path)
    if home is None:
        raise SourceError("no_annotation", "SPARK's annotation is not in a folder above; keep its layout")
    files = {key: image for key, image in _list_images(home.parent)[study].items() if declared.takes(image.path)}
    first = min(image.path for image in files.values())
    if path != first:
        yield Companion(declared.relative(path), declared.relative(first))
        return
    labels = _load_labels(home)[study]
    images = tuple(sorted(files.values(), key=lambda image: image.path))
    pseudonym = hashlib.sha256(study.encode()).hexdigest()[:16]
    source = provenance_of(first, declared, "spark", case=f"spark:{pseudonym}", name=pseudonym, digest=digest_of(images))
    for problem in labels.problems:
        yield Reject(declared.relative(home), "bad_annotation", problem, f"study {pseudonym}")
    marks: dict[Path, tuple[Mark, ...]] = {}
    for key, found in labels.marks.items():
        if key in files:
            marks[files[key].path] = found
        else:
            detail = "the labelled image is not among the study's files"
            yield Reject(declared.relative(home), "no_image", detail, f"study {pseudonym}")
    findings = worst_of(finding for found in marks.values() for mark in found for finding in mark.findings)
    statements = (f"Labelled as degenerative: {', '.join(labels.degenerative)}.",) if labels.degenerative and marks else ()
    yield from read_study(Study(images, marks, findings, _UNGRADED, statements), source, declared)


@functools.lru_cache(maxsize=64)
def _home(folder: Path) -> Path | None:
    """The annotation that holds for a folder: in it or in one of the three above it, the first by name."""
    for above in (folder, *folder.parents[:3]):
        for path in sorted(above.glob("*annotation*.json")):
            with path.open("rb") as file:
                if accepts(path, file.read(4096)):
                    return path
    return None


@functools.lru_cache(maxsize=4)
def _list_images(folder: Path) -> dict[str, dict[tuple[str, str], StudyImage]]:
    """Study UID -> (series UID, SOP instance UID) -> image, of every DICOM file below a folder."""
    studies: dict[str, dict[tuple[str, str], StudyImage]] = {}
    for path in sorted(folder.rglob("*.dcm")):
        try:
            header = _header(path)
        except SourceError:  # it is rejected under its own name
            continue
        weighting = _WEIGHTING.search(str(header.get("SeriesDescription", "")))
        study, series, instance = (
            str(header.get(tag, "")) for tag in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        )
        image = StudyImage(path, series, int(header.get("InstanceNumber") or 0), weighting[1].upper() if weighting else "")
        studies.setdefault(study, {}).setdefault((series, instance), image)
    return studies


def _study_of(path: Path) -> str:
    return str(_header(path).get("StudyInstanceUID", ""))


def _header(path: Path) -> pydicom.Dataset:
    tags = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "InstanceNumber", "SeriesDescription"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings quote the values of tags
            return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(tags))
    except Exception as error:  # pydicom raises many kinds, whose text may quote a tag
        raise SourceError("not_dicom", f"the header cannot be parsed: {type(error).__name__}") from None


@functools.lru_cache(maxsize=4)
def _load_labels(path: Path) -> dict[str, _Labels]:
    """Study UID -> its labels. Raises SourceError("bad_annotation") for a file that is not SPARK's."""
    try:
        return {str(study["studyUid"]): _read_labels(study) for study in json.loads(read_bytes(path, 256 << 20))}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SourceError("bad_annotation", f"{path.name} is not SPARK's annotation: {describe_error(error)}") from None


def _read_labels(study: Mapping[str, Any]) -> _Labels:
    marks: dict[tuple[str, str], list[Mark]] = {}
    degenerative: dict[str, None] = {}
    problems = []
    for image in study["data"]:
        for point in (point for part in image["annotation"] for point in part["data"]["point"]):
            try:
                mark = _read_point(point)
            except (ValueError, TypeError, KeyError) as error:
                problems.append(f"a point cannot be read: {error}")
                continue
            marks.setdefault((str(image["seriesUid"]), str(image["instanceUid"])), []).append(mark)
            if "v2" in _values(point["tag"].get("vertebra")):
                degenerative[mark.level] = None
    return _Labels({key: tuple(found) for key, found in marks.items()}, tuple(degenerative), tuple(problems))


def _read_point(point: Mapping[str, Any]) -> Mark:
    """Raises ValueError, TypeError or KeyError for what is no point, no level or no known label."""
    tag = point["tag"]
    level = re.sub(r"\s*[-–—]\s*", "/", str(tag["identification"]).strip().upper())
    if any(part not in COLUMN for part in level.split("/")) or level.count("/") > 1:
        raise ValueError(f"{tag['identification']!r} is no vertebra or disc")
    kind, known = ("disc", tuple(_DISC)) if "/" in level else ("vertebra", _VERTEBRA)
    values = _values(tag.get(kind))
    if unknown := [value for value in values if value not in known]:
        raise ValueError(f"{kind} {unknown[0]!r} of {level}; {known[0]} to {known[-1]} are known")
    named = [_DISC[value] for value in values] if kind == "disc" else []
    x, y = (float(value) for value in point["coord"])
    return Mark(level, x, y, worst_of(Finding(name[0], level, name[1]) for name in named if name))


def _values(label: Any) -> list[str]:
    """ "v2,v5" -> v2, v5; nothing where the label is missing."""
    return [value.strip().lower() for value in re.split("[,，、;]", str(label or "")) if value.strip()]
