"""Judge reports by deterministic rules, **not an LLM**, on machines without one and to test the pipeline.

It measures how much of the reference a report covers, not whether its medicine is right; its scores must not be compared
with an LLM judge's, and every result names it. Each dimension is a mean of components in 0-1, scaled to 1 + 4x and rounded:

    imaging_report, diagnosis, patient_guidance, evidence_based_treatment, technical_feasibility, risk_prognosis
                      share of the content terms of the reference's sections (SECTIONS_OF_DIMENSION) found in the report's;
                      F1 of the vertebral levels there; share of the terms of the rubric's lines for the dimension
    coverage          share of the reference's sections that the report has; share of the reference's content terms found
    relevance         share of the report's content terms found in reference, rubric or question; precision of its levels
    granularity       F1 of all levels; share of the reference's measurements, grades and sides found
    interpretability  share of sentences that are not repeated; share of the reference's section headings; at least 3 sentences

Components for which the reference gives nothing are left out. Content terms are English words of three letters or more that
are not stop words, and Chinese character pairs. An empty report scores 1 everywhere.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from dataset_builders.levels import parse_levels
from dataset_builders.taxonomy import REPORT_SECTIONS, SCORED_DIMENSIONS

RULES_JUDGE = "rules/2 (rules judge, not an LLM)"

SECTIONS_OF_DIMENSION = {
    "imaging_report": ("imaging_findings",),
    "diagnosis": ("diagnosis",),
    "patient_guidance": ("treatment", "postoperative_management"),
    "evidence_based_treatment": ("treatment", "diagnostic_basis"),
    "technical_feasibility": ("treatment", "postoperative_management"),
    "risk_prognosis": ("risk_prognosis",),
}

# How a heading may name a section, beside its full name in the taxonomy.
_HEADINGS = {
    "imaging_findings": ("imaging findings", "imaging", "findings", "影像所见", "影像学所见", "影像表现"),
    "diagnosis": ("diagnosis", "impression", "诊断", "诊断意见", "印象"),
    "treatment": ("treatment", "recommendations", "management", "治疗", "建议"),
    "risk_prognosis": ("risk", "risks", "prognosis", "风险", "预后"),
    "postoperative_management": ("postoperative management", "post-operative care", "rehabilitation", "术后处理", "康复"),
    "diagnostic_basis": ("diagnostic basis", "basis", "disclaimer", "诊断依据", "依据", "声明"),
}
_STOP_TEXT = """
the and for with are was were has have had this that these those from into not but can may will would should could which who
whom its their there here than then also any all each other such only very much more most some been being both does did out
over under between within your you our they them his her she him what when where while
"""
_STOP_WORDS = frozenset(_STOP_TEXT.split())
_WORD = re.compile(r"[a-z][a-z-]{2,}")
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_DETAIL = re.compile(
    r"\d+(?:\.\d+)?\s*(?:mm|cm|hu|%|°|degrees?|毫米|厘米|度)|grade\s+(?:[ivx]+|\d)|type\s+(?:[ivx]+|\d|[abc]\d?)"
    r"|[ivx\d一二三四]+\s*[级度型]|\b(?:left|right|bilateral)\b|左侧?|右侧?|双侧",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?。！？；;\n]+")
_HEADING_MARKS = re.compile(r"^[\s#*\d.、()（）【一二三四五六\-]+|[\s*:：】]+$")


def judge_by_rules(question: str, reference: str, report: str, rubric: Sequence[tuple[str, str]] = ()) -> dict[str, int]:
    """Score the ten dimensions 1-5 by the rules above. ``rubric``: (dimension, criterion) lines."""
    if not report.strip():
        return dict.fromkeys(SCORED_DIMENSIONS, 1)
    expected, given = split_sections(reference), split_sections(report)
    shares: dict[str, list[float | None]] = {}
    for dimension, names in SECTIONS_OF_DIMENSION.items():
        wanted = _join(expected, names, reference)
        found = _join(given, names, report)
        criteria = " ".join(criterion for name, criterion in rubric if name == dimension)
        shares[dimension] = [_covered(wanted, found), _level_f1(wanted, found), _covered(criteria, found)]
    allowed = "\n".join((question, reference, *(criterion for _, criterion in rubric)))
    sections = [name for name in expected if name]
    shares["coverage"] = [
        sum(bool(given.get(name, "").strip()) for name in sections) / len(sections) if sections else None,
        _covered(reference, report),
    ]
    shares["relevance"] = [_covered(report, allowed) or 0.0, _level_precision(reference, report)]
    shares["granularity"] = [_level_f1(reference, report), _share(_details(reference), _details(report))]
    sentences = [sentence.strip() for sentence in _SENTENCE.split(report) if sentence.strip()]
    shares["interpretability"] = [
        len(set(sentences)) / len(sentences) if sentences else 0.0,
        sum(name in given for name in sections) / len(sections) if sections else None,
        min(1.0, len(sentences) / 3),
    ]
    return {dimension: _score(shares[dimension]) for dimension in SCORED_DIMENSIONS}


def split_sections(report: str) -> dict[str, str]:
    """Split a report into section name -> text at heading lines in English or Chinese; "" holds the text before the first."""
    sections: dict[str, list[str]] = {"": []}
    current = ""
    for line in report.splitlines():
        name, rest = _heading(line)
        if name:
            current = name
        sections.setdefault(current, []).append(rest)
    return {name: "\n".join(lines).strip() for name, lines in sections.items() if name or any(line.strip() for line in lines)}


def _heading(line: str) -> tuple[str, str]:
    """Return the section that a line opens ("" if none) and the text that follows the heading on the same line."""
    title, mark, rest = line.partition("：") if "：" in line else line.partition(":")
    for candidate, after in ((title, rest), (line, "")):
        bare = _HEADING_MARKS.sub("", candidate).casefold()
        for name, term in REPORT_SECTIONS.items():
            if bare and bare in (term.en.casefold(), term.zh, *_HEADINGS[name]):
                # without a colon or mark-up a lone word is a heading only if it is the whole line
                return name, after.strip(" *") if mark else ""
    return "", line


def _join(sections: dict[str, str], names: Iterable[str], whole: str) -> str:
    """Join the text of the named sections; return all of it if the text has no headings at all."""
    if not any(sections):
        return whole
    return "\n".join(sections[name] for name in names if name in sections)


def _terms(text: str) -> set[str]:
    folded = text.casefold()
    words = {word for word in _WORD.findall(folded) if word not in _STOP_WORDS}
    return words | {run[place : place + 2] for run in _HAN.findall(folded) for place in range(len(run) - 1)}


def _details(text: str) -> set[str]:
    return {re.sub(r"\s+", "", match.group()).casefold() for match in _DETAIL.finditer(text)}


def _levels(text: str) -> set[str]:
    parsed = parse_levels(text)
    return {*parsed.vertebrae, *parsed.discs}


def _covered(wanted: str, found: str) -> float | None:
    return _share(_terms(wanted), _terms(found))


def _share(wanted: set[str], found: set[str]) -> float | None:
    return len(wanted & found) / len(wanted) if wanted else None


def _level_f1(wanted: str, found: str) -> float | None:
    expected, named = _levels(wanted), _levels(found)
    return 2 * len(expected & named) / (len(expected) + len(named)) if expected else None


def _level_precision(wanted: str, found: str) -> float | None:
    return _share(_levels(found), _levels(wanted))


def _score(shares: Sequence[Any]) -> int:
    known = [share for share in shares if share is not None]
    return 1 + int(4 * sum(known) / len(known) + 0.5) if known else 1
