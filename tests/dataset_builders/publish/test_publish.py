import pyarrow.parquet as pq
import pytest

from dataset_builders.publish import copy_publishable
from dataset_builders.publish.spinemed_450k import build_spinemed
from tests.support.data_sets import FACTS
from tests.support.items import make_item


def test_hospital_and_unknown_licences_are_never_published(tmp_path, store, image):
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


def test_a_link_in_the_tree_ends_it_and_is_named(tmp_path, store):
    folder = tmp_path / "spinemed-450k"
    build_spinemed(lambda: iter([make_item("a")]), store, folder, FACTS)
    elsewhere = next(folder.rglob("*.parquet"))
    (folder / "data/spine/link.parquet").symlink_to(elsewhere)
    with pytest.raises(ValueError, match=r"link\.parquet: a link"):
        copy_publishable(folder, tmp_path / "copy")
    assert not list((tmp_path / "copy").rglob("*"))


def test_a_parquet_file_without_provenance_ends_it(tmp_path, store):
    folder = tmp_path / "spinemed-450k"
    build_spinemed(lambda: iter([make_item("a")]), store, folder, FACTS)
    path = sorted(folder.rglob("*.parquet"))[0]
    pq.write_table(pq.read_table(path).drop(["source_kind"]), path)
    with pytest.raises(ValueError, match="lacks the columns source_kind"):
        copy_publishable(folder, tmp_path / "copy")


def test_what_stays_is_counted_by_reason_on_the_card(tmp_path, store):
    folder = tmp_path / "spinemed-450k"
    items = [make_item("a"), make_item("h", source="hospital:3f", kind="hospital_case"), make_item("u", source="unknown")]
    build_spinemed(lambda: iter(items), store, folder, FACTS)
    withheld = copy_publishable(folder, tmp_path / "copy")
    assert withheld == {"source_kind hospital_case": 1, "source_id is not known": 1}
    card = (tmp_path / "copy/README.md").read_text(encoding="utf-8")
    assert "- 1 rows: source_kind hospital_case\n" in card
