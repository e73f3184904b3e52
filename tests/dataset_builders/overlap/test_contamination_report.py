import json
import sys

import pytest

from dataset_builders import __main__, publish
from dataset_builders.engine.store import ImageStore
from dataset_builders.item import Message
from dataset_builders.overlap.contamination_report import check_contamination, write_report
from dataset_builders.publish.spinebench import build_spinebench
from dataset_builders.publish.spinemed_450k import build_spinemed
from tests.dataset_builders.overlap.test_decontaminate import ASKED, REPORT
from tests.dataset_builders.overlap.test_deduplicate import image
from tests.support.items import make_item

FACTS = {"steps": []}
STEM, _, _ = ASKED.partition("\nA.")
OPTIONS = ("Rest and wait", "Take the fragment out", "Fuse the segment", "Inject the joint")


def question(name, text=STEM, options=OPTIONS, **changes):
    lines = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCD", options))
    images = tuple(changes.pop("images", ()))
    turns = (Message("user", f"{text}\n\n{lines}", images), Message("assistant", "B. Take the fragment out"))
    changes = {"options": options, "messages": turns, "source": f"source of {name}"} | changes
    return make_item(name, images=images, **changes)


@pytest.fixture
def folder(tmp_path):
    """A benchmark of a question, an image and a hospital report, and training rows that hold none of them."""
    store = ImageStore(tmp_path / "images")
    shown, other = store.put(image(1)), store.put(image(2))
    report = make_item(
        "report",
        task="report",
        options=(),
        source="visit",
        case="patient",
        answer=REPORT.format(level="L1", where="outside"),
        messages=(Message("user", "Report."), Message("assistant", REPORT.format(level="L1", where="outside"))),
    )
    hospital = {**report.to_dict(), "provenance": {**report.to_dict()["provenance"], "source_licence": "LicenseRef-Hospital"}}
    benchmark = [question("item"), question("seen", "What is this?", images=[shown]), report.from_dict(hospital)]
    train = [question("t1", STEM.replace("L4/5", "L3/4")), question("t2", "What is this?", images=[other])]
    build_spinebench(benchmark, store, tmp_path / "spinebench", FACTS)
    build_spinemed(lambda: iter(train), store, tmp_path / "spinemed-450k", FACTS)
    return tmp_path


def foreign(folder, *rows):
    path = folder / "foreign.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["dataset_builders", *map(str, arguments)])
    return __main__.main()


def test_a_clean_benchmark_is_said_to_be_clean(folder):
    report = check_contamination(folder / "spinebench", [folder / "spinemed-450k"])
    text = write_report(report, folder / "report").read_text(encoding="utf-8")
    assert not report.contaminated and report.corpora[0].rows == 2 and report.items == 3
    assert "**Clean:**" in text and "Closest" not in text


def test_the_report_counts_by_kind_and_shows_the_words_that_both_have(folder):
    (folder / "again.jpg").write_bytes(image(1, quality=60))
    rows = [{"id": "r|1", "text": f"Seen in a book. {STEM}"}, {"id": "r2", "text": "Look.", "image": "again.jpg"}]
    path = foreign(folder, *rows, {"id": "r3", "text": "About something else."})
    report = check_contamination(folder / "spinebench", [folder / "spinemed-450k", path])
    text = write_report(report, folder / "report").read_text(encoding="utf-8")
    data = json.loads((folder / "report" / "contamination.json").read_text(encoding="utf-8"))
    clean, dirty = data["corpora"]
    assert data["contaminated"] and not clean["benchmark_items_met"] and dirty["benchmark_items_met"] == 2
    assert {kind: count for kind, count in dirty["overlaps"].items() if count} == {"similar_image": 1, "same_passage": 1}
    pairs = {pair["kind"]: pair for pair in dirty["closest"]}
    assert (pairs["same_passage"]["benchmark_id"], pairs["same_passage"]["corpus_id"]) == ("item", "r|1")
    assert pairs["same_passage"]["words"].startswith("A baker fell from a ladder")
    assert "**Contaminated.**" in text and "r\\|1" in text


def test_no_word_of_a_hospital_record_is_shown(folder):
    path = foreign(folder, {"id": "leak", "text": REPORT.format(level="L1", where="outside")})
    report = check_contamination(folder / "spinebench", [path])
    text = write_report(report, folder / "report").read_text(encoding="utf-8")
    data = (folder / "report" / "contamination.json").read_text(encoding="utf-8")
    assert report.contaminated and "hospital record: not shown" in text
    assert "third of its height" not in text + data


def test_the_command_ends_with_1_where_it_finds_anything(folder, monkeypatch, capsys):
    arguments = ["decontaminate", folder / "spinebench", "--output", folder / "report", "--against", folder / "spinemed-450k"]
    assert run(monkeypatch, *arguments) == 0
    assert run(monkeypatch, *arguments, foreign(folder, {"note": STEM}), "--column", "note") == 1
    capsys.readouterr()
    assert run(monkeypatch, *arguments, foreign(folder, {"note": STEM})) == 1
    assert "it has note: choose with --column" in capsys.readouterr().err


class Hub:
    """Stands for the Hub: remembers what was asked of it."""

    calls: tuple = ()

    def create_repo(self, *_, **__):
        Hub.calls += ("create_repo",)

    def upload_folder(self, **_):
        Hub.calls += ("upload_folder",)

    def create_tag(self, *_, **__):
        Hub.calls += ("create_tag",)


@pytest.fixture
def hub(monkeypatch):
    Hub.calls = ()
    monkeypatch.setattr(publish, "HfApi", Hub)
    return Hub


def test_publishing_refuses_a_contaminated_benchmark_and_names_the_report(folder, hub):
    store = ImageStore(folder / "images")
    build_spinemed(lambda: iter([question("t1")]), store, folder / "spinemed-450k", FACTS)
    with pytest.raises(ValueError, match=r"1 items stand in .*spinebench-contamination.contamination\.md"):
        publish.publish(folder / "spinebench", "org/spinebench", revision="v1")
    assert not hub.calls and (folder / "spinebench-contamination" / "contamination.md").is_file()


def test_publishing_checks_against_further_corpora(folder, hub):
    with pytest.raises(ValueError, match="nothing was uploaded"):
        publish.publish(folder / "spinebench", "org/b", revision="v1", against=[foreign(folder, {"text": STEM})])
    assert not hub.calls


def test_a_clean_benchmark_and_training_data_are_published(folder, hub):
    publish.publish(folder / "spinebench", "org/spinebench", revision="v1")
    assert hub.calls == ("create_repo", "upload_folder", "create_tag")
    publish.publish(folder / "spinemed-450k", "org/spinemed", revision="v1")
    assert not (folder / "spinemed-450k-contamination").exists()


def test_a_benchmark_with_nothing_to_check_it_against_is_not_published(folder, hub):
    (folder / "spinemed-450k").rename(folder / "elsewhere")
    with pytest.raises(FileNotFoundError, match="no data set"):
        publish.publish(folder / "spinebench", "org/spinebench", revision="v1")
    assert not hub.calls
