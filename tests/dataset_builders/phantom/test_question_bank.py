import re

import pytest

from dataset_builders.phantom.question_bank import genant_grade, make_question_banks, meyerding_grade
from tests.support.invalid_levels import invalid_levels


@pytest.fixture(scope="module")
def banks():
    return make_question_banks(seed=0)


def test_banks_have_both_languages_and_subjects(banks):
    assert set(banks) == {"spine_en", "spine_zh", "orthopaedics_en", "orthopaedics_zh"}
    assert sum(map(len, banks.values())) >= 60


def test_the_right_letter_stands_among_four_different_options(banks):
    rows = [row for bank in banks.values() for row in bank]
    assert all(len(set(row["options"])) == 4 and row["answer"] in "ABCD" for row in rows)
    assert {row["answer"] for row in rows} == set("ABCD")
    assert len({row["id"] for row in rows}) == len(rows)


def test_answers_follow_from_the_measures_in_the_question(banks):
    checked = 0
    for row in banks["spine_en"] + banks["spine_zh"]:
        right = row["options"]["ABCD".index(row["answer"])]
        numbers = [int(number) for number in re.findall(r"(\d+) mm", row["question"])]
        if "-wedge-" in row["id"]:
            grade = genant_grade(100 * (numbers[1] - numbers[0]) / numbers[1])
        elif "-slip-" in row["id"]:
            grade = meyerding_grade(100 * numbers[0] / numbers[1])
        else:
            continue
        assert right.removeprefix("Grade ").rstrip("级度") == grade, row
        checked += 1
    assert checked == 14


@pytest.mark.parametrize("percent, grade", [(0, "I"), (25, "I"), (25.1, "II"), (75, "III"), (100, "IV"), (101, "V")])
def test_meyerding_grades_are_quarters(percent, grade):
    assert meyerding_grade(percent) == grade


@pytest.mark.parametrize("percent, grade", [(19.9, "0"), (20, "1"), (24.9, "1"), (25, "2"), (40, "2"), (40.1, "3")])
def test_genant_grades_have_their_limits(percent, grade):
    assert genant_grade(percent) == grade


def test_no_question_is_asked_in_both_languages(banks):
    def topics(language):
        return {row["id"].replace(f"-{language}-", "-") for row in banks[f"spine_{language}"]}

    assert not topics("en") & topics("zh")


def test_levels_in_questions_exist(banks):
    texts = [row["question"] + row["explanation"] + " ".join(row["options"]) for bank in banks.values() for row in bank]
    assert [wrong for text in texts for wrong in invalid_levels(text)] == []


def test_another_seed_asks_other_questions(banks):
    assert make_question_banks(0) == banks
    assert make_question_banks(1) != banks
