"""Check, as far as code can see, that an item needs its images and that they can answer it."""

import re
from collections.abc import Callable

from dataset_builders.generate.criteria.facts import levels_of
from dataset_builders.generate.criteria.parts import is_as_written, parts_of
from dataset_builders.item import Item

_IMAGE_WORD = re.compile(
    r"\b(?:image|images|imaging|picture|pictures|figure|figures|radiograph\w*|x-rays?|mri?|ct|scans?|films?"
    r"|slices?|photograph\w*|panels?|"
    r"views?|shown|here|this|these|labelled|labeled|arrow\w*|drawing|diagram)\b|图|片|影像|所示|扫描|序列|层面|标注",
    re.IGNORECASE,
)
_AXIAL = re.compile(r"\b(?:axial|transverse|transaxial)\b|轴位|横断面|轴状位", re.IGNORECASE)
_OTHER_PLANE = re.compile(r"\b(?:sagittal|coronal|lateral|frontal|scout|radiograph)\b|矢状|冠状|侧位|定位像", re.IGNORECASE)
_T1 = re.compile(r"\bt1(?:\b|_|-?w)|t1 ?加权|(?<=_)t1", re.IGNORECASE)
_T2 = re.compile(r"\bt2(?:\b|_|-?w)|t2 ?加权|(?<=_)t2", re.IGNORECASE)
_ASKS_LEVEL = re.compile(
    r"\b(?:which|what|name|at which|how many|orient|identify|count)\b[^?.]*\b(?:levels?|vertebra\w*|discs?"
    r"|disks?|segments?|bod(?:y|ies)|roots?)\b|"
    r"(?:哪|几|何|请|按)[^？。]*(?:节段|椎体|椎间盘|颈椎|胸椎|腰椎|神经根)|(?:节段|椎体|椎间盘)[^？。]*(?:哪|几|何)",
    re.IGNORECASE,
)


def images_exist(item: Item, image_of: Callable[[str], bytes] | None) -> str:
    """Demand that each image is in the store, in a user turn, and told by the modality."""
    if (item.modality == "image_text") != bool(item.images):
        return f"modality {item.modality} with {len(item.images)} images"
    if any(message.images for message in item.messages if message.role != "user"):
        return "an image in an assistant turn"
    for sha256 in item.images:
        try:
            if image_of is not None and not image_of(sha256):
                return f"image {sha256} is empty"
        except (FileNotFoundError, KeyError):
            return f"image {sha256} is not in the store"
    return ""


def image_needed(item: Item, _: object) -> str:
    """Reject an image of which no question speaks."""
    if not item.images or is_as_written(item):
        return ""
    asked = [message.text.partition("\nA. ")[0] for message in item.messages if message.images]
    return "" if any(map(_IMAGE_WORD.search, asked)) else "shows an image and asks nothing of it"


def level_decidable(item: Item, _: object) -> str:
    """Reject a level that is asked of one axial image."""
    if len(item.images) != 1:
        return ""
    parts = parts_of(item)
    said = f"{item.provenance.source_locator}\n{parts.users}"
    if _AXIAL.search(said) and not _OTHER_PLANE.search(said):
        asked, answered = levels_of(parts.users), levels_of(parts.replies)
        if _ASKS_LEVEL.search(parts.users) or (answered[0] | answered[1]) - (asked[0] | asked[1]):
            return "asks for a level in one axial image, or names it"
    return ""


def grade_decidable(item: Item, _: object) -> str:
    """Reject a grade that is asked of an image which does not show it."""
    if len(item.images) != 1 or is_as_written(item):
        return ""
    parts = parts_of(item)
    place, text = f"{item.provenance.source_locator}\n{parts.users}", f"{parts.said}\n{' '.join(item.options)}".lower()
    t1, t2 = (
        bool(_T1.search(parts.users) or _T1.search(_last(place))),
        bool(_T2.search(parts.users) or _T2.search(_last(place))),
    )
    if "pfirrmann" in text and t1 and not t2:
        return "a Pfirrmann grade in a T1-weighted image"
    if "modic" in text and re.search(r"modic (?:change )?(?:type )?[1-3i]", text) and t1 != t2:
        return "a Modic type in one weighting"
    if re.search(r"meyerding", text) and _AXIAL.search(place) and not _OTHER_PLANE.search(place):
        return "the grade of a slip in an axial image"
    return ""


def _last(place: str) -> str:
    """The part of a locator behind the file's name, which may say "t1" of another slice."""
    return place.partition("\n")[0].rpartition(",")[2]
