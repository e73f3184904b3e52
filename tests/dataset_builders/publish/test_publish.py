import pyarrow.parquet as pq

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
