"""Facts of a text: numbers with units and bounds, grades, and what is said of which level."""

import pytest

from dataset_builders.generate.criteria.facts import bound_facts, grades_of, numbers_of, sides_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("within 12 weeks", "12周内"),
        ("5 mm", "0.5 cm"),
        ("three months", "三个月"),
        ("20%", "百分之二十"),
        ("a 54-year-old man", "54岁男性"),
    ],
)
def test_one_amount_in_two_spellings_matches(one, other):
    assert any(a.matches(b) for a in numbers_of(one) for b in numbers_of(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("at least 2 weeks", "at most 2 weeks"), ("4 mm", "4 cm"), ("12 weeks", "12 months"), ("2周以上", "2周以内")],
)
def test_another_unit_or_bound_does_not(one, other):
    assert not any(a.matches(b) for a in numbers_of(one) for b in numbers_of(other))


def test_digits_of_levels_grades_lists_and_sequences_are_no_amounts():
    assert numbers_of("1. L4/L5 on T2-weighted images: Pfirrmann grade 4, Modic type 2 [12]") == ()


@pytest.mark.parametrize(
    ("text", "grades"),
    [
        ("Pfirrmann grade IV", {("pfirrmann", "4")}),
        ("Pfirrmann IV级", {("pfirrmann", "4")}),
        ("grade 2 slip", {("", "2")}),
        ("Ⅱ度滑脱", {("", "2")}),
        ("属于哪一级", set()),
    ],
)
def test_grades_in_both_languages(text, grades):
    assert grades_of(text) == grades


def test_right_and_left_are_sides_and_nothing_else():
    assert sides_of("the right answer is left out right away") == frozenset()
    assert sides_of("left S1 root; 右侧") == {"left", "right"}


def test_facts_are_bound_to_the_level_of_their_clause():
    facts = bound_facts("Left stenosis at L4/L5, severe right bulge at L5/S1.")
    assert facts["side", "L4/L5"] == {"left"} and facts["side", "L5/S1"] == {"right"} and facts["degree", "L5/S1"] == {"severe"}
