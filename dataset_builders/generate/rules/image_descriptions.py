"""What the labels of an image say, in sentences: the answer of descriptions, and turns of consultations."""

from collections.abc import Sequence

from dataset_builders.document import Document, Figure, Finding
from dataset_builders.generate.items import Draft, Origin, new_item
from dataset_builders.generate.rules.draws import seeded
from dataset_builders.generate.rules.naming import join_clauses, join_sentences, join_words, name_image, span_levels
from dataset_builders.generate.rules.reports import by_level
from dataset_builders.generate.rules.texts import load_rules, sign
from dataset_builders.item import Item, Message

SHORT = 3
"""Vertebrae that a later image of a case still names, although the earlier ones showed them."""


def is_labelled(figure: Figure) -> bool:
    """Return whether there is an image and anything is labelled in it."""
    return bool(figure.image_sha256 and (figure.levels or figure.discs or figure.findings))


def labelled_findings(document: Document) -> tuple[Finding, ...]:
    """Return the findings of a case: those labelled for the whole of it, then those of each image, repeats and all."""
    return (*document.findings, *(finding for figure in document.figures for finding in figure.findings))


def draft_description(document: Document, figure: Figure, language: str) -> Item:
    """Draft an open-ended item: an image, and what its labels say."""
    rule = load_rules("imaging")["describe_picture"]
    rng = seeded(document.id, rule.name, language, figure.image_sha256 or "")
    reply = describe_image(figure, language)
    image = (figure.image_sha256 or "",)
    messages = (Message("user", rule.say(rng, language, "stem"), image), Message("assistant", reply))
    about = (*figure.levels, *figure.discs)
    return new_item(
        document,
        sign(document, rule, [language, figure.image_sha256, reply]),
        Draft("open_ended", language, messages, axis="pathology_assessment", about=about),
        Origin(figure),
    )


def describe_image(figure: Figure, language: str, *, seen: Sequence[Figure] = (), caveat: bool = True) -> str:
    """Say what the labels of an image say.

    seen     images shown before: levels and findings that were there are not told again.
    caveat   end with the sentence that what is not labelled was not judged.

    Levels are given as spans; discs only if they are not next to labelled vertebrae.
    """
    said = load_rules("imaging")["describe_picture"].first_phrasings(language)
    lines = [said["kind"].format(kind=name_image(figure, language))]
    lines += _say_levels(figure, language, seen, said)
    lines.append(_say_findings(figure, language, seen, said))
    return join_sentences([*lines, said["caveat"]] if caveat else lines, language)


def _say_levels(figure: Figure, language: str, seen: Sequence[Figure], said: dict[str, str]) -> list[str]:
    before = {level for other in seen for level in (*other.levels, *other.discs)}
    vertebrae, discs = set(figure.levels), set(figure.discs)
    lines = []
    if vertebrae and (not seen or vertebrae - before or len(vertebrae) <= SHORT):
        part = "vertebra" if len(vertebrae) == 1 else "vertebrae"
        lines.append(said[part].format(levels=span_levels(figure.levels, language)))
    elif vertebrae:
        lines.append(said["levels_as_before"])
    if not all(set(disc.split("/")) & vertebrae for disc in discs) and (not seen or discs - before):
        lines.append(said["discs"].format(levels=span_levels(figure.discs, language)))
    return lines


def _say_findings(figure: Figure, language: str, seen: Sequence[Figure], said: dict[str, str]) -> str:
    told = {finding for other in seen for finding in other.findings}
    new = [finding for finding in figure.findings if finding not in told]
    if not new:
        return said["as_before" if figure.findings else "no_findings"]
    colon = "：" if language == "zh" else ": "
    stated = [f"{level}{colon}{join_words(names, language)}" for level, names in by_level(new, language)]
    return said["findings"].format(findings=join_clauses(stated, language))
