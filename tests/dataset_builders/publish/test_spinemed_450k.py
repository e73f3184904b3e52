import pytest

from dataset_builders.schema import spinemed_features
from tests.support.data_sets import build, load


def test_the_default_configuration_holds_spine_and_orthopaedics(monkeypatch, tmp_path, store, image):
    build(tmp_path, store, image)
    rows = load(monkeypatch, tmp_path, "spinemed-450k", split="train")
    assert sorted(rows["id"]) == ["c", "m", "r"]
    assert rows.features == spinemed_features()


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
def test_configurations_are_globs_over_the_partitions(monkeypatch, tmp_path, store, image, config, ids):
    build(tmp_path, store, image)
    assert sorted(load(monkeypatch, tmp_path, "spinemed-450k", config, split="train")["id"]) == ids
    assert (
        sorted(row["id"] for row in load(monkeypatch, tmp_path, "spinemed-450k", config, split="train", streaming=True)) == ids
    )


def test_images_come_back_in_the_order_of_their_parts(monkeypatch, tmp_path, store, image):
    build(tmp_path, store, image)
    row = load(monkeypatch, tmp_path, "spinemed-450k", "consultation", split="train")[0]
    assert [shown.getpixel((0, 0)) for shown in row["images"]] == [(200, 30, 30)] * 2
    assert [[part["type"] for part in message["content"]] for message in row["messages"]] == [
        ["image", "text"],
        ["text"],
        ["image", "text"],
        ["text"],
    ]


def test_two_writes_give_the_same_bytes_and_leave_nothing_beside(tmp_path, store, image):
    def content():
        return {
            path.relative_to(tmp_path): path.read_bytes() for path in (tmp_path / "spinemed-450k").rglob("*") if path.is_file()
        }

    build(tmp_path, store, image)
    before = content()
    build(tmp_path, store, image)
    assert content() == before
    assert {path.name for path in tmp_path.iterdir()} <= {"spinemed-450k", "images", "cache"}
