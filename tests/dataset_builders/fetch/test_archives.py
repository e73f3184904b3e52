import io
import tarfile
from types import SimpleNamespace

import pytest

from dataset_builders.fetch import FetchError
from dataset_builders.fetch.archives import unpack
from dataset_builders.fetch.client import BadBody
from tests.support.europe_pmc_server import archive
from tests.support.fetched import files_below


def test_archives_that_lead_outside_are_refused_whole(tmp_path):
    def linked() -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as opened:
            member = tarfile.TarInfo("link")
            member.type, member.linkname = tarfile.SYMTYPE, "inside"
            opened.addfile(member)
        return out.getvalue()

    (tmp_path / "in").mkdir()
    hostile = {"a.zip": archive({"fine": b"x", "../out": b"x"}), "b.zip": archive({"/abs": b"x"}), "c.tar": linked()}
    for name, data in hostile.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FetchError, match="unsafe_archive"):
            unpack(tmp_path / name, tmp_path / "in", name)
    assert files_below(tmp_path) == sorted(hostile)
    (tmp_path / "d.zip").write_bytes(archive({"fine": b"x" * 100})[:-9])
    with pytest.raises(BadBody, match=r"d\.zip is not whole"):
        unpack(tmp_path / "d.zip", tmp_path / "in", "d.zip")


def tarball(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as opened:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize(("name", "pack"), [("a.zip", archive), ("a.tar.gz", tarball)])
def test_an_archive_is_unpacked_as_it_is_if_there_is_room(tmp_path, monkeypatch, name, pack):
    (tmp_path / name).write_bytes(pack({"images/1.mha": b"one", "two.csv": b"2"}))
    (tmp_path / "in").mkdir()
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=3))
    with pytest.raises(FetchError, match=f"no_space: {name} unpacks to 4 bytes; 3 are free"):
        unpack(tmp_path / name, tmp_path / "in", name)
    assert files_below(tmp_path / "in") == []
    monkeypatch.undo()
    unpack(tmp_path / name, tmp_path / "in", name)
    assert files_below(tmp_path / "in") == ["images/1.mha", "two.csv"]
    assert (tmp_path / "in" / "images" / "1.mha").read_bytes() == b"one"
