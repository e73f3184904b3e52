import json

import pytest

from dataset_builders.document import Reject
from dataset_builders.review.reasons import load_reasons
from dataset_builders.review.verdicts import apply_verdicts, export_items, load_verdicts, review_items
from tests.support.items import make_item


def reviewed(tmp_path, **changes):
    """Export one item, fill in a verdict as a clinician would, read it back."""
    path = tmp_path / "review.jsonl"
    export_items([make_item("a"), make_item("b")], path)
    first, second = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    first |= {"review_status": "accepted", "review_group": "A", "reviewed_at": "2026-01-31", **changes}
    path.write_text(json.dumps(first) + "\n" + json.dumps(second) + "\n", encoding="utf-8")
    return load_verdicts(path)


def test_an_item_without_verdict_stays_unreviewed(tmp_path):
    assert apply_verdicts(make_item("b"), reviewed(tmp_path)).review.review_status == "unreviewed"


def test_an_accepted_item_changes_only_its_review(tmp_path):
    item = apply_verdicts(make_item("a"), reviewed(tmp_path, review_verdict="clear"))
    assert (item.review.review_status, item.review.review_group, item.review.review_verdict) == ("accepted", "A", "clear")
    assert item.messages == make_item("a").messages and item.answer == "B"


def test_a_correction_replaces_answer_and_words_but_not_provenance(tmp_path):
    verdicts = reviewed(tmp_path, review_status="corrected", answer="A", response="A. L3")
    item = apply_verdicts(make_item("a"), verdicts)
    assert (item.answer, item.messages[-1].text, item.provenance) == ("A", "A. L3", make_item("a").provenance)


def test_a_removed_item_is_counted_with_the_clinicians_words(tmp_path):
    verdicts = reviewed(tmp_path, review_status="removed", review_verdict="two right answers")
    assert apply_verdicts(make_item("a"), verdicts) == Reject("book", "removed_by_reviewer", "two right answers", "a")


@pytest.mark.parametrize(
    ("changes", "message"), [({"review_status": "maybe"}, "maybe"), ({"review_group": ""}, "review_group")]
)
def test_a_verdict_that_cannot_be_read_names_its_line(tmp_path, changes, message):
    with pytest.raises(ValueError, match=rf"line 1.*{message}"):
        reviewed(tmp_path, **changes)


def test_a_correction_of_any_field_is_applied(tmp_path):
    verdicts = reviewed(tmp_path, review_status="corrected", corrected={"options": ["L2", "L4"], "levels": ["L4"]})
    item = apply_verdicts(make_item("a"), verdicts)
    assert (item.options, item.levels) == (("L2", "L4"), ("L4",)) and "A. L2\nB. L4" in item.messages[0].text


def records_of(*items):
    return lambda: iter([{**item.to_dict(), "_shard": number} for number, item in enumerate(items)])


def test_items_keep_their_shard(tmp_path):
    results = list(review_items(records_of(make_item("a"), make_item("b")), reviewed(tmp_path)))
    assert [(record["id"], record["review"]["review_status"], record["_shard"]) for record in results] == [
        ("a", "accepted", 0), ("b", "unreviewed", 1)
    ]  # fmt: skip
    assert list(review_items(records_of(make_item("a")), {})) == list(records_of(make_item("a"))())


@pytest.mark.parametrize(
    ("items", "changes", "message"),
    [
        ([make_item("b")], {}, "1 of 1 verdicts do not fit .*a: not in this build.*review carry"),
        ([make_item("a", answer="A")], {"data_set": "feedbeef0123456"}, "data set feedbeef0123.*a: has changed"),
        ([make_item("a")], {"review_status": "corrected", "corrected": {"answer": "Z"}}, "a: answer: is 'Z'"),
        ([make_item("a")], {"review_status": "corrected", "corrected": {"source_id": "Z"}}, "source_id cannot be corrected"),
    ],
)
def test_a_verdict_that_does_not_fit_the_build_is_an_error_that_names_it(tmp_path, items, changes, message):
    with pytest.raises(ValueError, match=message):
        list(review_items(records_of(*items), reviewed(tmp_path, **changes)))


VERDICT = '{"id": "a", "review_status": "accepted", "review_group": "A", "reviewed_at": "2026-01-31"}'


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([VERDICT] * 2, "line 2: a has a verdict"),
        (["{"], "line 1: is no JSON"),
        (["[1]"], "line 1: is no JSON object"),
        ([VERDICT[:-1] + ', "reasons": ["boredom"]}'], "line 1: unknown reason boredom"),
    ],
)
def test_a_file_of_verdicts_that_cannot_be_is_named(tmp_path, lines, message):
    path = tmp_path / "verdicts.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_verdicts(path, load_reasons())


def test_a_removed_hospital_item_leaves_without_its_comment(tmp_path):
    item = make_item("a", kind="hospital_case")
    verdicts = reviewed(tmp_path, review_status="removed", review_verdict="Mr Example's scan", reasons=["poor_image"])
    assert apply_verdicts(item, verdicts).detail == "poor_image"
