from pathlib import Path

from dataset_builders import sources
from dataset_builders.licences import check_licence, may_publish
from dataset_builders.schema import SOURCE_KINDS
from dataset_builders.sources.catalogue import load_catalogue


def test_every_entry_of_the_catalogue_can_be_fetched_or_says_what_to_do():
    for entry in load_catalogue().values():
        assert entry.kind in SOURCE_KINDS and check_licence(entry.licence).spdx == entry.licence, entry.id
        assert bool(entry.files) != bool(entry.by_hand), entry.id
        assert set(entry.declare) <= set(sources.Declared.__dataclass_fields__), entry.id
        assert all(download.address.startswith("https://") for download in entry.files), entry.id
        names = [download.address.rsplit("/", 1)[-1] for download in entry.files]
        assert len(set(names)) == len(names), entry.id
        for download in entry.files:
            algorithm, _, digest = (download.checksum or f"md5:{'0' * 32}").partition(":")
            assert len(bytes.fromhex(digest)) == {"md5": 16, "sha256": 32}[algorithm], entry.id


def test_files_of_one_data_set_may_be_under_different_licences():
    verse = load_catalogue()["verse"]
    assert verse.licence_of(Path("rawdata/sub-verse004/sub-verse004_ct.nii.gz")) == "CC-BY-SA-4.0"
    contested = verse.licence_of(Path("rawdata/sub-gl003/sub-gl003_dir-ax_ct.nii.gz"))
    assert contested == "LicenseRef-Contested" and not may_publish(contested)
    for entry in load_catalogue().values():
        assert all(check_licence(rule.licence).spdx == rule.licence for rule in entry.licences), entry.id
