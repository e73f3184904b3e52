"""Findings, levels and images in words, English and Chinese."""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dataset_builders.document import Figure, Finding
from dataset_builders.generate.rules.grades import name_grade
from dataset_builders.generate.rules.level_options import head_to_tail
from dataset_builders.generate.rules.views import plane_of, weighting_of
from dataset_builders.levels.anatomy import DISC_ORDER, USUAL_DISCS, USUAL_VERTEBRAE, VERTEBRA_ORDER
from dataset_builders.taxonomy import FINDINGS

LONGEST_LIST = 3
"""Neighbouring levels that are listed one by one; longer runs are written from first to last."""

# L5 is followed by S1, although some people have an L6.
_NEXT_USUAL = dict((*itertools.pairwise(USUAL_VERTEBRAE), *itertools.pairwise(USUAL_DISCS)))


def name_finding(finding: Finding | str, language: str) -> str:
    """Write a finding's name without the scale in brackets, which its grade names."""
    term = FINDINGS[finding if isinstance(finding, str) else finding.name]
    name = term.zh if language == "zh" else term.en
    return re.sub(r"\s*[(（]Pfirrmann[^)）]*[)）]", "", name)


def state_finding(finding: Finding, language: str) -> str:
    """Write "disc herniation at L4/L5", with grade and measured value if labelled."""
    name = name_finding(finding, language)
    extra = bracket([name_grade(finding, language), name_value(finding)], language)
    return f"{finding.level} {name}{extra}" if language == "zh" else f"{name} at {finding.level}{extra}"


def name_value(finding: Finding) -> str:
    """Write the measured value with its unit ("31.5 %"); "" if there is none."""
    return f"{finding.value:g} {finding.unit or ''}".strip() if finding.value is not None else ""


def list_findings(findings: Sequence[Finding], language: str) -> list[str]:
    """State every finding once, with all levels at which the same is written: ["disc bulge at L3/L4, L4/L5", …].

    Grades without words ("upper end plate") tell no two findings apart. A measured value keeps its level.
    """
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        alone = finding.level if finding.value is not None else ""
        groups.setdefault(state_finding(replace(finding, level=alone), language), []).append(finding)
    return [
        state_finding(replace(group[0], level=join_words(head_to_tail(f.level for f in group), language)), language)
        for group in groups.values()
    ]


def state_findings(findings: Sequence[Finding], language: str) -> str:
    """Write ``list_findings`` in one line."""
    return join_clauses(list_findings(findings, language), language)


def name_structures(structures: Iterable[str], language: str) -> str:
    """List the structures of Document.ungraded. Raises KeyError for one that has no Chinese name here."""
    return join_words((_STRUCTURES[name] if language == "zh" else name for name in structures), language)


def join_words(words: Iterable[str], language: str) -> str:
    """Join words to a list: "A, B, C" or "A、B、C"."""
    return ("、" if language == "zh" else ", ").join(words)


def join_clauses(clauses: Iterable[str], language: str) -> str:
    """Join clauses to one sentence: "A; B" or "A；B"."""
    return ("；" if language == "zh" else "; ").join(clauses)


def join_sentences(sentences: Iterable[str], language: str) -> str:
    """Join whole sentences to one paragraph."""
    return ("" if language == "zh" else " ").join(sentences)


def bracket(words: Iterable[str], language: str) -> str:
    """Put the words that are not "" in brackets, to follow a name: " (A, B)" or "（A，B）"; "" if all are."""
    text = ("，" if language == "zh" else ", ").join(word for word in words if word)
    return ("（{}）" if language == "zh" else " ({})").format(text) if text else ""


def span_levels(levels: Sequence[str], language: str) -> str:
    """Write vertebrae or discs, head to tail, with a longer run as one: "T11 to S1", "C2、C5～L1" (LONGEST_LIST)."""
    order = DISC_ORDER if any("/" in level for level in levels) else VERTEBRA_ORDER
    runs: list[list[str]] = []
    for level in sorted(set(levels), key=lambda level: order[level]):
        if runs and _NEXT_USUAL.get(runs[-1][-1]) == level:
            runs[-1].append(level)
        else:
            runs.append([level])
    to = "～" if language == "zh" else " to "
    words = [word for run in runs for word in (run if len(run) <= LONGEST_LIST else [f"{run[0]}{to}{run[-1]}"])]
    return join_words(words, language)


def name_image(figure: Figure, language: str) -> str:
    """Write what metadata and caption say an image is: "a sagittal T2-weighted MR image" or "矢状位 T2 加权 MRI 图像"."""
    modality, plane, weighting = figure.image_modality, plane_of(figure), weighting_of(figure)
    names = _NAMES[language]
    view = names[_VIEWS.get(plane, plane) if modality == "radiograph" else plane] if plane else ""
    noun = names.get(modality, names[None])
    if language == "zh":
        return f"{view}{f' {weighting} 加权 ' if weighting else ''}{noun}".lstrip()
    phrase = " ".join(filter(None, (view, f"{weighting}-weighted" if weighting else "", noun)))
    return f"{'an' if phrase[0] in 'aeiou' or phrase.startswith('MR') else 'a'} {phrase}"


def name_images(figures: Sequence[Figure], language: str) -> str:
    """Write what a few images are, each kind once: "a sagittal T1-weighted MR image with a sagittal T2-weighted MR image"."""
    return ("和" if language == "zh" else " with ").join(dict.fromkeys(name_image(figure, language) for figure in figures))


_STRUCTURES = {
    "discs": "椎间盘",
    "disc signal": "椎间盘信号",
    "end plates": "终板",
    "spinal canal": "椎管",
    "lateral recesses": "侧隐窝",
    "neural foramina": "椎间孔",
    "spinal cord": "脊髓",
    "facet joints": "小关节",
    "alignment": "椎体序列",
}
_VIEWS = {"sagittal": "lateral", "coronal": "anteroposterior"}
_NAMES: dict[str, dict[str | None, str]] = {
    "en": {
        "sagittal": "sagittal",
        "coronal": "coronal",
        "axial": "axial",
        "lateral": "lateral",
        "anteroposterior": "anteroposterior",
        "radiograph": "radiograph",
        "ct": "CT image",
        "mri": "MR image",
        None: "spine image",
    },
    "zh": {
        "sagittal": "矢状位",
        "coronal": "冠状位",
        "axial": "轴位",
        "lateral": "侧位",
        "anteroposterior": "正位",
        "radiograph": "X 线片",
        "ct": "CT 图像",
        "mri": "MRI 图像",
        None: "脊柱图像",
    },
}
