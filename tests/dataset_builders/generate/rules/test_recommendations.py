"""Recommendations asked by their wording."""

from dataset_builders.item import question_of
from tests.support.chapter import make_chapter
from tests.support.drafts import by_rule, draft_and_check, right


def test_recommendations_are_asked_by_their_wording():
    text = (
        "## Care\n\nFor adults with low back pain, we suggest against the routine use of lumbar supports. "
        "We recommend exercise for chronic low back pain in adults. "
        "For patients with low back pain, we recommend against sedatives.v"
    )
    items = by_rule(draft_and_check(make_chapter(text, "guideline")), "recommendation")
    assert [right(item) for item in items] == ["we suggest against", "we recommend", "we recommend against"]
    assert items[0].axis == "surgical_planning" and "For adults with low back pain, ____ the routine use" in question_of(
        items[0]
    )
