"""What the labels of an image say, in sentences: the answer of descriptions, turns of consultations, and what items rest on."""

from collections.abc import Sequence

from dataset_builders.document import Document, Figure, Finding
from dataset_builders.generate.items import Draft, Origin, new_item
from dataset_builders.generate.rules.draws import seeded
from dataset_builders.generate.rules.grades import is_abnormal, name_grade
from dataset_builders.generate.rules.naming import (
    join_clauses,
    join_sentences,
    join_words,
    name_image,
    span_levels,
    state_finding,
)
from dataset_builders.generate.rules.reports import by_level
from dataset_builders.generate.rules.texts import Rule, load_rules, sign
from dataset_builders.generate.rules.views import LANDMARKS, is_numbered, numbered_levels, shown_findings
from dataset_builders.item import Item, Message
from dataset_builders.levels import parse_levels


def is_labelled(figure: Figure) -> bool:
    """Return whether there is an image and anything is labelled in it."""
    return bool(figure.image_sha256 and (figure.levels or figure.discs or figure.findings))


def draft_description(document: Document, figure: Figure, language: str) -> Item:
    """Draft an open-ended item: an image in which levels can be numbered, and what its labels say of them."""
    rule = load_rules("imaging")["describe_picture"]
    rng = seeded(document.id, rule.name, language, figure.image_sha256 or "")
    numbered = numbered_levels(figure)
    reply = describe_image(figure, language)
    image = (figure.image_sha256 or "",)
    messages = (Message("user", rule.say(rng, language, "stem"), image), Message("assistant", reply))
    return new_item(
        document,
        sign(document, rule, [language, figure.image_sha256, reply]),
        Draft("open_ended", language, messages, axis="pathology_assessment", about=numbered),
        Origin(figure, (*state_labels((figure,), language, numbered), *own_words(rule, language, reply))),
    )


def describe_image(figure: Figure, language: str) -> str:
    """Say what the labels of an image say, of the levels that can be numbered in it and the findings that can be judged on it.

    It names the landmark that the numbering starts from, and ends with what was not judged.
    """
    said = load_rules("imaging")["describe_picture"].first_phrasings(language)
    numbered = numbered_levels(figure)
    lines = [
        said["kind"].format(kind=name_image(figure, language)),
        said["vertebrae"].format(levels=span_levels(numbered, language)),
        *say_landmarks(numbered, language),
        say_findings(_placed(figure, numbered), language),
        said["caveat"],
    ]
    return join_sentences(lines, language)


def say_findings(findings: Sequence[Finding], language: str) -> str:
    """Say level by level what is abnormal by its label; that nothing is labelled if ``findings`` is empty."""
    said = load_rules("imaging")["describe_picture"].first_phrasings(language)
    if not findings:
        return said["no_findings"]
    colon = "：" if language == "zh" else ": "
    stated = [f"{level}{colon}{join_words(names, language)}" for level, names in by_level(findings, language)]
    return said["findings"].format(findings=join_clauses(stated, language))


def state_labels(figures: Sequence[Figure], language: str, numbered: Sequence[str] = ()) -> tuple[str, ...]:
    """State all that is labelled in ``figures``, a sentence a label: what an item of theirs rests on.

    numbered   vertebrae that can be numbered in them, by default those that are labelled.
    """
    said = load_rules("imaging")["describe_picture"].first_phrasings(language)
    vertebrae = numbered or tuple(dict.fromkeys(level for figure in figures for level in figure.levels))
    discs = tuple(dict.fromkeys(disc for figure in figures for disc in figure.discs))
    lines = [said["kind"].format(kind=name_image(figure, language)) for figure in figures]
    if vertebrae:
        lines.append(said["vertebrae"].format(levels=join_words(vertebrae, language)))
        lines += say_landmarks(vertebrae, language)
    if discs:
        lines.append(said["discs"].format(levels=join_words(discs, language)))
    for finding in shown_findings(figures):
        part = "label" if is_abnormal(finding) else "label_of_grade"
        stated = {"finding": state_finding(finding, language), "grade": name_grade(finding, language), "level": finding.level}
        lines.append(said[part].format(**stated))
    return tuple(dict.fromkeys(lines))


def labels_at(labels: Sequence[str], levels: Sequence[str]) -> list[str]:
    """Return the sentences of ``state_labels`` on what an image is and on ``levels``: not those on findings elsewhere."""
    return [line for line in labels if not (named := _levels_in(line)) or not named.isdisjoint(levels)]


def say_landmarks(levels: Sequence[str], language: str) -> list[str]:
    """Say from which landmarks the vertebrae ``levels`` are counted."""
    said = load_rules("imaging")["describe_picture"].first_phrasings(language)
    return [said[f"landmark_{level}"] for level in LANDMARKS if level in levels]


def _levels_in(line: str) -> set[str]:
    """Return the discs that a sentence names, or else the vertebrae."""
    named = parse_levels(line)
    return set(named.discs or named.vertebrae)


def _placed(figure: Figure, numbered: Sequence[str]) -> list[Finding]:
    return [f for f in shown_findings((figure,)) if is_abnormal(f) and is_numbered(f.level, numbered)]


def own_words(rule: Rule, language: str, *replies: str) -> list[str]:
    """Return the sentences of ours that stand in ``replies`` as the rule's templates have them."""
    texts = rule.first_phrasings(language).values()
    return [text for text in texts if "{" not in text and any(text in reply for reply in replies)]
