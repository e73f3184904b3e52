"""Items with a source, for the tests of the criteria: each is good, and a test changes one thing."""

from dataclasses import replace

from dataset_builders.document import Document, Provenance, Reject
from dataset_builders.generate.checks import check_item
from dataset_builders.generate.items import RULES_VERSION, Choice, Draft, Origin, draft_choice, new_item
from dataset_builders.generate.rules.reports import format_report
from dataset_builders.item import Criterion, Generation, Item, Message
from dataset_builders.taxonomy import SCORED_DIMENSIONS

GENERATION = Generation(RULES_VERSION, "rules/level_cloze@1", "1" * 64, "2" * 64)
OPTIONS = ("L2/L3", "L3/L4", "L4/L5", "L5/S1")
STEM = "Which disc lies above the fifth lumbar vertebra?"
SOURCE = "The disc L4/L5 lies above the fifth lumbar vertebra, L5."
SECTIONS = (
    "A burst fracture of L2 with mild stenosis on the left.", "Burst fracture of L2.", "A brace is worn for 12 weeks.",
    "The outlook is good after 12 weeks.", "No operation was done.", "The history and the images of L2.",
)  # fmt: skip


def make_choice(
    stem=STEM, options=OPTIONS, answer="C", why="L4/L5 lies above it.", source=SOURCE, language="en", kind="textbook", **changes
) -> Item:
    """A multiple-choice item."""
    draft = draft_choice(Choice(stem, tuple(options), answer, why), language, axis=changes.pop("axis", None))
    return replace(_item(draft, language, kind, source), **changes)


def make_dialogue(*texts: str, task="consultation", language="en", source=None, kind="textbook", **changes) -> Item:
    """A consultation, or another task of turns; its source is its own answers unless another is given."""
    roles = ("user", "assistant")
    messages = tuple(Message(roles[number % 2], text) for number, text in enumerate(texts))
    draft = Draft(task, language, messages, axis=changes.pop("axis", None))
    return replace(_item(draft, language, kind, "\n".join(texts) if source is None else source), **changes)


def make_report(sections=SECTIONS, source=None, **changes) -> Item:
    """A report of six sections, whose source is its own words unless another is given."""
    report = format_report(sections, "en")
    rubric = tuple(Criterion(dimension, "Says what the notes say.") for dimension in SCORED_DIMENSIONS)
    item = make_dialogue(
        "Write the report of the burst fracture of L2.", report, task="report", source=source or "\n".join(SECTIONS), **changes
    )
    return replace(item, answer=report, rubric=rubric)


def failed(item: Item, image_of=None) -> str:
    """The criterion by which an item leaves; "" if it stays."""
    result = check_item(item, image_of)
    return result.reason.removeprefix("revise_") if isinstance(result, Reject) else ""


def _item(draft: Draft, language: str, kind: str, source: str) -> Item:
    document = Document(Provenance(kind, "book:1", "CC-BY-4.0", "page 3", "0" * 64), language)
    return new_item(document, GENERATION, draft, Origin(context=(source,) if source else ()))
