"""Take an item apart into what is asked, what is answered and what it rests on, as its criteria read it."""

import functools
import re
from dataclasses import dataclass

from dataset_builders.item import LETTERS, Item, question_of
from dataset_builders.source_kinds import KINDS

AS_WRITTEN = tuple(kind.name for kind in KINDS.values() if kind.is_as_written)
"""Kinds whose questions are examiners' own: neither reworded, nor held to a source, nor searched for give-aways."""

_SENTENCE_END = re.compile(
    r"(?<!\bvs)(?<!\be\.g)(?<!\bi\.e)(?<!\bDr)(?<!\bMr)(?<!\bMrs)(?<!\bNo)(?<!\bapprox)[.!?](?=[\s\"”’)]|$)|[。！？；;\n]"
)
_LIST_MARK = re.compile(r"(?m)^\s*(?:[-*•]\s+|#+\s*|\(?\d{1,2}[.)、]\s+|[A-J][.)、]\s+)")


@dataclass(frozen=True, slots=True)
class Parts:
    """The texts of an item.

    question   the stem, or the first user turn.
    key        the right options of multiple_choice, joined; "" for other tasks.
    reasons    what follows the key in the reply of multiple_choice.
    replies    all assistant turns; of multiple_choice, key and reasons; of a report, without its headings.
    users      all user turns; of multiple_choice, the stem.
    source     the quotes, a line each; case: the whole context.
    """

    question: str
    key: str
    reasons: str
    replies: str
    users: str
    source: str
    case: str

    @property
    def said(self) -> str:
        """All that the item states or asks; wrong options are left out."""
        return f"{self.users}\n{self.replies}"


@functools.lru_cache(maxsize=8)
def parts_of(item: Item) -> Parts:
    """Take an item apart. Its turns must alternate (criterion turns_alternate)."""
    source, case = "\n".join(item.quotes), "\n".join(item.context)
    question = question_of(item)
    replies = "\n".join(message.text for message in item.messages if message.role == "assistant")
    if item.task != "multiple_choice":
        users = "\n".join(message.text for message in item.messages if message.role == "user")
        if item.task == "report":
            replies = re.sub(r"(?m)^## .*$", "", replies)
        return Parts(question, "", "", replies, users, source, case)
    right = right_lines(item)
    reasons = replies.removeprefix(right).strip()
    key = "\n".join(item.options[LETTERS.index(letter)] for letter in item.answer or "")
    return Parts(question, key, reasons, f"{key}\n{reasons}".strip(), question, source, case)


def right_lines(item: Item) -> str:
    """Return the lines with which the reply of a multiple-choice question begins: the right options with their letters."""
    return "\n".join(f"{letter}. {item.options[LETTERS.index(letter)]}" for letter in item.answer or "")


def wrong_options(item: Item) -> tuple[str, ...]:
    """Return the options that are not right."""
    return tuple(option for letter, option in zip(LETTERS, item.options) if letter not in (item.answer or ""))


def is_as_written(item: Item) -> bool:
    """Tell whether the item's words are an examiner's own."""
    return item.provenance.source_kind in AS_WRITTEN


def sentences(text: str) -> list[str]:
    """Cut a text into sentences, without list marks; lines and semicolons end a sentence, too."""
    pieces, start = [], 0
    text = _LIST_MARK.sub("", text)
    for match in _SENTENCE_END.finditer(text):
        pieces.append(text[start : match.end()])
        start = match.end()
    return [piece.strip() for piece in [*pieces, text[start:]] if re.search(r"\w", piece)]
