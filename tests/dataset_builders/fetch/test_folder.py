import hashlib

import pytest

from dataset_builders.fetch.folder import Kept, Outcome, open_folder


def kept(name: str, content: bytes) -> Outcome:
    file = Kept(f"articles/{name}.xml", "https://example.org", hashlib.sha256(content).hexdigest(), len(content))
    return Outcome(name, "kept", title="Levels", files=(file,))


def test_a_folder_takes_one_fetch_at_a_time(tmp_path):
    with open_folder(tmp_path), pytest.raises(ValueError, match="another fetch"), open_folder(tmp_path):
        pass


def test_of_several_outcomes_of_one_id_the_last_is_remembered(tmp_path):
    with open_folder(tmp_path) as folder:
        folder.record(Outcome("a", "failed", "http_503"))
        folder.record(kept("a", b"x"))
    with open_folder(tmp_path) as folder:
        assert folder.last("a") == kept("a", b"x") and folder.last("b") is None


def test_a_line_that_a_kill_left_half_written_is_dropped_and_a_broken_one_is_named(tmp_path):
    manifest = tmp_path / ".fetch" / "manifest.jsonl"
    with open_folder(tmp_path) as folder:
        folder.record(kept("a", b"x"))
    whole = manifest.read_bytes()
    manifest.write_bytes(whole + b'{"id": "b", "sta')
    with open_folder(tmp_path) as folder:
        assert folder.last("b") is None
    assert manifest.read_bytes() == whole
    manifest.write_bytes(whole + b'{"id": "b"}\n')
    with pytest.raises(ValueError, match=r"manifest\.jsonl line 2 is no record of a fetch"), open_folder(tmp_path):
        pass


@pytest.mark.parametrize("content", [b"whole", b"whale", b"whole and more", None])
def test_an_outcome_is_intact_only_if_every_file_has_its_bytes(tmp_path, content):
    outcome = kept("a", b"whole")
    if content is not None:
        (tmp_path / "articles").mkdir()
        (tmp_path / "articles" / "a.xml").write_bytes(content)
    with open_folder(tmp_path) as folder:
        assert folder.is_intact(outcome) is (content == b"whole")
        assert not folder.is_intact(Outcome("b", "left_out", "licence"))


def test_a_stage_is_gone_with_all_that_was_not_placed(tmp_path):
    with open_folder(tmp_path) as folder:
        with folder.stage("a") as staged:
            (staged / "sub").mkdir()
            (staged / "sub" / "b.txt").write_bytes(b"b")
            placed = folder.place(staged, "imaging/a", {"sub/b.txt": "https://example.org/b"}, "https://example.org")
            (staged / "left.txt").write_bytes(b"left")
        assert placed == (Kept("imaging/a/sub/b.txt", "https://example.org/b", hashlib.sha256(b"b").hexdigest(), 1),)
        assert (tmp_path / "imaging/a/sub/b.txt").read_bytes() == b"b" and not staged.exists()
        with pytest.raises(RuntimeError), folder.stage("a") as staged:
            raise RuntimeError
        assert not staged.exists()
