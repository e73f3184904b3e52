"""A model's JSON, strictly read: what it wrote becomes Items, or the reason why not."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dataset_builders.document import Document, Figure
from dataset_builders.generate.items import choice_messages, new_item
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


def read_object(text: str) -> dict[str, Any]:
    """The JSON object of a reply, with or without a code fence or reasoning before it. Raises BadReply."""
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
    """The list under "items". Raises BadReply."""
    value = read_object(text)
    if set(value) != {"items"} or not isinstance(value["items"], list):
        raise BadReply("needs the one key 'items' with a list")
    return value["items"]


def to_item(
    record: Any,
    document: Document,
    generation: Generation,
    figures: Sequence[Figure],
    *,
    tasks: Sequence[str],
    context: Sequence[str] = (),
    locator: str = "",
    part: str = "",
) -> Item:
    """An Item from one record of a reply; ``figures`` are F1, F2, … Raises BadReply naming the field that is wrong."""
    task = record.get("task") if isinstance(record, dict) else None
    if not isinstance(task, str) or task not in _FIELDS or task not in tasks:
        raise BadReply(f"task is none of {', '.join(tasks)}")
    if set(record) != _FIELDS[task]:
        raise BadReply(f"{task}: fields are not {', '.join(sorted(_FIELDS[task]))}")
    if record["language"] not in LANGUAGES or record["axis"] not in (None, *AXES):
        raise BadReply(f"{task}: language or axis is unknown")
    shown = {f"F{number}": figure for number, figure in enumerate(figures, 1)}
    values: dict[str, Any] = {}
    if task == "consultation":
        messages = _turns(record["turns"], shown)
    else:
        images = _images(record["figures"], shown)
        question = _text(record, "question")
        if task == "multiple_choice":
            options, answer = _options(record)
            messages = list(choice_messages(question, options, answer, _text(record, "explanation"), images))
            values = {"options": options, "answer": answer}
        elif task == "open_ended":
            messages = [Message("user", question, images), Message("assistant", _text(record, "answer"))]
        else:
            sections = _texts(record["sections"], REPORT_SECTIONS, "sections")
            report = format_report([sections[name] for name in REPORT_SECTIONS], record["language"])
            criteria = _texts(record["rubric"], SCORED_DIMENSIONS, "rubric")
            messages = [Message("user", question, images), Message("assistant", report)]
            values = {"answer": report, "rubric": tuple(Criterion(name, criteria[name]) for name in SCORED_DIMENSIONS)}
    first = next((f for message in messages for f in figures if f.image_sha256 in message.images), None)
    return new_item(
        document, generation, task, messages,
        language=record["language"], axis=record["axis"], figure=first, context=context,
        locator="" if first else locator, part=part, **values,
    )  # fmt: skip


def to_record(item: Item) -> dict[str, Any]:
    """An Item in the form a model writes it, for revision; pictures are F1, F2, … in the order shown."""
    number = {sha256: f"F{place}" for place, sha256 in enumerate(dict.fromkeys(item.images), 1)}
    record: dict[str, Any] = {"task": item.task, "language": item.language, "axis": item.axis}
    if item.task == "consultation":
        record["turns"] = [
            {"role": m.role, "text": m.text, **({"figures": [number[i] for i in m.images]} if m.role == "user" else {})}
            for m in item.messages
        ]
        return record
    question, reply = item.messages[0], item.messages[1]
    record["figures"] = [number[image] for image in question.images]
    if item.task == "multiple_choice":
        stem, _, _ = question.text.rpartition("\n\n")
        right = len("\n".join(f"{letter}. {item.options[LETTERS.index(letter)]}" for letter in item.answer or ""))
        record |= {
            "question": stem,
            "options": list(item.options),
            "answer": item.answer,
            "explanation": reply.text[right:].strip() or "-",
        }
    elif item.task == "open_ended":
        record |= {"question": question.text, "answer": reply.text}
    else:
        bodies = [body.partition("\n")[2].strip() for body in re.split(r"^## ", reply.text, flags=re.MULTILINE)[1:]]
        record |= {
            "question": question.text,
            "sections": dict(zip(REPORT_SECTIONS, bodies, strict=True)),
            "rubric": {criterion.dimension: criterion.criterion for criterion in item.rubric},
        }
    return record


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
        raise BadReply("figures names a picture that was not given")
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
            raise BadReply("an assistant turn shows a picture")
        messages.append(Message(role, _text(turn, "text"), images))
    return messages
