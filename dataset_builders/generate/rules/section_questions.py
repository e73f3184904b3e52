"""Headings asked as questions; the answers are what the sections teach by themselves."""

import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from dataset_builders.document import Document
from dataset_builders.generate.items import Draft, Origin, new_item
from dataset_builders.generate.rules.draws import seeded
from dataset_builders.generate.rules.passages import Section, join_within, teaching_run
from dataset_builders.generate.rules.subjects import with_subject
from dataset_builders.generate.rules.texts import Rule, load_rules, sign
from dataset_builders.generate.rules.titles import bare_title, locator_of, names_a_topic, subject_of_title, takes_up
from dataset_builders.item import Item, Message
from dataset_builders.language import detect_language

MAX_SECTIONS = 60
ANSWER_CHARACTERS = {"en": (160, 900), "zh": (80, 450)}
"""Shortest and longest answer in characters."""
FEWEST_SENTENCES = 2
_OPENING = {"en": 60, "zh": 20}  # characters of an answer in which its topic is named: later, it speaks of something else
_NAMED_BY_A_PAPER = 2  # words of its title's subject that a conclusion must take up: titles say more than a conclusion repeats

_CONCLUSION = re.compile(r"^(?:conclusions?|concluding remarks|结论|小结)$", re.IGNORECASE)


def draft_section_questions(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    """Draft the first MAX_SECTIONS open-ended items: a section's heading, or a paper's subject for its conclusion.

    A heading is asked if it is a question, or if it names a topic of the field by itself (classified alone, it is of spine or
    orthopaedics) which the answer takes up: in its first words, and with every word in the whole. "General population",
    "Joints" and a heading whose text was lost on the way are not asked.
    """
    asked: dict[str, Item] = {}
    for item in filter(None, (_draft_section(document, part) for part in parts)):
        asked.setdefault(_key(item), item)
    yield from islice(asked.values(), MAX_SECTIONS)


def _key(item: Item) -> str:
    return item.messages[1].text


def _draft_section(document: Document, part: Section) -> Item | None:
    """Sections of an article or case report tell what was done and found: only their conclusions are asked."""
    is_paper = document.provenance.source_kind in ("article", "case_report")
    concludes = bool(_CONCLUSION.match(bare_title(part.title)))
    if is_paper != concludes:
        return None
    topic = subject_of_title(document) if concludes else bare_title(part.title)
    language = detect_language(topic)
    shortest, longest = ANSWER_CHARACTERS[language]
    run = teaching_run(part, longest)
    answer = join_within(run, longest)
    if len(run) < FEWEST_SENTENCES or len(answer) < shortest or detect_language(answer) != language:
        return None
    taken_up = takes_up(run[0][: _OPENING[language]], topic, 1) and takes_up(
        answer, topic, _NAMED_BY_A_PAPER if concludes else None
    )
    if not topic.endswith(("?", "？")) and not (names_a_topic(topic) and taken_up):
        return None
    about = with_subject(document, f"{topic}. {answer}") or with_subject(document, topic)
    rule = load_rules("text")["section_question"]
    rng = seeded(document.id, rule.name, part.title, answer)
    if about is None:
        return None
    messages = (Message("user", _stem_of(rule, rng, language, topic, concludes)), Message("assistant", answer))
    used = tuple(paragraph for paragraph in part.paragraphs if any(sentence in paragraph for sentence in run))
    return new_item(
        about,
        sign(document, rule, [part.title, answer]),
        Draft("open_ended", language, messages),
        Origin(context=used, locator=locator_of(part), quotes=tuple(run)),
    )


def _stem_of(rule: Rule, rng: random.Random, language: str, topic: str, concludes: bool) -> str:
    if topic.endswith(("?", "？")):
        return topic
    return rule.say(rng, language, "conclusion" if concludes else "stem", title=topic)
