"""What label maps are called, what their numbers mean, and reading them onto an image's grid.

What proves a map's meaning, in this order; nothing is guessed:

    declared        ``labels: <a name of SCHEMES>`` in sources.yaml
    its own header  the names that TotalSegmentator and Connectome Workbench write into a NIfTI extension
    dataset.json    nnU-Net's table of classes, beside the folder of labels
    its name        VerSe (…_seg-vert_msk), Spinal Cord Toolbox (…_labeled, …_levels), one structure a file (vertebrae_L3)

A binary mask and single points give no levels. Any other map whose meaning nothing proves is refused: its numbers under another
table would name the wrong vertebrae in silence (26 is T9 in TotalSegmentator's first version, and S1 in its second).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from lxml import etree
from numpy.typing import NDArray

from dataset_builders.document import SourceError
from dataset_builders.levels.anatomy import DISCS, USUAL_VERTEBRAE, VERTEBRAE
from dataset_builders.sources.base import Declared, read_bytes
from dataset_builders.sources.imaging.volume_case import SPINAL_CORD_TOOLBOX, TOTALSEGMENTATOR, VERSE, VERSE_DISC, verse_names
from dataset_builders.sources.markup import parse_xml

NIFTI_SUFFIXES = (".nii.gz", ".nii")
TOTALSEGMENTATOR_1 = dict(enumerate((*reversed(USUAL_VERTEBRAE[: USUAL_VERTEBRAE.index("S1")]),), 18))
"""Version 1: 18–22 L5–L1, 23–34 T12–T1, 35–41 C7–C1."""
SCHEMES: Mapping[str, Mapping[int, str]] = {
    "verse": VERSE,
    "totalsegmentator-2": TOTALSEGMENTATOR,
    "totalsegmentator-1": TOTALSEGMENTATOR_1,
    "spinal-cord-toolbox": SPINAL_CORD_TOOLBOX,
}
"""What ``labels`` in sources.yaml may name."""
MASK_FOLDERS = ("segmentations", "masks")
"""Folders beside an image that hold a mask a structure."""
_IMAGE_FOLDERS = {"labelstr": "imagesTr", "labelsts": "imagesTs", "labelsval": "imagesVal", "labels": "images"}

_DERIVED = re.compile(r"(^|_)(seg|msk|mask|labels?|labeled|levels|totalseg|dseg)(?=[-_]|$)", re.IGNORECASE)
_VERTEBRA = re.compile(
    r"(?:vertebra[el]?|vertebral[ _-]body|vert|vb|bone)?[ _-]*"
    r"(?:(?P<region>cervical|thoracic|lumbar|sacral)[ _-]*|(?P<letter>[CTLS]))(?P<number>\d{1,2})[ _-]*(?:vertebra|body)?",
    re.IGNORECASE,
)
_DISC = re.compile(r"(?:intervertebral_)?(?:disc|disk|ivd)[ _-]*([CTL]\d{1,2})[ _/-]*([CTLS]\d{1,2})", re.IGNORECASE)
_CORD_AND_SAC = {60, 61}  # of the phantoms, whose maps are VerSe's else
_MAX_HEADER_BYTES = 4 << 20
_POINT_VOXELS = 10
"""A label of so few voxels is a point, not a structure (ours)."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """Labels on an image's grid, and which vertebra or disc each number is.

    on_bone   whether the labels are the vertebrae themselves, or mark their height in the cord only.
    """

    labels: NDArray[np.uint16]
    names: Mapping[int, str]
    on_bone: bool = True


def stem_of(path: Path) -> str:
    """Return a NIfTI's or table's name without its suffix."""
    return re.sub(r"(\.nii(\.gz)?|\.json)$", "", path.name, flags=re.IGNORECASE)


def is_derived(path: Path) -> bool:
    """Tell by its name or folder whether a file is a label map or mask, and no image."""
    folder = path.parent.name.lower()
    return bool(_DERIVED.search(stem_of(path))) or folder in MASK_FOLDERS or folder in _IMAGE_FOLDERS


def is_label_map(path: Path) -> bool:
    """Tell whether a file is a label map or mask as NIfTI."""
    return path.name.lower().endswith(NIFTI_SUFFIXES) and is_derived(path)


def is_class_table(path: Path) -> bool:
    """Tell whether a file is nnU-Net's dataset.json, beside a folder of labels."""
    return path.name == "dataset.json" and any((path.parent / folder).is_dir() for folder in _IMAGE_FOLDERS.values())


def image_folder_of(path: Path) -> Path | None:
    """Return the folder with the images of a folder of labels: of nnU-Net's labelsTr its imagesTr; None for other folders."""
    name = _IMAGE_FOLDERS.get(path.parent.name.lower())
    return path.parent.parent / name if name else None


def label_folder_of(image: Path) -> Path | None:
    """Return the folder with the labels of a folder of images, as image_folder_of has it; None for other folders."""
    names = {ours.lower(): theirs for theirs, ours in _IMAGE_FOLDERS.items()}
    wanted = names.get(image.parent.name.lower())
    folders = image.parent.parent.iterdir() if wanted else ()
    return next((folder for folder in sorted(folders) if folder.is_dir() and folder.name.lower() == wanted), None)


def level_of_name(name: str) -> str | None:
    """Return the vertebra or disc that a structure's name says ("vertebrae_L3", "disc_L4_L5"); None if it says none."""
    if match := _VERTEBRA.fullmatch(name.strip()):
        level = f"{(match['letter'] or match['region'])[0].upper()}{match['number']}"
        return level if level in VERTEBRAE else None
    if match := _DISC.fullmatch(name.strip()):
        disc = f"{match[1]}/{match[2]}".upper()
        return disc if disc in DISCS else None
    return None


def name_labels(path: Path, labels: NDArray[np.uint16], declared: Declared) -> LabelMap | None:
    """Return what a map's labels are; None if they are one mask or points, which give no levels.

    Raises SourceError: "labels_of_unknown_meaning", "bad_json".
    """
    present = {int(number) for number in np.unique(labels)} - {0}
    if declared.labels:
        return _named(labels, present, SCHEMES[declared.labels], on_bone=declared.labels != "spinal-cord-toolbox")
    if (stated := _names_in_header(path)) is not None:
        return LabelMap(labels, {n: level for n, name in stated.items() if n in present and (level := level_of_name(name))})
    if (stated := _names_in_table(path)) is not None:
        names = {n: level for n, name in stated.items() if n in present and (level := level_of_name(name))}
        if unexplained := (present if not names else present - stated.keys()):
            raise _unknown(f"dataset.json names no level for the labels {_list(unexplained)}")
        return LabelMap(labels, names)
    stem = stem_of(path).lower()
    if stem.endswith("_seg-vert_msk") or (stem.endswith("_seg") and re.match(r"(sub-)?(verse|gl)\d+", stem)):
        if strange := present - VERSE.keys() - {VERSE_DISC + number for number in VERSE} - _CORD_AND_SAC:
            raise _unknown(f"the name is VerSe's, whose table does not hold the labels {_list(strange)}")
        return LabelMap(labels, verse_names(present))
    if stem.endswith(("_labeled", "_levels")):
        return _named(labels, present, SPINAL_CORD_TOOLBOX, on_bone=False)
    if len(present) < 2 or np.bincount(labels.ravel())[1:].max() <= _POINT_VOXELS:
        return None
    if "totalseg" in stem or "totalseg" in path.parent.name.lower():
        detail = "TotalSegmentator renumbered its classes in version 2, and this file does not hold their names"
    else:
        detail = f"{len(present)} labels, and neither the file, a dataset.json nor its name says what they are"
    raise _unknown(detail)


def merge_masks(masks: Mapping[Path, NDArray[np.uint16]]) -> LabelMap | None:
    """Return one map of a folder's masks, a structure each, by the level in each file's name; None if none names a level."""
    merged: NDArray[np.uint16] | None = None
    names: dict[int, str] = {}
    for number, (path, mask) in enumerate(sorted(masks.items()), 1):
        if level := level_of_name(stem_of(path)):
            merged = np.zeros(mask.shape, np.uint16) if merged is None else merged
            merged[mask > 0] = number
            names[number] = level
    return None if merged is None else LabelMap(merged, {n: level for n, level in names.items() if (merged == n).any()})


def _unknown(detail: str) -> SourceError:
    return SourceError(
        "labels_of_unknown_meaning", f"{detail}; declare labels for it in sources.yaml, one of {', '.join(SCHEMES)}"
    )


def _list(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)[:10]))


def _named(labels: NDArray[np.uint16], present: set[int], scheme: Mapping[int, str], *, on_bone: bool) -> LabelMap:
    names = verse_names(present) if scheme is VERSE else {n: level for n, level in scheme.items() if n in present}
    return LabelMap(labels, names, on_bone)


def _names_in_header(path: Path) -> dict[int, str] | None:
    """The label table of a NIfTI extension (Connectome Workbench's XML); None if there is none that can be read."""
    header: Any = nib.load(path).header
    for extension in getattr(header, "extensions", ()):
        content = extension.get_content()
        content = content if isinstance(content, bytes) else str(content).encode()
        if b"<LabelTable" not in content or len(content) > _MAX_HEADER_BYTES:
            continue
        try:
            root: etree._Element = parse_xml(content.strip(b"\0 \r\n\t"))
        except SourceError:
            continue
        return {int(label.get("Key", "-1")): (label.text or "").strip() for label in root.iter("Label")}
    return None


def _names_in_table(path: Path) -> dict[int, str] | None:
    """nnU-Net's classes: {"L5": 1} in its second version, {"1": "L5"} in its first; None if there is no table."""
    table = path.parent.parent / "dataset.json"
    if path.parent.name.lower() not in _IMAGE_FOLDERS or not table.is_file():
        return None
    try:
        classes = json.loads(read_bytes(table, 1 << 20))["labels"]
        pairs = [(key, value) if str(key).isdigit() else (value, key) for key, value in classes.items()]
        return {int(number): str(name) for number, name in pairs if not isinstance(number, list)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            "bad_json", f"dataset.json beside the labels has no table of labels ({type(error).__name__})"
        ) from error
