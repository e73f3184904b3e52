"""Read a model's JSON strictly: what it wrote becomes Items, or the reason why not.

``to_record`` writes an Item in the form that models write; what a reviser sends back unchanged is the same Item (``revised``).
A BadReply is quoted to the model in a repair turn: it says what is wrong and where, and quotes nothing of the reply.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dataset_builders.document import Document, Figure
from dataset_builders.generate.items import Choice, Draft, Origin, draft_choice, find_quotes, new_item
from dataset_builders.generate.models.forms import EVIDENCE, FIELDS, PATIENT, SECTIONS_OF_DRAFT
from dataset_builders.generate.rules.reports import format_report
from dataset_builders.item import LETTERS, Criterion, Generation, Item, Message, format_options
from dataset_builders.language import detect_language
from dataset_builders.schema import AXES
from dataset_builders.taxonomy import REPORT_SECTIONS, SCORED_DIMENSIONS

_HALVES = {"en": ("For the patient:", "Evidence-based:"), "zh": ("面向患者：", "循证依据：")}
"""How the two halves of a report's section "treatment" begin."""
FEWEST_OPTIONS = 3


class BadReply(ValueError):
    """A reply, or one of its items, that is not what the prompt asks for; the message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What a call shows a model of a document: a text, and figures as F1, F2, …; ``locator`` says where the text stands."""

    document: Document
    text: str
    figures: Sequence[Figure]
    locator: str = ""


@dataclass(frozen=True, slots=True)
class _Form:
    """What a record must hold besides its fields: as a draft, or, if ``item`` is given, as that item's revision.

    shown   names of images -> SHA-256s.
    """

    language: str
    shown: Mapping[str, str]
    context: Sequence[str]
    item: Item | None = None
    written: Mapping[str, Any] | None = None


def read_object(text: str) -> dict[str, Any]:
    """Read the JSON object of a reply, with or without a code fence or reasoning before it. Raises BadReply."""
    text = re.sub(r"^\s*<think>.*?</think>", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*```(?:json)?\s*|\s*```\s*$", "", text).strip()
    if not text.startswith(("{", "[")):
        raise BadReply("it is not one JSON object: other text stands before it, or there is none")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        what = "other text stands after it" if error.msg == "Extra data" else error.msg
        raise BadReply(f"it is not one JSON object: {what} at character {error.pos + 1} of {len(text)}") from None
    except RecursionError:
        raise BadReply("it is not one JSON object: it is nested too deeply") from None
    if not isinstance(value, dict):
        raise BadReply("it is a JSON list, not a JSON object")
    return value


def read_items(text: str) -> list[Any]:
    """Read the list under "items" of a reply. Raises BadReply."""
    value = read_object(text)
    check_fields(value, ("items",), "it")
    if not isinstance(value["items"], list):
        raise BadReply("'items' is no list")
    return value["items"]


def check_fields(value: Any, names: Sequence[str], what: str) -> None:
    """Raise BadReply, naming the fields, unless ``value`` is an object with exactly these."""
    if not isinstance(value, dict):
        raise BadReply(f"{what} is no object with the fields {', '.join(names)}")
    if missing := [name for name in names if name not in value]:
        raise BadReply(f"{what} lacks the field {', '.join(missing)}")
    if len(value) > len(names):
        raise BadReply(f"{what} has fields besides {', '.join(names)}; leave them out")


def to_item(record: Any, passage: Passage, generation: Generation, task: str, language: str, part: str = "") -> Item:
    """Build the Item of one record of a reply to a prompt for ``task`` and ``language``.

    part    tells apart the items of one call.

    Raises BadReply, naming the field that is wrong.
    """
    shown = {f"F{number}": figure.image_sha256 or "" for number, figure in enumerate(passage.figures, 1)}
    form = _Form(language, shown, (passage.text,))
    draft, quotes = _read_draft(record, task, form)
    if not quotes:
        raise BadReply("quotes is empty: quote the words of the material that the item rests on")
    first = next((f for message in draft.messages for f in passage.figures if f.image_sha256 in message.images), None)
    origin = Origin(first, (passage.text,), "" if first else passage.locator, quotes)
    return new_item(passage.document, generation, draft, origin, part)


def revised(item: Item, record: Any, generation: Generation) -> Item:
    """Return ``item`` with the words of a reviser's record; its id, provenance, context and images stay.

    Raises BadReply if the record is not in the form of ``to_record(item)``, or changes task, language or images.
    """
    form = _Form(item.language, {name: sha256 for sha256, name in _names(item).items()}, item.context, item, to_record(item))
    draft, quotes = _read_draft(record, item.task, form)
    if item.evidence and not quotes:
        raise BadReply("quotes is empty: quote the words of the source that the item rests on")
    new = new_item(Document(item.provenance, item.language), generation, draft)
    if new.images != item.images:
        raise BadReply("figures changed: an item keeps its images, each in its turn")
    said = new.messages != item.messages or new.options != item.options or new.answer != item.answer
    return replace(
        item, messages=new.messages, options=new.options, answer=new.answer, rubric=new.rubric, axis=new.axis,
        levels=new.levels if said else item.levels, discs=new.discs if said else item.discs,
        evidence=item.evidence if tuple(quotes) == item.quotes else find_quotes(quotes, item.context), generation=generation,
    )  # fmt: skip


def to_record(item: Item) -> dict[str, Any]:
    """Write an Item in the form a model writes it, for revision; its images are F1, F2, … in the order shown.

    Raises ValueError for a report with a heading that is none of REPORT_SECTIONS.
    """
    names = _names(item)
    record: dict[str, Any] = {"task": item.task, "language": item.language, "axis": item.axis}
    if item.task == "consultation":
        turns = [
            {"role": message.role, "text": message.text, "figures": [names[image] for image in message.images]}
            for message in item.messages
        ]
        return record | {"turns": turns, "quotes": list(item.quotes)}
    question, reply = item.messages[0], item.messages[1]
    record["figures"] = [names[image] for image in question.images]
    if item.task == "multiple_choice":
        right = "\n".join(f"{letter}. {item.options[LETTERS.index(letter)]}" for letter in item.answer or "")
        record["question"] = question.text.removesuffix(format_options(item.options)).rstrip("\n")
        record |= {"options": list(item.options), "answer": item.answer}
        record["explanation"] = reply.text.removeprefix(right).strip()
    elif item.task == "open_ended":
        record |= {"question": question.text, "answer": reply.text}
    else:
        record |= {"question": question.text, "sections": _split_report(reply.text, item.language)}
        record["rubric"] = {criterion.dimension: criterion.criterion for criterion in item.rubric}
    return record | {"quotes": list(item.quotes)}


def _names(item: Item) -> dict[str, str]:
    return {sha256: f"F{place}" for place, sha256 in enumerate(dict.fromkeys(item.images), 1)}


def _read_draft(record: Any, task: str, form: _Form) -> tuple[Draft, list[str]]:
    check_fields(record, ("task", "language", "axis", *FIELDS[task]), f"the {task}")
    if record["task"] != task:
        raise BadReply(f"task is not {task!r}, which this prompt is for")
    if record["language"] != form.language:
        raise BadReply(f"language is not {form.language!r}, which this prompt is for")
    if record["axis"] not in (None, *AXES):
        raise BadReply(f"axis is none of {', '.join(AXES)}, nor null")
    draft = _WRITE[task](record, form)
    if form.item is None:
        _check_language(draft, form.language)
    return draft, _quotes(record["quotes"], form.context)


def _check_language(draft: Draft, language: str) -> None:
    for number, message in enumerate(draft.messages, 1):
        if detect_language(message.text) != language and len(message.text) > 20:
            raise BadReply(f"turn {number} is not written in the language {language!r}")


def _quotes(quotes: Any, context: Sequence[str]) -> list[str]:
    """Each quote as it stands in ``context``; white space may differ."""
    if not isinstance(quotes, list) or not all(isinstance(quote, str) and quote.strip() for quote in quotes):
        raise BadReply("quotes is no list of texts")
    found = []
    for number, quote in enumerate(quotes, 1):
        words = re.compile(r"\s+".join(map(re.escape, quote.split())))
        match = next((match for text in context if (match := words.search(text))), None)
        exact = next((quote for text in context if quote in text), None)
        if exact is None and match is None:
            raise BadReply(f"quote {number} does not stand in the material word for word; copy it from there")
        found.append(exact or match.group())  # type: ignore[union-attr]
    return found


def _write_choice(record: Mapping[str, Any], form: _Form) -> Draft:
    images = _images(record["figures"], form.shown)
    options, answer = _options(record, form.item)
    optional = form.written is not None and not form.written["explanation"]
    explanation = _text(record, "explanation", optional=optional)
    choice = Choice(_text(record, "question"), options, answer, explanation, images)
    return draft_choice(choice, form.language, axis=record["axis"])


def _write_open(record: Mapping[str, Any], form: _Form) -> Draft:
    question = Message("user", _text(record, "question"), _images(record["figures"], form.shown))
    messages = (question, Message("assistant", _text(record, "answer")))
    return Draft("open_ended", form.language, messages, axis=record["axis"])


def _write_consultation(record: Mapping[str, Any], form: _Form) -> Draft:
    return Draft("consultation", form.language, _turns(record["turns"], form.shown), axis=record["axis"])


def _write_report(record: Mapping[str, Any], form: _Form) -> Draft:
    question = Message("user", _text(record, "question"), _images(record["figures"], form.shown))
    wanted = tuple(SECTIONS_OF_DRAFT if form.written is None else form.written["sections"])
    sections = _texts(record["sections"], wanted, "sections")
    scored = tuple(SCORED_DIMENSIONS if form.written is None else form.written["rubric"])
    criteria = _texts(record["rubric"], scored, "rubric")
    report = _join_report(sections, form.language)
    rubric = tuple(Criterion(name, criteria[name]) for name in scored)
    messages = (question, Message("assistant", report))
    return Draft("report", form.language, messages, answer=report, rubric=rubric, axis=record["axis"])


_WRITE = {
    "multiple_choice": _write_choice,
    "open_ended": _write_open,
    "consultation": _write_consultation,
    "report": _write_report,
}


def _join_report(sections: Mapping[str, str], language: str) -> str:
    bodies = dict(sections)
    if PATIENT in bodies:
        patient, evidence = bodies.pop(PATIENT), bodies.pop(EVIDENCE)
        begin = _HALVES[language]
        bodies["treatment"] = f"{begin[0]}\n{patient}\n\n{begin[1]}\n{evidence}"
    names = [name for name in REPORT_SECTIONS if name in bodies]
    return format_report([bodies[name] for name in names], language, names)


def _split_report(report: str, language: str) -> dict[str, str]:
    """Section -> text, for each section that the report has; "treatment" in two halves if it has them."""
    titles = {(term.zh if language == "zh" else term.en): name for name, term in REPORT_SECTIONS.items()}
    sections: dict[str, str] = {}
    for part in re.split(r"^## ", report, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        if title.strip() not in titles:
            raise ValueError("the report has a heading that is none of taxonomy.REPORT_SECTIONS in its language")
        sections[titles[title.strip()]] = body.strip()
    begin = _HALVES[language]
    halves = re.fullmatch(rf"{begin[0]}\n(.+)\n\n{begin[1]}\n(.+)", sections.get("treatment", ""), re.DOTALL)
    if halves:
        split = {PATIENT: halves[1], EVIDENCE: halves[2]}
        pairs = [split.items() if name == "treatment" else [(name, text)] for name, text in sections.items()]
        return {name: text for pair in pairs for name, text in pair}
    return sections


def _text(record: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
    value = record[name]
    if not isinstance(value, str) or not (value.strip() or optional):
        raise BadReply(f"{name} is no text")
    return value.strip()


def _texts(value: Any, names: Sequence[str], field: str) -> dict[str, str]:
    check_fields(value, names, field)
    return {name: _text(value, name) for name in names}


def _options(record: Mapping[str, Any], item: Item | None) -> tuple[tuple[str, ...], str]:
    """Options and answer; a revision keeps as many options and right ones as the item has."""
    options, answer = record["options"], record["answer"]
    fewest, most = (FEWEST_OPTIONS, len(LETTERS)) if item is None else (len(item.options), len(item.options))
    if not isinstance(options, list) or not fewest <= len(options) <= most:
        raise BadReply(f"options is no list of {fewest if fewest == most else f'{fewest} to {most}'} texts")
    texts = []
    for number, option in enumerate(options):
        if not isinstance(option, str) or not option.strip() or "\n" in option.strip():
            raise BadReply(f"option {number + 1} is no line of text")
        as_it_was = item is not None and option == item.options[number]
        texts.append(option if as_it_was else re.sub(r"^[A-J][.)、]\s*", "", option.strip()))
    letters = LETTERS[: len(texts)]
    count = 1 if item is None else len(item.answer or "")
    if (
        not isinstance(answer, str)
        or len(answer) != count
        or list(answer) != [letter for letter in letters if letter in answer]
    ):
        raise BadReply("answer is no letter of an option" if count == 1 else f"answer is not {count} letters in their order")
    return tuple(texts), answer


def _images(names: Any, shown: Mapping[str, str]) -> tuple[str, ...]:
    known = isinstance(names, list) and all(isinstance(name, str) and name in shown for name in names)
    if not known or len(set(names)) < len(names):
        raise BadReply("figures names an image that was not given, or one twice")
    return tuple(shown[name] for name in names)


def _turns(turns: Any, shown: Mapping[str, str]) -> list[Message]:
    if not isinstance(turns, list) or len(turns) < 4 or len(turns) % 2:
        raise BadReply("turns is no list of two or more exchanges")
    messages = []
    for number, (turn, role) in enumerate(zip(turns, ("user", "assistant") * (len(turns) // 2), strict=True), 1):
        check_fields(turn, ("role", "text", "figures"), f"turn {number}")
        if turn["role"] != role:
            raise BadReply(f"turn {number} is not the {role}'s: turns alternate, user first")
        images = _images(turn["figures"], shown)
        if images and role == "assistant":
            raise BadReply(f"turn {number}, an assistant's, shows an image")
        messages.append(Message(role, _text(turn, "text"), images))
    return messages
