"""DICOM: a folder's slices of one series are one Document, which the first file by name yields; a lone file is one too.

Slices are sorted by ImagePositionPatient and stacked; a NIfTI label map beside them (TotalSegmentator, VerSe) gives levels.
Whatever is a hospital's, or whose kind is not declared, goes through dicom_headers.clean_dicom before its pixels or tags are
used; of its tags only the shape of the image reaches the Document, and its ids are hashes. No error holds a tag's value.
"""

import functools
import hashlib
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.multival import MultiValue

from dataset_builders.deidentify.dicom_headers import CleanDicom, clean_dicom
from dataset_builders.deidentify.faces import check_face, region_of_dicom
from dataset_builders.document import Companion, Deidentification, Document, Masking, Reject, SourceError
from dataset_builders.sources.base import Declared, sha256_of_file
from dataset_builders.sources.imaging.dicom_frames import check_frames, check_slice, is_slice, render_frames
from dataset_builders.sources.imaging.label_maps import is_label_map
from dataset_builders.sources.imaging.nifti import read_label_maps
from dataset_builders.sources.imaging.volume_case import ImagingCase, check_volume, dataset_of, provenance_of, to_document
from dataset_builders.volumes import reorient, spacing_of

MAX_SLICES = 2000
MAX_HEADERS = 100  # files beside a note: the images of one case say the same, and a hundred cases are more than a folder holds
_MODALITIES = {"CT": "ct", "MR": "mri", "CR": "radiograph", "DX": "radiograph", "RG": "radiograph"}
# Modalities whose series is a stack; of others, as radiographs, each file is an image of its own.
_STACKED = ("CT", "MR", "PT")
_ORIENTATION_TOLERANCE = 1e-3  # of direction cosines
_TEXT_VRS = ("PN", "LO", "SH", "ST", "LT", "UT", "UC", "CS", "DA")
_NAME_HEADING = "full name"
_GAP_TOLERANCE = 0.5  # of the median distance between slices


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """One image file's data set; of a hospital's, what it was cleaned of (``cleaned``). region: see faces.region_of."""

    dataset: Dataset
    region: str | None
    file: str
    cleaned: CleanDicom | None = None


def accepts(path: Path, head: bytes) -> bool:
    """Accept the DICM mark after 128 bytes, or the suffix .dcm for files without a preamble."""
    return head[128:132] == b"DICM" or path.suffix.lower() == ".dcm"


def read(path: Path, declared: Declared) -> Iterator[Document | Companion | Reject]:
    """Yield the series whose first file is ``path``; for its other files, a Companion of the first.

    A file of several frames, or of colours, is a document of its own unless it is one of a series' slices (dicom_frames).

    Raises SourceError: not_dicom, no_pixels, multi_frame, not_scalar, no_geometry, mixed_orientations, mixed_sizes,
    uneven_slices, too_large, undecodable, and of a hospital's burned_in_text, face_in_volume or may_show_identity (a header
    that cannot be cleaned, a photograph).
    """
    if declared.source_kind is None:
        declared = replace(declared, source_kind="hospital_case")
    own = _series_key(path)
    if own[2] not in _STACKED:
        yield from _read_series([path], [load_image(path, declared)], own, declared)
        return
    siblings = sorted(
        p for p in path.parent.iterdir() if p.is_file() and _looks_like_dicom(p) and _is_beside(p, path, declared)
    )
    if not any(p != path and _same_series(p, own) for p in siblings):
        siblings = _spread_over_folders(path, own, declared)
    first = next(p for p in siblings if p == path or _same_series(p, own))
    if first != path:
        yield Companion(declared.relative(path), declared.relative(first))
        return
    files = [path, *(p for p in siblings if p != path and _same_series(p, own))]
    if len(files) > MAX_SLICES:
        raise SourceError("too_large", f"{len(files)} slices, the limit is {MAX_SLICES}; split the series")
    images = [load_image(file, declared) for file in files]
    yield from _read_series(files, images, own, declared)


def _read_series(
    files: Sequence[Path], images: Sequence[LoadedImage], key: tuple[str, ...], declared: Declared
) -> Iterator[Document | Reject]:
    datasets = [image.dataset for image in images]
    digests = [sha256_of_file(file) for file in files]
    digest = digests[0] if len(files) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    # The study's UID ties its series together in one split; only its hash leaves this function.
    pseudonym = hashlib.sha256(key[0].encode()).hexdigest()[:16] if key[0] else None
    spread = len(files) > 1 and files[0].parent != files[1].parent
    folder = files[0].parent.parent if spread else files[0].parent
    dataset = dataset_of(folder / files[0].name, declared)
    name = folder.name if len(files) > 1 else files[0].stem
    source = provenance_of(files[0], declared, dataset, case=name, name=name, digest=digest, pseudonym=pseudonym)
    modality = _MODALITIES.get(str(datasets[0].get("Modality", "")))
    title = source.source_title or "Hospital imaging series"
    removed = _what_was_removed(images) if declared.is_private else None
    if len(files) == 1:
        check_lone_image(images[0], declared)
        figures = render_frames(datasets[0], modality)
        text = f"# {title}\n\n{figures[0].caption} No level is labelled.\n"
        yield Document(source, "en", text, figures, deidentification=removed)
        return
    for slice_ in datasets:
        check_slice(slice_)
    stacked = _without_localizers(datasets)
    for index in sorted(set(range(len(files))) - set(stacked)):
        detail = "it looks in another direction than the slices of its series"
        yield Reject(declared.relative(files[index]), "localizer", detail, where="slice")
    kept = _without_copies(datasets, stacked)
    for index in sorted(set(stacked) - set(kept)):
        detail = "the same image at the same place as another file of the series"
        yield Reject(declared.relative(files[index]), "duplicate_slice", detail, where="slice")
    if step := _missing_between([datasets[index] for index in kept]):
        detail = f"InstanceNumber goes by {step}: the slices between are not there; export the whole series"
        yield Reject(declared.relative(files[0]), "slices_missing", detail, where="series")
    voxels, affine = _stack([datasets[index] for index in kept])
    maps = [path for path in sorted(files[0].parent.iterdir()) if is_label_map(path)]
    label_map, rejects = read_label_maps(maps, voxels.shape, affine, declared)
    yield from rejects
    labels, names = (label_map.labels, label_map.names) if label_map else (None, {})
    regions = [loaded.region for loaded in images]
    region = next((known for known in ("head", "neck", "below") if known in regions), None)
    case = ImagingCase(title, voxels, spacing_of(affine), modality, labels, names, region=region, defaced=declared.defaced)
    yield replace(to_document(case, source), deidentification=removed)


def load_image(path: Path, declared: Declared) -> LoadedImage:
    """Load one image file, de-identified if it is a hospital's. Messages never name the file, as names may identify a person.

    Raises SourceError: not_dicom, no_pixels, may_show_identity, or as clean_dicom.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote the values of tags
        try:
            dataset: Dataset = pydicom.dcmread(path)
        except Exception as error:  # pydicom raises many kinds, whose text may quote a tag
            raise SourceError("not_dicom", f"the file cannot be parsed: {type(error).__name__}") from None
        if "PixelData" not in dataset:
            raise SourceError("no_pixels", "a file without pixel data; leave it out or export it again")
        region, name = region_of_dicom(dataset), declared.relative(path)
        if not declared.is_private:
            return LoadedImage(dataset, region, name)
        try:
            cleaned = clean_dicom(dataset, defaced=declared.defaced)
        except SourceError:
            raise
        except Exception as error:  # its text may quote a tag
            raise SourceError("may_show_identity", f"the header cannot be cleaned: {type(error).__name__}") from None
    return LoadedImage(cleaned.dataset, region, name, cleaned)


def names_in_headers(folder: Path) -> tuple[tuple[str, str], ...]:
    """Return what the headers of a folder's DICOM files say in words, as pairs of keyword and words for Document.known.

    A note beside its images is masked with them. At most MAX_HEADERS files are looked at; what cannot be read says nothing.
    """
    said: dict[tuple[str, str], None] = {}
    for path in islice(sorted(p for p in folder.rglob("*.dcm") if p.is_file()), MAX_HEADERS):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = pydicom.dcmread(path, stop_before_pixels=True)
            for element in dataset:
                if element.VR in _TEXT_VRS and element.value:
                    values = element.value if isinstance(element.value, MultiValue) else [element.value]
                    heading = _NAME_HEADING if element.VR == "PN" else element.keyword
                    said |= dict.fromkeys((heading, str(value).replace("^", " ").strip()) for value in values)
        except Exception:  # pydicom raises many kinds; the file is a Reject under its own name
            continue
    return tuple(said)


def check_lone_image(image: LoadedImage, declared: Declared) -> None:
    """Raise SourceError "face_in_volume" for a hospital's lone file that may show a face, or as check_frames."""
    if image.cleaned is None or declared.defaced:
        return
    if not is_slice(image.dataset):
        check_frames(image.dataset, image.region)
        return
    if "ImageOrientationPatient" not in image.dataset:
        return
    pixels, affine = orient_image(image.dataset)
    check_face(image.region, pixels.shape, spacing_of(affine), {})


def _what_was_removed(images: Sequence[LoadedImage]) -> Deidentification:
    tags: Counter[str] = Counter()
    maskings = []
    for image in images:
        if image.cleaned:
            tags.update(image.cleaned.removed)
            if image.cleaned.boxes:
                maskings.append(Masking(image.file, image.cleaned.boxes))
    return Deidentification(tags=dict(sorted(tags.items())), maskings=tuple(maskings))


def _without_localizers(datasets: Sequence[Dataset]) -> list[int]:
    """Indices of the files that look in the direction of most; all if no direction has two thirds of them."""
    directions = Counter(direction for dataset in datasets if (direction := _direction(dataset)))
    most, count = directions.most_common(1)[0] if directions else ((), 0)
    if count * 3 < len(datasets) * 2:
        return list(range(len(datasets)))
    return [index for index, dataset in enumerate(datasets) if _direction(dataset) in (most, ())]


def _direction(dataset: Dataset) -> tuple[float, ...]:
    """The direction cosines of a slice, to two places; () if its header gives none."""
    try:
        return tuple(round(float(value), 2) + 0.0 for value in dataset.ImageOrientationPatient)
    except (AttributeError, TypeError, ValueError):
        return ()


def _missing_between(datasets: Sequence[Dataset]) -> int:
    """By how much the numbers of a series' images grow, if it is more than 1 throughout; else 0.

    Series that interleave several stacks number each of them so: it is a gap only if the slices lie further apart than they
    are thick.
    """
    try:
        numbers = sorted(int(dataset.InstanceNumber) for dataset in datasets)
        places = [np.array([float(v) for v in dataset.ImagePositionPatient]) for dataset in datasets]
        thickness = float(datasets[0].SliceThickness)
    except (AttributeError, TypeError, ValueError):
        return 0
    steps = np.diff(numbers)
    if not steps.size or steps.min() < 2:
        return 0
    nearest = min(float(np.linalg.norm(places[0] - place)) for place in places[1:])
    return int(steps.min()) if nearest > 1.5 * thickness else 0


def _without_copies(datasets: Sequence[Dataset], indices: Sequence[int]) -> list[int]:
    """Those of ``indices`` whose files are no exact copy, in place and pixels, of an earlier one."""
    seen: dict[tuple[str, str], int] = {}
    for index in indices:
        dataset = datasets[index]
        place = str(dataset.get("ImagePositionPatient"))
        seen.setdefault((place, hashlib.sha256(dataset.PixelData).hexdigest()), index)
    return list(seen.values())


def _pixels(dataset: Dataset) -> NDArray[np.float32]:
    """Rows × columns, rescaled to HU in CT."""
    try:
        pixels = dataset.pixel_array.astype(np.float32)
    except Exception as error:  # any decoder's failure; its text may quote a tag
        raise SourceError("undecodable", f"pixels cannot be decoded: {type(error).__name__}") from None
    return pixels * float(dataset.get("RescaleSlope", 1) or 1) + float(dataset.get("RescaleIntercept", 0) or 0)


def _stack(datasets: Sequence[Dataset]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Volume with axes (R, A, S) and its affine, from the slices' positions and orientations (DICOM PS3.3 C.7.6.2)."""
    orientations, positions, affine = _geometry(datasets)
    sizes = {(int(d.get("Rows", 0)), int(d.get("Columns", 0))) for d in datasets}
    if np.abs(orientations - orientations[0]).max() > _ORIENTATION_TOLERANCE:
        raise SourceError(
            "mixed_orientations", "slices of one series look in different directions; export them as several series"
        )
    if len(sizes) > 1:
        raise SourceError("mixed_sizes", "slices of one series differ in rows or columns; export them as several series")
    places = positions @ np.cross(orientations[0, :3], orientations[0, 3:])
    order = np.argsort(places, kind="stable")
    gaps = np.diff(places[order])
    if not gaps.size:
        raise SourceError("uneven_slices", "all files of the series are copies of one slice")
    if gaps.min() < 1e-3 or np.abs(gaps - np.median(gaps)).max() > _GAP_TOLERANCE * np.median(gaps):
        raise SourceError("uneven_slices", "slices are doubled or missing: the distances between them differ by more than half")
    affine[:3, 2] = (positions[order[-1]] - positions[order[0]]) / (len(datasets) - 1)
    affine[:3, 3] = positions[order[0]]
    affine[:2] *= -1  # DICOM counts to the left and back, NIfTI to the right and front
    rows, columns = sizes.pop()
    check_volume((columns, rows, len(datasets)), affine, np.dtype(np.float32))
    volume = np.stack([_pixels(datasets[i]).T for i in order], axis=2)
    return reorient(volume, affine)


def orient_image(dataset: Dataset) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return one image as a volume with axes (R, A, S), of length 1 across its plane, and its affine.

    Raises SourceError: no_geometry, too_large, bad_affine, undecodable.
    """
    orientations, positions, affine = _geometry([dataset])
    affine[:3, 2] = np.cross(orientations[0, :3], orientations[0, 3:])
    affine[:3, 3] = positions[0]
    affine[:2] *= -1  # DICOM counts to the left and back, NIfTI to the right and front
    check_volume((int(dataset.Columns), int(dataset.Rows), 1), affine, np.dtype(np.float32))
    return reorient(_pixels(dataset).T[:, :, None], affine)


def _geometry(datasets: Sequence[Dataset]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Orientations (n, 6), positions (n, 3) and an affine whose first two columns are the pixel steps, along DICOM's axes."""
    try:
        orientations = np.array([[float(v) for v in d.ImageOrientationPatient] for d in datasets])
        positions = np.array([[float(v) for v in d.ImagePositionPatient] for d in datasets])
        row_step, column_step = (float(v) for v in datasets[0].PixelSpacing)
        affine = np.eye(4)
        affine[:3, 0], affine[:3, 1] = orientations[0, :3] * column_step, orientations[0, 3:] * row_step
    except (AttributeError, TypeError, ValueError, IndexError):
        raise SourceError(
            "no_geometry", "slices without ImageOrientationPatient, ImagePositionPatient or PixelSpacing"
        ) from None
    return orientations, positions, affine


def _series_key(path: Path) -> tuple[str, ...]:
    """Study, series, modality and size. Compared in memory, never written: UIDs may lead back to a person."""
    tags = ("StudyInstanceUID", "SeriesInstanceUID", "Modality", "Rows", "Columns")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header: FileDataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(tags))
        return tuple(str(header.get(tag, "") or "") for tag in tags)
    except Exception as error:  # pydicom raises many kinds, whose text may quote a tag
        raise SourceError("not_dicom", f"the header cannot be parsed: {type(error).__name__}") from None


def _spread_over_folders(path: Path, key: tuple[str, ...], declared: Declared) -> list[Path]:
    """The files of a series that lie in a folder each, side by side; ``path`` alone if it has no id or is not spread."""
    if not key[1] or path.parent == declared.root:
        return [path]
    spread = _lone_files(path.parent.parent).get(key[:3], ())
    return sorted(other for other in spread if declared.takes(other)) if path in spread else [path]


@functools.lru_cache(maxsize=8)
def _lone_files(folder: Path) -> dict[tuple[str, ...], tuple[Path, ...]]:
    """The DICOM files that are alone in a folder of ``folder``, by study, series and modality."""
    found: dict[tuple[str, ...], list[Path]] = {}
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = [path for path in islice(inner.iterdir(), 3) if path.is_file()]
        if len(files) == 1 and _looks_like_dicom(files[0]):
            with suppress(SourceError):  # it is rejected under its own name
                found.setdefault(_series_key(files[0])[:3], []).append(files[0])
    return {key: tuple(paths) for key, paths in found.items()}


def _is_beside(other: Path, path: Path, declared: Declared) -> bool:
    """Whether ``other`` lies in the folder of ``path``, or is a link to a file that may be read with it."""
    return other.resolve().parent == path.resolve().parent or declared.takes(other)


def _same_series(path: Path, key: tuple[str, ...]) -> bool:
    try:
        other = _series_key(path)
    except SourceError:  # it is rejected under its own name
        return False
    return other[:3] == key[:3] if key[1] else other == key


def _looks_like_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return accepts(path, file.read(132))
