"""Headings asked as questions; the answers are what the sections teach by themselves."""

import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from dataset_builders.classify import classify_text
from dataset_builders.document import Document
from dataset_builders.figures.captions import find_references
from dataset_builders.generate.items import Draft, Origin, new_item
from dataset_builders.generate.rules.draws import seeded
from dataset_builders.generate.rules.passages import Section, is_debris, join_within, sentences, teaching_passage
from dataset_builders.generate.rules.texts import Rule, load_rules, sign
from dataset_builders.generate.rules.titles import bare_title, is_topic, locator_of
from dataset_builders.item import Item, Message
from dataset_builders.language import detect_language

MAX_SECTIONS = 60
ANSWER_CHARACTERS = (120, 1600)
"""Shortest and longest answer in characters (Chinese: half)."""

_CONCLUSION = re.compile(
    r"^(?:conclusions?|concluding remarks|(?:chapter )?(?:review|summary)|结论|小结|本章小结)$", re.IGNORECASE
)


def draft_section_questions(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    """Draft the first MAX_SECTIONS open-ended items: a section's heading, or the whole work's title for its conclusion."""
    items = (_draft_section(document, part) for part in parts)
    yield from islice((item for item in items if item), MAX_SECTIONS)


def _draft_section(document: Document, part: Section) -> Item | None:
    answered = _answer_of(document, part)
    if answered is None:
        return None
    answer, language = answered
    rule = load_rules("text")["section_question"]
    rng = seeded(document.id, rule.name, part.title, answer)
    stem = _stem_of(document, part, rule, rng, language)
    if stem is None:
        return None
    return new_item(
        document,
        sign(document, rule, [part.title, answer]),
        Draft("open_ended", language, (Message("user", stem), Message("assistant", answer))),
        Origin(context=part.paragraphs[:1], locator=locator_of(part)),
    )


def _answer_of(document: Document, part: Section) -> tuple[str, str] | None:
    """What a section teaches (passages.teaching_passage), and its language; None if it is too little or not about spines."""
    kind = document.provenance.source_kind
    if kind == "article" and _tells_a_story(part):
        return None
    concludes = _concludes(part)
    answer = _conclusion_of(part) if concludes and kind != "textbook" else teaching_passage(part, ANSWER_CHARACTERS[1])
    language, shortest = detect_language(answer), ANSWER_CHARACTERS[0]
    if language == "zh":
        answer = join_within(sentences(answer), ANSWER_CHARACTERS[1] // 2)
        shortest //= 2
    if len(answer) < shortest:
        return None
    if kind == "article" and not concludes and classify_text(answer).specialty == "general":
        return None  # how a method works, not what is known of the spine
    return answer, language


def _stem_of(document: Document, part: Section, rule: Rule, rng: random.Random, language: str) -> str | None:
    """The question that a section answers; None if its heading asks nothing."""
    kind, source = document.provenance.source_kind, document.provenance.source_title
    title, concludes = bare_title(part.title), _concludes(part)
    if concludes and source and detect_language(source) == language:
        return rule.say(rng, language, "stem" if kind == "textbook" else "conclusion", title=source)
    if kind == "case_report" or concludes:
        return None  # a case's other sections tell one patient's story: records.py asks about that
    if title.endswith(("?", "？")):
        return title
    if is_topic(title) and detect_language(title) == language:
        return rule.say(rng, language, "stem", title=title)
    return None


def _concludes(part: Section) -> bool:
    return bool(_CONCLUSION.match(bare_title(part.title)))


def _tells_a_story(part: Section) -> bool:
    """Whether a section mostly says, in the past tense, what was done and found (methods and results of an article)."""
    said = [sentence for paragraph in part.paragraphs for sentence in sentences(paragraph)]
    return 3 * sum(bool(re.search(r"\b(?:was|were|had)\b", sentence)) for sentence in said) > len(said)


def _conclusion_of(part: Section) -> str:
    """A conclusion is asked of the work by name: there the work may speak of itself."""
    said = [sentence for paragraph in part.paragraphs for sentence in sentences(paragraph)]
    if any(is_debris(sentence) or find_references(sentence) for sentence in said):
        return ""
    return join_within(said, ANSWER_CHARACTERS[1])
