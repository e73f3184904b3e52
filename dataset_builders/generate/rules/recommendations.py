"""Questions on a guideline's recommendations: how strongly, and for or against."""

import re
from collections.abc import Iterator, Sequence

from dataset_builders.document import Document
from dataset_builders.figures.captions import find_references
from dataset_builders.generate.items import Choice, Origin, draft_choice, new_item
from dataset_builders.generate.rules.draws import seeded
from dataset_builders.generate.rules.passages import Section, is_debris, sentences
from dataset_builders.generate.rules.texts import BLANK, load_rules, sign
from dataset_builders.generate.rules.titles import locator_of, say_with_title, title_of
from dataset_builders.item import LETTERS, Item

MAX_RECOMMENDATIONS = 40

_RECOMMENDATION = re.compile(
    r"\b(we recommend against|we suggest against|we recommend(?! against)|we suggest(?! against)|"
    r"there is insufficient evidence to recommend for or against)\s+\S.{5,300}$",
    re.IGNORECASE,
)
_FOOTNOTE_LETTER = re.compile(r"(?<=[a-z)]\.)\s?[a-z]{1,2}$")


def draft_recommendations(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    """Draft the first MAX_RECOMMENDATIONS questions: English sentences that recommend, their wording blanked."""
    rule = load_rules("text")["recommendation"]
    options = rule.phrasings["en"]["options"]
    asked: set[str] = set()
    for part, sentence in ((one, s) for one in parts for paragraph in one.paragraphs for s in sentences(paragraph)):
        sentence = _FOOTNOTE_LETTER.sub("", sentence)
        match = _find_recommendation(sentence)
        if match is None or sentence.casefold() in asked:
            continue
        asked.add(sentence.casefold())
        letter = LETTERS[[option.lower() for option in options].index(match[1].lower())]
        rng = seeded(document.id, rule.name, sentence)
        blanked = sentence[: match.start(1)] + BLANK + sentence[match.end(1) :]
        stem = say_with_title(rule, rng, "en", title_of(document, "en"), sentence=blanked)
        choice = Choice(stem, options, letter, rule.say(rng, "en", "rationale", sentence=sentence))
        yield new_item(
            document,
            sign(document, rule, [sentence]),
            draft_choice(choice, "en", axis="surgical_planning"),
            Origin(context=(sentence,), locator=locator_of(part)),
        )
        if len(asked) == MAX_RECOMMENDATIONS:
            return


def _find_recommendation(sentence: str) -> re.Match[str] | None:
    """The wording of the one recommendation in a whole sentence that points to nothing else."""
    match = _RECOMMENDATION.search(sentence)
    if not match or find_references(sentence) or len(_RECOMMENDATION.findall(sentence)) > 1 or is_debris(sentence):
        return None
    return match
