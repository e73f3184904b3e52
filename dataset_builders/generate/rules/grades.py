"""Grades of findings: which scale a label is on, which step it means, and whether that step is abnormal."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dataset_builders.document import Finding


@dataclass(frozen=True, slots=True)
class Scale:
    """A grading scale.

    en, zh          its steps in words, mildest first.
    first_abnormal  the first step that is abnormal (0-based).
    step_of         a grade as labels write it ("2", "moderate") -> its step.
    asked           the steps that a question offers: those that labels give. () for a scale without a published definition.
    """

    en: tuple[str, ...]
    zh: tuple[str, ...]
    first_abnormal: int
    step_of: Mapping[str, int]
    asked: tuple[int, ...] = ()


def grade_of(finding: Finding) -> tuple[Scale, int] | None:
    """Find the scale that a finding is graded on and its step (0-based); None if it has no grade or the scale is unknown."""
    scale = _SCALES.get(finding.name)
    if scale is None or finding.grade is None:
        return None
    words = re.sub(r"meyerding|pfirrmann|genant|modic|grade|type|级|度|型", " ", finding.grade.lower())
    word = " ".join(words.split())
    step = scale.step_of.get(_ROMAN.get(word, word))
    return None if step is None else (scale, step)


def asked_steps(finding: Finding, language: str) -> tuple[str, ...]:
    """Return the grades that a question about ``finding`` offers, in words, mildest first; () if it is not asked about."""
    scale = _SCALES.get(finding.name)
    if scale is None:
        return ()
    words = scale.zh if language == "zh" else scale.en
    return tuple(words[step] for step in scale.asked)


def is_abnormal(finding: Finding) -> bool:
    """Return False if the grade says that the level is normal (Pfirrmann I and II, "Normal/Mild", "0")."""
    if graded := grade_of(finding):
        scale, step = graded
        return step >= scale.first_abnormal
    return (finding.grade or "").strip().lower() not in {"0", "none", "normal", "absent"}


def is_surely_normal(finding: Finding) -> bool:
    """Return whether the grade rules the finding out: the healthy first step of a scale, such as Pfirrmann I.

    Not Pfirrmann II, which many readers call early degeneration, and not "normal or mild".
    """
    if (finding.grade or "").strip().lower() in {"0", "none", "normal", "absent"}:
        return True
    graded = grade_of(finding)
    return graded is not None and graded[1] == 0 < graded[0].first_abnormal and graded[0] is not _SEVERITY


def name_grade(finding: Finding, language: str) -> str:
    """Write the grade in words; "" if there is none."""
    graded = grade_of(finding)
    if graded is None:
        return ""
    scale, step = graded
    return (scale.zh if language == "zh" else scale.en)[step]


_STENOSES = ("canal_stenosis", "foraminal_narrowing", "subarticular_stenosis")
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"}

# Pfirrmann 2001 (grades I–V; I and II are no degeneration); Modic 1988 (types 1–3); Meyerding 1932 (grades I–V);
# Genant 1993 (grades 1–3); the three steps of the RSNA 2024 lumbar set.
_PFIRRMANN = Scale(
    tuple(f"Pfirrmann grade {g}" for g in ("I", "II", "III", "IV", "V")),
    tuple(f"Pfirrmann {g} 级" for g in ("I", "II", "III", "IV", "V")),
    2,
    {str(step): step - 1 for step in range(1, 6)},
    (0, 1, 2, 3, 4),
)
_MODIC = Scale(
    ("no Modic change", "Modic type 1", "Modic type 2", "Modic type 3"),
    ("无 Modic 改变", "Modic 1 型", "Modic 2 型", "Modic 3 型"),
    1,
    {str(step): step for step in range(4)},
    (1, 2, 3),  # data sets list changes, not their absence
)
_MEYERDING = Scale(
    tuple(f"Meyerding grade {g}" for g in ("I", "II", "III", "IV", "V")),
    tuple(f"Meyerding {g} 度" for g in ("I", "II", "III", "IV", "V")),
    0,
    {str(step): step - 1 for step in range(1, 6)},
    (0, 1),  # slips of more than half a vertebra hardly occur in the data sets: such an option would never be right
)
_GENANT = Scale(
    ("Genant grade 1, mild", "Genant grade 2, moderate", "Genant grade 3, severe"),
    ("Genant 1 级，轻度", "Genant 2 级，中度", "Genant 3 级，重度"),
    0,
    {"1": 0, "2": 1, "3": 2, "mild": 0, "moderate": 1, "severe": 2},
    (0, 1, 2),
)
_SEVERITY = Scale(
    ("normal or mild", "moderate", "severe"),
    ("正常或轻度", "中度", "重度"),
    1,
    {"normal/mild": 0, "normal": 0, "normal or mild": 0, "moderate": 1, "severe": 2},
    (0, 1, 2),
)
_DEGREE = Scale(("mild", "moderate", "severe"), ("轻度", "中度", "重度"), 0, {"mild": 0, "moderate": 1, "severe": 2})
_SCALES = {
    "disc_narrowing": _DEGREE,
    "disc_degeneration": _PFIRRMANN,
    "modic_change": _MODIC,
    "spondylolisthesis": _MEYERDING,
    "wedge_fracture": _GENANT,
    **dict.fromkeys(_STENOSES, _SEVERITY),
}
