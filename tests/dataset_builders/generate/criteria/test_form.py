"""The form of an item."""

from dataclasses import replace

import pytest

from dataset_builders.item import Message
from tests.support.grounded_items import OPTIONS, SECTIONS, STEM, failed, make_choice, make_dialogue, make_report


def test_good_items_stay():
    assert [failed(item) for item in (make_choice(), make_report())] == ["", ""]
    assert failed(make_dialogue("What is this disc?", "A bulge of it.", "And what helps?", "Exercise.")) == ""


def test_unknown_names_are_stopped():
    assert failed(make_choice(axis="vibes")) == "known_names"


@pytest.mark.parametrize("texts", [("a", "b", "c"), ("only",), ("What is it?", "A bulge.")])
def test_turns_alternate_and_a_consultation_has_two_exchanges(texts):
    assert failed(make_dialogue(*texts)) == "turns_alternate"


def test_turns_are_neither_empty_nor_endless():
    assert failed(make_dialogue("What?", " ", "And?", "So.")) == "lengths_bounded"
    assert failed(make_dialogue("What?", "word " * 7_000, "And?", "So.")) == "lengths_bounded"


@pytest.mark.parametrize("echo", ["…", "-", "N/A", "TODO", "待补充", "<answer>"])
def test_templates_that_nobody_filled_are_seen(echo):
    assert failed(make_dialogue("Why does the disc bulge?", echo, task="open_ended")) == "nothing_left_to_fill"
    assert failed(make_report((*SECTIONS[:4], echo, SECTIONS[5]))) == "nothing_left_to_fill"


def test_an_answer_is_a_sentence_and_said_once():
    assert failed(make_dialogue("Does the disc heal?", "Yes.", task="open_ended")) == "says_enough"
    said = "The disc usually heals within weeks."
    assert failed(make_dialogue("Does the disc heal?", f"{said} {said}", task="open_ended")) == "nothing_said_twice"
    assert (
        failed(make_dialogue("Does the disc heal at all?", "Does the disc heal at all?", task="open_ended"))
        == "nothing_said_twice"
    )


def test_the_answer_must_be_an_option_and_the_reply_must_begin_with_it():
    good = make_choice()
    for answer in ("E", None, "CC", "B"):
        assert failed(replace(good, answer=answer)) == "answer_is_an_option"
    assert failed(replace(good, messages=(Message("user", STEM), good.messages[1]))) == "answer_is_an_option"


def test_levels_are_canonical_and_fit_the_key():
    assert failed(make_choice(levels=("L4", "L5", "L9"))) == "levels_canonical"
    assert failed(make_choice(discs=("L4-L5",))) == "levels_canonical"
    assert failed(make_choice(levels=("L4",))) == "levels_canonical"
    assert failed(make_choice(levels=("L3", "L4"), discs=("L3/L4",))) == "levels_agree"


@pytest.mark.parametrize("text", ["See ![x](abc)", "See <img src=x>", "At {level}?", "```json"])
def test_markup_is_stopped(text):
    assert failed(make_dialogue(f"{text} What is this disc?", "A bulge of it.", "And what helps?", "Exercise.")) == "no_markup"


def test_a_report_needs_its_rubric_its_reference_and_six_sections():
    report = make_report()
    assert failed(replace(report, rubric=report.rubric[1:])) == "rubric_known"
    assert failed(replace(report, answer="Something else.")) == "rubric_known"
    text = report.answer.replace("## Risk and prognosis", "## Outlook")
    assert failed(replace(report, answer=text, messages=(report.messages[0], Message("assistant", text)))) == "report_sections"
    assert failed(make_report((*SECTIONS[:5], "L2."))) == "report_sections"


def test_examiners_questions_are_held_to_form_alone():
    assert failed(make_choice("Of L4/L5 …", OPTIONS, kind="question_bank", source="", why="")) == ""
