import json

import pytest

from dataset_builders.document import Reject
from dataset_builders.review.verdicts import apply_verdicts, export_items, load_verdicts
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
