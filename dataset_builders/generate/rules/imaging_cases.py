"""Consultations and reports over a labelled imaging case: several images, several turns, nothing the labels do not say."""

from collections.abc import Iterator, Sequence

from dataset_builders.document import Document, Figure, Finding
from dataset_builders.generate.items import Draft, Origin, new_item
from dataset_builders.generate.rules.draws import seeded
from dataset_builders.generate.rules.image_descriptions import describe_image, is_labelled, labelled_findings
from dataset_builders.generate.rules.level_options import head_to_tail
from dataset_builders.generate.rules.naming import join_sentences, name_finding, name_image, state_findings
from dataset_builders.generate.rules.reports import CaseFacts, abnormal, distinct_names, report_stem, write_report, write_rubric
from dataset_builders.generate.rules.texts import Rule, load_advice, load_rules, sign
from dataset_builders.item import Item, Message

MAX_IMAGES = 4
SCRIPTS = ("resident", "patient")
"""Who asks in a consultation."""


def draft_imaging_case(document: Document, languages: Sequence[str]) -> Iterator[Item]:
    """Draft, for each language, a report (if findings are labelled) and, over two images or more, a consultation in each
    of SCRIPTS; a case without findings is only gone through with a resident.
    """
    figures = choose_images(document.figures)
    recorded = labelled_findings(document)
    for language in languages:
        if figures and recorded:
            yield _draft_report(document, figures, abnormal(recorded), language)
        if len(figures) >= 2:
            seen = abnormal([finding for figure in figures for finding in figure.findings])
            for script in SCRIPTS if seen else SCRIPTS[:1]:
                yield _draft_consultation(document, figures, seen, script, language)


def choose_images(figures: Sequence[Figure], most: int = MAX_IMAGES) -> list[Figure]:
    """Choose up to ``most`` labelled images that differ; return them in the source's order.

    First comes the one with most findings and levels; then whatever adds a finding, another kind of image (plane, weighting,
    modality) or at least two levels. If none does, the one whose findings or levels differ most makes a pair with the first.
    """
    left = [figure for figure in figures if is_labelled(figure)]
    concerned = _levels_with_findings(left)
    chosen: list[Figure] = []
    while left and len(chosen) < most:
        best = max(left, key=lambda figure: _gain(figure, chosen, concerned))
        if chosen and not _adds_enough(_gain(best, chosen, concerned)):
            break
        left = [figure for figure in left if figure.image_sha256 != best.image_sha256]
        chosen.append(best)
    if len(chosen) == 1 and left:
        chosen.append(max(left, key=lambda figure: _difference(figure, chosen[0])))
    return [figure for figure in figures if any(figure is one for one in chosen)]


def _levels_with_findings(figures: Sequence[Figure]) -> set[str]:
    """Levels of any finding; a disc's vertebrae too."""
    levels = {finding.level for figure in figures for finding in figure.findings}
    return levels | {vertebra for level in levels for vertebra in level.split("/")}


def _gain(figure: Figure, chosen: Sequence[Figure], concerned: set[str]) -> tuple[int, bool, bool, int]:
    """What an image adds: findings, whether another kind of image, whether levels that have a finding, levels."""
    findings = {finding for other in chosen for finding in other.findings}
    levels = {level for other in chosen for level in (*other.levels, *other.discs)}
    new_kind = name_image(figure, "en") not in {name_image(other, "en") for other in chosen}
    here = {*figure.levels, *figure.discs}
    return len(set(figure.findings) - findings), new_kind, bool(here & concerned), len(here - levels)


def _adds_enough(gain: tuple[int, bool, bool, int]) -> bool:
    new_findings, new_kind, _, new_levels = gain
    return bool(new_findings or new_kind or new_levels >= 2)


def _difference(figure: Figure, other: Figure) -> tuple[int, int]:
    return len(set(figure.findings) ^ set(other.findings)), len(set(figure.levels) ^ set(other.levels))


def _draft_report(document: Document, figures: Sequence[Figure], findings: tuple[Finding, ...], language: str) -> Item:
    rule = load_rules("cases")["report"]
    rng = seeded(document.id, rule.name, language)
    levels = head_to_tail({level for figure in figures for level in figure.levels})
    kinds = tuple(dict.fromkeys(name_image(figure, language) for figure in figures))
    facts = CaseFacts(findings, kinds, tuple(levels), len(figures))
    report = write_report(facts, rule, language)
    images = tuple(figure.image_sha256 or "" for figure in figures)
    stem = report_stem(rng, rule, language, "stem_pictures")
    draft = Draft(
        "report", language, (Message("user", stem, images), Message("assistant", report)),
        answer=report, rubric=write_rubric(facts, rule, language), axis="surgical_planning",
        about=(*levels, *(finding.level for finding in findings)),
    )  # fmt: skip
    return new_item(document, sign(document, rule, [language, stem, list(images), report]), draft, Origin(figures[0]))


def _draft_consultation(
    document: Document, figures: Sequence[Figure], seen: Sequence[Finding], script: str, language: str
) -> Item:
    rule = load_rules("cases")["imaging_consultation"]
    rng = seeded(document.id, rule.name, script, language)
    # The image that shows most comes first: what the others add is then told by what differs.
    first, *others = sorted(figures, key=lambda figure: (-len(figure.findings), -len(figure.levels)))
    turns: list[tuple[str, Sequence[Figure], str]] = [
        ("first", (first,), describe_image(first, language, caveat=False)),
        ("more", others, _describe_others(first, others, language)),
    ]
    if seen:
        turns.append(("weight", (), join_sentences(_weigh(rule, seen, script, language), language)))
        turns.append(("treatment", (), join_sentences(_treat(rule, seen, language), language)))
    turns.append(("limits", (), join_sentences(_limit(rule, script, language), language)))
    messages: list[Message] = []
    for part, shown, reply in turns:
        images = tuple(figure.image_sha256 or "" for figure in shown)
        messages += [Message("user", rule.say(rng, language, f"{script}_{part}"), images), Message("assistant", reply)]
    said = [[message.role, message.text, list(message.images)] for message in messages]
    levels = [level for figure in figures for level in (*figure.levels, *figure.discs)]
    draft = Draft(
        "consultation", language, messages,
        axis="surgical_planning" if seen else "level_identification", about=[finding.level for finding in seen] or levels,
    )  # fmt: skip
    return new_item(document, sign(document, rule, [language, script, said]), draft, Origin(first))


def _describe_others(first: Figure, others: Sequence[Figure], language: str) -> str:
    shown = [first, *others]
    described = [
        describe_image(figure, language, seen=shown[:number], caveat=number == len(others))
        for number, figure in enumerate(others, 1)
    ]
    return described[0] if len(described) == 1 else "\n".join(f"{number}. {text}" for number, text in enumerate(described, 1))


def _weigh(rule: Rule, findings: Sequence[Finding], script: str, language: str) -> list[str]:
    said = rule.first_phrasings(language)
    lines = [said["weight"].format(findings=state_findings(findings, language))]
    if script == "patient":
        lines += _say_of_each(said["explain"], findings, language)
    return lines


def _treat(rule: Rule, findings: Sequence[Finding], language: str) -> list[str]:
    said = rule.first_phrasings(language)
    return [*_say_of_each(said["treatment"], findings, language), said["decide"]]


def _say_of_each(phrasing: str, findings: Sequence[Finding], language: str) -> list[str]:
    """Fill a phrasing with the name of each finding and what is generally said of it."""
    advice = load_advice()
    return [phrasing.format(name=name_finding(name, language), **advice[name][language]) for name in distinct_names(findings)]


def _limit(rule: Rule, script: str, language: str) -> list[str]:
    said = rule.first_phrasings(language)
    return [said["red_flags" if script == "patient" else "limits"], said["disclaimer"]]
