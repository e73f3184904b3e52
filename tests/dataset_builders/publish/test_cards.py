import pytest
import yaml

from dataset_builders.publish.cards import COUNTED, Counts, spinebench_configs, write_benchmark_card, write_training_card
from dataset_builders.publish.spinemed_450k import build_spinemed
from dataset_builders.schema import COLUMNS, TASKS, spinebench_features, spinemed_features
from tests.support.data_sets import FACTS, build, load
from tests.support.items import make_item


def test_a_data_set_that_was_built_again_is_not_read_from_the_cache_of_the_first(monkeypatch, tmp_path, store, image):
    build(tmp_path, store, image)
    assert len(load(monkeypatch, tmp_path, "spinemed-450k", split="train")) == 3
    build_spinemed(lambda: iter([make_item("only")]), store, tmp_path / "spinemed-450k", FACTS)
    assert load(monkeypatch, tmp_path, "spinemed-450k", split="train")["id"] == ["only"]


def test_every_column_of_both_schemas_is_explained():
    assert set(COLUMNS) == set(spinemed_features()) | set(spinebench_features())


def test_the_card_counts_rows_licences_and_what_left_the_build(tmp_path, store, image):
    build(tmp_path, store, image)
    card = (tmp_path / "spinemed-450k" / "README.md").read_text(encoding="utf-8")
    assert (
        "**4 rows** from 4 source documents, of which 0 are" in card and "| CC-BY-4.0 | 4 |" in card and "no_reader: 1" in card
    )
    assert all(f"config_name: {task}" in card for task in TASKS)


def row(**values):
    return {
        "source_id": "book",
        "case_id": None,
        "levels": [],
        **{name: None for name in COUNTED if name != "levels"},
        **values,
    }


def test_a_row_counts_once_a_column_and_at_each_of_its_levels():
    counts = Counts()
    counts.add(row(task="report", levels=["L4", "L5"], case_id="p1"))
    counts.add(row(task="report", levels=["L5"], source_id="scan", case_id="p1"))
    assert (counts.rows, counts.documents, counts.cases) == (2, {"book", "scan"}, {"p1"})
    assert counts.by["task"] == {"report": 2} and counts.by["levels"] == {"L4": 1, "L5": 2}
    assert counts.by["axis"] == {"(none)": 2}


def front_of(folder):
    return yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])


@pytest.mark.parametrize(
    ("rows", "category"), [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (450_000, "100K<n<1M"), (2_000_000, "1M<n<10M")]
)
def test_the_card_names_the_size_as_the_hub_does(tmp_path, rows, category):
    counts = Counts(rows=rows)
    write_training_card(tmp_path, counts, FACTS)
    assert front_of(tmp_path)["size_categories"] == [category]


def test_the_benchmarks_card_has_its_configurations_of_the_test_split(tmp_path):
    counts = Counts()
    counts.add(row(language="zh", levels=["L5", "C1"]))
    write_benchmark_card(tmp_path, counts, FACTS)
    front = front_of(tmp_path)
    assert front["pretty_name"] == "SpineBench" and front["language"] == ["zh"]
    assert {config["config_name"] for config in front["configs"]} == set(spinebench_configs())
    assert [config["config_name"] for config in front["configs"] if config.get("default")] == ["default"]
    assert {part["split"] for config in front["configs"] for part in config["data_files"]} == {"test"}
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert card.index("| C1 | 1 |") < card.index("| L5 | 1 |")  # head to tail
    assert "| documents | 1 | 3 | 2 | no_reader: 1 |" in card
    assert all(f"| `{name}` |" in card for name in spinebench_features()) and "| `messages` |" not in card
