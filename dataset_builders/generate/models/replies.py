"""Read a model's JSON strictly: what it wrote becomes Items, or the reason why not."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataset_builders.document import Document, Figure
from dataset_builders.generate.items import Choice, Draft, Origin, draft_choice, new_item
from dataset_builders.generate.rules.reports import format_report
from dataset_builders.item import LETTERS, Criterion, Generation, Item, Message
from dataset_builders.schema import AXES, LANGUAGES
from dataset_builders.taxonomy import REPORT_SECTIONS, SCORED_DIMENSIONS

_FIELDS = {
    "multiple_choice": {"task", "language", "axis", "figures", "question", "options", "answer", "explanation"},
    "open_ended": {"task", "language", "axis", "figures", "question", "answer"},
    "consultation": {"task", "language", "axis", "turns"},
    "report": {"task", "language", "axis", "figures", "question", "sections", "rubric"},
}


class BadReply(ValueError):
    """A reply, or one of its items, that is not what the prompt asks for; the message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What a call shows a model of a document: a text, and figures as F1, F2, …; ``locator`` says where the text stands."""

    document: Document
    text: str
    figures: Sequence[Figure]
    locator: str = ""


def read_object(text: str) -> dict[str, Any]:
    """Read the JSON object of a reply, with or without a code fence or reasoning before it. Raises BadReply."""
    text = re.sub(r"^\s*<think>.*?</think>", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*```(?:json)?\s*|\s*```\s*$", "", text)
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        raise BadReply("not one JSON object") from None
    if not isinstance(value, dict):
        raise BadReply("not a JSON object")
    return value


def read_items(text: str) -> list[Any]:
    """Read the list under "items" of a reply. Raises BadReply."""
    value = read_object(text)
    if set(value) != {"items"} or not isinstance(value["items"], list):
        raise BadReply("needs the one key 'items' with a list")
    return value["items"]


def to_item(record: Any, passage: Passage, generation: Generation, tasks: Sequence[str], part: str = "") -> Item:
    """Build the Item of one record of a reply.

    tasks   those that the prompt asks for.
    part    tells apart the items of one call.

    Raises BadReply, naming the field that is wrong.
    """
    task = record.get("task") if isinstance(record, dict) else None
    if not isinstance(task, str) or task not in _WRITE or task not in tasks:
        raise BadReply(f"task is none of {', '.join(tasks)}")
    if set(record) != _FIELDS[task]:
        raise BadReply(f"{task}: fields are not {', '.join(sorted(_FIELDS[task]))}")
    if record["language"] not in LANGUAGES or record["axis"] not in (None, *AXES):
        raise BadReply(f"{task}: language or axis is unknown")
    shown = {f"F{number}": figure for number, figure in enumerate(passage.figures, 1)}
    draft = _WRITE[task](record, shown)
    first = next((f for message in draft.messages for f in passage.figures if f.image_sha256 in message.images), None)
    origin = Origin(first, (passage.text,), "" if first else passage.locator)
    return new_item(passage.document, generation, draft, origin, part)


def _write_choice(record: Mapping[str, Any], shown: Mapping[str, Figure]) -> Draft:
    images = _images(record["figures"], shown)
    options, answer = _options(record)
    choice = Choice(_text(record, "question"), options, answer, _text(record, "explanation"), images)
    return draft_choice(choice, record["language"], axis=record["axis"])


def _write_open(record: Mapping[str, Any], shown: Mapping[str, Figure]) -> Draft:
    question = Message("user", _text(record, "question"), _images(record["figures"], shown))
    messages = (question, Message("assistant", _text(record, "answer")))
    return Draft("open_ended", record["language"], messages, axis=record["axis"])


def _write_consultation(record: Mapping[str, Any], shown: Mapping[str, Figure]) -> Draft:
    return Draft("consultation", record["language"], _turns(record["turns"], shown), axis=record["axis"])


def _write_report(record: Mapping[str, Any], shown: Mapping[str, Figure]) -> Draft:
    question = Message("user", _text(record, "question"), _images(record["figures"], shown))
    sections = _texts(record["sections"], REPORT_SECTIONS, "sections")
    report = format_report([sections[name] for name in REPORT_SECTIONS], record["language"])
    criteria = _texts(record["rubric"], SCORED_DIMENSIONS, "rubric")
    return Draft(
        "report",
        record["language"],
        (question, Message("assistant", report)),
        answer=report,
        rubric=tuple(Criterion(name, criteria[name]) for name in SCORED_DIMENSIONS),
        axis=record["axis"],
    )


_WRITE = {
    "multiple_choice": _write_choice,
    "open_ended": _write_open,
    "consultation": _write_consultation,
    "report": _write_report,
}


def to_record(item: Item) -> dict[str, Any]:
    """Write an Item in the form a model writes it, for revision; its images are F1, F2, … in the order shown."""
    number = {sha256: f"F{place}" for place, sha256 in enumerate(dict.fromkeys(item.images), 1)}
    record: dict[str, Any] = {"task": item.task, "language": item.language, "axis": item.axis}
    if item.task == "consultation":
        return record | {"turns": [_turn_record(message, number) for message in item.messages]}
    question, reply = item.messages[0], item.messages[1]
    record["figures"] = [number[image] for image in question.images]
    if item.task == "multiple_choice":
        stem, _, _ = question.text.rpartition("\n\n")
        right = len("\n".join(f"{letter}. {item.options[LETTERS.index(letter)]}" for letter in item.answer or ""))
        explanation = reply.text[right:].strip() or "-"
        return record | {"question": stem, "options": list(item.options), "answer": item.answer, "explanation": explanation}
    if item.task == "open_ended":
        return record | {"question": question.text, "answer": reply.text}
    bodies = [body.partition("\n")[2].strip() for body in re.split(r"^## ", reply.text, flags=re.MULTILINE)[1:]]
    return record | {
        "question": question.text,
        "sections": dict(zip(REPORT_SECTIONS, bodies, strict=True)),
        "rubric": {criterion.dimension: criterion.criterion for criterion in item.rubric},
    }


def _turn_record(message: Message, number: Mapping[str, str]) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "text": message.text}
    return turn | {"figures": [number[image] for image in message.images]} if message.role == "user" else turn


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record[name]
    if not isinstance(value, str) or not value.strip():
        raise BadReply(f"{name} is no text")
    return value.strip()


def _texts(value: Any, names: Mapping[str, Any], field: str) -> dict[str, str]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise BadReply(f"{field} must have exactly {', '.join(names)}")
    return {name: _text(value, name) for name in names}


def _options(record: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    options, answer = record["options"], record["answer"]
    if not isinstance(options, list) or not 3 <= len(options) <= len(LETTERS):
        raise BadReply("options is no list of three or more")
    texts = []
    for option in options:
        if not isinstance(option, str) or not option.strip() or "\n" in option.strip():
            raise BadReply("an option is no line of text")
        texts.append(re.sub(r"^[A-J][.)、]\s*", "", option.strip()))
    if not isinstance(answer, str) or len(answer) != 1 or answer not in LETTERS[: len(texts)]:
        raise BadReply("answer is no letter of an option")
    return tuple(texts), answer


def _images(names: Any, shown: Mapping[str, Figure]) -> tuple[str, ...]:
    known = isinstance(names, list) and all(isinstance(name, str) and name in shown for name in names)
    if not known or len(set(names)) < len(names):
        raise BadReply("figures names an image that was not given")
    return tuple(shown[name].image_sha256 or "" for name in names)


def _turns(turns: Any, shown: Mapping[str, Figure]) -> list[Message]:
    if not isinstance(turns, list) or len(turns) < 4 or len(turns) % 2:
        raise BadReply("turns is no list of two or more exchanges")
    messages = []
    for turn, role in zip(turns, ("user", "assistant") * (len(turns) // 2), strict=True):
        if (
            not isinstance(turn, dict)
            or turn.get("role") != role
            or set(turn) - {"role", "text", "figures"}
            or "text" not in turn
        ):
            raise BadReply("turns do not alternate, user first, each with role and text")
        images = _images(turn.get("figures", []), shown)
        if images and role == "assistant":
            raise BadReply("an assistant turn shows an image")
        messages.append(Message(role, _text(turn, "text"), images))
    return messages
