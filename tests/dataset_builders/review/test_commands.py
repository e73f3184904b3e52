import argparse
import json
from collections import Counter

import pytest

from dataset_builders.document import Document, Provenance
from dataset_builders.engine.shards import write_records
from dataset_builders.engine.steps import Manifest
from dataset_builders.engine.store import ImageStore
from dataset_builders.private_files import write_private
from dataset_builders.review.arguments import add_arguments
from dataset_builders.review.commands import run_review
from dataset_builders.review.decisions import DecisionLog, read_decisions
from dataset_builders.review.desk import Desk
from dataset_builders.review.folder import open_study
from dataset_builders.review.reasons import load_reasons
from dataset_builders.review.verdicts import load_verdicts
from tests.support.items import make_item
from tests.support.review import judge, make_items


class Command:
    """The command on a build of nine items, one of them a hospital's."""

    def __init__(self, work):
        self.work = work
        self.folder = work / "review"
        self.items = [*make_items(8), make_item("note", kind="hospital_case")]
        self.steps = {name: work / name for name in ("classified", "revised", "split")}
        self.build(self.items)
        document = Document(Provenance("textbook", "book", "MIT", "book.pdf", "0" * 64), "en")
        write_records([document.to_dict()], self.steps["classified"])
        sides = ({**item.to_dict(), "split": "benchmark" if item.id < "item-3" else "train"} for item in self.items)
        write_records(sides, self.steps["split"])

    def build(self, items):
        write_records((item.to_dict() for item in items), self.steps["revised"])
        manifest = Manifest("revised", {}, {}, {}, "", "d" * 64, 9, 9, {})
        import dataclasses

        write_private(self.steps["revised"] / "manifest.json", json.dumps(dataclasses.asdict(manifest)))

    def __call__(self, *words):
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        arguments = parser.parse_args(words)
        arguments.work = self.work
        return "\n".join(run_review(arguments, self.steps, ImageStore(self.work / "images"), load_reasons()))

    def decide(self, **verdicts):
        study = open_study(self.folder)
        desk = Desk(study, DecisionLog(study.log), load_reasons())
        for id, verdict in verdicts.items():
            id = id.replace("_", "-")
            for rater in study.raters[id]:
                desk.record(rater, judge(study, id, verdict))
        desk.log.close()
        return study


@pytest.fixture
def review(tmp_path):
    return Command(tmp_path)


def test_a_plan_says_how_many_and_where_the_tokens_are(review):
    said = review("plan", "--reviewers", "4", "--overlap", "0.5")
    assert "9 items for 4 reviewers in 3 groups, 5 rated twice" in said and "tokens.csv" in said
    with pytest.raises(ValueError, match="holds a review"):
        review("plan")


@pytest.mark.parametrize(
    ("words", "count"), [(("--items", "4"), 4), (("--split", "benchmark"), 3), (("--without-hospital",), 8)]
)
def test_a_plan_takes_the_items_that_were_asked_for(review, words, count):
    assert f"{count} items for" in review("plan", *words)


def test_a_review_goes_from_plan_to_verdicts_and_report(review, tmp_path):
    review("plan", "--overlap", "0")
    review.decide(item_0="accept", item_1="remove")
    assert "2 verdicts in" in review("export") and "7 items are not decided" in review("export")
    verdicts = load_verdicts(review.folder / "verdicts.jsonl", load_reasons())
    assert Counter(verdict.review_status for verdict in verdicts.values()) == {"accepted": 1, "removed": 1}
    assert len(review("report").splitlines()) == 3 and (review.folder / "report.html").exists()


def test_decisions_go_out_and_come_in_once(review, tmp_path):
    review("plan", "--overlap", "0")
    review.decide(item_0="accept", item_1="remove")
    review("export", "--format", "csv", "--output", str(tmp_path / "out.csv"))
    assert "9 tasks" in review("export", "--format", "label_studio", "--output", str(tmp_path / "ls"))
    log = review.folder / "decisions.jsonl"
    log.unlink()
    assert "2 decisions taken in, 0 were" in review("import", str(tmp_path / "out.csv"))
    assert "0 decisions taken in, 2 were" in review("import", str(tmp_path / "ls/tasks.json"))
    assert len(read_decisions(log)) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("item-0", "item-77", "unknown_item: item-77"),
        ("d" * 64, "e" * 64, "other_data_set: item-"),
        (",remove,unsafe_omission", ",remove,boredom", "unknown_reason: item-1"),
        (",first,", ",third,", "stage 'third'"),
    ],
)
def test_a_file_of_another_review_is_named_and_nothing_is_taken_in(review, tmp_path, old, new, message):
    review("plan", "--overlap", "0")
    review.decide(item_0="accept", item_1="remove")
    path = tmp_path / "out.csv"
    review("export", "--format", "csv", "--output", str(path))
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    before = (review.folder / "decisions.jsonl").read_bytes()
    with pytest.raises(ValueError, match=message):
        review("import", str(path))
    assert (review.folder / "decisions.jsonl").read_bytes() == before


def test_verdicts_of_an_older_build_are_carried_where_they_fit(review, tmp_path):
    review("plan", "--overlap", "0")
    review.decide(item_0="accept", item_1="remove", item_2="accept")
    review("export", "--output", str(tmp_path / "old.jsonl"))
    import dataclasses

    review.build([dataclasses.replace(review.items[0], answer="A"), *review.items[2:]])
    said = review("carry", str(tmp_path / "old.jsonl"))
    assert "1 verdicts fit" in said and "1 not in this build" in said and "1 has changed" in said
    assert set(load_verdicts(tmp_path / "old.carried.jsonl")) == {"item-2"}
    assert set(load_verdicts(tmp_path / "old.carried.left_out.jsonl")) == {"item-0", "item-1"}


def test_a_lost_token_is_renewed(review):
    review("plan")
    assert review("token", "R01").startswith("R01: ")
    with pytest.raises(ValueError, match="say whose"):
        review("token")


def test_items_can_be_filled_in_by_hand(review, tmp_path):
    assert "9 items in" in review("items", "--output", str(tmp_path / "review.jsonl"))
    assert load_verdicts(tmp_path / "review.jsonl") == {}


def test_without_a_build_or_a_file_it_says_what_to_give(review, tmp_path):
    (review.steps["revised"] / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError, match="--work of a finished build"):
        review("plan")
    with pytest.raises(ValueError, match="review carry FILE"):
        review("carry")
    with pytest.raises(FileNotFoundError, match="no such file"):
        review("carry", str(tmp_path / "none.jsonl"))
