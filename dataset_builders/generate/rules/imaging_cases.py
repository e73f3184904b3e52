"""Consultations and reports over a labelled imaging case: several images, several turns, nothing the labels do not say."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from dataset_builders.document import Document, Figure, Finding
from dataset_builders.generate.items import Draft, Origin, new_item
from dataset_builders.generate.rules.draws import seeded
from dataset_builders.generate.rules.image_descriptions import is_labelled, own_words, say_landmarks, state_labels
from dataset_builders.generate.rules.naming import (
    join_clauses,
    join_sentences,
    join_words,
    list_findings,
    name_finding,
    name_image,
    name_structures,
    span_levels,
)
from dataset_builders.generate.rules.reports import CaseFacts, abnormal, distinct_names, report_stem, write_report, write_rubric
from dataset_builders.generate.rules.texts import Rule, load_advice, load_rules, sign
from dataset_builders.generate.rules.views import (
    is_numbered,
    numbered_levels,
    numbered_together,
    plane_of,
    shown_findings,
    shows,
    weighting_of,
)
from dataset_builders.item import Item, Message

MAX_SLICES = 25
"""Images of a consultation, as in the paper."""
MAX_IMAGES = 4
"""Images of a report."""
SCRIPTS = ("resident", "patient")
"""Who asks in a consultation."""

_PLANES = ("sagittal", "coronal", "axial", None)
_PLACE = re.compile(r"slice (\d+) of (\d+)")


def draft_imaging_case(document: Document, languages: Sequence[str]) -> Iterator[Item]:
    """Draft, for each language, a report (if it has findings) and, over two images or more, a consultation in each of SCRIPTS;
    a case without findings is only gone through with a resident.

    A case whose levels cannot be numbered in its images gives nothing. One with Document.ungraded structures gives no report,
    which a reader would take as complete; its consultation says what is graded and what is not.
    """
    figures = [figure for figure in document.figures if is_labelled(figure)]
    slices = choose_slices(figures)
    chosen = choose_images(figures)
    for language in languages:
        if (found := _found(chosen)) and not document.ungraded:
            yield _draft_report(document, chosen, found, language)
        if len(slices) >= 2 and numbered_together(slices):
            seen = _found(slices)
            for script in SCRIPTS if seen else SCRIPTS[:1]:
                yield _draft_consultation(document, slices, seen, script, language)


def choose_slices(figures: Sequence[Figure], most: int = MAX_SLICES) -> list[Figure]:
    """Choose up to ``most`` images, evenly spread: sagittal, coronal, then axial ones, each series in order of its slices."""
    ordered = sorted(figures, key=_series_and_place)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(number * (len(ordered) - 1) / (most - 1))] for number in range(most)]


def _series_and_place(figure: Figure) -> tuple[int, str, int]:
    place = _PLACE.search(figure.locator)
    return _PLANES.index(plane_of(figure)), weighting_of(figure) or "", int(place[1]) if place else 0


def _found(figures: Sequence[Figure]) -> tuple[Finding, ...]:
    """Abnormal findings that these images show, at levels that can be numbered in them."""
    numbered = numbered_together(figures)
    return abnormal([finding for finding in shown_findings(figures) if is_numbered(finding.level, numbered)])


def choose_images(figures: Sequence[Figure], most: int = MAX_IMAGES) -> list[Figure]:
    """Choose up to ``most`` images that differ; return them in the source's order.

    First comes the one with most findings and levels; then whatever adds a finding, another kind of image (plane, weighting,
    modality) or at least two levels. If none does, the one whose findings or levels differ most makes a pair with the first.
    """
    left = list(figures)
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
    levels = numbered_together(figures)
    kinds = tuple(dict.fromkeys(name_image(figure, language) for figure in figures))
    facts = CaseFacts(findings, kinds, levels, len(figures))
    report = write_report(facts, rule, language)
    images = tuple(figure.image_sha256 or "" for figure in figures)
    stem = report_stem(rng, rule, language, "stem_pictures")
    draft = Draft(
        "report", language, (Message("user", stem, images), Message("assistant", report)),
        answer=report, rubric=write_rubric(facts, rule, language), axis="surgical_planning",
        about=(*levels, *(finding.level for finding in findings)),
    )  # fmt: skip
    labels = state_labels(figures, language, levels)
    context = (*labels, *_advise(findings, language), *own_words(rule, language, report))
    return new_item(document, sign(document, rule, [language, stem, list(images), report]), draft, Origin(figures[0], context))


def _draft_consultation(
    document: Document, slices: Sequence[Figure], seen: Sequence[Finding], script: str, language: str
) -> Item:
    rule = load_rules("cases")["imaging_consultation"]
    rng = seeded(document.id, rule.name, script, language)
    said = rule.first_phrasings(language)
    numbered = numbered_together(slices)
    labels = _say_labels(slices, numbered, seen, said, language, closed=not document.ungraded)
    scope = _say_scope(document, seen, said, language)
    turns = [("first", join_sentences((_say_series(slices, said, language), labels, *scope), language))]
    placed = any(_PLACE.search(figure.locator) for figure in slices)
    order = said["order" if placed else "order_of_few"].format(count=len(slices))
    if seen:
        if script == "patient":
            turns.append(("weight", join_sentences(_say_of_each(said["explain"], seen, language), language)))
        treatment = [*_say_of_each(said["treatment"], seen, language), said["decide"]]
        turns.append(("treatment", join_sentences(treatment, language)))
    turns.append(("limits", join_sentences(_limit(rule, script, language), language)))
    images = tuple(figure.image_sha256 or "" for figure in slices)
    messages: list[Message] = []
    for part, reply in turns:
        asked = rule.say(rng, language, f"{script}_{part}", order=order)
        messages += [Message("user", asked, images if not messages else ()), Message("assistant", reply)]
    script_of_turns = [[message.role, message.text, list(message.images)] for message in messages]
    draft = Draft(
        "consultation", language, messages,
        axis="surgical_planning" if seen else "level_identification", about=[finding.level for finding in seen] or numbered,
    )  # fmt: skip
    context = (order, *(reply for _, reply in turns), *state_labels(slices, language, numbered))
    return new_item(document, sign(document, rule, [language, script, script_of_turns]), draft, Origin(slices[0], context))


def _say_series(slices: Sequence[Figure], said: dict[str, str], language: str) -> str:
    """Say which image is of which series, and where in it."""
    parts = []
    numbers = iter(range(1, len(slices) + 1))
    for kind, members in groupby(slices, key=lambda figure: name_image(figure, language)):
        group = list(members)
        span = _say_numbers([next(numbers) for _ in group], language)
        places = [place for figure in group if (place := _PLACE.search(figure.locator))]
        values = {"images": span, "kind": kind}
        if len(places) == len(group):
            values |= {"first": places[0][1], "last": places[-1][1], "of": places[0][2]}
        part = "one" if len(group) == 1 else "several"
        parts.append(said[f"series_{part}{'' if len(places) < len(group) else '_placed'}"].format(**values))
    return join_sentences(parts, language)


def _say_labels(
    slices: Sequence[Figure],
    numbered: Sequence[str],
    seen: Sequence[Finding],
    said: dict[str, str],
    language: str,
    *,
    closed: bool,
) -> str:
    """Say which levels can be counted and from where, and every finding with the images that show it.

    closed   whether the labels are complete: then it is said if there is no finding.
    """
    rows = [len(numbered_levels(figure)) for figure in slices]
    longest = [number for number, length in enumerate(rows) if length == max(rows)]
    best = longest[len(longest) // 2]
    lines = [said["levels"].format(levels=span_levels(numbered, language)), *say_landmarks(numbered, language)]
    if rows[best]:
        lines.append(said["best"].format(image=best + 1))
    by_images: dict[tuple[int, ...], list[Finding]] = {}
    for finding in seen:
        alone = tuple(number for number, figure in enumerate(slices, 1) if shows((figure,), finding))
        together = tuple(number for number, figure in enumerate(slices, 1) if finding in figure.findings)
        by_images.setdefault(alone or together, []).append(finding)
    for numbers, findings in by_images.items():
        part = "seen" if len(numbers) == 1 else "seen_on_several"
        stated = join_clauses(list_findings(findings, language), language)
        lines.append(said[part].format(images=_say_numbers(numbers, language), findings=stated))
    if not seen and closed:
        lines.append(said["nothing"])
    return join_sentences(lines, language)


def _say_scope(document: Document, seen: Sequence[Finding], said: dict[str, str], language: str) -> list[str]:
    """Say what the source graded in this case and what it did not; [] if its labels are complete."""
    if not document.ungraded:
        return []
    graded = dict.fromkeys(name_finding(finding, language) for finding in document.findings)
    lines = [said["graded"].format(findings=join_words(graded, language)) if graded else said["graded_none"]]
    if graded and not seen:
        lines.append(said["graded_normal"])
    return [*lines, said["ungraded"].format(structures=name_structures(document.ungraded, language))]


def _say_numbers(numbers: Sequence[int], language: str) -> str:
    """Write whole numbers with runs as spans: "1 to 4, 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    to = "～" if language == "zh" else " to "
    return join_words((str(run[0]) if len(run) == 1 else f"{run[0]}{to}{run[-1]}" for run in runs), language)


def _advise(findings: Sequence[Finding], language: str) -> list[str]:
    """The general statements that a report may quote."""
    return [statement for name in distinct_names(findings) for statement in load_advice()[name][language].values()]


def _say_of_each(phrasing: str, findings: Sequence[Finding], language: str) -> list[str]:
    """Fill a phrasing with the name of each finding and what is generally said of it."""
    advice = load_advice()
    return [phrasing.format(name=name_finding(name, language), **advice[name][language]) for name in distinct_names(findings)]


def _limit(rule: Rule, script: str, language: str) -> list[str]:
    said = rule.first_phrasings(language)
    return [said["red_flags" if script == "patient" else "limits"], said["disclaimer"]]
