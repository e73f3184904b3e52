"""Replies, strictly read, and items as models write them."""

import json
from dataclasses import replace

import pytest

from dataset_builders.generate import Rules
from dataset_builders.generate.items import Choice, Draft, Origin, draft_choice, new_item
from dataset_builders.generate.models.forms import EVIDENCE, PATIENT, SECTIONS_OF_DRAFT
from dataset_builders.generate.models.replies import BadReply, Passage, read_items, revised, to_item, to_record
from dataset_builders.generate.rules.reports import format_report
from dataset_builders.item import Criterion, Generation, Item, Message
from dataset_builders.taxonomy import REPORT_SECTIONS, SCORED_DIMENSIONS
from tests.support.model_items import CHOICE, CONSULTATION, OPEN, TALK, images, make_bank, make_document, make_figures

SIGNED = Generation("model", "draft@1", "0" * 64, "k" * 64)
TEXT = "disc herniation at L4/L5"


@pytest.mark.parametrize(
    ("turns", "complaint"),
    [
        (TALK[:2], "two or more exchanges"),
        (TALK[1:] + TALK[:1], "turn 1 is not the user's"),
        (TALK[:3], "two or more exchanges"),
        ([*TALK[:3], {"role": "assistant", "text": "x", "figures": ["F1"]}], "turn 4, an assistant's, shows an image"),
        ([*TALK[:3], {"role": "assistant", "text": "x"}], "turn 4 lacks the field figures"),
        ([1, 2, 3, 4], "turn 1 is no object"),
        ("talk", "two or more exchanges"),
    ],
)
def test_turns_must_alternate(turns, complaint):
    document = make_document("open_dataset", figures=make_figures(2))
    with pytest.raises(BadReply, match=complaint):
        to_item({**CONSULTATION, "turns": turns}, Passage(document, TEXT, document.figures), SIGNED, "consultation", "en")


@pytest.mark.parametrize("record", [CHOICE, {**OPEN, "figures": []}], ids=["choice", "open"])
def test_a_draft_survives_the_way_to_a_reviser_and_back(record):
    document = make_document()
    item = to_item(record, Passage(document, document.markdown, ()), SIGNED, record["task"], record["language"])
    assert to_record(item) == record and revised(item, to_record(item), item.generation) == item


def write(draft: Draft, context=("The record.",)) -> Item:
    return new_item(make_document("hospital_case"), SIGNED, draft, Origin(context=context))


def report(sections: dict[str, str], rubric=(), language="en") -> Item:
    text = format_report(list(sections.values()), language, tuple(sections))
    messages = (Message("user", "Write it."), Message("assistant", text))
    return write(Draft("report", language, messages, answer=text, rubric=rubric))


def odd_items() -> dict[str, Item]:
    """Items as rules, examiners and older builds wrote them, each unlike what a model's draft must be."""
    two = {name: f"Words, and\n- a list, about {name}." for name in ("imaging_findings", "diagnostic_basis")}
    talk = (
        Message("user", "a", ("1" * 64,)),
        Message("assistant", "b"),
        Message("user", "c", ("1" * 64,)),
        Message("assistant", "d"),
    )
    return {
        "no explanation": write(draft_choice(Choice("Which?", ("L3", "L4"), "B"), "en")),
        "several right": write(draft_choice(Choice("Which?", ("A. fistula", "x", "y", "z"), "AC", "Why."), "en")),
        "stem of paragraphs": write(
            draft_choice(Choice("A case.\n\nMore of it.\n\nWhich?", ("a", "b", "c"), "A", "Why."), "en")
        ),
        "two sections": report(two, (Criterion("diagnosis", "Names it."),)),
        "six sections": report(dict.fromkeys(REPORT_SECTIONS, "说明。"), (), "zh"),
        "no quotes": replace(write(draft_choice(Choice("Which?", ("L3", "L4"), "B"), "en")), evidence=()),
        "levels of its own": replace(write(draft_choice(Choice("Which?", ("L3", "L4"), "B"), "en")), levels=("S1",)),
        "image shown twice": write(Draft("consultation", "en", talk)),
        "other language": write(Draft("open_ended", "zh", (Message("user", "L4?"), Message("assistant", "Yes.")))),
        "examiner's": next(iter(Rules().draft(make_bank(), images(make_document())))),
    }


@pytest.mark.parametrize("name", odd_items())
def test_an_item_that_a_reviser_sends_back_as_it_was_is_the_same_item(name):
    item = odd_items()[name]
    record = json.loads(json.dumps(to_record(item)))
    assert revised(item, record, item.generation) == item


def test_both_halves_of_the_treatment_are_told_apart_again():
    record = {
        "task": "report", "language": "zh", "axis": None, "figures": [], "question": "请撰写报告。",
        "sections": {name: f"关于{place}的说明，分两段。\n\n第二段。" for place, name in enumerate(SECTIONS_OF_DRAFT)},
        "rubric": dict.fromkeys(SCORED_DIMENSIONS, "写明节段。"), "quotes": ["腰椎"],
    }  # fmt: skip
    item = to_item(record, Passage(make_document("hospital_case"), "腰椎 MRI。", ()), SIGNED, "report", "zh")
    assert to_record(item) == record and {PATIENT, EVIDENCE} <= set(to_record(item)["sections"])
    assert revised(item, record, item.generation) == item


def test_a_revision_may_not_change_images_language_or_the_number_of_options():
    document = make_document(figures=make_figures())
    item = to_item({**OPEN, "quotes": ["L4/L5"]}, Passage(document, "L4/L5", document.figures), SIGNED, "open_ended", "zh")
    choice = to_item(CHOICE, Passage(document, document.markdown, ()), SIGNED, "multiple_choice", "en")
    for original, change, complaint in (
        (item, {"figures": []}, "figures changed"),
        (item, {"language": "en"}, "language is not 'zh'"),
        (item, {"quotes": ["L3/L4"]}, "quote 1 does not stand in the material"),
        (choice, {"options": ["L2/L3", "L3/L4", "L4/L5"]}, "no list of 4 texts"),
        (choice, {"quotes": []}, "quotes is empty"),
    ):
        with pytest.raises(BadReply, match=complaint):
            revised(original, {**to_record(original), **change}, SIGNED)


def test_a_report_under_other_headings_is_no_form_for_a_reviser():
    messages = (Message("user", "Write it."), Message("assistant", "## Summary\nFine."))
    item = write(Draft("report", "en", messages, answer="## Summary\nFine."))
    with pytest.raises(ValueError, match="heading that is none of"):
        to_record(item)


def test_reasoning_before_the_object_is_put_aside():
    assert read_items('<think>hm {"items": 1}</think>\n{"items": [1]}') == [1]


def test_errors_quote_nothing_of_a_reply():
    document = make_document()
    with pytest.raises(BadReply) as caught:
        to_item({**CHOICE, "Zebulon Quartermain": 1}, Passage(document, document.markdown, ()), SIGNED, "multiple_choice", "en")
    assert "Zebulon" not in str(caught.value)
