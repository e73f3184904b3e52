"""Check that an item stands alone: nothing unseen, no talk of the source, no words of a prompt."""

import functools
import re
from pathlib import Path

from dataset_builders.characters import comparable
from dataset_builders.figures.captions import find_references
from dataset_builders.generate.criteria.parts import is_as_written
from dataset_builders.generate.criteria.vocabulary import find_phrase
from dataset_builders.item import Item

_PROMPTS = Path(__file__).parents[1] / "models" / "prompts"
_RUN = 7  # words in a row that an item shares with a prompt by no chance; for Chinese, characters
_RUN_HAN = 14
_PAGE = re.compile(
    r"\b(?:page|p\.|pp\.|chapter|section|table|box|appendix|equation|reference|ref\.) ?\d+\b"
    r"|第 ?\d+ ?[页章节]|表 ?\d+(?!\w)|参考文献",
    re.IGNORECASE,
)


def nothing_unseen(item: Item, _: object) -> str:
    """Reject numbered figures, tables and pages, and an image that is spoken of and not shown."""
    if is_as_written(item):
        return ""
    for text in _texts(item):
        for reference in find_references(text):
            return f"refers to {text[reference.start : reference.end]!r}, which is not shown"
        if match := _PAGE.search(text):
            return f"refers to {match[0]!r}, which is not shown"
        if not item.images and (match := find_phrase("image_talk", item.language, text)):
            return f"speaks of an image ({match[0]!r}) and shows none"
    return ""


def no_source_talk(item: Item, _: object) -> str:
    """Reject talk of the passage, its authors and its study."""
    if is_as_written(item):
        return ""
    for text in _texts(item):
        if match := find_phrase("source_talk", item.language, text):
            return f"leans on the source: {match[0]!r}"
    return ""


def no_prompt_words(item: Item, _: object) -> str:
    """Reject the words of our prompts, instructions to a model and what models say of themselves."""
    if is_as_written(item):
        return ""
    for text in (*_texts(item), *(criterion.criterion for criterion in item.rubric)):
        if find_phrase("prompt_talk", item.language, text):
            return "speaks to or as a model"
        if _runs(text) & _prompt_runs():
            return "repeats a prompt"
    return ""


def _texts(item: Item) -> tuple[str, ...]:
    return (*(message.text for message in item.messages), *item.options)


@functools.cache
def _prompt_runs() -> frozenset[str]:
    return frozenset(run for path in sorted(_PROMPTS.glob("*.md")) for run in _runs(path.read_text(encoding="utf-8")))


def _runs(text: str) -> frozenset[str]:
    said = comparable(text)
    words = re.findall(r"[a-z]+", said)
    han = re.sub(r"[^\u4e00-\u9fff]", "", said)
    return frozenset(
        [" ".join(words[place : place + _RUN]) for place in range(len(words) - _RUN + 1)]
        + [han[place : place + _RUN_HAN] for place in range(len(han) - _RUN_HAN + 1)]
    )
