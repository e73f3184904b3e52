"""SPIDER: lumbar MRI of a patient in several sequences, with radiological gradings of each disc.

    folder/radiological_gradings.csv      a row a disc; "IVD label" counts discs from below, 1 is L5/S1
           overview.csv                   a row a series; "num_vertebrae" counts the labelled vertebrae from below, 1 is L5
           images/{patient}_{t1|t2|t2_SPACE}.mha    masks/ the same: 1–25 vertebrae and 201–225 discs from below, 100 canal
           {any folder}/{patient}_{t1|t2}.png       or one mid-sagittal image a series

One patient is one Document, which the first image file by name yields. Names of levels follow SPIDER's rule that the lowest
disc is L5/S1; a transitional vertebra is not told apart by it. SPIDER grades a disc on all series, not on one image.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset_builders.document import Companion, Document, Figure, Finding, Reject, SourceError, describe_error
from dataset_builders.image_metadata import drop_metadata
from dataset_builders.sources.base import Declared, read_bytes, sha256_of_file
from dataset_builders.sources.imaging.volume_case import (
    COLUMN,
    ImagingCase,
    check_volume,
    describe_finding,
    provenance_of,
    to_document,
)
from dataset_builders.volumes import SLICES_PER_CASE, reorient, spacing_of

GRADINGS, OVERVIEW = "radiological_gradings.csv", "overview.csv"
_SERIES = re.compile(r"^(\d+)_(t1|t2|t2_SPACE)\.(mha|png)$", re.IGNORECASE)
_FROM_BELOW = tuple(level for level in reversed(COLUMN) if level not in ("Co", "S1", "L6", "T13"))
_DISCS_FROM_BELOW = tuple(f"{upper}/{lower}" for lower, upper in zip(("S1", *_FROM_BELOW), _FROM_BELOW))[:23]
_DISC_LABEL = 200
# Columns that hold 0 or 1, as they are spelled there.
_PRESENT = {
    "Spondylolisthesis": "spondylolisthesis",
    "Disc herniation": "disc_herniation",
    "Disc narrowing": "disc_narrowing",
    "Disc bulging": "disc_bulge",
}
# No column of the gradings judges these.
_UNGRADED = ("spinal canal", "lateral recesses", "neural foramina", "spinal cord", "facet joints")
# A lumbar field of view is at most about half again as high as wide: a PNG that is higher and states no pixel spacing was
# stretched, and heights of discs and vertebrae cannot be judged on it (the limit is ours).
_TALLEST = 1.6
_NO_DEGENERATION = ("Pfirrmann 1", "Pfirrmann 2")
_MAX_PIXELS = 64 * 1024 * 1024


def accepts(path: Path, head: bytes) -> bool:
    """Accept the two tables by their header, and a patient's images if the gradings lie in a folder above them."""
    if path.name in (GRADINGS, OVERVIEW):
        return b"IVD label" in head or b"num_vertebrae" in head
    return bool(_SERIES.match(path.name)) and _home(path) is not None


def read(path: Path, declared: Declared) -> Iterator[Document | Companion | Reject]:
    """Yield a patient's Document, or a Companion of it.

    Raises SourceError: no_image, bad_table, bad_image, or as nifti's for MHA.
    """
    home = _home(path)
    if home is None:
        raise SourceError("no_gradings", f"{GRADINGS} is not in a folder above; keep SPIDER's layout")
    patient = match.group(1) if (match := _SERIES.match(path.name)) else None
    images = [p for p in _images(home) if declared.takes(p) and (patient is None or p.name.split("_")[0] == patient)]
    if not images:
        raise SourceError("no_image", "no image of SPIDER lies below this table")
    if path != images[0]:
        yield Companion(declared.relative(path), declared.relative(images[0]))
        return
    yield from _read_patient(images[0].name.split("_")[0], images, home, declared)


def _read_patient(patient: str, images: Sequence[Path], home: Path, declared: Declared) -> Iterator[Document | Reject]:
    grades = sorted(
        ((_number(row, "IVD label"), row) for row in _rows(home / GRADINGS) if row.get("Patient", "").strip() == patient),
        key=lambda pair: pair[0],
    )
    discs = {_disc(number): row for number, row in grades}
    findings = tuple(finding for disc, row in discs.items() for finding in _findings(disc, row))
    overview = {row["new_file_name"]: row for row in _rows(home / OVERVIEW)} if (home / OVERVIEW).exists() else {}
    digest = hashlib.sha256("".join(sha256_of_file(image) for image in images).encode()).hexdigest()
    source = provenance_of(images[0], declared, "spider", case=f"spider:{patient}", name=patient, digest=digest)
    figures: list[Figure] = []
    vertebrae: set[str] = set()
    for image in images:
        count = int(overview.get(image.stem, {}).get("num_vertebrae") or 0)
        labelled = tuple(reversed(_FROM_BELOW[:count]))
        series = image.stem.split("_", 1)[1].replace("_", " ").upper()
        if image.suffix.lower() == ".png":
            figure, stretched = _image(image, series, labelled, tuple(reversed(discs)), findings)
            if stretched:
                detail = f"more than {_TALLEST} times as high as wide without a pixel spacing; resample it to square pixels"
                yield Reject(declared.relative(image), "stretched_image", detail)
                continue
            figures.append(figure)
            vertebrae.update(labelled)
            continue
        case, rejects = _volume(image, series, findings, declared)
        yield from rejects
        part = to_document(case, source, max(1, SLICES_PER_CASE // len(images)))
        figures += [replace(f, locator=f"{series} {f.locator}", caption=f"{series}: {f.caption}") for f in part.figures]
        vertebrae.update(part.levels)
    if not figures:
        return
    levels = tuple(level for level in COLUMN if level in vertebrae)
    sex = {"F": "female", "M": "male"}.get(next((overview[i.stem]["sex"].strip() for i in images if i.stem in overview), ""))
    yield Document(
        provenance=source,
        language="en",
        markdown=_statement(source.source_title or "Lumbar MRI", images, sex, levels, discs, findings),
        figures=tuple(figures),
        findings=findings,
        levels=levels,
        discs=tuple(reversed(discs)),
        ungraded=_UNGRADED,
    )


def _findings(disc: str, row: Mapping[str, str]) -> Iterator[Finding]:
    """What a row says. Pfirrmann 1 and 2 are grades like the others, no findings of disease (Pfirrmann 2001)."""
    if modic := _number(row, "Modic"):
        yield Finding("modic_change", disc, f"Modic {modic}")
    plates = [side for side, column in (("upper", "UP endplate"), ("lower", "LOW endplate")) if _number(row, column)]
    if plates:
        yield Finding("endplate_change", disc, f"{' and '.join(plates)} end plate")
    for column, name in _PRESENT.items():
        if _number(row, column):
            yield Finding(name, disc)
    if pfirrmann := _number(row, "Pfirrman grade"):
        yield Finding("disc_degeneration", disc, f"Pfirrmann {pfirrmann}")


def _image(
    path: Path, series: str, levels: tuple[str, ...], discs: tuple[str, ...], findings: tuple[Finding, ...]
) -> tuple[Figure, bool]:
    """Read a mid-sagittal image, and whether it was stretched (_TALLEST)."""
    data = read_bytes(path, 64 << 20)
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.format != "PNG" or image.width * image.height > _MAX_PIXELS:
                raise SourceError("bad_image", f"{path.name} is no PNG of up to {_MAX_PIXELS} pixels")
            image.load()
            stretched = "dpi" not in image.info and image.height > _TALLEST * image.width
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise SourceError("bad_image", f"{path.name} cannot be decoded: {describe_error(error)}") from error
    sentences = [f"Mid-sagittal {series} MRI."]
    if levels:
        sentences.append(f"Labelled vertebrae: {', '.join(levels)}.")
    if discs:
        sentences.append(f"Graded discs: {', '.join(discs)}.")
    figure = Figure(
        label="",
        caption=" ".join(sentences),
        locator=f"{series} mid-sagittal slice",
        image_modality="mri",
        levels=levels,
        discs=discs,
        findings=findings,
        image=drop_metadata(data),
    )
    return figure, stretched


def _volume(path: Path, series: str, findings: tuple[Finding, ...], declared: Declared) -> tuple[ImagingCase, list[Reject]]:
    image, affine = _load_mha(path)
    mask = path.parent.parent / "masks" / path.name
    labels, names, rejects = None, dict[int, str](), []
    if mask.exists():
        voxels, own = _load_mha(mask)
        if voxels.shape == image.shape and np.allclose(own, affine, atol=0.1):
            labels = np.rint(voxels).astype(np.uint16)
            names = {**dict(enumerate(_FROM_BELOW, 1)), **dict(enumerate(_DISCS_FROM_BELOW, _DISC_LABEL + 1))}
            names = {number: names[number] for number in map(int, np.unique(labels)) if number in names}
        else:
            rejects.append(Reject(declared.relative(mask), "grid_mismatch", "the mask is not on the image's grid", "labels"))
    return ImagingCase(f"SPIDER {series}", image, spacing_of(affine), "mri", labels, names, findings=findings), rejects


def _load_mha(path: Path) -> tuple[NDArray[np.float32], NDArray[np.floating]]:
    """Voxels with axes (R, A, S) and their affine. Raises SourceError: bad_mha, or as imaging.check_volume."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        affine = np.eye(4)
        if reader.GetDimension() == 3:
            affine[:3, :3] = np.reshape(reader.GetDirection(), (3, 3)) * reader.GetSpacing()
            affine[:3, 3] = reader.GetOrigin()
            affine[:2] *= -1  # ITK counts to the left and back
        check_volume(reader.GetSize(), affine, np.dtype(np.float32))
        voxels = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise SourceError("bad_mha", f"{path.name} cannot be decoded: {describe_error(error)}") from error
    return reorient(voxels.transpose(2, 1, 0).astype(np.float32), affine)


def _statement(
    title: str,
    images: Sequence[Path],
    sex: str | None,
    levels: Sequence[str],
    discs: Mapping[str, Mapping[str, str]],
    findings: Sequence[Finding],
) -> str:
    series = ", ".join(dict.fromkeys(image.stem.split("_", 1)[1].replace("_", " ").upper() for image in images))
    lines = [f"# {title}", f"Lumbar spine MRI{f' of a {sex} patient' if sex else ''}: {series}."]
    if levels:
        lines.append(f"Labelled vertebrae: {', '.join(levels)}.")
    if discs:
        grades = "; ".join(f"{disc} grade {_number(row, 'Pfirrman grade')}" for disc, row in reversed(list(discs.items())))
        lines.append(f"Pfirrmann grades: {grades}.")
    if stated := [f"- {describe_finding(finding)}" for finding in findings if finding.grade not in _NO_DEGENERATION]:
        lines.append("Graded findings:\n\n" + "\n".join(stated))
    return "\n\n".join(lines) + "\n"


def _home(path: Path) -> Path | None:
    """The folder of the gradings: the file's own or one of the two above it."""
    return next((folder for folder in list(path.parents)[:3] if (folder / GRADINGS).is_file()), None)


def _images(home: Path) -> list[Path]:
    found = [p for pattern in ("*", "*/*", "*/*/*") for p in home.glob(pattern) if _SERIES.match(p.name)]
    return sorted(p for p in found if p.parent.name != "masks")


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(io.StringIO(read_bytes(path, 64 << 20).decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError("bad_table", f"{path.name} is no UTF-8 CSV: {describe_error(error)}") from error


def _number(row: Mapping[str, str], column: str) -> int:
    try:
        return int(float(row[column]))
    except (KeyError, TypeError, ValueError):
        raise SourceError("bad_table", f"{GRADINGS}: column {column!r} of patient {row.get('Patient')} is no number") from None


def _disc(number: int) -> str:
    if not 1 <= number <= len(_DISCS_FROM_BELOW):
        raise SourceError("bad_table", f"{GRADINGS}: IVD label {number}; 1 (L5/S1) to {len(_DISCS_FROM_BELOW)} are known")
    return _DISCS_FROM_BELOW[number - 1]
