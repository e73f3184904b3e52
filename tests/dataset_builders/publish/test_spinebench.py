from collections import Counter

from dataset_builders.document import Reject
from dataset_builders.item import Criterion, Item, Message
from dataset_builders.publish.sampling import Sampling, group_items
from dataset_builders.publish.spinebench import build_spinebench, split_items
from tests.support.data_sets import FACTS, load
from tests.support.items import make_item


def split(items, **sampling):
    read = lambda: iter({**item.to_dict(), "_shard": 0} for item in items)  # noqa: E731
    results = list(split_items(read, lambda image: b"", Sampling(**sampling)))
    sides: dict[str, list[Item]] = {"train": [], "benchmark": []}
    for record in results:
        if not isinstance(record, Reject):
            values = {key: value for key, value in record.items() if key not in ("split", "_shard")}
            sides[record["split"]].append(Item.from_dict(values))
    return sides, [result for result in results if isinstance(result, Reject)]


def bank(size: int):
    return [
        make_item(f"{kind}-{n}", source=f"{kind}:{n}", kind=kind) for kind in ("question_bank", "textbook") for n in range(size)
    ]


def test_no_source_or_case_is_on_both_sides():
    items = [make_item(f"i{n}", source=f"doc{n % 12}", case=f"case{n % 5}" if n % 3 else None) for n in range(80)]
    sides, _ = split(items, share=0.3)
    assert sides["benchmark"]
    for key in (lambda item: item.provenance.source_id, lambda item: item.provenance.case_id):
        train, benchmark = ({key(item) for item in sides[side]} - {None} for side in ("train", "benchmark"))
        assert not train & benchmark


def test_items_that_share_a_image_are_one_group():
    groups = group_items(
        [make_item("a", source="x", images=["p"]), make_item("b", source="y", images=["p"]), make_item("c", source="z")]
    )
    assert groups["a"] == groups["b"] != groups["c"]


def test_documents_of_one_case_are_one_group():
    items = [
        make_item("a", source="scan", case="p1"),
        make_item("b", source="note", case="p1"),
        make_item("c", source="scan 2"),
    ]
    groups = group_items(items)
    assert groups["a"] == groups["b"] != groups["c"]


def test_the_benchmark_follows_the_source_distribution():
    items = [*bank(40), *(make_item(f"more-{n}", source=f"more:{n}", kind="textbook") for n in range(80))]
    sides, _ = split(items, share=0.25)
    assert Counter(item.provenance.source_kind for item in sides["benchmark"]) == {"question_bank": 10, "textbook": 30}


def test_a_kind_with_one_document_stays_whole_in_training():
    items = [make_item(f"only-{n}", source="the only book") for n in range(20)]
    sides, rejects = split(items, share=0.5)
    assert len(sides["train"]) == 20 and not sides["benchmark"] and not rejects


def test_items_of_a_reserved_document_that_were_not_sampled_are_counted_and_left_out():
    items = [make_item(f"i{n}", source=f"doc{n // 10}") for n in range(40)]
    sides, rejects = split(items, share=0.1)
    held_out = [reject for reject in rejects if reject.reason == "held_out_for_benchmark"]
    assert len(sides["benchmark"]) == 4
    assert len(held_out) + len(sides["train"]) + len(sides["benchmark"]) == 40 and held_out


def test_only_spine_questions_and_reports_are_sampled():
    items = [
        make_item(f"{specialty}-{task}-{n}", source=f"{specialty}{task}{n}", specialty=specialty, task=task)
        for specialty in ("spine", "orthopaedics")
        for task in ("multiple_choice", "report", "consultation", "open_ended")
        for n in range(10)
    ]
    sides, _ = split(items, share=0.3)
    assert {(item.specialty, item.task) for item in sides["benchmark"]} == {("spine", "multiple_choice"), ("spine", "report")}


def test_a_repeated_question_is_dropped_once():
    twice = make_item("first", source="x")
    sides, rejects = split([twice, make_item("second", source="y", messages=twice.messages), make_item("third", source="z")])
    assert {item.id for item in sides["train"]} == {"first", "third"}
    assert [(reject.reason, reject.where) for reject in rejects] == [("duplicate_item", "second")]


def test_adding_a_source_does_not_reshuffle_the_benchmark():
    before, _ = split(bank(40), share=0.2)
    after, _ = split([*bank(40), make_item("late", source="late", kind="guideline")], share=0.2)
    assert {item.id for item in before["benchmark"]} == {item.id for item in after["benchmark"]}


def test_benchmark_rows_carry_question_options_answer_and_rubric(monkeypatch, tmp_path, store, image):
    rubric = (Criterion("diagnosis", "names the slip at L4/L5"),)
    report = make_item(
        "r",
        task="report",
        options=(),
        answer="The report.",
        rubric=rubric,
        messages=(Message("user", "Report."), Message("assistant", "x")),
    )
    build_spinebench(
        [make_item("m", images=[image], axis="level_identification"), report], store, tmp_path / "spinebench", FACTS
    )
    rows = {row["id"]: row for row in load(monkeypatch, tmp_path, "spinebench", split="test")}
    assert rows["m"]["question"] == "Which level is meant in m?"
    assert (rows["m"]["options"], rows["m"]["answer"], rows["m"]["axis"]) == (["L3", "L4"], "B", "level_identification")
    assert rows["r"]["rubric"] == [{"dimension": "diagnosis", "criterion": "names the slip at L4/L5"}]
    assert [row["id"] for row in load(monkeypatch, tmp_path, "spinebench", "report", split="test")] == ["r"]
