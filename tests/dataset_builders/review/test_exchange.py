import csv
import json

import pytest

from dataset_builders.engine.store import ImageStore
from dataset_builders.review.decisions import effective
from dataset_builders.review.exchange import final_verdicts, read_csv, read_label_studio, write_csv, write_label_studio
from dataset_builders.review.images import ScaledImages
from dataset_builders.review.verdicts import find_misfits, load_verdicts, write_verdicts
from tests.support.items import make_item
from tests.support.review import item_of, judge, make_desk, make_items, png


@pytest.fixture
def desk(tmp_path):
    """One corrected and confirmed, one removed, one rated twice and not the same, the others open."""
    store = ImageStore(tmp_path / "images")
    items = [*make_items(5), make_item("with-image", images=(store.put(png()),)), make_item("note", kind="hospital_case")]
    desk = make_desk(tmp_path / "review", items, overlap=0.3)
    study = desk.study
    both = item_of(study, 2)
    first, second = [id for id, raters in study.raters.items() if len(raters) == 1][:2]
    desk.record(study.raters[first][0], judge(study, first, "correct", corrected={"answer": "A"}, comment='=1+1; 椎体, "L3"'))
    desk.record(study.checkers[first], judge(study, first, stage="second_look"))
    desk.record(study.raters[second][0], judge(study, second, "remove", reasons=("other", "language"), comment="- twice"))
    for rater, verdict in zip(study.raters[both], ("accept", "remove")):
        desk.record(rater, judge(study, both, verdict, seconds=12.5))
    yield desk
    desk.log.close()


def other_desk(tmp_path, desk):
    """The same review with an empty log."""
    desk.log.close()
    desk.study.log.rename(tmp_path / "moved.jsonl")
    from dataset_builders.review.decisions import DecisionLog
    from dataset_builders.review.desk import Desk

    return Desk(desk.study, DecisionLog(desk.study.log), desk.reasons)


def content(desk):
    return sorted(
        (one.item, one.reviewer, one.stage, one.verdict, one.reasons, one.comment, json.dumps(one.corrected))
        for one in effective(desk.log.decisions)
    )


def test_decisions_go_through_csv_and_back(desk, tmp_path):
    path = tmp_path / "decisions.csv"
    assert write_csv(effective(desk.log.decisions), path) == 5 and path.stat().st_mode & 0o777 == 0o600
    again = other_desk(tmp_path, desk)
    again.record_all(read_csv(path))
    assert content(again) == content(desk)
    again.record_all(read_csv(path))
    assert len(again.log.decisions) == 5
    again.log.close()


def test_a_spreadsheet_runs_no_formula(desk, tmp_path):
    path = tmp_path / "decisions.csv"
    write_csv(desk.log.decisions, path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert '\'=1+1; 椎体, "L3"' in cells and not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


def test_decisions_go_through_label_studio_and_back(desk, tmp_path):
    images = ScaledImages(ImageStore(tmp_path / "images"), tmp_path / "scaled")
    count = write_label_studio(desk.study, effective(desk.log.decisions), desk.reasons, images, tmp_path / "ls", private=True)
    assert count == 7 and len(list((tmp_path / "ls/images").iterdir())) == 1
    again = other_desk(tmp_path, desk)
    judged = read_label_studio(tmp_path / "ls/tasks.json", {})
    again.record_all(sorted(judged, key=lambda pair: pair[1].stage != "first"))
    assert content(again) == content(desk)
    again.log.close()


def test_label_studio_gets_no_hospital_item_unless_asked(desk, tmp_path):
    images = ScaledImages(ImageStore(tmp_path / "images"), tmp_path / "scaled")
    assert write_label_studio(desk.study, [], desk.reasons, images, tmp_path / "ls", private=False) == 6
    assert "note" not in {task["data"]["item"] for task in json.loads((tmp_path / "ls/tasks.json").read_text())}
    assert '<Choice value="unsafe_omission"' in (tmp_path / "ls/labels.xml").read_text()


def annotated(desk, item, completed_by):
    results = [
        {"from_name": "verdict", "to_name": "text", "type": "choices", "value": {"choices": ["remove"]}},
        {"from_name": "reasons", "to_name": "text", "type": "choices", "value": {"choices": ["language"]}},
    ]
    data = {"item": item, "item_sha256": desk.study.hashes[item], "data_set": desk.study.data_set}
    return [{"id": 7, "data": data, "annotations": [{"id": 1, "completed_by": completed_by, "result": results}]}]


@pytest.mark.parametrize("completed_by", [5, {"id": 5, "email": "five@example.org"}])
def test_users_of_label_studio_are_named_by_a_table(desk, tmp_path, completed_by):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(annotated(desk, "note", completed_by)))
    people = {"5": "R01", "five@example.org": "R01"}
    ((reviewer, judgement),) = read_label_studio(path, people)
    assert (reviewer, judgement.verdict, judgement.reasons, judgement.source) == (
        "R01",
        "remove",
        ("language",),
        "label_studio",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "is no list of tasks"),
        ('[{"data": {}, "annotations": [{"completed_by": 1, "result": []}]}]', "task 1: has no 'item'"),
    ],
)
def test_another_export_is_named(tmp_path, text, message):
    (tmp_path / "export.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_label_studio(tmp_path / "export.json", {})


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ("item,reviewer,verdict", "a,R01,accept", "no column item_sha256, data_set"),
        ("item,reviewer,verdict,item_sha256,data_set", "a,,accept,0,1", "line 2: reviewer is empty"),
        ("item,reviewer,verdict,item_sha256,data_set,corrected", "a,R01,correct,0,1,{", "line 2: corrected, seconds or time"),
        ("item,reviewer,verdict,item_sha256,data_set,corrected", "a,R01,correct,0,1,[]", "line 2: corrected is no object"),
        ("item,reviewer,verdict,item_sha256,data_set,time", "a,R01,accept,0,1,noon", "line 2: corrected, seconds or time"),
    ],
)
def test_a_csv_that_cannot_be_read_names_column_or_line(tmp_path, header, line, message):
    (tmp_path / "in.csv").write_text(f"{header}\n{line}\n")
    with pytest.raises(ValueError, match=message):
        read_csv(tmp_path / "in.csv")


def test_what_is_done_becomes_verdicts_of_the_next_build(desk, tmp_path):
    verdicts = final_verdicts(desk.study, desk.log.decisions, desk.reasons)
    assert sorted(verdict.review_status for verdict in verdicts) == ["corrected", "removed"]
    corrected = next(verdict for verdict in verdicts if verdict.review_status == "corrected")
    assert len(corrected.review_group.split("+")) == 2 and corrected.review_verdict.startswith("Unsafe omission")
    write_verdicts(verdicts, tmp_path / "verdicts.jsonl")
    loaded = load_verdicts(tmp_path / "verdicts.jsonl", desk.reasons)
    assert loaded == {verdict.id: verdict for verdict in verdicts}
    assert find_misfits(desk.study.items.values(), loaded) == {}


def test_a_comment_on_a_hospital_item_stays_in_the_review(tmp_path):
    desk = make_desk(tmp_path, [make_item("note", kind="hospital_case")], overlap=0)
    desk.record(desk.study.raters["note"][0], judge(desk.study, "note", "remove", comment="Mr Example"))
    (verdict,) = final_verdicts(desk.study, desk.log.decisions, desk.reasons)
    assert verdict.review_verdict.startswith("Unsafe omission") and "Example" not in verdict.review_verdict
    desk.log.close()
