"""Six-section reports and their rubrics from recorded findings (taxonomy.REPORT_SECTIONS, SCORED_DIMENSIONS)."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dataset_builders.document import Finding
from dataset_builders.generate.rules.grades import is_abnormal, name_grade
from dataset_builders.generate.rules.level_options import head_to_tail
from dataset_builders.generate.rules.naming import (
    bracket,
    join_clauses,
    join_sentences,
    join_words,
    list_findings,
    name_finding,
    name_value,
    span_levels,
    state_finding,
    state_findings,
)
from dataset_builders.generate.rules.texts import Rule, load_advice
from dataset_builders.item import Criterion
from dataset_builders.taxonomy import REPORT_SECTIONS

MAX_EXPLAINED = 3
"""Findings whose treatment and risk a report spells out: the weightiest ones; all are listed."""
RECORD_CHARACTERS = 4_000
"""Longest record that a prompt or report quotes; longer ones are cut at a sentence."""
CRITERION_CHARACTERS = 240
"""Longest quotation in a criterion of a rubric."""

URGENT = (
    "cord_signal_change",
    "infection",
    "epidural_collection",
    "pathological_fracture",
    "tumour",
    "dislocation",
    "fracture",
    "wedge_fracture",
)
"""Findings that need prompt assessment, however sure the report is; the weightiest first."""

# From what needs attention first to what is often incidental; ours.
_WEIGHT = (
    *URGENT,
    "neural_compression",
    "marrow_oedema",
    "marrow_signal_change",
    "spondylolisthesis",
    "canal_stenosis",
    "disc_herniation",
    "subarticular_stenosis",
    "foraminal_narrowing",
    "synovial_cyst",
    "spondylolysis",
    "scoliosis",
    "disc_bulge",
    "modic_change",
    "disc_degeneration",
    "endplate_change",
    "annular_tear",
    "disc_narrowing",
    "facet_hypertrophy",
    "ligamentum_flavum_hypertrophy",
    "osteophytes",
    "haemangioma",
    "perineural_cyst",
    "straightened_curve",
    "muscle_spasm",
)
_SEVERE = frozenset(("severe", "marked", "largely", "significant"))
CENTRAL = ("cord", "conus", "cauda_equina")
"""What is harmed for good if it is pressed on: such pressure is urgent."""


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What a report may say.

    findings   abnormal ones, by weight.
    kinds      its images in words (naming.name_image), each kind once.
    levels     labelled vertebrae, head to tail.
    images     how many images it is written on.
    """

    findings: tuple[Finding, ...]
    kinds: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    images: int = 0


def abnormal(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Keep the abnormal ones without repeats: urgent ones first, then by weight, then as given."""
    distinct = dict.fromkeys(finding for finding in findings if is_abnormal(finding))
    return tuple(sorted(distinct, key=lambda finding: (not is_urgent(finding), _WEIGHT.index(finding.name))))


def is_urgent(finding: Finding) -> bool:
    """Return whether a finding needs prompt assessment, whether the source is sure of it or only does not exclude it.

    One of URGENT, pressure on spinal cord, conus or cauda equina, severe pressure on the thecal sac or narrowing of the canal,
    or a slip of Meyerding III and more.
    """
    grade = (finding.grade or "").lower()
    return (
        finding.name in URGENT
        or any(entry.structure in CENTRAL and entry.contact != "touches" for entry in finding.compression)
        or any(entry.structure in ("thecal_sac", "canal") and entry.degree in _SEVERE for entry in finding.compression)
        or (finding.name == "canal_stenosis" and bool(_SEVERE & set(re.split(r"\W+", grade))))
        or (finding.name == "spondylolisthesis" and bool(re.search(r"(?:meyerding|grade)? ?(?:iii|iv|v|[345])$", grade)))
    )


def say_common(findings: Sequence[Finding], language: str) -> list[str]:
    """Say of which findings it is known that people without complaints often have them; [] beside anything urgent.

    Only of a finding that presses on nothing and is not large, and of no protrusion, slip, stenosis or marrow change:
    advice.yaml has no such sentence for these.
    """
    if any(map(is_urgent, findings)):
        return []
    pressing = {finding.name for finding in findings if finding.compression or "large" in (finding.grade or "").split()}
    advice = [load_advice()[name][language] for name in distinct_names(findings) if name not in pressing]
    return [entry["common"] for entry in advice if "common" in entry]


def by_level(findings: Sequence[Finding], language: str) -> list[tuple[str, list[str]]]:
    """Write the findings level by level, head to tail, each with grade and measured value if labelled."""
    return [
        (
            level,
            [
                name_finding(finding, language) + bracket([name_grade(finding, language), name_value(finding)], language)
                for finding in findings
                if finding.level == level
            ],
        )
        for level in head_to_tail(finding.level for finding in findings)
    ]


def distinct_names(findings: Sequence[Finding]) -> list[str]:
    """Return the names of the findings that a report explains, in the order given (MAX_EXPLAINED)."""
    return list(dict.fromkeys(finding.name for finding in findings))[:MAX_EXPLAINED]


def section_titles(language: str, names: Sequence[str] = tuple(REPORT_SECTIONS)) -> list[str]:
    """Return the headings of the six sections, or of those in ``names``."""
    return [REPORT_SECTIONS[name].zh if language == "zh" else REPORT_SECTIONS[name].en for name in names]


def format_report(bodies: Sequence[str], language: str, names: Sequence[str] = tuple(REPORT_SECTIONS)) -> str:
    """Put each body under its heading. Raises ValueError if there are not as many bodies as ``names``."""
    return "\n\n".join(f"## {title}\n{body}" for title, body in zip(section_titles(language, names), bodies, strict=True))


def write_report(facts: CaseFacts, rule: Rule, language: str) -> str:
    """Write the reference report: recorded findings, then general advice marked as such, then basis and disclaimer."""
    said = rule.first_phrasings(language)
    bodies = [_write_imaging(facts, said, language), _write_diagnosis(facts, said, language)]
    if facts.findings:
        bodies += _write_advice(facts, said, language)
        basis = said["basis"].format(findings=state_findings(facts.findings, language))
    else:
        bodies += [said["treatment_none"], said["risk_none"], said["postoperative_none"]]
        basis = said["basis_none"].format(count=facts.images)
    return format_report([*bodies, f"{basis}\n{said['disclaimer']}"], language)


def _write_imaging(facts: CaseFacts, said: dict[str, str], language: str) -> str:
    examined = [said["examined"].format(kinds=join_words(facts.kinds, language))] if facts.kinds else []
    if facts.levels:
        examined.append(said["levels"].format(levels=span_levels(facts.levels, language)))
    lines = [
        said["finding_line"].format(level=level, findings=join_clauses(stated, language))
        for level, stated in by_level(facts.findings, language)
    ]
    closing = said["rest" if facts.findings else "nothing"]
    return "\n".join(part for part in (join_sentences(examined, language), *lines, closing) if part)


def _write_diagnosis(facts: CaseFacts, said: dict[str, str], language: str) -> str:
    if not facts.findings:
        return said["diagnosis_none"]
    numbered = [
        said["diagnosis_line"].format(number=number, statement=_capitalise(statement))
        for number, statement in enumerate(list_findings(facts.findings, language), 1)
    ]
    return "\n".join([*numbered, said["correlate"]])


def _write_advice(facts: CaseFacts, said: dict[str, str], language: str) -> list[str]:
    """Treatment, risk and follow-up, for the findings that a report explains."""
    advice = [
        {"name": name_finding(name, language), **load_advice()[name][language]} for name in distinct_names(facts.findings)
    ]
    explained = [said["explanation"].format(**entry) for entry in advice]
    for_patient = [
        said["patient"].format(explanations=join_clauses(explained, language)),
        *say_common(facts.findings, language),
    ]
    treatment = [
        join_sentences([*for_patient, said["decide"]], language),
        *(said["clinician"].format(**entry) for entry in advice),
        said["no_operation"],
    ]
    risk = [said["risk"].format(**entry) for entry in advice]
    return ["\n".join(treatment), "\n".join(risk), said["postoperative_none"]]


def write_rubric(facts: CaseFacts, rule: Rule, language: str) -> tuple[Criterion, ...]:
    """Write a criterion for each of the ten scored dimensions, with this case's findings in it."""
    none = rule.first_phrasings(language)["rubric_none"]
    names = distinct_names(facts.findings)
    # Advice on the weightiest alone: a criterion must be short enough to judge.
    advice = load_advice()[names[0]][language] if names else {}
    diagnoses = [state_finding(finding, language) for finding in facts.findings[:MAX_EXPLAINED]]
    values = {
        "findings": state_findings(facts.findings, language) or none,
        "diagnoses": join_clauses(diagnoses, language) or none,
        "levels": join_words(head_to_tail(finding.level for finding in facts.findings), language) or none,
        **{field: advice.get(field) or none for field in ("plain", "conservative", "surgical", "risk")},
    }
    return rule.write_rubric(language, values)


def report_stem(
    rng: random.Random, rule: Rule, language: str, part: str, record: str = "", names: Sequence[str] = tuple(REPORT_SECTIONS)
) -> str:
    """Write the prompt: what to write, in which sections (``names``), and the record if there is one.

    part   the rule's phrasings of the prompt.
    """
    titles = join_words(section_titles(language, names), language)
    sections = rule.first_phrasings(language)["sections"].format(titles=titles)
    head, _, rest = rng.choice(rule.phrasings[language][part]).partition("\n\n")
    return f"{head}{sections}" + (f"\n\n{rest.format(record=record)}" if rest else "")


def quote(sentences: Sequence[str], language: str) -> str:
    """Join a record's sentences to one paragraph of at most RECORD_CHARACTERS."""
    text = ""
    for sentence in sentences:
        joined = join_sentences(filter(None, (text, sentence)), language)
        if len(joined) > RECORD_CHARACTERS:
            break
        text = joined
    return text


def quote_briefly(sentences: Sequence[str], language: str) -> str:
    """Quote a record, cut at a word to CRITERION_CHARACTERS."""
    text = quote(sentences, language)
    return text if len(text) <= CRITERION_CHARACTERS else text[:CRITERION_CHARACTERS].rsplit(" ", 1)[0] + " …"


def _capitalise(text: str) -> str:
    return text[0].upper() + text[1:]
