"""Consultations and reports over a labelled imaging case: several pictures, several turns, nothing the labels do not say."""

from collections.abc import Iterator, Sequence

from dataset_builders.document import Document, Figure, Finding
from dataset_builders.generate.items import Rule, load_rules, new_item, seeded, sign
from dataset_builders.generate.rules.level_options import head_to_tail
from dataset_builders.generate.rules.naming import load_advice, name_finding, picture_kind, state_findings
from dataset_builders.generate.rules.pictures import describe
from dataset_builders.generate.rules.reports import CaseFacts, abnormal, distinct_names, report_stem, write_report, write_rubric
from dataset_builders.item import Item, Message

MAX_PICTURES = 4
SCRIPTS = ("resident", "patient")


def draft_imaging_case(document: Document, languages: Sequence[str]) -> Iterator[Item]:
    """For each language a report (where findings are labelled) and, over two pictures or more, a consultation in either
    script; a case without findings is only gone through with a resident.
    """
    figures = choose_pictures(document.figures)
    recorded = (*document.findings, *(finding for figure in document.figures for finding in figure.findings))
    for language in languages:
        if figures and recorded:
            yield _report(document, figures, abnormal(recorded), language)
        if len(figures) >= 2:
            seen = abnormal([finding for figure in figures for finding in figure.findings])
            for script in SCRIPTS if seen else SCRIPTS[:1]:
                yield _consultation(document, figures, seen, script, language)


def choose_pictures(figures: Sequence[Figure], most: int = MAX_PICTURES) -> list[Figure]:
    """Up to ``most`` labelled pictures that differ, in the source's order.

    First the one with most findings and levels; then whatever adds a finding, another kind of picture (plane, weighting,
    modality) or at least two levels. Where none does, the one whose findings or levels differ most makes a pair with the first.
    """
    left = [figure for figure in figures if figure.image_sha256 and (figure.levels or figure.discs or figure.findings)]
    chosen: list[Figure] = []
    concerned = {name for f in left for finding in f.findings for name in (finding.level, *finding.level.split("/"))}
    while left and len(chosen) < most:
        best = max(left, key=lambda figure: (*_gain(figure, chosen, concerned), -left.index(figure)))
        new_findings, new_kind, _, new_levels = _gain(best, chosen, concerned)
        if chosen and not new_findings and not new_kind and new_levels < 2:
            break
        left = [figure for figure in left if figure.image_sha256 != best.image_sha256]
        chosen.append(best)
    if len(chosen) == 1 and left:
        chosen.append(max(left, key=lambda figure: (_difference(figure, chosen[0]), -left.index(figure))))
    return [figure for figure in figures if any(figure is one for one in chosen)]


def _gain(figure: Figure, chosen: Sequence[Figure], concerned: set[str]) -> tuple[int, bool, bool, int]:
    """What a picture adds: findings, whether another kind of picture, whether levels that have a finding, levels."""
    findings = {finding for other in chosen for finding in other.findings}
    levels = {level for other in chosen for level in (*other.levels, *other.discs)}
    new_kind = picture_kind(figure, "en") not in {picture_kind(other, "en") for other in chosen}
    here = {*figure.levels, *figure.discs}
    return len(set(figure.findings) - findings), new_kind, bool(here & concerned), len(here - levels)


def _difference(figure: Figure, other: Figure) -> tuple[int, int]:
    return len(set(figure.findings) ^ set(other.findings)), len(set(figure.levels) ^ set(other.levels))


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


def _consultation(document: Document, figures: Sequence[Figure], seen: Sequence[Finding], script: str, language: str) -> Item:
    rule = load_rules("cases")["imaging_consultation"]
    describing = load_rules("imaging")["describe_picture"]
    rng = seeded(document.id, rule.name, script, language)
    gap = "" if language == "zh" else " "
    # The picture that shows most comes first: what the others add is then told by what differs.
    first, *others = sorted(figures, key=lambda figure: (-len(figure.findings), -len(figure.levels)))
    turns = [
        ("first", (first,), describe(first, describing, language, caveat=False)),
        ("more", tuple(others), _describe_others(first, others, describing, language)),
    ]
    if seen:
        turns.append(("weight", (), gap.join(_weigh(rule, seen, script, language))))
        turns.append(("treatment", (), gap.join(_treat(rule, seen, language))))
    turns.append(("limits", (), gap.join(_limit(rule, script, language))))
    messages: list[Message] = []
    for part, shown, reply in turns:
        images = tuple(figure.image_sha256 or "" for figure in shown)
        messages += [Message("user", rule.say(rng, language, f"{script}_{part}"), images), Message("assistant", reply)]
    said = [[message.role, message.text, list(message.images)] for message in messages]
    levels = [level for figure in figures for level in (*figure.levels, *figure.discs)]
    return new_item(
        document, sign(document, rule, [language, script, said]), "consultation",
        messages, language=language, axis="surgical_planning" if seen else "level_identification",
        about=[finding.level for finding in seen] or levels, figure=first,
    )  # fmt: skip


def _describe_others(first: Figure, others: Sequence[Figure], rule: Rule, language: str) -> str:
    shown = [first, *others]
    described = [
        describe(figure, rule, language, seen=shown[:number], caveat=number == len(others))
        for number, figure in enumerate(others, 1)
    ]
    return described[0] if len(described) == 1 else "\n".join(f"{number}. {text}" for number, text in enumerate(described, 1))


def _weigh(rule: Rule, findings: Sequence[Finding], script: str, language: str) -> list[str]:
    lines = [rule.phrasings[language]["weight"][0].format(findings=state_findings(findings, language))]
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
    advice = load_advice()
    lines = [
        said["treatment"][0].format(name=name_finding(name, language), **advice[name][language])
        for name in distinct_names(findings)
    ]
    return [*lines, said["decide"][0]]


def _limit(rule: Rule, script: str, language: str) -> list[str]:
    said = rule.phrasings[language]
    return [said["red_flags" if script == "patient" else "limits"][0], said["disclaimer"][0]]
