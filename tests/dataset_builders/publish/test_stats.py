import pytest

from dataset_builders.publish.cards import Counts
from dataset_builders.publish.spinemed_450k import build_spinemed
from dataset_builders.publish.stats import count_dataset, format_counts
from tests.support.data_sets import FACTS, build
from tests.support.items import make_item


def test_stats_reads_counts_as_a_user_would(tmp_path, store, image):
    build(tmp_path, store, image)
    counts = count_dataset(str(tmp_path / "spinemed-450k"))
    assert counts.rows == 3 and counts.by["levels"] == {"L4": 1, "L5": 1}
    assert "consultation" in format_counts({"spinemed-450k": counts})


def test_stats_without_a_data_set_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="build it first"):
        count_dataset(str(tmp_path / "nothing"))


def test_the_table_has_a_column_a_data_set_and_the_most_frequent_values_first():
    counts = {"spinemed-450k": Counts(rows=1234), "spinebench": Counts(rows=5)}
    counts["spinemed-450k"].by["task"].update({"report": 1, "consultation": 1200})
    counts["spinebench"].by["task"].update({"report": 5})
    lines = [line.split() for line in format_counts(counts).splitlines()]
    assert lines[0] == ["rows", "1,234", "5"]
    start = lines.index(["task", "spinemed-450k", "spinebench"])
    assert lines[start + 1 : start + 3] == [["consultation", "1,200", "0"], ["report", "1", "5"]]


def test_a_configuration_without_rows_counts_none(tmp_path, store, image):
    build_spinemed(lambda: iter([make_item("m")]), store, tmp_path / "spinemed-450k", FACTS)
    counts = count_dataset(str(tmp_path / "spinemed-450k"), "general")
    assert (counts.rows, counts.documents, counts.cases) == (0, set(), set())
