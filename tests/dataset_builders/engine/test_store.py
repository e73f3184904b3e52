import hashlib
import os

import pytest

from dataset_builders.engine.store import ImageStore


def test_an_image_is_kept_once_by_its_hash(tmp_path):
    store = ImageStore(tmp_path / "images")
    sha256 = store.put(b"pixels")
    assert sha256 == hashlib.sha256(b"pixels").hexdigest() and store.get(sha256) == b"pixels"
    assert store.path(sha256) == tmp_path / "images" / sha256[:2] / f"{sha256}.bin"
    written = store.path(sha256).stat().st_mtime_ns
    assert store.put(b"pixels") == sha256 and store.path(sha256).stat().st_mtime_ns == written
    assert [path.name for path in store.folder.rglob("*.*")] == [f"{sha256}.bin"]


def test_an_image_that_was_never_kept_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"00\.bin"):
        ImageStore(tmp_path).get("0" * 64)


def test_an_image_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    store = ImageStore(tmp_path)

    def full_disk(self, data):
        with self.open("wb") as file:
            file.write(data[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(tmp_path), "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space"):
        store.put(b"pixels")
    monkeypatch.undo()
    assert not store.path(hashlib.sha256(b"pixels").hexdigest()).exists()
    assert store.get(store.put(b"pixels")) == b"pixels"


def test_two_processes_may_keep_the_same_image_at_once(tmp_path):
    store = ImageStore(tmp_path)
    image = os.urandom(1 << 20)
    children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                store.put(image)
            finally:  # a child must not go on as a second pytest
                os._exit(0 if store.path(hashlib.sha256(image).hexdigest()).exists() else 1)
        children.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 4
    assert [path.read_bytes() for path in tmp_path.rglob("*.*")] == [image]
