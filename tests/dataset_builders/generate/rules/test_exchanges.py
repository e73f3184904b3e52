"""Ready-made questions: asked as the source asks them."""

from dataset_builders.document import Exchange
from dataset_builders.generate.rules import draft
from tests.support.chapter import make_chapter
from tests.support.drafts import draft_and_check


def test_bank_questions_are_asked_as_they_are():
    exchange = Exchange("Which is the axis?", "B", ("C1", "C2", "C3"), "The axis is C2.")
    (item,) = draft_and_check(make_chapter("", "question_bank", exchange=exchange))
    assert (item.options, item.answer) == (exchange.options, "B")
    assert item.messages[0].text == "Which is the axis?\n\nA. C1\nB. C2\nC. C3"
    assert item.messages[1].text == "B. C2\n\nExplanation: The axis is C2."


def test_several_right_letters_stay_several():
    (item,) = draft_and_check(
        make_chapter("", "question_bank", "zh", exchange=Exchange("下列哪些属于腰椎？", "AC", ("L1", "T1", "L3")))
    )
    assert item.answer == "AC" and item.messages[1].text == "A. L1\nC. L3"


def test_an_answer_that_names_no_option_asks_nothing():
    assert not list(draft(make_chapter("", "question_bank", exchange=Exchange("Which?", "F", ("a", "b")))))


def test_yes_no_questions_also_ask_for_the_long_answer():
    exchange = Exchange("Does it help?", "A", ("yes", "no", "maybe"), "It helps in most trials.")
    choice, long = draft_and_check(make_chapter("", "question_bank", exchange=exchange))
    assert (choice.task, choice.answer, long.task, long.messages[1].text) == (
        "multiple_choice",
        "A",
        "open_ended",
        "It helps in most trials.",
    )


def test_reasoning_stands_before_the_answer():
    exchange = Exchange("What is it?", "Gout.", (), "It is red. It is the big toe.")
    (item,) = draft_and_check(make_chapter("", "general_medical", exchange=exchange))
    assert item.messages[1].text == "<think>\nIt is red. It is the big toe.\n</think>\n\nGout."
