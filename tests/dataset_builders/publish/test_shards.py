from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Features, Image, List, Value

from dataset_builders.item import Quote
from dataset_builders.publish import shards
from dataset_builders.publish.shards import replace_folder, shared_columns, write_partition, write_table
from dataset_builders.schema import spinebench_features, spinemed_features
from tests.support.items import make_item

FEATURES = Features({"id": Value("string"), "images": List(Image())})


def rows(*sizes):
    return [{"id": str(n), "images": [{"bytes": bytes(size), "path": None}]} for n, size in enumerate(sizes)]


def ids(folder):
    return [pq.read_table(path)["id"].to_pylist() for path in sorted(folder.glob("*.parquet"))]


def test_rows_fill_shards_of_bounded_size_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 30_000)
    assert write_partition(iter(rows(9_000, 9_000, 9_000, 100_000, 1)), FEATURES, tmp_path, "train") == 5
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"train-0000{n}-of-00004.parquet" for n in range(4)]
    assert ids(tmp_path) == [["0", "1"], ["2"], ["3"], ["4"]]  # a row larger than a shard has one of its own


def test_no_rows_give_one_file_without_row_groups(tmp_path):
    """``datasets`` refuses a configuration whose glob finds no file, and an empty row group."""
    assert write_partition(iter(()), FEATURES, tmp_path, "train") == 0
    (path,) = tmp_path.iterdir()
    assert path.name == "train-00000-of-00001.parquet"
    metadata = pq.ParquetFile(path).metadata
    assert (metadata.num_rows, metadata.num_row_groups) == (0, 0) and pq.read_schema(path).names == ["id", "images"]


def test_row_groups_are_small_so_that_a_reader_that_streams_fetches_few_images_at_a_time(tmp_path):
    write_table(pa.Table.from_pylist(rows(*[1] * 250), schema=FEATURES.arrow_schema), tmp_path / "a.parquet")
    metadata = pq.ParquetFile(tmp_path / "a.parquet").metadata
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [100, 100, 50]
    assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_folder_is_replaced_only_if_its_writing_ends_well(tmp_path):
    output = tmp_path / "spinemed-450k"
    with replace_folder(output) as folder:
        (folder / "old").write_text("old")
    with pytest.raises(RuntimeError), replace_folder(output) as folder:
        (folder / "new").write_text("new")
        raise RuntimeError
    assert [path.name for path in output.iterdir()] == ["old"]
    with replace_folder(output) as folder:  # what the failure left is cleared
        (folder / "newer").write_text("newer")
    assert [path.name for path in output.iterdir()] == ["newer"]
    assert [path.name for path in tmp_path.iterdir()] == ["spinemed-450k"]


def test_shared_columns_are_those_of_both_schemas_with_the_images_embedded(store, image):
    item = make_item("m", images=[image], case="p1", levels=("L4",), agreement=0.5)
    row = shared_columns(replace(item, context=("It is at L4.",), evidence=(Quote(0, 6, 11),)), store)
    assert set(row) == set(spinemed_features()) & set(spinebench_features())
    assert row["images"] == [{"bytes": store.get(image), "path": None}]
    assert (row["levels"], row["case_id"], row["source_licence"]) == (["L4"], "p1", "CC-BY-4.0")
    assert (row["context"], row["evidence"]) == (["It is at L4."], [{"paragraph": 0, "start": 6, "end": 11}])
    assert (row["answer"], row["agreement"], row["axis"], row["review_status"]) == ("B", 0.5, None, "unreviewed")


def test_an_image_that_the_store_does_not_hold_is_an_error(store):
    with pytest.raises(FileNotFoundError):
        shared_columns(make_item("m", images=["0" * 64]), store)
