"""Six-section reports and their rubrics from recorded findings (taxonomy.REPORT_SECTIONS, SCORED_DIMENSIONS)."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from dataset_builders.document import Finding
from dataset_builders.generate.items import Rule
from dataset_builders.generate.rules.level_options import head_to_tail
from dataset_builders.generate.rules.naming import (
    is_abnormal,
    join_words,
    load_advice,
    name_finding,
    name_grade,
    span_levels,
    state_finding,
    state_findings,
)
from dataset_builders.item import Criterion
from dataset_builders.taxonomy import REPORT_SECTIONS, SCORED_DIMENSIONS

MAX_EXPLAINED = 3
"""Findings whose treatment and risk a report spells out: the weightiest ones; all are listed."""

# From what needs attention first to what is often incidental; ours.
_WEIGHT = (
    "wedge_fracture",
    "spondylolisthesis",
    "canal_stenosis",
    "disc_herniation",
    "subarticular_stenosis",
    "foraminal_narrowing",
    "disc_bulge",
    "modic_change",
    "disc_degeneration",
    "endplate_change",
    "disc_narrowing",
)


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What a report may say: abnormal findings, pictures in words, labelled vertebrae."""

    findings: tuple[Finding, ...]
    kinds: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    pictures: int = 0


def abnormal(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The abnormal ones without repeats, by weight, then as given."""
    distinct = dict.fromkeys(finding for finding in findings if is_abnormal(finding))
    return tuple(sorted(distinct, key=lambda finding: _WEIGHT.index(finding.name)))


def by_level(findings: Sequence[Finding], language: str) -> list[tuple[str, list[str]]]:
    """Findings in words, level by level, head to tail."""
    lines: dict[str, list[str]] = {}
    for level in head_to_tail(dict.fromkeys(finding.level for finding in findings)):
        for finding in findings:
            if finding.level == level:
                grade = name_grade(finding, language)
                value = f"{finding.value:g} {finding.unit or ''}".strip() if finding.value is not None else ""
                extra = ("，" if language == "zh" else ", ").join(part for part in (grade, value) if part)
                brackets = ("（{}）" if language == "zh" else " ({})").format(extra) if extra else ""
                lines.setdefault(level, []).append(name_finding(finding, language) + brackets)
    return list(lines.items())


def distinct_names(findings: Sequence[Finding]) -> list[str]:
    """Names of the findings that a report explains, weightiest first."""
    return list(dict.fromkeys(finding.name for finding in findings))[:MAX_EXPLAINED]


def section_titles(language: str, names: Sequence[str] = tuple(REPORT_SECTIONS)) -> list[str]:
    """The six headings, or those of ``names``."""
    return [REPORT_SECTIONS[name].zh if language == "zh" else REPORT_SECTIONS[name].en for name in names]


def format_report(bodies: Sequence[str], language: str, names: Sequence[str] = tuple(REPORT_SECTIONS)) -> str:
    """Bodies under the headings of ``names``."""
    return "\n\n".join(f"## {title}\n{body}" for title, body in zip(section_titles(language, names), bodies, strict=True))


def write_report(facts: CaseFacts, rule: Rule, language: str) -> str:
    """The reference report: recorded findings, then general advice marked as such, then basis and disclaimer."""
    said = {part: phrasings[0] for part, phrasings in rule.phrasings[language].items()}
    gap = "" if language == "zh" else " "
    names = distinct_names(facts.findings)
    advice = {name: load_advice()[name][language] for name in names}
    called = {name: name_finding(name, language) for name in names}

    imaging = [said["examined"].format(kinds=join_words(facts.kinds, language))] if facts.kinds else []
    if facts.levels:
        imaging.append(said["levels"].format(levels=span_levels(facts.levels, language)))
    lines = [
        said["finding_line"].format(level=level, findings=("；" if language == "zh" else "; ").join(stated))
        for level, stated in by_level(facts.findings, language)
    ]
    closing = said["rest"] if facts.findings else said["nothing"]
    bodies = ["\n".join(part for part in (gap.join(imaging), *lines, closing) if part)]

    numbered = [
        said["diagnosis_line"].format(number=number, statement=_capitalise(state_finding(finding, language)))
        for number, finding in enumerate(facts.findings, 1)
    ]
    bodies.append("\n".join([*numbered, said["correlate"]] if numbered else [said["diagnosis_none"]]))

    if names:
        explained = [said["explanation"].format(name=called[name], plain=advice[name]["plain"]) for name in names]
        levels = join_words(head_to_tail({finding.level for finding in facts.findings}), language)
        treatment = [said["patient"].format(explanations=("；" if language == "zh" else "; ").join(explained))]
        treatment += [said["clinician"].format(name=called[name], **advice[name]) for name in names]
        bodies.append("\n".join([*treatment, said["feasible"].format(levels=levels)]))
        bodies.append("\n".join(said["risk"].format(name=called[name], **advice[name]) for name in names))
        bodies.append(said["postoperative"].format(name=called[names[0]], **advice[names[0]]))
        bodies.append(said["basis"].format(findings=state_findings(facts.findings, language)) + "\n" + said["disclaimer"])
    else:
        bodies += [said["treatment_none"], said["risk_none"], said["postoperative_none"]]
        bodies.append(said["basis_none"].format(count=facts.pictures) + "\n" + said["disclaimer"])
    return format_report(bodies, language)


def write_rubric(facts: CaseFacts, rule: Rule, language: str) -> tuple[Criterion, ...]:
    """A criterion for each of the ten scored dimensions, with this case's findings in it."""
    separator = "；" if language == "zh" else "; "
    none = rule.phrasings[language]["rubric_none"][0]
    names = distinct_names(facts.findings)
    advice = [load_advice()[name][language] for name in names[:1]]  # the weightiest: a criterion must be short enough to judge
    values = {
        "findings": state_findings(facts.findings, language) or none,
        "diagnoses": separator.join(state_finding(finding, language) for finding in facts.findings[:MAX_EXPLAINED]) or none,
        "levels": join_words(head_to_tail({finding.level for finding in facts.findings}), language) or none,
        **{
            field: separator.join(entry[field] for entry in advice) or none
            for field in ("plain", "conservative", "surgical", "risk")
        },
    }
    lines = rule.criteria[language]
    return tuple(Criterion(dimension, lines[dimension].format(**values)) for dimension in SCORED_DIMENSIONS)


def _capitalise(text: str) -> str:
    return text[0].upper() + text[1:]


def report_stem(
    rng: random.Random, rule: Rule, language: str, part: str, record: str = "", names: Sequence[str] = tuple(REPORT_SECTIONS)
) -> str:
    """The prompt: what to write, in which sections, and the record where there is one."""
    titles = join_words(section_titles(language, names), language)
    sections = rule.phrasings[language]["sections"][0].format(titles=titles)
    stem = rule.phrasings[language][part]
    head, _, rest = rng.choice(stem).partition("\n\n")
    return f"{head}{sections}" + (f"\n\n{rest.format(record=record)}" if rest else "")
