from collections import Counter

import pytest

from dataset_builders.item import Generation
from dataset_builders.review.assignment import Reviewer, assign, checker_of, choose_items, make_reviewers
from tests.support.items import make_item

SURGEONS = make_reviewers(17, 3)


def items_of(rules, each):
    signed = {rule: Generation("rules/2", rule, "f" * 64, "g") for rule in rules}
    return [
        make_item(f"{rule}-{n}", case=f"{rule} case {n // 3}", generation=signed[rule]) for rule in rules for n in range(each)
    ]


def test_seventeen_reviewers_make_three_groups_of_five_or_six():
    assert sorted(Counter(one.group for one in SURGEONS).values()) == [5, 6, 6]


@pytest.fixture(scope="module")
def plan():
    items = items_of(("common@1", "rare@1"), 150)[:160]
    return items, assign(items, SURGEONS, 0.2, seed=3)


def test_every_item_is_dealt_and_every_rule_is_rated_twice_in_the_planned_share(plan):
    items, raters = plan
    assert set(raters) == {item.id for item in items}
    twice = Counter(item.generation.prompt_id for item in items if len(raters[item.id]) == 2)
    assert twice == {"common@1": 30, "rare@1": 2}


def test_two_raters_of_an_item_are_of_different_groups(plan):
    group = {one.pseudonym: one.group for one in SURGEONS}
    assert all(len({group[name] for name in names}) == len(names) for names in plan[1].values())


def test_reviewers_get_equal_loads(plan):
    load = Counter(name for names in plan[1].values() for name in names)
    assert max(load.values()) - min(load.values()) <= 3 and len(load) == 17


def test_a_case_stays_with_its_reviewer(plan):
    items, raters = plan
    first = {}
    for item in items:
        first.setdefault(item.provenance.case_id, set()).add(raters[item.id][0])
    assert all(len(names) == 1 for names in first.values())


def test_the_plan_depends_on_the_seed_alone(plan):
    items, raters = plan
    assert assign(items, SURGEONS, 0.2, seed=3) == raters != assign(items, SURGEONS, 0.2, seed=4)


def test_an_item_goes_to_who_reads_its_language():
    reviewers = (Reviewer("R01", "A", ("en",)), Reviewer("R02", "B", ("en", "zh")))
    items = [make_item("a", language="zh"), make_item("b", source="other")]
    assert assign(items, reviewers, 0, 0)["a"] == ("R02",)
    with pytest.raises(ValueError, match=r"a: no reviewer .*'zh'"):
        assign(items, reviewers[:1], 0, 0)


def test_a_third_group_decides_between_two():
    reviewers = {one.pseudonym: one for one in SURGEONS}
    checkers = {checker_of(make_item(f"{n}"), ("R01", "R02"), reviewers, 0) for n in range(40)}
    assert {reviewers[name].group for name in checkers} == {"C"} and len(checkers) == 5


def test_with_two_reviewers_nobody_decides_between_them():
    assert checker_of(make_item("a"), ("R01", "R02"), {one.pseudonym: one for one in make_reviewers(2, 2)}, 0) is None


@pytest.mark.parametrize(
    ("reviewers", "overlap", "message"), [(make_reviewers(2, 1), 0.1, "two groups"), (SURGEONS, 1.5, "share of 0 to 1")]
)
def test_a_plan_that_cannot_be_is_named(reviewers, overlap, message):
    with pytest.raises(ValueError, match=message):
        assign([make_item("a")], reviewers, overlap, 0)


def test_more_groups_than_reviewers_are_refused():
    with pytest.raises(ValueError, match="--groups 3"):
        make_reviewers(2, 3)


def test_chosen_items_are_of_every_rule_evenly():
    items = items_of(("common@1", "rare@1"), 20)[:24]
    chosen = choose_items(items, 8, seed=0)
    assert Counter(item.generation.prompt_id for item in chosen) == {"common@1": 4, "rare@1": 4}
    assert chosen == choose_items(items[::-1], 8, seed=0)
