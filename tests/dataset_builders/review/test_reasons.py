import pytest

from dataset_builders.review.reasons import check_reasons, load_reasons


def test_every_reason_says_something_in_both_languages():
    reasons = load_reasons()
    assert {"unsafe_omission", "not_decidable", "other"} <= set(reasons)
    assert all(reason.en.isascii() or "–" in reason.en for reason in reasons.values())
    assert all(any("一" <= sign <= "鿿" for sign in reason.zh) for reason in reasons.values())


def test_the_reasons_of_the_criteria_can_all_be_given():
    criteria = pytest.importorskip("dataset_builders.generate.criteria")
    assert set(criteria.REASONS) <= set(load_reasons())


def test_an_unknown_reason_names_its_place():
    with pytest.raises(ValueError, match=r"a.csv line 2: unknown reason boredom; choose from unsafe_omission"):
        check_reasons(["other", "boredom"], load_reasons(), "a.csv line 2")
