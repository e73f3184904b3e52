"""Headings asked as questions; the answers are what the sections teach by themselves."""

import itertools
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


_RESULT = re.compile(
    r"\b(?:was|were|did|had|showed|demonstrated|revealed|underwent|yielded|proved|remained|occurred|resulted in|led to)\b|"
    r"\b\d+ (?:patients|cases|subjects)\b",
    re.IGNORECASE,
)
"""What was found in one study; a rule is told in the present tense."""
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6}
_LIST_ANNOUNCED = re.compile(
    r"\b(?P<en>two|three|four|five|six) (?:\w+ ){0,2}(?:parts|types|kinds|forms|groups|categories|classes|stages|phases|layers|"
    r"components|regions|columns|zones|ways|reasons|factors|steps|methods|approaches|mechanisms|functions)\b[^,:;]*[.:]$|"
    r"(?P<zh>[两二三四五六])(?:个)?(?:部分|类型?|种|型|期|层|组|步|方面)[^，、；]{0,6}[。：]$",
    re.IGNORECASE,
)
"""A sentence that announces so many things and names none of them: they follow."""


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
    run = _without_cut_lists(teaching_run(part, longest), part)
    if concludes:
        run = list(itertools.takewhile(lambda sentence: not _RESULT.search(sentence), run))
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


def _without_cut_lists(run: Sequence[str], part: Section) -> list[str]:
    """End the run before a sentence that announces a list ("two parts") whose paragraph the run does not tell to its end."""
    for number, sentence in enumerate(run):
        match = _LIST_ANNOUNCED.search(sentence)
        if match is None:
            continue
        paragraph = next((p for p in part.paragraphs if sentence in p), "")
        is_told = run[-1] not in paragraph or paragraph.rstrip().endswith(run[-1])
        items = _NUMBERS[(match["en"] or match["zh"]).lower()]
        if not is_told or len(run) - number - 1 < items:
            return list(run[:number])
    return list(run)


def _stem_of(rule: Rule, rng: random.Random, language: str, topic: str, concludes: bool) -> str:
    if topic.endswith(("?", "？")):
        return topic
    return rule.say(rng, language, "conclusion" if concludes else "stem", title=topic)
