import dataclasses

import pytest

from dataset_builders.item import Quote
from dataset_builders.review.corrections import changes_of, correct_item, editable, hash_item
from tests.support.items import make_item
from tests.support.review import make_report

ITEM = make_item("a", images=("f" * 64,), levels=("L4",), context=("The L4 body.",))


def corrected(**correction):
    return correct_item(ITEM, changes_of(ITEM, correction))


def test_what_the_page_sends_back_unchanged_changes_nothing():
    assert changes_of(ITEM, editable(ITEM)) == {}
    assert correct_item(ITEM, {}) == ITEM


def test_another_answer_changes_the_option_that_opens_the_reply():
    item = corrected(answer="A")
    assert (item.answer, item.messages[-1].text) == ("A", "A. L3")


def test_another_option_changes_question_and_reply():
    item = corrected(options=["L3", "L5"])
    assert item.messages[0].text == "Which level is meant in a?\n\nA. L3\nB. L5" and item.messages[-1].text == "B. L5"
    assert item.options == ("L3", "L5")


def test_a_rewritten_reply_stays_as_it_was_written():
    assert corrected(answer="A", turns=["Which level is meant in a?", "A, since L3 is wedged."]).messages[-1].text == (
        "A, since L3 is wedged."
    )


def test_a_correction_never_touches_images_source_or_context():
    item = corrected(turns=["New?", "New."], levels=["L5", "L3"], discs=["L4/L5"], axis="surgical_planning")
    kept = ("id", "images", "provenance", "context", "evidence", "generation")
    assert all(getattr(item, name) == getattr(ITEM, name) for name in kept)
    assert (item.levels, item.discs, item.axis) == (("L3", "L5"), ("L4/L5",), "surgical_planning")


def test_the_reference_of_a_report_stays_its_reply():
    report = make_report()
    item = correct_item(report, changes_of(report, {"turns": ["Write the report.", "## Findings\nNone."]}))
    assert item.answer == item.messages[-1].text == "## Findings\nNone."
    item = correct_item(report, changes_of(report, {"rubric": ["names the root"]}))
    assert [line.criterion for line in item.rubric] == ["names the root"]


@pytest.mark.parametrize(
    ("correction", "message"),
    [
        ({"provenance": {}}, "provenance cannot be corrected"),
        ({"turns": ["one"]}, "turns: has 2 texts, not 1"),
        ({"turns": ["", "x"]}, "turns: a text is empty"),
        ({"turns": ["x", "y" * 30_001]}, "turns: a text is too long"),
        ({"options": ["L3"]}, "options: 2 to 10"),
        ({"options": ["L3", "L3 "]}, "options: two are the same"),
        ({"options": "L3"}, "options: is a list"),
        ({"answer": "C"}, "answer: is 'C'; give letters of A–B"),
        ({"answer": "BA"}, "answer: is 'BA'"),
        ({"answer": None}, "answer: is empty"),
        ({"levels": ["L9"]}, "levels: 'L9' is no name"),
        ({"discs": ["L3/L5"]}, "discs: 'L3/L5' is no name"),
        ({"axis": "anything"}, "axis: is one of"),
    ],
)
def test_a_correction_that_cannot_be_names_its_field(correction, message):
    with pytest.raises(ValueError, match=f"^a: .*{message}|^a: {message}"):
        changes_of(ITEM, correction)


def test_a_task_without_answer_gets_none():
    item = make_item("b", options=(), answer=None)
    with pytest.raises(ValueError, match="answer: this task has none"):
        changes_of(item, {"answer": "A"})


@pytest.mark.parametrize(
    "changes", [{"answer": "A"}, {"context": ("Other.",)}, {"evidence": (Quote(0, 0, 3),)}, {"levels": ("L5",)}]
)
def test_the_version_of_an_item_is_what_a_reviewer_judges(changes):
    assert hash_item(dataclasses.replace(ITEM, **changes)) != hash_item(ITEM)
    assert hash_item(dataclasses.replace(ITEM, subfield="deformity")) == hash_item(ITEM)
