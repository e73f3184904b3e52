import pytest

from dataset_builders.review.decisions import Decision
from dataset_builders.review.workflow import is_relied_on, stand, standings, tasks_of


def made(reviewer, verdict, stage="first", number=1, **changes):
    return Decision("k" + reviewer + stage, "t", reviewer, "A", "a", "0", "1", stage, verdict, number=number, **changes)


FIX = {"corrected": {"answer": "A"}}
OTHER = {"corrected": {"answer": "C"}}


@pytest.mark.parametrize(
    ("raters", "decisions", "status", "final"),
    [
        (1, [], "open", None),
        (1, [("R1", "accept")], "done", "accept"),
        (1, [("R1", "remove")], "done", "remove"),
        (1, [("R1", "correct", "first", FIX)], "second_look", None),
        (1, [("R1", "accept", "first", {"second_look": True})], "second_look", None),
        (1, [("R1", "correct", "first", FIX), ("R3", "accept", "second_look")], "done", "correct"),
        (1, [("R1", "correct", "first", FIX), ("R3", "correct", "second_look", FIX)], "done", "correct"),
        (1, [("R1", "correct", "first", FIX), ("R3", "correct", "second_look", OTHER)], "adjudication", None),
        (
            1,
            [("R1", "correct", "first", FIX), ("R3", "remove", "second_look"), ("R4", "remove", "adjudication")],
            "done",
            "remove",
        ),
        (2, [("R1", "accept")], "open", None),
        (2, [("R1", "accept"), ("R2", "accept")], "done", "accept"),
        (2, [("R1", "accept"), ("R2", "accept", "first", {"second_look": True})], "adjudication", None),
        (2, [("R1", "accept"), ("R2", "remove")], "adjudication", None),
        (2, [("R1", "correct", "first", FIX), ("R2", "correct", "first", FIX)], "done", "correct"),
        (2, [("R1", "correct", "first", FIX), ("R2", "correct", "first", OTHER)], "adjudication", None),
        (2, [("R1", "accept"), ("R2", "remove"), ("R3", "accept", "adjudication")], "done", "accept"),
    ],
)
def test_where_an_item_stands(raters, decisions, status, final):
    held = [
        made(who, verdict, *(rest[:1] or ["first"]), number, **(rest[1] if len(rest) > 1 else {}))
        for number, (who, verdict, *rest) in enumerate(decisions, 1)
    ]
    standing = stand(("R1", "R2")[:raters], "R3", held)
    assert (standing.status, standing.final and standing.final.verdict) == (status, final)


def test_a_correction_stands_if_nobody_can_look_again():
    assert stand(("R1",), None, [made("R1", "correct", **FIX)]).status == "done"


RATERS = {"a": ("R1", "R2"), "b": ("R1",)}
CHECKERS = {"a": "R3", "b": "R2"}
ADJUDICATORS = {"a": "R4", "b": "R3"}


def tasks(reviewer, *decisions):
    found = standings(RATERS, CHECKERS, decisions)
    return [
        (task.item, task.stage, task.decision is not None) for task in tasks_of(reviewer, RATERS, CHECKERS, ADJUDICATORS, found)
    ]


def test_each_sees_own_items_and_nothing_to_check_before_it_is_due():
    assert tasks("R1") == [("a", "first", False), ("b", "first", False)]
    assert tasks("R3") == []


def test_who_is_neither_of_the_raters_decides_between_them():
    differing = made("R1", "accept"), made("R2", "remove", number=2)
    assert tasks("R3", *differing) == [("a", "adjudication", False)] and tasks("R4", *differing) == []


def test_a_correction_comes_first_in_the_queue_of_who_looks_again():
    fixed = Decision("k", "t", "R1", "A", "b", "0", "1", "first", "correct", number=1, **FIX)
    assert tasks("R2", fixed) == [("b", "second_look", False), ("a", "first", False)]
    against = Decision("l", "t", "R2", "B", "b", "0", "1", "second_look", "remove", number=2)
    assert tasks("R3", fixed, against) == [("b", "adjudication", False)]
    assert tasks("R2", fixed, against)[0] == ("b", "second_look", True)


def test_a_decision_that_a_colleague_went_on_from_is_relied_on():
    first, look = made("R1", "correct", **FIX), made("R3", "accept", "second_look", 2)
    standing = stand(("R1",), "R3", [first, look])
    assert is_relied_on(first, standing) and not is_relied_on(look, standing)
