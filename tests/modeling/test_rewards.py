import pytest

from dataset_builders.levels.anatomy import DISCS as COLUMN_DISCS
from dataset_builders.levels.anatomy import VERTEBRAE as COLUMN_VERTEBRAE
from modeling.rewards import (
    DISCS,
    VERTEBRAE,
    answer_reward,
    format_reward,
    level_reward,
    parse_answer_line,
    parse_levels_line,
    score_answer,
    score_format,
    score_levels,
    wanted_lines,
)

BOTH = "The slip is low.\n\nLevels: L4/L5, S1\nAnswer: B"


def test_the_names_are_those_of_the_data_sets_columns():
    assert tuple(COLUMN_VERTEBRAE) == VERTEBRAE and set(COLUMN_DISCS) == DISCS


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("L5", {"L5"}),
        ("L5, L4/L5", {"L4/L5"}),  # an end of a named disc adds nothing
        ("C7/T1, T12/L1, Co", {"C7/T1", "T12/L1", "Co"}),
        ("L5/L6, L6/S1, L5/S1", {"L5/L6", "L6/S1", "L5/S1"}),
        ("l5", None),
        ("L4-L5", None),
        ("L4/5", None),
        ("L5/L4", None),
        ("L3/L5", None),
        ("L7", None),
        ("T14", None),
        ("C8", None),
        ("L4,L5", None),
        ("L4, L4", None),
        ("L4, the disc", None),
        ("L4, ", None),
        ("", None),
    ],
)
def test_a_levels_line_takes_canonical_names_only(value, expected):
    assert parse_levels_line(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("B", "B"), ("ACD", "ACD"), ("E", None), ("b", None), ("BA", None), ("BB", None), ("", None), ("B.", None), ("A B", None)],
)
def test_an_answer_line_takes_option_letters_in_order(value, expected):
    assert parse_answer_line(value, "ABCD") == expected


def test_a_question_asks_for_what_can_be_rewarded():
    assert wanted_lines("ABCD", ["L5"]) == ("Levels", "Answer")
    assert wanted_lines(None, ["L5"]) == ("Levels",) and wanted_lines("AB", []) == ("Answer",)


@pytest.mark.parametrize(
    ("text", "answer", "f1", "form"),
    [
        (BOTH, 1.0, 1.0, 1.0),
        (BOTH + "\n\n", 1.0, 1.0, 1.0),
        ("Levels: L4/L5\nAnswer: B", 1.0, 2 / 3, 1.0),
        ("Levels: L3/L4\nAnswer: C", 0.0, 0.0, 1.0),
        ("Levels: L4/L5, S1, L1, L2\nAnswer: B", 1.0, 2 * 2 / (4 + 2), 1.0),
        ("Levels: L4-5\nAnswer: B", 1.0, 0.0, 0.5),  # not a canonical name
        ("Levels: L4/L5, S1\nAnswer: F", 0.0, 1.0, 0.5),  # no such option
        ("Answer: B\nLevels: L4/L5, S1", 0.0, 0.0, 0.0),  # the wrong way round
        (BOTH + "\nI am sure.", 0.0, 0.0, 0.0),  # something after them
        ("Answer: A\n" + BOTH, 0.0, 1.0, 0.5),  # said twice
        ("Levels: L1\nLevels: L4/L5, S1\nAnswer: B", 1.0, 0.0, 0.5),
        ("Answer: B", 0.0, 0.0, 0.0),  # one line where two are wanted
        ("Levels:L4/L5, S1\nAnswer: B", 1.0, 0.0, 0.5),
        ("B", 0.0, 0.0, 0.0),
        ("", 0.0, 0.0, 0.0),
    ],
)
def test_rewards_of_a_reply(text, answer, f1, form):
    levels = ["L4/L5", "S1"]
    assert score_answer(text, "ABCD", "B", levels) == answer
    assert score_levels(text, "ABCD", levels) == pytest.approx(f1)
    assert score_format(text, "ABCD", levels) == form


def test_several_right_options_are_all_wanted():
    assert score_answer("Answer: AC", "ABCD", "AC", []) == 1.0
    assert score_answer("Answer: A", "ABCD", "AC", []) == score_answer("Answer: ABC", "ABCD", "AC", []) == 0.0


def test_a_batch_is_rewarded_row_by_row_and_what_does_not_fit_is_left_out():
    completions = [[{"role": "assistant", "content": text}] for text in ("Answer: B", "Levels: L5", BOTH, "Levels: L5")]
    columns = {
        "choices": ["ABCD", None, "ABCD", None],
        "answer": ["B", None, "C", None],
        "levels": [[], ["L5"], ["L4/L5"], ["L4"]],
        "prompts": [None] * 4,  # and whatever else the trainer passes
    }
    assert answer_reward(completions=completions, **columns) == [1.0, None, 0.0, None]
    assert level_reward(completions=completions, **columns) == [None, 1.0, pytest.approx(2 / 3), 0.0]
    assert format_reward(completions=completions, **columns) == [1.0, 1.0, 1.0, 1.0]
