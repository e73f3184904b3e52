"""Questions that a textbook asks its own readers at a chapter's end, with the book's own answers."""

import itertools
import re
from collections.abc import Iterator, Sequence

from dataset_builders.document import Document
from dataset_builders.figures.captions import find_references
from dataset_builders.generate.items import Choice, Draft, Origin, draft_choice, new_item
from dataset_builders.generate.rules.passages import Section, teaches
from dataset_builders.generate.rules.subjects import with_subject
from dataset_builders.generate.rules.texts import load_rules, sign
from dataset_builders.generate.rules.titles import bare_title, locator_of
from dataset_builders.item import LETTERS, Item, Message
from dataset_builders.language import detect_language

_OF_CHOICE = re.compile(r"^(?:review questions?|multiple[- ]choice(?: questions?)?|选择题|复习题)$", re.IGNORECASE)
_OPEN = re.compile(
    r"^(?:critical thinking(?: questions?)?|short answers?|study questions?|思考题|问答题|简答题)$", re.IGNORECASE
)
_OPTION = re.compile(r"^(?:[-•*]|\(?[A-Ha-h][.)、．])\s*(?P<text>\S.*)$")
_KEY = re.compile(r"^(?:answer|答案)?\s*[:：]?\s*([A-Ha-h])[.。]?$", re.IGNORECASE)
_ASKS = re.compile(
    r"[?？]$|^(?:describe|explain|define|compare|contrast|list|discuss|name|distinguish|identify|what|why|how|which)\b|"
    r"^(?:请|试述|简述|说明|比较|列举|为什么)",
    re.IGNORECASE,
)
_AT_THE_PAGE = re.compile(
    r"\b(?:refer to|look at|this image|the image|website|link|the figure|above|following figure)\b", re.IGNORECASE
)
_SHORTEST_ANSWER = {"en": 80, "zh": 30}


def draft_review_questions(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    """Draft one item a question whose answer the book gives; a question without options, key or answer beside it is left."""
    for part in parts:
        title = bare_title(part.title)
        if _OF_CHOICE.match(title):
            yield from filter(None, (_draft_choice(document, part, *found) for found in _choices(part.paragraphs)))
        elif _OPEN.match(title):
            pairs = itertools.pairwise(part.paragraphs)
            yield from filter(None, (_draft_open(document, part, *pair) for pair in pairs))


def is_practice(part: Section) -> bool:
    """Return whether a section asks its readers: its lines are questions and answers, not text to ask about."""
    return bool(_OF_CHOICE.match(bare_title(part.title)) or _OPEN.match(bare_title(part.title)))


def _choices(paragraphs: Sequence[str]) -> Iterator[tuple[str, list[str], str]]:
    """Find each run of a stem, its options and the key's letter."""
    stem, options = "", []
    for paragraph in paragraphs:
        if match := _OPTION.match(paragraph):
            options.append(match["text"].strip())
        elif key := _KEY.match(paragraph):
            letter = key[1].upper()
            if stem and 3 <= len(options) <= len(LETTERS) and letter in LETTERS[: len(options)]:
                yield stem, options, letter
            stem, options = "", []
        else:
            stem, options = paragraph, []


def _draft_choice(document: Document, part: Section, stem: str, options: Sequence[str], letter: str) -> Item | None:
    rule = load_rules("questions")["review_question"]
    right = options[LETTERS.index(letter)]
    language = detect_language(stem)
    about = with_subject(document, f"{stem} {right}")
    if about is None or find_references(stem) or _AT_THE_PAGE.search(stem):
        return None
    question = rule.first_phrasings(language)["stem"].format(stem=stem)
    return new_item(
        about,
        sign(document, rule, [stem, list(options), letter]),
        draft_choice(Choice(question, tuple(options), letter), language),
        Origin(context=(stem, *options, letter), locator=locator_of(part)),
    )


def _draft_open(document: Document, part: Section, question: str, answer: str) -> Item | None:
    answer = re.sub(r"^(?:answer|答案?)\s*[:：]\s*", "", answer, flags=re.IGNORECASE)
    rule = load_rules("questions")["study_question"]
    language = detect_language(question)
    told = len(answer) >= _SHORTEST_ANSWER[language] and not _ASKS.search(answer) and not find_references(answer)
    about = with_subject(document, f"{question} {answer}") if told and _ASKS.search(question) else None
    if about is None or find_references(question) or _AT_THE_PAGE.search(f"{question} {answer}") or not teaches(answer):
        return None
    asked = rule.first_phrasings(language)["stem"].format(stem=question)
    return new_item(
        about,
        sign(document, rule, [question, answer]),
        Draft("open_ended", language, (Message("user", asked), Message("assistant", answer))),
        Origin(context=(question, answer), locator=locator_of(part)),
    )
