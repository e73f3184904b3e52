"""Ready-made questions: asked as the source asks them."""

import pytest

from dataset_builders.document import Exchange
from dataset_builders.generate.rules import draft
from dataset_builders.item import Item
from tests.support.chapter import make_chapter
from tests.support.drafts import draft_and_check


def test_bank_questions_are_asked_as_they_are():
    exchange = Exchange("Which vertebra is the axis?", "B", ("C1", "C2", "C3"), "The axis is C2.")
    (item,) = draft_and_check(make_chapter("", "question_bank", exchange=exchange))
    assert (item.options, item.answer) == (exchange.options, "B")
    assert item.messages[0].text == "Which vertebra is the axis?\n\nA. C1\nB. C2\nC. C3"
    assert item.messages[1].text == "B. C2\n\nExplanation: The axis is C2."
    assert item.quotes == ("Which vertebra is the axis?", "C1", "C2", "C3", "The axis is C2.")


def test_an_explanation_that_cannot_be_read_is_left_out():
    exchange = Exchange("Which vertebra is the axis?", "B", ("C1", "C2", "C3"), "Ans. b. C2 (Ref: Atlas 6/e p187)")
    (item,) = draft_and_check(make_chapter("", "question_bank", exchange=exchange))
    assert item.messages[1].text == "B. C2"


def test_several_right_letters_stay_several():
    (item,) = draft_and_check(
        make_chapter("", "question_bank", "zh", exchange=Exchange("下列哪些椎体属于腰椎？", "AC", ("L1", "T1", "L3")))
    )
    assert item.answer == "AC" and item.messages[1].text == "A. L1\nC. L3"


def test_yes_no_questions_are_asked_once_with_the_long_answer_as_their_reason():
    question = "Forty patients had their curves measured.\n\nDoes a brace stop the progression of scoliosis?"
    exchange = Exchange(question, "A", ("yes", "no", "maybe"), "It stops most curves.")
    (item,) = draft_and_check(make_chapter("", "question_bank", exchange=exchange))
    assert item.messages[1].text == "A. yes\n\nWhy: It stops most curves."


def test_reasoning_stands_before_the_answer():
    exchange = Exchange("What is it?", "Gout.", (), "It is red. It is the big toe.")
    (item,) = draft_and_check(make_chapter("", "general_medical", exchange=exchange))
    assert item.messages[1].text == "<think>\nIt is red. It is the big toe.\n</think>\n\nGout."


@pytest.mark.parametrize(
    ("conclusion", "reason"),
    [
        ("A brace may stop the progression of scoliosis.", "bank_key_hedged"),
        ("It may hurt. A brace stops the progression of scoliosis. Further trials might help.", None),
        ("A brace could not stop the progression of scoliosis.", None),
    ],
)
def test_a_key_that_its_conclusion_hedges_leaves_if_maybe_is_offered(conclusion, reason):
    exchange = Exchange("Does a brace stop the progression of scoliosis?", "A", ("yes", "no", "maybe"), conclusion)
    (result,) = draft(make_chapter("", "question_bank", exchange=exchange))
    assert getattr(result, "reason", None) == reason
    exchange = Exchange(exchange.question, "A", ("yes", "no"), conclusion)
    assert isinstance(next(draft(make_chapter("", "question_bank", exchange=exchange))), Item)


@pytest.mark.parametrize(
    ("question", "reasoning", "reason"),
    [
        ("Which of the following is a cause of gout?", "Urate.", "open_options_missing"),
        ("Which drug would not be a cause of gout?", "Urate.", "open_options_missing"),
        ("下列哪项是痛风的原因？", "尿酸。", "open_options_missing"),
        ("What is a cause of gout?", "Looking at the other choices, urate it is.", "open_reasoning_names_options"),
        ("What is a cause of gout?", "So option B fits.", "open_reasoning_names_options"),
        ("A man of 50 has a red toe.", "It is gout.", "open_no_question"),
        ("A man of 50 does not walk. What is the diagnosis?", "Hepatitis A has other treatment options.", None),
    ],
)
def test_an_open_question_needs_a_question_and_no_options(question, reasoning, reason):
    (result,) = draft(make_chapter("", "general_medical", exchange=Exchange(question, "Gout.", (), reasoning)))
    assert getattr(result, "reason", None) == reason
