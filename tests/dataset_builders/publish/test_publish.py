"""Both data set folders as users load them."""

import io

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from PIL import Image

from dataset_builders.engine.store import ImageStore
from dataset_builders.item import Criterion, Message
from dataset_builders.publish import copy_publishable
from dataset_builders.publish.spinebench import build_spinebench
from dataset_builders.publish.spinemed_450k import build_spinemed
from dataset_builders.publish.stats import count_dataset, format_counts
from dataset_builders.schema import COLUMNS, SPINEBENCH_FEATURES, SPINEMED_FEATURES, TASKS
from tests.support.items import make_item

FACTS = {
    "steps": [{"step": "documents", "version": 1, "records_in": 3, "records_out": 2, "dropped": {"no_reader": 1}}],
}


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def store(tmp_path):
    return ImageStore(tmp_path / "images")


@pytest.fixture
def picture(store):
    buffer = io.BytesIO()
    Image.new("RGB", (24, 16), (200, 30, 30)).save(buffer, "PNG")
    return store.put(buffer.getvalue())


def training_items(picture):
    report = make_item(
        "r", source="case", task="report", language="zh", options=(), answer="报告", levels=("L4", "L5"), discs=("L4/L5",)
    )
    consultation = make_item(
        "c",
        source="doc",
        task="consultation",
        specialty="orthopaedics",
        images=[picture],
        options=(),
        answer=None,
        messages=(
            Message("user", "See this.", (picture,)),
            Message("assistant", "I do."),
            Message("user", "And now?", (picture,)),
            Message("assistant", "Rest."),
        ),
    )
    return [make_item("m"), report, consultation, make_item("g", source="row", specialty="general", task="open_ended")]


def build(tmp_path, store, picture):
    items = training_items(picture)
    return build_spinemed(lambda: iter(items), store, tmp_path / "spinemed-450k", FACTS)


def load(monkeypatch, tmp_path, *arguments, **options):
    monkeypatch.chdir(tmp_path)
    return load_dataset(*arguments, cache_dir=str(tmp_path / "cache"), **options)


def test_the_default_configuration_holds_spine_and_orthopaedics(monkeypatch, tmp_path, store, picture):
    build(tmp_path, store, picture)
    rows = load(monkeypatch, tmp_path, "spinemed-450k", split="train")
    assert sorted(rows["id"]) == ["c", "m", "r"]
    assert rows.features == SPINEMED_FEATURES


@pytest.mark.parametrize(
    ("config", "ids"),
    [
        ("report", ["r"]),
        ("consultation", ["c"]),
        ("multiple_choice", ["m"]),
        ("spine", ["m", "r"]),
        ("orthopaedics", ["c"]),
        ("general", ["g"]),
    ],
)
def test_configurations_are_globs_over_the_partitions(monkeypatch, tmp_path, store, picture, config, ids):
    build(tmp_path, store, picture)
    assert sorted(load(monkeypatch, tmp_path, "spinemed-450k", config, split="train")["id"]) == ids
    assert (
        sorted(row["id"] for row in load(monkeypatch, tmp_path, "spinemed-450k", config, split="train", streaming=True)) == ids
    )


def test_pictures_come_back_in_the_order_of_their_parts(monkeypatch, tmp_path, store, picture):
    build(tmp_path, store, picture)
    row = load(monkeypatch, tmp_path, "spinemed-450k", "consultation", split="train")[0]
    assert [image.getpixel((0, 0)) for image in row["images"]] == [(200, 30, 30)] * 2
    assert [[part["type"] for part in message["content"]] for message in row["messages"]] == [
        ["image", "text"],
        ["text"],
        ["image", "text"],
        ["text"],
    ]


def test_two_writes_give_the_same_bytes_and_leave_nothing_beside(tmp_path, store, picture):
    def content():
        return {
            path.relative_to(tmp_path): path.read_bytes() for path in (tmp_path / "spinemed-450k").rglob("*") if path.is_file()
        }

    build(tmp_path, store, picture)
    before = content()
    build(tmp_path, store, picture)
    assert content() == before
    assert {path.name for path in tmp_path.iterdir()} <= {"spinemed-450k", "images", "cache"}


def test_benchmark_rows_carry_question_options_answer_and_rubric(monkeypatch, tmp_path, store, picture):
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
        [make_item("m", images=[picture], axis="level_identification"), report], store, tmp_path / "spinebench", FACTS
    )
    rows = {row["id"]: row for row in load(monkeypatch, tmp_path, "spinebench", split="test")}
    assert rows["m"]["question"] == "Which level is meant in m?"
    assert (rows["m"]["options"], rows["m"]["answer"], rows["m"]["axis"]) == (["L3", "L4"], "B", "level_identification")
    assert rows["r"]["rubric"] == [{"dimension": "diagnosis", "criterion": "names the slip at L4/L5"}]
    assert [row["id"] for row in load(monkeypatch, tmp_path, "spinebench", "report", split="test")] == ["r"]


def test_a_data_set_that_was_built_again_is_not_read_from_the_cache_of_the_first(monkeypatch, tmp_path, store, picture):
    build(tmp_path, store, picture)
    assert len(load(monkeypatch, tmp_path, "spinemed-450k", split="train")) == 3
    build_spinemed(lambda: iter([make_item("only")]), store, tmp_path / "spinemed-450k", FACTS)
    assert load(monkeypatch, tmp_path, "spinemed-450k", split="train")["id"] == ["only"]


def test_every_column_of_both_schemas_is_explained():
    assert set(COLUMNS) == set(SPINEMED_FEATURES) | set(SPINEBENCH_FEATURES)


def test_the_card_counts_rows_licences_and_what_left_the_build(tmp_path, store, picture):
    build(tmp_path, store, picture)
    card = (tmp_path / "spinemed-450k" / "README.md").read_text(encoding="utf-8")
    assert (
        "**4 rows** from 4 source documents, of which 0 are" in card and "| CC-BY-4.0 | 4 |" in card and "no_reader: 1" in card
    )
    assert all(f"config_name: {task}" in card for task in TASKS)


def test_stats_reads_counts_as_a_user_would(tmp_path, store, picture):
    build(tmp_path, store, picture)
    counts = count_dataset(str(tmp_path / "spinemed-450k"))
    assert counts.rows == 3 and counts.by["levels"] == {"L4": 1, "L5": 1}
    assert "consultation" in format_counts({"spinemed-450k": counts})


def test_stats_without_a_data_set_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="build it first"):
        count_dataset(str(tmp_path / "nothing"))


def test_hospital_and_unknown_licences_are_never_published(tmp_path, store, picture):
    def licensed(name, licence):
        item = make_item(name, source=name)
        return item.__class__.from_dict(
            {**item.to_dict(), "provenance": {**item.to_dict()["provenance"], "source_licence": licence}}
        )

    items = [
        licensed("a", "CC-BY-4.0"),
        licensed("h", "LicenseRef-Hospital"),
        licensed("u", "LicenseRef-Unknown"),
        licensed("m", "MIT"),
    ]
    build_spinemed(lambda: iter(items), store, tmp_path / "spinemed-450k", FACTS)
    withheld = copy_publishable(tmp_path / "spinemed-450k", tmp_path / "all")
    assert withheld == {"LicenseRef-Hospital": 1, "LicenseRef-Unknown": 1}
    withheld = copy_publishable(tmp_path / "spinemed-450k", tmp_path / "mit", licences=["MIT", "LicenseRef-Hospital"])
    assert sum(withheld.values()) == 3
    kept = [name for path in (tmp_path / "mit").rglob("*.parquet") for name in pq.read_table(path)["id"].to_pylist()]
    assert kept == ["m"]
