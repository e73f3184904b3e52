"""Consultations and reports over a labelled imaging case: several pictures, several turns, nothing the labels do not say."""

from collections.abc import Iterator, Sequence

from dataset_builders.document import Document, Figure, Finding, Item, Message
from dataset_builders.generate.items import Rule, load_rules, new_item, seeded, sign
from dataset_builders.generate.level_options import head_to_tail
from dataset_builders.generate.naming import load_advice, name_finding, picture_kind, state_finding
from dataset_builders.generate.reports import CaseFacts, abnormal, distinct_names, report_stem, write_report, write_rubric
from dataset_builders.generate.rules_imaging import describe

MAX_PICTURES = 4
SCRIPTS = ("resident", "patient")


def draft_imaging_case(document: Document, languages: Sequence[str]) -> Iterator[Item]:
    """For each language a report (where findings are labelled) and a consultation in either script (two pictures or more)."""
    figures = choose_pictures(document.figures)
    recorded = (*document.findings, *(finding for figure in document.figures for finding in figure.findings))
    for language in languages:
        if figures and recorded:
            yield _report(document, figures, abnormal(recorded), language)
        if len(figures) >= 2:
            for script in SCRIPTS:
                yield _consultation(document, figures, script, language)


def choose_pictures(figures: Sequence[Figure], most: int = MAX_PICTURES) -> list[Figure]:
    """Up to ``most`` labelled pictures, in the source's order: first those that add a finding, then those with most levels."""
    left = [figure for figure in figures if figure.image_sha256 and (figure.levels or figure.discs or figure.findings)]
    chosen: list[Figure] = []
    shown: set[Finding] = set()
    while left and len(chosen) < most:
        best = max(left, key=lambda f: (len(set(f.findings) - shown), len(f.levels) + len(f.discs), -left.index(f)))
        left = [figure for figure in left if figure.image_sha256 != best.image_sha256]
        chosen.append(best)
        shown |= set(best.findings)
    return [figure for figure in figures if any(figure is one for one in chosen)]


def _report(document: Document, figures: Sequence[Figure], findings: tuple[Finding, ...], language: str) -> Item:
    rule = load_rules("cases")["report"]
    rng = seeded(document.id, rule.name, language)
    levels = head_to_tail({level for figure in figures for level in figure.levels})
    kinds = tuple(dict.fromkeys(picture_kind(figure, language) for figure in figures))
    facts = CaseFacts(findings, kinds, tuple(levels), len(figures))
    report = write_report(facts, rule, language)
    images = tuple(figure.image_sha256 or "" for figure in figures)
    stem = report_stem(rng, rule, language, "stem_pictures")
    return new_item(
        document, sign(document, rule, [language, stem, list(images), report]), "report",
        (Message("user", stem, images), Message("assistant", report)),
        language=language, answer=report, rubric=write_rubric(facts, rule, language), axis="surgical_planning",
        about=(*levels, *(finding.level for finding in findings)), figure=figures[0],
    )  # fmt: skip


def _consultation(document: Document, figures: Sequence[Figure], script: str, language: str) -> Item:
    rule = load_rules("cases")["imaging_consultation"]
    describing = load_rules("imaging")["describe_picture"]
    rng = seeded(document.id, rule.name, script, language)
    seen = abnormal([finding for figure in figures for finding in figure.findings])
    gap = "" if language == "zh" else " "
    first, *others = figures
    turns = [
        ("first", (first,), describe(first, describing, language, caveat=False)),
        ("more", tuple(others), _describe_all(others, describing, language)),
        ("weight", (), gap.join(_weigh(rule, seen, script, language))),
        ("treatment", (), gap.join(_treat(rule, seen, language))),
        ("limits", (), gap.join(_limit(rule, script, language))),
    ]
    messages: list[Message] = []
    for part, shown, reply in turns:
        images = tuple(figure.image_sha256 or "" for figure in shown)
        messages += [Message("user", rule.say(rng, language, f"{script}_{part}"), images), Message("assistant", reply)]
    said = [[message.role, message.text, list(message.images)] for message in messages]
    levels = [level for figure in figures for level in (*figure.levels, *figure.discs)]
    return new_item(
        document, sign(document, rule, [language, script, said]), "consultation",
        messages, language=language, axis="surgical_planning" if seen else "level_identification",
        about=levels, figure=first,
    )  # fmt: skip


def _describe_all(figures: Sequence[Figure], rule: Rule, language: str) -> str:
    if len(figures) == 1:
        return describe(figures[0], rule, language)
    described = [describe(figure, rule, language, caveat=figure is figures[-1]) for figure in figures]
    return "\n".join(f"{number}. {text}" for number, text in enumerate(described, 1))


def _weigh(rule: Rule, findings: Sequence[Finding], script: str, language: str) -> list[str]:
    if not findings:
        return [rule.phrasings[language]["weight_none"][0]]
    separator = "；" if language == "zh" else "; "
    stated = separator.join(state_finding(finding, language) for finding in findings)
    lines = [rule.phrasings[language]["weight"][0].format(findings=stated)]
    if script == "patient":
        lines += explain(rule, findings, language)
    return lines


def explain(rule: Rule, findings: Sequence[Finding], language: str) -> list[str]:
    """The findings in a patient's words."""
    advice = load_advice()
    return [
        rule.phrasings[language]["explain"][0].format(name=name_finding(name, language), plain=advice[name][language]["plain"])
        for name in distinct_names(findings)
    ]


def _treat(rule: Rule, findings: Sequence[Finding], language: str) -> list[str]:
    said = rule.phrasings[language]
    if not findings:
        return [said["treatment_none"][0]]
    advice = load_advice()
    lines = [
        said["treatment"][0].format(name=name_finding(name, language), **advice[name][language])
        for name in distinct_names(findings)
    ]
    return [*lines, said["decide"][0]]


def _limit(rule: Rule, script: str, language: str) -> list[str]:
    said = rule.phrasings[language]
    return [said["red_flags" if script == "patient" else "limits"][0], said["disclaimer"][0]]
