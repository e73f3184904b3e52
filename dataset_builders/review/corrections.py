"""Say what of an item a clinician may change, check a correction, and put it into the item.

    {"turns": ["question without its options", "reply", …], "options": ["L3", "L4"], "answer": "B",
     "rubric": ["criterion", …], "levels": ["L4"], "discs": ["L4/L5"], "axis": "surgical_planning"}

A correction holds only the fields that change. Provenance, images, context and evidence are never touched.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from dataset_builders.item import Item, format_options, question_of
from dataset_builders.levels import DISCS, VERTEBRAE, sort_discs, sort_levels
from dataset_builders.schema import AXES
from dataset_builders.taxonomy import LETTERS

Correction = Mapping[str, Any]

LONGEST = 30_000
"""Most characters of a text; what the checks of generation allow a turn, too."""


def editable(item: Item) -> dict[str, Any]:
    """Return every field of an item that may be changed, in the form of a correction."""
    return {
        "turns": [question_of(item), *(message.text for message in item.messages[1:])],
        "options": list(item.options),
        "answer": item.answer,
        "rubric": [line.criterion for line in item.rubric],
        "levels": list(item.levels),
        "discs": list(item.discs),
        "axis": item.axis,
    }


def hash_item(item: Item) -> str:
    """Return the SHA-256 of what a reviewer judges: editable fields, images, context and evidence."""
    shown = [editable(item), list(item.images), list(item.context), [dataclasses.astuple(quote) for quote in item.evidence]]
    return hashlib.sha256(json.dumps(shown, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def changes_of(item: Item, correction: Correction) -> dict[str, Any]:
    """Check a correction, and return the fields of it that differ from the item.

    Raises ValueError, naming the field, if one is unknown, has another form than the item's, or does not fit the others.
    """
    before = editable(item)
    unknown = sorted(set(correction) - set(before))
    if unknown:
        raise ValueError(f"{item.id}: {unknown[0]} cannot be corrected; fields are {', '.join(before)}")
    after = before | dict(correction)
    for name, problem in _PROBLEMS.items():
        if message := problem(after, before):
            raise ValueError(f"{item.id}: {name}: {message}")
    return {name: after[name] for name in before if after[name] != before[name]}


def correct_item(item: Item, correction: Correction) -> Item:
    """Return the item with the fields of a checked correction.

    If options or answer change, the option lines of the question and the option that opens the reply change with them, unless
    the reply was rewritten. A reference text that was the reply stays the reply.
    """
    after = editable(item) | dict(correction)
    options = tuple(after["options"])
    texts = list(after["turns"])
    if item.options:
        if "turns" in correction or "options" in correction:
            texts[0] = f"{texts[0].rstrip()}\n\n{format_options(options)}"
        else:
            texts[0] = item.messages[0].text
        old, new = _opening(item.options, item.answer), _opening(options, after["answer"])
        if texts[-1] == item.messages[-1].text and old and texts[-1].startswith(old):
            texts[-1] = new + texts[-1].removeprefix(old)
    return dataclasses.replace(
        item,
        messages=tuple(dataclasses.replace(message, text=text) for message, text in zip(item.messages, texts)),
        options=options,
        answer=texts[-1] if "answer" not in correction and item.answer == item.messages[-1].text else after["answer"],
        rubric=tuple(dataclasses.replace(line, criterion=text) for line, text in zip(item.rubric, after["rubric"])),
        levels=sort_levels(after["levels"]) if "levels" in correction else item.levels,
        discs=sort_discs(after["discs"]) if "discs" in correction else item.discs,
        axis=after["axis"],
    )


def _opening(options: tuple[str, ...], answer: str | None) -> str:
    return "\n".join(f"{letter}. {options[LETTERS.index(letter)]}" for letter in answer or "")


def _texts(name: str, *, fixed: bool) -> Callable[[Correction, Correction], str]:
    def problem(after: Correction, before: Correction) -> str:
        texts = after[name]
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return "is a list of texts"
        if fixed and len(texts) != len(before[name]):
            return f"has {len(before[name])} texts, not {len(texts)}"
        if any(not text.strip() for text in texts):
            return "a text is empty"
        return "a text is too long" if any(len(text) > LONGEST for text in texts) else ""

    return problem


def _options(after: Correction, before: Correction) -> str:
    if message := _texts("options", fixed=not before["options"])(after, before):
        return message
    options = [option.strip() for option in after["options"]]
    if before["options"] and not 2 <= len(options) <= len(LETTERS):
        return f"2 to {len(LETTERS)} are needed"
    return "two are the same" if len(set(options)) < len(options) else ""


def _answer(after: Correction, before: Correction) -> str:
    answer = after["answer"]
    if before["answer"] is None:
        return "" if answer is None else "this task has none"
    if not isinstance(answer, str) or not answer.strip():
        return "is empty"
    letters = LETTERS[: len(after["options"])]
    if before["options"] and (not set(answer) <= set(letters) or list(answer) != sorted(set(answer))):
        return f"is {answer!r}; give letters of {letters[0]}–{letters[-1]} in order"
    return "is too long" if len(answer) > LONGEST else ""


def _names(name: str, known: tuple[str, ...]) -> Callable[[Correction, Correction], str]:
    def problem(after: Correction, _: Correction) -> str:
        names = after[name]
        if not isinstance(names, list) or not all(isinstance(value, str) for value in names):
            return "is a list of names"
        wrong = [value for value in names if value not in known]
        return f"{wrong[0]!r} is no name of {known[0]} … {known[-1]}" if wrong else ""

    return problem


def _axis(after: Correction, _: Correction) -> str:
    return "" if after["axis"] is None or after["axis"] in AXES else f"is one of {', '.join(AXES)}, or null"


_PROBLEMS: dict[str, Callable[[Correction, Correction], str]] = {
    "turns": _texts("turns", fixed=True),
    "options": _options,
    "answer": _answer,
    "rubric": _texts("rubric", fixed=True),
    "levels": _names("levels", tuple(VERTEBRAE)),
    "discs": _names("discs", tuple(DISCS)),
    "axis": _axis,
}
