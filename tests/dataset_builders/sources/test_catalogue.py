from dataset_builders import sources
from dataset_builders.licences import check_licence
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
