import io
import tarfile

import pytest

from dataset_builders import sources
from dataset_builders.fetch import fetch_entries
from dataset_builders.sources.catalogue import Download, Entry
from tests.support.europe_pmc_server import archive
from tests.support.fetched import files_below


def entry(address, *names, **fields):
    files = tuple(Download(f"{address}/{name}", fields.pop("checksum", None)) for name in names)
    values = {"id": "spider", "kind": "open_dataset", "title": "S", "licence": "CC-BY-4.0", "url": "https://x", "doi": "10.1/s"}
    return {"spider": Entry(**values | fields, files=files)}


def test_an_entry_lands_unpacked_in_the_folder_of_its_kind_and_is_not_asked_for_twice(site, address, client, tmp_path):
    site.files["/images.zip"] = archive({"images/1_t1.mha": b"one", "images/2_t1.mha": b"two"})
    site.files["/gradings.csv"] = b"a,b\n1,2\n"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as opened:
        opened.addfile(member := tarfile.TarInfo("masks/1_t1.mha"), io.BytesIO(b""))
    assert member.size == 0
    site.files["/masks.tar.gz"] = packed.getvalue()
    catalogue = entry(address, "images.zip", "masks.tar.gz", "gradings.csv", declare=("licence", "doi"))
    outcomes = fetch_entries(["spider"], tmp_path, client, catalogue)
    assert {outcome.status for outcome in outcomes} == {"kept"}
    folder = "imaging/spider"
    expected = [f"{folder}/{name}" for name in ("gradings.csv", "images/1_t1.mha", "images/2_t1.mha", "masks/1_t1.mha")]
    assert files_below(tmp_path) == [*expected, "sources.yaml"]
    declared = sources.declare(tmp_path / folder / "images/1_t1.mha", tmp_path, sources.load_declarations(tmp_path))
    assert (declared.licence, declared.doi, declared.title, declared.source_kind) == (
        "CC-BY-4.0",
        "10.1/s",
        None,
        "open_dataset",
    )
    assert {outcome.status for outcome in fetch_entries(["spider"], tmp_path, client, catalogue)} == {"already_here"}
    assert set(site.counts().values()) == {1}
    (tmp_path / folder / "images/2_t1.mha").write_bytes(b"TWO")
    fetch_entries(["spider"], tmp_path, client, catalogue)
    assert (tmp_path / folder / "images/2_t1.mha").read_bytes() == b"two"
    assert site.counts() == {"/images.zip": 2, "/masks.tar.gz": 1, "/gradings.csv": 1}
    assert (tmp_path / "sources.yaml").read_text().count("match") == 1


def test_a_users_sources_yaml_is_added_to(site, address, client, tmp_path):
    site.files["/book.pdf"] = b"%PDF"
    (tmp_path / "sources.yaml").write_text("# mine\n- match: textbooks/*\n  title: Mine")
    guideline = entry(address, "book.pdf", kind="guideline", declare=("id", "title"))
    fetch_entries(["spider"], tmp_path, client, guideline)
    assert (tmp_path / "sources.yaml").read_text().startswith("# mine\n")
    assert sources.load_declarations(tmp_path) == [
        {"match": "textbooks/*", "title": "Mine"},
        {"match": "guidelines/spider/*", "id": "spider", "title": "S"},
    ]


def test_a_file_that_is_not_what_the_checksum_says_is_not_kept(site, address, client, tmp_path):
    site.files["/a.csv"] = b"another file"
    (outcome,) = fetch_entries(["spider"], tmp_path, client, entry(address, "a.csv", checksum=f"md5:{'0' * 32}"))
    assert (outcome.status, outcome.reason) == ("failed", "checksum")
    assert files_below(tmp_path) == [] and site.counts() == {"/a.csv": 1}


def test_entries_that_cannot_be_fetched_say_what_to_do(client, tmp_path):
    outcomes = fetch_entries(["rsna", "spark"], tmp_path, client)
    assert [(outcome.status, outcome.failed) for outcome in outcomes] == [("by_hand", True)] * 2
    assert "kaggle competitions download" in outcomes[0].detail
    with pytest.raises(ValueError, match="the catalogue has no nothing; it has medmcqa"):
        fetch_entries(["nothing"], tmp_path, client)
