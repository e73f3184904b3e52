"""Refuse volumes that may show a face: the surface of the skin can be rebuilt from CT or MR, and the face recognised.

What is known decides; if nothing is known, the field of view does (fails closed). Only hospital sources are checked. Whoever
can tell declares in sources.yaml that the files show no recognisable face (removed, or outside the field of view):

    - match: hospital/neck/*
      defaced: true

A projection (radiograph) holds no surface. Numbers are ours, from adult anatomy: the eyes lie 30–40 mm above the atlas (C1) and
the skin over nose, lips and brow 80–110 mm in front of it; below that a volume shows neck, chin and lower lip at most.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dataset_builders.document import SourceError

ABOVE_MM = 20.0  # of the atlas: the field of view reaches the nose
IN_FRONT_MM = 70.0  # of the atlas: it reaches the skin
HEIGHT_MM, DEPTH_MM = 100.0, 120.0  # a field of view that could hold a face, if nobody knows where it lies
_PROJECTIONS = ("CR", "DX", "RG", "RF")

_HEAD = re.compile(
    r"\b(?:HEAD|HEADNECK|BRAIN|SKULL|CRANI\w*|FACE|FACIAL|ORBITS?|EYES?|NOSE|SINUS(?:ES)?|PARANASAL|MAXILL\w*|MANDIBLE|JAW|TMJ"
    r"|TEETH|DENTAL|IACS?|PITUITARY|SELLA)\b|头|颅|脑|面部|眼|眶|鼻"
)
_NECK = re.compile(
    r"\b(?:NECK|C ?SPINE|CERVICAL|CERVIC\w*|CTSPINE|TOTAL ?SPINE|WHOLE ?SPINE|SPINE ?WHOLE|FULL ?SPINE|WHOLE ?BODY|C ?T ?L)\b"
    r"|颈|全脊柱|全身"
)
_BELOW = re.compile(
    r"\b(?:[TLS] ?SPINE|[TLS]S ?SPINE|TLSPINE|LSSPINE|THORA\w*|LUMB\w*|LUMBO\w*|SACR\w*|COCCYX|PELVI\w*|CHEST|LUNGS?|HEART"
    r"|BREAST|ABDOM\w*|LIVER|KIDNEYS?|SPLEEN|PROSTATE|BLADDER|UTERUS|HIPS?|FEMUR|KNEES?|TIBIA|ANKLES?|FOOT|FEET|SHOULDERS?|ELBOWS?"
    r"|WRISTS?|HANDS?|EXTREMIT\w*|LEGS?|ARMS?)\b|胸|腰|骶|尾椎|盆|腹|肺|肝|肾|髋|膝|踝|肩|肘|腕"
)
_HEADERS = ("BodyPartExamined", "StudyDescription", "SeriesDescription", "ProtocolName", "RequestedProcedureDescription")

# Least height in mm of a vertebra with the disc below it, of small adults.
_LEVEL_MM = {"C": 15.0, "T": 20.0, "L": 30.0, "S": 25.0}
_COUNTS = {"C": 7, "T": 12, "L": 5, "S": 1}
_REFUSAL = "deface it, or, if no recognisable face is in it, say so: sources.yaml, defaced: true"


def region_of(words: str) -> str | None:
    """Tell from the words of a header, folder or file name: "head", "neck" or "below"; None if no word tells."""
    text = re.sub(r"[^\w\u4e00-\u9fff]+|_", " ", words).upper()
    for region, pattern in (("head", _HEAD), ("neck", _NECK), ("below", _BELOW)):
        if pattern.search(text):
            return region
    return None


def region_of_dicom(dataset: Any) -> str | None:
    """Tell the region from a header; "below" also for projections and if RecognizableVisualFeatures (0028,0302) is NO."""
    if dataset.get("Modality") in _PROJECTIONS or str(dataset.get("RecognizableVisualFeatures", "")).upper() == "NO":
        return "below"
    return region_of(" ".join(str(dataset.get(keyword, "") or "") for keyword in _HEADERS))


def check_face(
    region: str | None, shape: Sequence[int], spacing: Sequence[float], centres: Mapping[str, Sequence[float]]
) -> None:
    """Raise SourceError "face_in_volume" if a volume with axes (R, A, S) may hold a recognisable face.

    spacing   mm a voxel.
    centres   vertebra -> voxel index, of those that are labelled.

    A volume of the head is refused. If vertebrae are labelled, a volume is refused if it reaches ABOVE_MM above the atlas and
    IN_FRONT_MM in front of it; the atlas is taken to be as close above the highest label as it can be. Other volumes of the
    neck, or of an unknown region, are refused if their field of view is HEIGHT_MM high and DEPTH_MM deep: it could hold a face.
    """
    if region == "head":
        raise SourceError("face_in_volume", f"a volume of the head; {_REFUSAL}")
    vertebrae = {level: point for level, point in centres.items() if "/" not in level and level[0] in _LEVEL_MM}
    if vertebrae:
        highest, point = max(vertebrae.items(), key=lambda item: item[1][2])
        above = (shape[2] - point[2]) * spacing[2] - _below_atlas(highest)
        in_front = (shape[1] - point[1]) * spacing[1]
        if above > ABOVE_MM and in_front > IN_FRONT_MM:
            detail = f"the field of view may reach {above:.0f} mm above the atlas and {in_front:.0f} mm in front of it"
            raise SourceError("face_in_volume", f"{detail}; {_REFUSAL}")
    elif region != "below" and shape[2] * spacing[2] >= HEIGHT_MM and shape[1] * spacing[1] >= DEPTH_MM:
        what = "a volume of the neck" if region == "neck" else "a volume of an unknown part of the body"
        raise SourceError("face_in_volume", f"{what}, large enough to hold a face; {_REFUSAL}")


def _below_atlas(level: str) -> float:
    """Return the least distance in mm from the atlas down to a vertebra."""
    total = 0.0
    for part, count in _COUNTS.items():
        if level[0] == part:
            return total + (int(level[1:]) - 1) * _LEVEL_MM[part]
        total += count * _LEVEL_MM[part]
    raise ValueError(f"{level!r} is no vertebra")
