import csv
import io

import pytest

from dataset_builders.item import Generation
from dataset_builders.review.report import gather_results, write_report
from tests.support.items import make_item
from tests.support.review import HOSTILE, judge, make_desk


def item(name, prompt="rules/good@1", **changes):
    return make_item(name, case=name, generation=Generation("rules/2", prompt, "f" * 64, "g"), **changes)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Six good items and four bad ones: two removed (a comment holds markup), two corrected, one a hospital's."""
    folder = tmp_path_factory.mktemp("review")
    bad = [item(f"bad-{n}", "rules/bad@2") for n in range(3)] + [item("note", "rules/bad@2", kind="hospital_case")]
    desk = make_desk(folder, [item(f"good-{n}") for n in range(6)] + bad, reviewers=5, overlap=1)
    said = {
        "bad-0": ("remove", {"comment": HOSTILE}),
        "bad-1": ("correct", {"corrected": {"turns": ["Which level is wedged | really?", "B. L4"]}, "reasons": ("language",)}),
        "note": ("correct", {"corrected": {"turns": ["Mr Example?", "Secret."]}, "comment": "Mr Example"}),
    }
    for id, raters in desk.study.raters.items():
        for rater in raters:
            verdict, changes = said.get(id, ("accept", {}))
            desk.record(rater, judge(desk.study, id, verdict, seconds=20, **changes))
    differing = next(id for id in desk.study.raters if id == "bad-2")
    desk.record(desk.study.raters[differing][1], judge(desk.study, differing, "remove"))
    yield gather_results(desk.study, desk.log.decisions, desk.reasons, draws=20), desk.reasons
    desk.log.close()


def test_prompts_come_worst_first_with_their_reasons(results):
    bad, good = results[0].prompts
    assert (bad.prompt, bad.rule, bad.items, bad.accepted, bad.corrected, bad.removed) == (
        "rules/bad@2",
        "rules/bad",
        4,
        0,
        2,
        2,
    )
    assert [(complaint.reason.code, complaint.items) for complaint in bad.complaints] == [
        ("unsafe_omission", 3),
        ("language", 1),
    ]
    assert (good.unfit, good.complaints) == (0, ()) and bad.unfit_interval[0] > good.unfit_interval[0]


def test_a_correction_is_shown_before_and_after(results):
    example = results[0].prompts[0].complaints[1].examples[0]
    assert example.changes == (("turns", "Which level is meant in bad-1?", "Which level is wedged | really?"),)


def test_agreement_and_progress_are_counted(results):
    found = results[0]
    assert dict(found.standings) == {"done": 9, "adjudication": 1} and found.stuck == 0
    assert found.agreement["verdict"].items == 10 and found.agreement["verdict"].same == 0.9
    assert sum(one.done for one in found.reviewers) == 20 and found.reviewers[0].seconds == 20


def test_the_report_shows_markup_as_text_and_nothing_of_a_hospitals_words(results, tmp_path):
    paths = write_report(*results, tmp_path)
    page, markdown, table = (path.read_text(encoding="utf-8") for path in paths)
    for text in (page, markdown, table):
        assert "<script" not in text and "<img" not in text and "Example" not in text and "Secret" not in text
        assert "note" in text and "bad-0" in text
    assert "&lt;script&gt;" in page and "wedged &#124; really" in markdown
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}


def test_the_table_has_a_line_for_each_prompt_and_reason(results, tmp_path):
    rows = list(csv.DictReader(io.StringIO(write_report(*results, tmp_path)[2].read_text())))
    assert [(row["prompt"], row["reason"], row["given"]) for row in rows] == [
        ("rules/bad@2", "unsafe_omission", "3"), ("rules/bad@2", "language", "1"), ("rules/good@1", "", "0")
    ]  # fmt: skip


def test_a_review_that_nobody_began_has_a_report(tmp_path):
    desk = make_desk(tmp_path / "review")
    results = gather_results(desk.study, [], desk.reasons, draws=5)
    assert results.prompts == () and results.agreement["verdict"].items == 0
    assert "6 open" in write_report(results, desk.reasons, tmp_path)[1].read_text()
    desk.log.close()


def test_items_that_wait_for_a_third_colleague_whom_there_is_not_are_counted(tmp_path):
    desk = make_desk(tmp_path / "review", reviewers=2, groups=2, overlap=1)
    for rater, verdict in zip(desk.study.raters["item-0"], ("accept", "remove")):
        desk.record(rater, judge(desk.study, "item-0", verdict))
    results = gather_results(desk.study, desk.log.decisions, desk.reasons, draws=5)
    assert results.stuck == 1 and "1 items wait for a third" in write_report(results, desk.reasons, tmp_path)[1].read_text()
    desk.log.close()
