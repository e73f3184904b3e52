"""Build and edit items for benchmarks/criteria.py: good ones of data/criteria_items.yaml, and these with one thing changed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.document import Document, Figure, Provenance
from dataset_builders.generate.items import Choice, Draft, Origin, choice_messages, draft_choice, new_item
from dataset_builders.generate.rules.reports import format_report
from dataset_builders.item import LETTERS, Criterion, Generation, Item, Message, question_of
from dataset_builders.taxonomy import SCORED_DIMENSIONS

GOOD_ITEMS = Path(__file__).parent / "data" / "criteria_items.yaml"
IMAGE = "5" * 64
_RUBRIC = {"en": "Names what the notes say, with its level.", "zh": "写明病历所述内容及其节段。"}


def load_good_items(path: Path = GOOD_ITEMS) -> list[Item]:
    """Build the good items of our own."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [_build(entry, f"{number}") for number, entry in enumerate(entries)]


def ask(
    item: Item,
    *,
    stem: str | None = None,
    options: tuple[str, ...] | None = None,
    answer: str | None = None,
    explanation: str | None = None,
) -> Item:
    """Write a multiple-choice item again with some of its parts changed."""
    letters = answer or item.answer or ""
    choice = Choice(
        question_of(item) if stem is None else stem,
        item.options if options is None else options,
        letters,
        explanation_of(item) if explanation is None else explanation,
        item.images,
    )
    named = new_item(Document(item.provenance, item.language), item.generation, draft_choice(choice, item.language))
    return replace(
        item,
        messages=choice_messages(choice),
        options=tuple(choice.options),
        answer=letters,
        levels=named.levels,
        discs=named.discs,
    )


def explanation_of(item: Item) -> str:
    """Return what follows the right option in the reply."""
    return item.messages[1].text.partition("\n\n")[2]


def key_of(item: Item) -> str:
    """Return the right option."""
    return item.options[LETTERS.index((item.answer or "A")[0])]


def edit_replies(item: Item, edit: Callable[[str], str]) -> Item | None:
    """Change what the item answers: key and explanation, or each assistant turn; None if nothing changes."""
    if item.task == "multiple_choice":
        options = tuple(edit(option) if option == key_of(item) else option for option in item.options)
        changed = ask(item, options=options, explanation=edit(explanation_of(item)))
        return None if changed.messages[1] == item.messages[1] else changed
    messages = tuple(
        message if message.role == "user" else replace(message, text=edit(message.text)) for message in item.messages
    )
    if messages == item.messages:
        return None
    return replace(item, messages=messages, answer=messages[-1].text if item.task == "report" else item.answer)


def edit_users(item: Item, edit: Callable[[str], str]) -> Item:
    """Change the stem, or each user turn."""
    if item.task == "multiple_choice":
        return ask(item, stem=edit(question_of(item)))
    return replace(
        item,
        messages=tuple(replace(m, text=edit(m.text)) if m.role == "user" else m for m in item.messages),
    )


def add_to_reply(item: Item, sentence: dict[str, str]) -> Item:
    """Add a sentence of the item's language to its last answer."""
    said = sentence[item.language]
    joint = " " if item.language == "en" else ""
    if item.task == "multiple_choice":
        return ask(item, explanation=f"{explanation_of(item)}{joint}{said}")
    last = item.messages[-1]
    messages = (*item.messages[:-1], replace(last, text=f"{last.text}{joint}{said}"))
    return replace(item, messages=messages, answer=messages[-1].text if item.task == "report" else item.answer)


def swap(text: str, pairs: dict[str, str]) -> str:
    """Replace the first word of ``pairs`` that stands in a text."""
    for old, new in pairs.items():
        if old in text:
            return text.replace(old, new)
    return text


def _build(entry: dict[str, Any], number: str) -> Item:
    provenance = Provenance(entry["kind"], f"own:{number}", "CC-BY-4.0", "page 1", "0" * 64)
    document = Document(provenance, entry["language"], specialty="spine")
    figure = Figure("", "", image_sha256=IMAGE, locator=entry["figure"], image_modality="mri") if "figure" in entry else None
    generation = Generation("own", "own@1", "0" * 64, number)
    images = (IMAGE,) if figure else ()
    language, axis = entry["language"], entry["axis"]
    if entry["task"] == "multiple_choice":
        choice = Choice(entry["question"], entry["options"], entry["answer"], entry["explanation"], images)
        draft = draft_choice(choice, language, axis=axis)
    elif entry["task"] == "report":
        report = format_report(entry["sections"], language)
        rubric = [Criterion(name, _RUBRIC[language]) for name in SCORED_DIMENSIONS]
        messages = (Message("user", entry["question"]), Message("assistant", report))
        draft = Draft("report", language, messages, answer=report, rubric=rubric, axis=axis)
    else:
        roles = ("user", "assistant")
        messages = tuple(
            Message(roles[turn % 2], text, images if turn == 0 else ()) for turn, text in enumerate(entry["turns"])
        )
        draft = Draft(entry["task"], language, messages, axis=axis)
    return new_item(document, generation, draft, Origin(figure, entry["source"]), number)
