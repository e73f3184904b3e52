"""Clozes on levels: what is blanked, and what is not asked."""

import pytest

from dataset_builders.generate.rules import draft
from dataset_builders.generate.rules.level_clozes import MAX_CLOZES, mask_level
from dataset_builders.item import question_of
from tests.support.chapter import make_chapter
from tests.support.drafts import by_rule, draft_and_check, right


def test_a_level_is_masked_only_where_it_is_the_only_one():
    assert mask_level("The cord ends at L1 in adults.") == ("The cord ends at ____ in adults.", "L1")
    assert mask_level("Discs at L4-5 degenerate first; L4-5 is loaded.") == (
        "Discs at ____ degenerate first; ____ is loaded.",
        "L4/L5",
    )
    assert mask_level("马尾起自腰1椎体下缘。")[1] == "L1"
    for sentence in (
        "The curve runs from T5 to T12.",
        "The L5 nerve root leaves below L5.",
        "The second cervical (C2) vertebra is the axis.",
        "T1-weighted images show fat bright.",
        "No level is named here.",
        "C3 complement is low; the C3 lamina is fractured.",
        "The tip of the odontoid process is broken.",
        "The second cervical vertebra (axis) bears the dens.",
    ):
        assert mask_level(sentence) is None, sentence


@pytest.mark.parametrize(
    ("sentence", "blanked", "level"),
    [
        ("A bulge at D12/L1 in adults.", "A bulge at ____ in adults.", "T12/L1"),
        ("The fifth lumbar vertebra is the largest.", "The ____ vertebra is the largest.", "L5"),
        ("The cord (C0 to the conus) ends at L1.", "The cord (C0 to the conus) ends at ____.", "L1"),
        ("Narrow L4 and L5 disc space.", "Narrow ____ disc space.", "L4/L5"),
        ("第3腰椎椎体破坏，Ｌ３受压。", "____椎体破坏，____受压。", "L3"),
    ],
)
def test_the_whole_level_is_masked_however_it_is_written(sentence, blanked, level):
    assert mask_level(sentence) == (blanked, level)


def test_a_level_that_is_only_an_example_is_not_asked():
    text = (
        "## Slips\n\nA burst fracture of L1 breaks the posterior wall of the body in adults. "
        "The apex of a thoracic curve is a disc or a vertebra, for instance T8 in the right one."
    )
    assert not by_rule(list(draft(make_chapter(text))), "level_cloze")


def test_clozes_ask_what_is_general_and_stands_alone():
    text = (
        "## Regions of the column\n\nThe patient had pain at L4/L5 for "
        "a week. It lies at L2 in children. The aorta divides in front of the body of L4, where its two branches usually begin."
    )
    items = by_rule(draft_and_check(make_chapter(text)), "level_cloze")
    assert [right(item) for item in items] == ["L4"]  # not the patient's level, nor "It lies at L2"
    (item,) = items
    assert "____" in question_of(item) and "L4" not in question_of(item)
    assert set(item.options) <= {"L1", "L2", "L3", "L4", "L5", "S1"}
    assert item.levels == ("L4",) and item.axis == "level_identification"
    assert item.provenance.source_locator == "chapter.md, section Regions of the column"
    assert item.quotes == ("The aorta divides in front of the body of L4, where its two branches usually begin.",)


@pytest.mark.parametrize(
    "sentence",
    [
        "A fracture above T5 of the spine usually raises the thought of a tumour.",
        "T5以上的单发椎体骨折多见于肿瘤，应行进一步检查。",
        "The sacrum of an adult begins with its first segment S1 below the disc.",
        "Weakness of the L3 body of the spine was ever a worry to surgeons.",
    ],
)
def test_a_threshold_or_a_level_that_is_told_is_not_asked(sentence):
    assert not by_rule(list(draft(make_chapter(f"## Spine\n\n{sentence}"))), "level_cloze")


def test_a_fact_of_the_table_is_asked_as_a_question_and_not_as_a_cloze():
    items = draft_and_check(make_chapter())
    assert not by_rule(items, "level_cloze") and len(by_rule(items, "level_fact")) == 2


def test_a_long_book_does_not_swamp():
    lines = [
        f"Bone number {'o' * (n % 40)} of kind {chr(97 + n % 26)}{n} rests at the height of L{n % 5 + 1} in most adults."
        for n in range(300)
    ]
    document = make_chapter("## Heights of bones\n\n" + "\n\n".join(lines))
    assert len(by_rule(list(draft(document)), "level_cloze")) == MAX_CLOZES
