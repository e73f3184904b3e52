"""Findings, levels, grades and pictures in words, English and Chinese."""

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from dataset_builders.document import Figure, Finding
from dataset_builders.generate.rules.level_options import head_to_tail
from dataset_builders.levels.anatomy import DISC_ORDER, USUAL_DISCS, USUAL_VERTEBRAE, VERTEBRA_ORDER
from dataset_builders.taxonomy import FINDINGS

_STENOSES = ("canal_stenosis", "foraminal_narrowing", "subarticular_stenosis")


@dataclass(frozen=True, slots=True)
class Scale:
    """A grading scale: its steps in both languages, and the first step that is abnormal (0-based)."""

    name: str
    en: tuple[str, ...]
    zh: tuple[str, ...]
    first_abnormal: int
    step_of: Mapping[str, int]


_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"}

# Pfirrmann 2001 (grades I–V, I is a normal disc); Modic 1988 (types 1–3); Meyerding 1932 (grades I–V);
# Genant 1993 (grades 1–3); the three steps of the RSNA 2024 lumbar set.
_PFIRRMANN = Scale(
    "pfirrmann",
    tuple(f"Pfirrmann grade {g}" for g in ("I", "II", "III", "IV", "V")),
    tuple(f"Pfirrmann {g} 级" for g in ("I", "II", "III", "IV", "V")),
    1,
    {str(step): step - 1 for step in range(1, 6)},
)
_MODIC = Scale(
    "modic",
    ("no Modic change", "Modic type 1", "Modic type 2", "Modic type 3"),
    ("无 Modic 改变", "Modic 1 型", "Modic 2 型", "Modic 3 型"),
    1,
    {str(step): step for step in range(4)},
)
_MEYERDING = Scale(
    "meyerding",
    tuple(f"Meyerding grade {g}" for g in ("I", "II", "III", "IV", "V")),
    tuple(f"Meyerding {g} 度" for g in ("I", "II", "III", "IV", "V")),
    0,
    {str(step): step - 1 for step in range(1, 6)},
)
_GENANT = Scale(
    "genant",
    ("Genant grade 1, mild", "Genant grade 2, moderate", "Genant grade 3, severe"),
    ("Genant 1 级，轻度", "Genant 2 级，中度", "Genant 3 级，重度"),
    0,
    {"1": 0, "2": 1, "3": 2, "mild": 0, "moderate": 1, "severe": 2},
)
_SEVERITY = Scale(
    "severity",
    ("normal or mild", "moderate", "severe"),
    ("正常或轻度", "中度", "重度"),
    1,
    {"normal/mild": 0, "normal": 0, "normal or mild": 0, "moderate": 1, "severe": 2},
)
_DEGREE = Scale("degree", ("mild", "moderate", "severe"), ("轻度", "中度", "重度"), 0, {"mild": 0, "moderate": 1, "severe": 2})
_SCALES = {
    "disc_narrowing": _DEGREE,
    "disc_degeneration": _PFIRRMANN,
    "modic_change": _MODIC,
    "spondylolisthesis": _MEYERDING,
    "wedge_fracture": _GENANT,
    **dict.fromkeys(_STENOSES, _SEVERITY),
}
# L5 is followed by S1, although some people have an L6.
_NEXT_USUAL = dict((*itertools.pairwise(USUAL_VERTEBRAE), *itertools.pairwise(USUAL_DISCS)))
_ADVICE = Path(__file__).parent / "templates" / "advice.yaml"


def grade_of(finding: Finding) -> tuple[Scale, int] | None:
    """The scale a finding is graded on and its step (0-based); None where it has no grade or the scale is unknown."""
    scale = _SCALES.get(finding.name)
    if scale is None or finding.grade is None:
        return None
    words = re.sub(r"meyerding|pfirrmann|genant|modic|grade|type|级|度|型", " ", finding.grade.lower())
    word = " ".join(words.split())
    step = scale.step_of.get(_ROMAN.get(word, word))
    return None if step is None else (scale, step)


def is_abnormal(finding: Finding) -> bool:
    """False where the grade says that the level is normal (Pfirrmann I, "Normal/Mild", "0")."""
    if graded := grade_of(finding):
        scale, step = graded
        return step >= scale.first_abnormal
    return (finding.grade or "").strip().lower() not in {"0", "none", "normal", "absent"}


def name_finding(finding: Finding | str, language: str) -> str:
    """A finding's name; the scale's name in brackets is left to the grade."""
    term = FINDINGS[finding if isinstance(finding, str) else finding.name]
    name = term.zh if language == "zh" else term.en
    return re.sub(r"\s*[(（]Pfirrmann[^)）]*[)）]", "", name)


def name_grade(finding: Finding, language: str) -> str:
    """The grade in words, "" where there is none."""
    graded = grade_of(finding)
    if graded is None:
        return ""
    scale, step = graded
    return (scale.zh if language == "zh" else scale.en)[step]


def state_finding(finding: Finding, language: str) -> str:
    """ "disc herniation at L4/L5", with grade and measured value where labelled."""
    extras = [name_grade(finding, language)]
    if finding.value is not None:
        extras.append(f"{finding.value:g} {finding.unit or ''}".strip())
    extra = ("，" if language == "zh" else ", ").join(extra for extra in extras if extra)
    name = name_finding(finding, language)
    if language == "zh":
        return f"{finding.level} {name}" + (f"（{extra}）" if extra else "")
    return f"{name} at {finding.level}" + (f" ({extra})" if extra else "")


def list_findings(findings: Sequence[Finding], language: str) -> list[str]:
    """Findings in words, levels that share finding and grade together: ["disc bulge at L3/L4, L4/L5", …]."""
    groups: dict[Finding, list[str]] = {}
    for finding in findings:
        groups.setdefault(replace(finding, level=finding.level if finding.value is not None else ""), []).append(finding.level)
    return [
        state_finding(replace(kind, level=join_words(head_to_tail(levels), language)), language)
        for kind, levels in groups.items()
    ]


def state_findings(findings: Sequence[Finding], language: str) -> str:
    """``list_findings`` in one line."""
    return ("；" if language == "zh" else "; ").join(list_findings(findings, language))


def join_words(words: Sequence[str], language: str, *, conjunction: bool = False) -> str:
    """A list in a sentence: "A, B, C", "A, B and C" or "A、B、C"."""
    if language == "zh":
        return "、".join(words)
    if conjunction and len(words) > 1:
        return f"{', '.join(words[:-1])} and {words[-1]}"
    return ", ".join(words)


def span_levels(levels: Sequence[str], language: str) -> str:
    """Vertebrae or discs, head to tail, with runs of four or more written as one: "T11 to S1", "C2、C5～L1"."""
    order = DISC_ORDER if any("/" in level for level in levels) else VERTEBRA_ORDER
    runs: list[list[str]] = []
    for level in sorted(set(levels), key=lambda level: order[level]):
        if runs and _NEXT_USUAL.get(runs[-1][-1]) == level:
            runs[-1].append(level)
        else:
            runs.append([level])
    to = "～" if language == "zh" else " to "
    words = [word for run in runs for word in (run if len(run) < 4 else [f"{run[0]}{to}{run[-1]}"])]
    return join_words(words, language)


def picture_kind(figure: Figure, language: str) -> str:
    """ "a sagittal T2-weighted MRI" or "矢状位 T2 加权 MRI": what metadata and caption say, no more."""
    said = f"{figure.caption} {figure.locator}".lower()
    plane = next((plane for plane in ("sagittal", "coronal", "axial") if plane in said), None)
    if plane is None and "transverse" in said:
        plane = "axial"
    view = next((view for view in ("lateral", "anteroposterior") if view in said), None)
    # "T1" alone may be a vertebra in view.
    weighting = re.search(r"\bt([12])(?:w\b|[-_ ]?weighted|(?= (?:mid-)?(?:sagittal|axial|coronal)))", said)
    modality = figure.image_modality
    if language == "zh":
        planes = {"sagittal": "矢状位", "coronal": "冠状位", "axial": "轴位"}
        views = {"lateral": "侧位", "anteroposterior": "正位"}
        noun = {"radiograph": "X 线片", "ct": "CT 图像", "mri": "MRI 图像"}.get(modality or "", "脊柱图像")
        if modality == "radiograph":
            return f"{views.get(view or '', '')}{noun}"
        weight = f" T{weighting[1]} 加权 " if weighting and modality == "mri" else ""
        return re.sub(r"^ ", "", f"{planes.get(plane or '', '')}{weight}{noun}")
    noun = {"radiograph": "radiograph", "ct": "CT image", "mri": "MR image"}.get(modality or "", "spine image")
    words = [
        view if modality == "radiograph" else plane,
        f"T{weighting[1]}-weighted" if weighting and modality == "mri" else None,
        noun,
    ]
    phrase = " ".join(word for word in words if word)
    article = "an" if phrase[0].lower() in "aeiou" or phrase.startswith("MR") else "a"
    return f"{article} {phrase}"


@functools.cache
def load_advice() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """General statements by finding, language and field (templates/advice.yaml)."""
    advice = yaml.safe_load(_ADVICE.read_text(encoding="utf-8"))
    if set(advice) != set(FINDINGS):
        raise ValueError(f"{_ADVICE.name}: findings differ from taxonomy.FINDINGS: {sorted(set(advice) ^ set(FINDINGS))}")
    return advice
