"""NIfTI volumes with what lies beside them: VerSe, TotalSegmentator, Spinal Cord Toolbox, our phantoms, and plain ones.

One image is one Document; its label maps, centroids, findings and README are Companions. What belongs to what is told by name:

    VerSe, phantom       {case}_ct.nii.gz (_T1w, _T2w)  {case}_seg-vert_msk.nii.gz {case}_seg-subreg_ctd.json _findings.json
                         (in the image's folder, or under derivatives/ where the image is under rawdata/)
    VerSe at MICCAI      {case}.nii.gz                  {case}_seg.nii.gz {case}_ctd.json {case}_iso-ctd.json (1 mm, axes A S L)
    TotalSegmentator     {case}_ct.nii.gz               …{case}…_totalseg.nii.gz …{case}…_spine_report.json
                         s0011/ct.nii.gz                s0011/segmentations/vertebrae_L3.nii.gz, a mask a structure
    Spinal Cord Toolbox  t2.nii.gz, PAM50_t2.nii.gz     t2_seg…_labeled.nii.gz, PAM50_levels.nii.gz
    nnU-Net              imagesTr/{case}_0000.nii.gz    labelsTr/{case}.nii.gz, classes in dataset.json

What their numbers mean: label_maps.py. A label map whose image is not there is rejected (no_image): an image drawn from labels
is no medical image.
"""

import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from dataset_builders.deidentify.faces import region_of
from dataset_builders.document import Companion, Document, Finding, Reject, SourceError, describe_error
from dataset_builders.sources.base import Declared, read_bytes, sha256_of_file
from dataset_builders.sources.catalogue import load_catalogue
from dataset_builders.sources.imaging.label_maps import (
    MASK_FOLDERS,
    NIFTI_SUFFIXES,
    LabelMap,
    image_folder_of,
    is_class_table,
    is_derived,
    is_label_map,
    label_folder_of,
    level_of_name,
    merge_masks,
    name_labels,
    stem_of,
)
from dataset_builders.sources.imaging.volume_case import (
    PHANTOM,
    PHANTOM_SLICES,
    TOTALSEGMENTATOR,
    UNGRADED_BY_LABEL_MAPS,
    VERSE,
    ImagingCase,
    check_volume,
    dataset_of,
    provenance_of,
    to_document,
)
from dataset_builders.taxonomy import FINDINGS
from dataset_builders.volumes import SLICES_PER_CASE, Point, reorient, reorient_point, spacing_of

_TABLE = re.compile(r"[-_](ctd|findings|spine_report)\.json$", re.IGNORECASE)
_TEXT = re.compile(r"^(\w*readme|licen[cs]e|info_label).*\.(md|txt)$", re.IGNORECASE)
_PREVIEW = re.compile(r"(_snp|-w|_snapshot|_preview\w*)\.png$", re.IGNORECASE)
_MODALITY_SUFFIX = re.compile(r"[-_](ct|t1w?|t2w?|mri?)$", re.IGNORECASE)
_MODALITY_OF_WORD = {"ct": "ct", **dict.fromkeys(("t1", "t1w", "t2", "t2w", "t2star", "stir", "mr", "mri"), "mri")}
_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")
_MICCAI_CASE = re.compile(r"verse\d+")
_CHANNEL = re.compile(r"_\d{4}$")  # nnU-Net's number of a modality
_BARE_NAME = re.compile(r"(?:ct|t1w?|t2w?|mri?|image|img|volume|vol)", re.IGNORECASE)  # the folder is the case
# A centroid further than this from its own label is not believed.
_CENTROID_TOLERANCE_MM = 5.0


def accepts(path: Path, head: bytes) -> bool:  # noqa: ARG001
    """Accept NIfTI by its suffix, the tables that go with one, and label previews and READMEs that lie beside one."""
    name = path.name
    if name.lower().endswith(NIFTI_SUFFIXES) or _TABLE.search(name) or is_class_table(path):
        return True
    if _PREVIEW.search(name):
        return bool(_volumes_in(path.parent))
    return bool(_TEXT.match(name)) and any(_volumes_in(folder) for folder in (path.parent, path.parent.parent))


def read(path: Path, declared: Declared) -> Iterator[Document | Companion | Reject]:
    """Yield an image's Document and a Reject for each unusable part beside it; for other files, a Companion of their image."""
    if path.name.lower().endswith(NIFTI_SUFFIXES) and not is_derived(path):
        yield from _read_image(path, declared)
        return
    owner = _owner(path)
    if owner is None:
        raise SourceError("no_image", "no image that these labels or tables belong to; put it beside them, named as VerSe does")
    yield Companion(declared.relative(path), declared.relative(owner))


def load_volume(path: Path) -> tuple[NDArray, NDArray[np.floating]]:
    """Load voxels with axes (R, A, S) and their affine (mm).

    Raises SourceError: not_nifti, truncated, too_large, not_3d, not_scalar, no_affine (sform and qform codes both 0) or
    bad_affine (NaN, singular, or voxels outside 0.05–50 mm).
    """
    try:
        image: Any = nib.load(path)
        header = image.header
        check_volume(header.get_data_shape(), image.affine, header.get_data_dtype())
        if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
            raise SourceError(
                "no_affine", "sform and qform codes are both 0: left and right are unknown; store the orientation"
            )
        voxels = np.asanyarray(image.dataobj)
    except (ImageFileError, nib.spatialimages.HeaderDataError) as error:
        raise SourceError("not_nifti", f"no NIfTI that can be read: {describe_error(error)}") from error
    except (EOFError, zlib.error, OSError, ValueError) as error:
        raise SourceError("truncated", f"the voxels cannot be read to the end: {describe_error(error)}") from error
    voxels = voxels.reshape(voxels.shape[:3])
    if voxels.dtype == np.float64:
        voxels = voxels.astype(np.float32)
    if voxels.dtype.kind == "f":
        voxels = np.nan_to_num(voxels, posinf=0.0, neginf=0.0)
    return reorient(voxels, image.affine)


def load_labels(path: Path, shape: tuple[int, ...], affine: NDArray) -> NDArray[np.uint16]:
    """Load a label map on the grid of an image. Raises SourceError: grid_mismatch, not_labels, or as load_volume."""
    voxels, own = load_volume(path)
    if voxels.shape != tuple(shape) or not np.allclose(own, affine, atol=0.1):
        raise SourceError(
            "grid_mismatch", f"the label map has {voxels.shape} voxels, the image {tuple(shape)}, or they lie elsewhere"
        )
    if voxels.min() < 0 or voxels.max() > 65535:
        raise SourceError("not_labels", "labels below 0 or above 65535")
    labels = voxels.astype(np.uint16)
    if voxels.dtype.kind == "f" and any((plane != whole).any() for plane, whole in zip(voxels, labels)):
        labels = np.rint(voxels).astype(np.uint16)
        if any(np.abs(plane - whole).max() > 1e-3 for plane, whole in zip(voxels, labels)):
            raise SourceError("not_labels", "values that are no whole numbers; store the label map, not probabilities")
    return labels


def read_label_maps(
    parts: Sequence[Path], shape: tuple[int, ...], affine: NDArray, declared: Declared
) -> tuple[LabelMap | None, list[Reject]]:
    """Return the first of an image's label maps that says levels (a folder's masks as one), and a Reject for each unusable."""
    found: LabelMap | None = None
    masks: dict[Path, NDArray[np.uint16]] = {}
    rejects = []
    for part in parts:
        is_mask = part.parent.name.lower() in MASK_FOLDERS
        if found is not None or (is_mask and not level_of_name(stem_of(part))):
            continue
        try:
            labels = load_labels(part, shape, affine)
            if is_mask:
                masks[part] = labels
            else:
                found = name_labels(part, labels, declared)
        except SourceError as error:
            rejects.append(Reject(declared.relative(part), error.reason, error.detail, where="labels"))
    return found or merge_masks(masks), rejects


def _read_image(path: Path, declared: Declared) -> Iterator[Document | Reject]:
    image, affine = load_volume(path)
    spacing = spacing_of(affine)
    centres: dict[str, Point] = {}
    findings: list[Finding] = []
    parts = _parts(path)
    label_map, rejects = read_label_maps([part for part in parts if is_label_map(part)], image.shape, affine, declared)
    yield from rejects
    labels, names = (label_map.labels, label_map.names) if label_map else (None, {})
    for part in parts:
        try:
            if part.name.endswith("ctd.json") and labels is not None:
                points, strays = _keep_inside(_read_centroids(part, image.shape, spacing), labels, names, spacing)
                centres |= points
                for level in strays:
                    detail = f"more than {_CENTROID_TOLERANCE_MM:g} mm from its own label; the label's own middle is used"
                    yield Reject(declared.relative(part), "centroid_outside_label", detail, where=f"centroid of {level}")
            elif part.name.endswith("_findings.json"):
                findings += _read_findings(part)
            elif part.name.endswith("_spine_report.json"):
                findings += _read_heights(part, spacing)
        except SourceError as error:
            yield Reject(declared.relative(part), error.reason, error.detail, where="table")
    dataset = dataset_of(path, declared)
    stem = _stem_of_case(path, declared)
    source = provenance_of(
        path, declared, dataset, case=_case(stem), name=_source_name(path, stem), digest=sha256_of_file(path)
    )
    yield to_document(
        ImagingCase(
            title=source.source_title or "Imaging volume",
            image=image,
            spacing=spacing,
            modality=_modality(stem_of(path), dataset, image),
            labels=labels,
            names=names,
            centres=centres,
            findings=tuple(findings),
            on_bone=label_map is None or label_map.on_bone,
            weighting=_weighting(stem_of(path)),
            region=region_of(declared.relative(path)),
            defaced=declared.defaced,
            ungraded=() if dataset == PHANTOM.id else UNGRADED_BY_LABEL_MAPS,
        ),
        source,
        PHANTOM_SLICES if dataset == PHANTOM.id else SLICES_PER_CASE,
    )


def _volumes_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.name.lower().endswith(NIFTI_SUFFIXES)) if folder.is_dir() else []


def _twin(folder: Path, ours: str, theirs: str) -> Path | None:
    """The same folder on the other side of the split into rawdata/ and derivatives/."""
    parts = list(folder.parts)
    if ours not in parts:
        return None
    parts[len(parts) - 1 - parts[::-1].index(ours)] = theirs
    return Path(*parts)


def _owner(path: Path) -> Path | None:
    """The image that a label map or table belongs to; without one, the DICOM series beside it, or for a table its label map.

    By name; else the only image there, or the only one on a label map's grid. A README or preview goes with the first image.
    """
    if _TEXT.match(path.name) or _PREVIEW.search(path.name) or is_class_table(path):
        around = [folder for folder in (path.parent, path.parent.parent, *path.parent.glob("images*")) if folder.is_dir()]
        volumes = [p for folder in around for p in _volumes_in(folder)]
        return next((p for p in sorted(volumes, key=is_derived)), None)
    twin = _twin(path.parent, "derivatives", "rawdata") or image_folder_of(path)
    if path.parent.name.lower() in MASK_FOLDERS:
        twin = path.parent.parent
    images = [p for folder in (path.parent, twin) if folder for p in _volumes_in(folder) if not is_derived(p)]
    if image_folder_of(path):
        return next((image for image in images if _CHANNEL.sub("", stem_of(image)) == stem_of(path)), None)
    if owner := _by_name(path, images):
        return owner
    if len(images) > 1 and is_label_map(path):
        images = [image for image in images if _same_grid(path, image)]
    if len(images) == 1:
        return images[0]
    series = sorted(p for p in path.parent.iterdir() if p.suffix.lower() == ".dcm")
    if series and not images:
        return series[0]
    return None if is_label_map(path) else _by_name(path, [p for p in _volumes_in(path.parent) if is_derived(p)])


def _by_name(path: Path, volumes: list[Path]) -> Path | None:
    """The volume whose name, with or without its modality or kind of labels, is the longest one within ``path``'s."""
    stem = f"_{stem_of(path)}_".replace("-", "_")
    keys = [
        (key, p) for p in volumes for key in {stem_of(p), _MODALITY_SUFFIX.sub("", stem_of(p)), stem_of(p).split("_seg")[0]}
    ]
    fits = [(len(key), p) for key, p in keys if f"_{key}_".replace("-", "_") in stem]
    return max(fits, key=lambda fit: (fit[0], fit[1].name))[1] if fits else None


def _same_grid(first: Path, second: Path) -> bool:
    one: Any = nib.load(first)
    other: Any = nib.load(second)
    return one.shape == other.shape and np.allclose(one.affine, other.affine, atol=0.1)


def _parts(image: Path) -> list[Path]:
    """Label maps and tables that belong to an image."""
    around = (image.parent, _twin(image.parent, "rawdata", "derivatives"), label_folder_of(image))
    masks = [image.parent / name for name in MASK_FOLDERS]
    folders = [folder for folder in (*around, *masks) if folder and folder.is_dir()]
    beside = [p for folder in folders for p in sorted(folder.iterdir()) if _TABLE.search(p.name) or is_label_map(p)]
    return [p for p in beside if _owner(p) == image]


def _read_centroids(path: Path, shape: tuple[int, ...], spacing: Point) -> dict[str, Point]:
    """VerSe's list: {"direction": axes} first, then {"label", "X", "Y", "Z"} along those axes; entries with NaN are left out.

    In voxels of the image; in ``_iso-ctd.json`` of a 1 mm grid, with axes A S L where none are given.
    """
    iso = path.name.endswith("iso-ctd.json")
    entries = _load_json(path)
    axes = ("A", "S", "L") if iso else None
    points: dict[str, Point] = {}
    size = (shape[0], shape[1], shape[2])
    try:
        for entry in entries:
            if "direction" in entry:
                axes = tuple(entry["direction"])
                continue
            if axes is None:
                raise SourceError("bad_centroids", 'the first entry must give the axes: {"direction": ["P", "I", "R"]}')
            place = (float(entry["X"]), float(entry["Y"]), float(entry["Z"]))
            level = VERSE.get(int(entry["label"]))
            if level is None or not all(map(math.isfinite, place)):
                continue
            if iso:
                along = [spacing["RLAPSI".index(code) // 2] for code in axes]
                place = (place[0] / along[0], place[1] / along[1], place[2] / along[2])
            points[level] = reorient_point(place, axes, size)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise SourceError("bad_centroids", f"not a VerSe centroid list: {describe_error(error)}") from error
    return points


def _keep_inside(
    points: dict[str, Point], labels: NDArray[np.uint16], names: Mapping[int, str], spacing: Point
) -> tuple[dict[str, Point], list[str]]:
    """Centroids near their own label, and the levels of the others."""
    number_of = {level: number for number, level in names.items()}
    reach = [math.ceil(_CENTROID_TOLERANCE_MM / mm) for mm in spacing]
    kept, strays = {}, []
    for level, point in points.items():
        corner = [max(round(value) - r, 0) for value, r in zip(point, reach)]
        box = tuple(slice(low, max(round(value) + r + 1, 0)) for low, value, r in zip(corner, point, reach))
        near = np.argwhere(labels[box] == number_of.get(level, -1)) + corner
        distances = np.linalg.norm((near - np.asarray(point)) * spacing, axis=1)
        if distances.size and distances.min() <= _CENTROID_TOLERANCE_MM:
            kept[level] = point
        else:
            strays.append(level)
    return kept, strays


def _read_findings(path: Path) -> list[Finding]:
    """Our list: {"name" of taxonomy.FINDINGS, "level", "grade", "value", "unit"}."""
    try:
        findings = [Finding.from_dict(entry) for entry in _load_json(path)]
    except TypeError as error:
        raise SourceError("bad_findings", f"not a list of name, level, grade, value, unit: {describe_error(error)}") from error
    if unknown := sorted({str(f.name) for f in findings if f.name not in FINDINGS}):
        raise SourceError("bad_findings", f"unknown names {unknown}; known are {sorted(FINDINGS)}")
    return findings


def _read_heights(path: Path, spacing: Point) -> list[Finding]:
    """Wedge fractures from TotalSegmentator's vertebral heights.

    Rule: the anterior height is at least 20 % below the posterior one (Genant 1993: grade 1 to 25 %, 2 to 40 %, 3 above), and
    the difference is at least two voxels, which is what the grid can show. Its "height_difference" is not used: it also
    counts an anterior height above the posterior one, which is how a lordotic vertebra is built.
    """
    report = _load_json(path)
    try:
        heights = {key: float(value) for key, value in report["results"].items() if "_height_" in key}
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise SourceError("bad_report", f"not a TotalSegmentator spine report: {describe_error(error)}") from error
    findings = []
    for level in TOTALSEGMENTATOR.values():
        anterior = heights.get(f"vertebrae_{level}_height_anterior_mm")
        posterior = heights.get(f"vertebrae_{level}_height_posterior_mm")
        if not anterior or not posterior or posterior - anterior < 2 * spacing[2]:
            continue
        loss = 100 * (posterior - anterior) / posterior
        if loss >= 20:
            grade = "Genant 1" if loss <= 25 else "Genant 2" if loss <= 40 else "Genant 3"
            findings.append(Finding("wedge_fracture", level, grade, round(loss, 1), "%"))
    return findings


def _load_json(path: Path) -> Any:
    try:
        return json.loads(read_bytes(path, 16 << 20))
    except ValueError as error:
        raise SourceError("bad_json", f"not JSON: {describe_error(error)}") from error


def _modality(stem: str, dataset: str, image: NDArray) -> str | None:
    """From the name's words; else CT where there is air at −500 HU or below, which no MR image has; else unknown."""
    for word in reversed(re.split(r"[-_.]", stem.lower())):
        if word in _MODALITY_OF_WORD:
            return _MODALITY_OF_WORD[word]
    return "ct" if dataset == "verse" or image.min() <= -500 else None


def _stem_of_case(path: Path, declared: Declared) -> str:
    """The image's stem, without nnU-Net's channel; if it says its modality only, the case's folder's name (s0011/ct.nii.gz)."""
    stem = stem_of(path)
    if _BARE_NAME.fullmatch(stem) and path.parent != declared.root and path.parent.name.lower() not in load_catalogue():
        return path.parent.name
    return _CHANNEL.sub("", stem) if label_folder_of(path) else stem


def _weighting(stem: str) -> str:
    """ "T1" or "T2" if a word of the name says so ("sub-1_T2w", "PAM50_t2"), else ""."""
    words = re.findall(r"(?<![^-_.])(t[12])w?(?![^-_.])", stem.lower())
    return words[-1].upper() if words else ""


def _case(stem: str) -> str:
    """The patient's name in the data set: sub-verse004 for both releases; the stem where it names no subject."""
    if match := _SUBJECT.match(stem):
        return match.group()
    if match := _MICCAI_CASE.match(stem):
        return f"sub-{match.group()}"
    return stem


def _source_name(path: Path, stem: str) -> str:
    """The stem; of a subject's image without modality, unless another image beside it differs in its modality only."""
    if not (_SUBJECT.match(stem) or _MICCAI_CASE.match(stem)):
        return stem
    short = _MODALITY_SUFFIX.sub("", stem)
    twins = [p for p in _volumes_in(path.parent) if not is_derived(p) and _MODALITY_SUFFIX.sub("", stem_of(p)) == short]
    name = short if len(twins) == 1 else stem
    return f"sub-{name}" if _MICCAI_CASE.match(name) else name
