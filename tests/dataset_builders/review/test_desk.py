import pytest

from dataset_builders.review.decisions import read_decisions
from dataset_builders.review.desk import Desk
from dataset_builders.review.refusals import Refused
from tests.support.items import make_item
from tests.support.review import item_of, judge, make_desk


@pytest.fixture
def desk(tmp_path):
    desk = make_desk(tmp_path)
    yield desk
    desk.log.close()


@pytest.fixture
def twice(desk):
    """An item that two rate, and the two."""
    id = item_of(desk.study, 2)
    return id, desk.study.raters[id]


@pytest.fixture
def once(desk):
    id = item_of(desk.study, 1)
    return id, desk.study.raters[id][0], desk.study.checkers[id]


def refusal(call, *arguments):
    with pytest.raises(Refused) as refused:
        call(*arguments)
    return refused.value.name


def test_two_reviewers_of_an_item_do_not_see_each_other(desk, twice):
    id, (one, other) = twice
    desk.record(one, judge(desk.study, id, "remove", comment="two right answers"))
    shown = desk.describe(other, id)
    assert shown["decision"] is None and shown["earlier"] == [] and "two right answers" not in str(shown)


def test_two_reviewers_never_overwrite_each_other(desk, twice):
    id, (one, other) = twice
    desk.record(one, judge(desk.study, id, "remove"))
    desk.record(other, judge(desk.study, id))
    assert [(made.reviewer, made.verdict) for made in desk.standing(id).made] == [(one, "remove"), (other, "accept")]
    assert desk.standing(id).status == "adjudication"


def test_who_adjudicates_sees_both_verdicts_without_names(desk, twice):
    id, raters = twice
    desk.record(raters[0], judge(desk.study, id, "correct", corrected={"answer": "A"}, comment="it is L3"))
    desk.record(raters[1], judge(desk.study, id))
    shown = desk.describe(desk.study.checkers[id], id)
    assert shown["stage"] == "adjudication" and [one["verdict"] for one in shown["earlier"]] == ["correct", "accept"]
    assert shown["earlier"][0]["fields"]["answer"] == "A" and not any(name in str(shown) for name in raters)
    desk.record(desk.study.checkers[id], judge(desk.study, id, stage="adjudication"))
    assert desk.standing(id).status == "done" and desk.standing(id).final.verdict == "accept"


def test_a_correction_is_done_once_a_colleague_confirmed_it(desk, once):
    id, rater, checker = once
    desk.record(rater, judge(desk.study, id, "correct", corrected={"answer": "A", "options": ["L3", "L4"]}))
    assert desk.standing(id).status == "second_look"
    desk.record(checker, judge(desk.study, id, stage="second_look"))
    assert desk.standing(id).final.corrected == {"answer": "A"}


def test_undo_takes_back_the_latest_and_keeps_it_in_the_log(desk, once):
    id, rater, _ = once
    desk.record(rater, judge(desk.study, id, "remove"))
    desk.undo(rater, "key-of-undo")
    assert desk.undo(rater, "key-of-undo").number == 2
    assert desk.standing(id).status == "open"
    assert [made.verdict for made in read_decisions(desk.study.log)] == ["remove", "undo"]
    assert refusal(desk.undo, rater, "another-key") == "nothing_to_undo"


def test_what_a_colleague_went_on_from_can_be_neither_undone_nor_changed(desk, once):
    id, rater, checker = once
    desk.record(rater, judge(desk.study, id, "correct"))
    desk.record(checker, judge(desk.study, id, stage="second_look"))
    assert refusal(desk.undo, rater, "key-of-undo") == "already_decided"
    assert refusal(desk.record, rater, judge(desk.study, id)) == "already_decided"


@pytest.mark.parametrize(
    ("verdict", "changes", "name"),
    [
        ("accept", {"item": "nobody"}, "unknown_item"),
        ("accept", {"item_sha256": "0" * 64}, "item_changed"),
        ("accept", {"data_set": "e" * 64}, "other_data_set"),
        ("accept", {"stage": "adjudication"}, "not_assigned"),
        ("maybe", {}, "unknown_verdict"),
        ("remove", {"reasons": ("boredom",)}, "unknown_reason"),
        ("remove", {"reasons": ()}, "reason_missing"),
        ("remove", {"reasons": ("other",)}, "comment_missing"),
        ("accept", {"reasons": ("language",)}, "reason_of_accept"),
        ("correct", {"corrected": {"answer": "B"}}, "nothing_changed"),
        ("correct", {"corrected": {"answer": "Z"}}, "bad_correction"),
    ],
)
def test_a_judgement_that_cannot_be_is_refused_by_name_and_not_written(desk, once, verdict, changes, name):
    id, rater, _ = once
    from dataclasses import replace

    judgement = replace(judge(desk.study, id, verdict), **changes)
    assert refusal(desk.record, rater, judgement) == name
    assert read_decisions(desk.study.log) == [] and desk.standing(id).status == "open"


def test_an_item_of_others_is_neither_shown_nor_decided(desk, once):
    id, rater, checker = once
    stranger = next(name for name in desk.study.reviewers if name not in (rater, checker))
    assert refusal(desk.describe, stranger, id) == "not_assigned"
    assert refusal(desk.record, stranger, judge(desk.study, id)) == "not_assigned"
    assert refusal(desk.record, "R99", judge(desk.study, id)) == "unknown_reviewer"


def test_a_key_stands_for_one_decision(desk, once):
    id, rater, _ = once
    judgement = judge(desk.study, id)
    assert desk.record(rater, judgement) == desk.record(rater, judgement)
    assert refusal(desk.record, "R99", judgement) == "key_used"


def test_of_several_judgements_all_or_none_are_taken(desk, once, twice):
    id, rater, checker = once
    batch = [
        (rater, judge(desk.study, id, "correct")),
        (checker, judge(desk.study, id, stage="second_look")),
        ("R99", judge(desk.study, twice[0])),
    ]
    assert refusal(desk.record_all, batch) == "unknown_reviewer"
    assert desk.log.decisions == [] and desk.standing(id).status == "open"
    desk.record_all(batch[:2])
    assert desk.standing(id).status == "done"
    desk.record_all([(rater, judge(desk.study, id, "correct"))])
    assert len(desk.log.decisions) == 2


def test_a_desk_opened_again_stands_where_it_was_left(desk, once):
    id, rater, _ = once
    desk.record(rater, judge(desk.study, id, "remove"))
    again = Desk(desk.study, desk.log, desk.reasons)
    assert again.standing(id) == desk.standing(id)
    task = next(task for task in again.tasks_of(rater) if task.item == id)
    assert task.decision.verdict == "remove"


def test_reviewers_are_told_that_an_item_is_of_a_hospital(tmp_path):
    desk = make_desk(tmp_path, [make_item("note", kind="hospital_case")], overlap=0)
    assert desk.describe(desk.study.raters["note"][0], "note")["private"] and desk.study.private_items == 1
