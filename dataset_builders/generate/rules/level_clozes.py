"""Clozes: sentences of a text with their one vertebra or disc blanked."""

import re
from collections.abc import Iterator, Sequence

from dataset_builders.document import Document
from dataset_builders.figures.captions import find_references, is_caption
from dataset_builders.generate.items import Choice, Origin, draft_choice, new_item
from dataset_builders.generate.rules.draws import seeded, shuffle_options
from dataset_builders.generate.rules.level_facts import draft_level_fact, find_fact
from dataset_builders.generate.rules.level_options import draw_wrong_levels
from dataset_builders.generate.rules.passages import (
    ABOUT_THE_WORK,
    Section,
    is_debris,
    is_prose,
    leans_back,
    sentences,
)
from dataset_builders.generate.rules.subjects import with_subject
from dataset_builders.generate.rules.texts import BLANK, load_rules, sign
from dataset_builders.generate.rules.titles import locator_of, say_with_title, topic_of
from dataset_builders.item import Item
from dataset_builders.language import detect_language
from dataset_builders.levels import find_levels

MAX_CLOZES = 60
"""Level clozes a document: about what a 140-page guideline holds; a 1,000-page book must not outweigh twenty articles."""
SENTENCE_CHARACTERS = 400
"""Longest sentence that is blanked."""

# What still names the level when its number is gone: "the second cervical (____) vertebra".
_ORDINAL = re.compile(
    r"\b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|last|\d+(?:st|nd|rd|th))\s+"
    r"(?:cervical|thoracic|lumbar|sacral|vertebra)|第.{1,3}[颈胸腰骶]",
    re.IGNORECASE,
)
# Bones with names of their own, in whose place no number reads well: "the tip of the ____ process".
_LEVELS_WITH_NAMES = ("C1", "C2", "C1/C2", "Co")
_NAME_OF_LEVEL = re.compile(r"\b(?:atlanto|atlas|axis|odontoid|dens\b|coccy)|[寰枢]|齿状?突|尾[骨椎]", re.IGNORECASE)
_SACRUM = re.compile(r"\bsacr(?:um|al)\b|骶", re.IGNORECASE)
# Statements about one patient, or told as a story, cannot be answered alone.
_NARRATIVE = re.compile(
    r"\b(?:patients?|he|she|his|her|was|were|underwent|case|study|studies|group|table|figure)\b|患者|病人|病例|该研究",
    re.IGNORECASE,
)
# A level that only serves as an example is anyone's guess: "for instance T8", "a burst fracture of L1 breaks …".
_ARBITRARY = re.compile(
    rf"\b(?:above|below|over|under|up to|down to)\s+(?:the\s+)?{BLANK}|{BLANK}以[上下远]|"
    rf"(?:for (?:instance|example)|e\.g\.|such as)[^.;]{{0,40}}{BLANK}|"
    rf"(?:fractures?|injury|herniation|protrusion|slip|fusion|discectomy|decompression|fixation|lesion|grade \w+)\s+"
    rf"(?:of|at|in|on)\s+(?:the\s+)?{BLANK}|(?:如|例如|比如){BLANK}|^{BLANK}最?[多常]见|{BLANK}(?:椎体|椎间盘)?(?:楔形|压缩|爆裂)?(?:骨折|突出|滑脱|变窄|狭窄)",
    re.IGNORECASE,
)
_TO_YOU = re.compile(r"\byour?\b", re.IGNORECASE)
# What holds of spines in general and is known elsewhere, too: where a structure lies or ends, where a disease is most often.
_GENERAL = re.compile(
    r"\b(?:ends?|terminates?|begins?|starts?|lies|located|situated|attach(?:es|ed)|articulates?|exits?|leaves|enters?|passes|"
    r"carr(?:y|ies)|bears?|most (?:common|often|frequent|mobile)\w*|commonest|usual(?:ly)?|typical(?:ly)?|largest|smallest|"
    r"longest|is (?:found|called|named)|recogni[sz]ed|level of|height of|corresponds?)\b|"
    r"位于|平对?|止于|终于|起自|起于|多见于|好发于|最常|多发生|最大|最长|相当于|称为|穿出|进入",
    re.IGNORECASE,
)


def draft_level_clozes(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    """Draft the first MAX_CLOZES items of a document; each asks which level a sentence names.

    A fact that the table of both languages holds is asked as a question (level_facts), another general statement with its level
    blanked.
    """
    rule = load_rules("text")["level_cloze"]
    asked: set[str] = set()
    for part, paragraph, sentence in _sentences_of(parts):
        if not _stands_alone(sentence) or (key := str(find_fact(sentence) or sentence)) in asked:
            continue
        if find_fact(sentence):
            asked.add(key)
            yield from draft_level_fact(document, part, paragraph, sentence)
            continue
        masked = mask_level(sentence)
        if masked is None or _ARBITRARY.search(masked[0]) or not _GENERAL.search(masked[0]):
            continue
        asked.add(key)
        blanked, level = masked
        language = detect_language(sentence)
        rng = seeded(document.id, rule.name, sentence)
        options, letter = shuffle_options(rng, level, draw_wrong_levels(rng, level))
        topic = topic_of(part, language)
        stem = say_with_title(rule, rng, language, topic, sentence=blanked)
        titles = (topic,) if topic and topic in stem else ()
        choice = Choice(stem, options, letter, rule.say(rng, language, "rationale", sentence=sentence))
        yield new_item(
            with_subject(document, sentence) or document,
            sign(document, rule, [sentence]),
            draft_choice(choice, language, axis="level_identification", about=(level,)),
            Origin(context=(paragraph, *titles), locator=locator_of(part), quotes=(sentence, *titles)),
        )
        if len(asked) == MAX_CLOZES:
            return


def _sentences_of(parts: Sequence[Section]) -> Iterator[tuple[Section, str, str]]:
    for part in parts:
        for paragraph in part.paragraphs:
            if not is_caption(paragraph):
                yield from ((part, paragraph, sentence) for sentence in sentences(paragraph))


def mask_level(sentence: str) -> tuple[str, str] | None:
    """Blank the one level of a sentence; return the blanked sentence and that level.

    None if it names none or several, or if what is left still says which ("the second cervical (____) vertebra").
    """
    spans = [span for span in find_levels(sentence) if span.names]
    names = {name for span in spans for name in span.names}
    if len(names) != 1 or any(span.kind == "nerve_root" for span in spans):
        return None
    level = names.pop()
    blanked = sentence
    for span in reversed(spans):
        blanked = blanked[: span.start] + BLANK + blanked[span.end :]
    told = level.startswith("S") and bool(_SACRUM.search(blanked))  # no other option is of the sacrum
    told = told or any(sentence[span.start : span.end] in blanked for span in spans)
    if told or _ORDINAL.search(blanked) or (level in _LEVELS_WITH_NAMES and _NAME_OF_LEVEL.search(sentence)):
        return None
    return blanked, level


def _stands_alone(sentence: str) -> bool:
    return (
        is_prose(sentence)
        and len(sentence) <= SENTENCE_CHARACTERS
        and not is_debris(sentence)
        and not any(bad.search(sentence) for bad in (_NARRATIVE, ABOUT_THE_WORK, _TO_YOU))
        and not leans_back(sentence)
        and not find_references(sentence)
    )
