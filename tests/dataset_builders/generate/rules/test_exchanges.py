"""Ready-made questions: asked as the source asks them."""

from dataset_builders.document import Exchange
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
