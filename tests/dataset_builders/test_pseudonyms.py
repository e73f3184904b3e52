"""Names of hospital cases: keyed, stable in a work folder, and never a hash that confirms a guess."""

import hashlib
import shutil

import pytest

from dataset_builders.pseudonyms import KEY_FILE, fingerprint, load_key, make_key, pseudonym


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    path = make_key(tmp_path / "work")
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    assert load_key(path) == load_key(make_key(tmp_path / "work")) and len(load_key(path)) == 32
    assert load_key(make_key(tmp_path / "other")) != load_key(path)


def test_a_copied_key_gives_the_same_names_and_is_made_private(tmp_path):
    key = load_key(make_key(tmp_path / "a"))
    (tmp_path / "b").mkdir()
    shutil.copyfile(tmp_path / "a" / KEY_FILE, tmp_path / "b" / KEY_FILE)
    (tmp_path / "b" / KEY_FILE).chmod(0o644)
    copied = make_key(tmp_path / "b")
    assert copied.stat().st_mode & 0o777 == 0o600
    assert pseudonym(key, "case", "4711") == pseudonym(load_key(copied), "case", "4711")


def test_a_name_is_no_plain_hash_and_depends_on_kind_and_key():
    names = {pseudonym(key, kind, "4711") for key in (b"a" * 32, b"b" * 32) for kind in ("case", "file")}
    assert len(names) == 4 and hashlib.sha256(b"4711").hexdigest()[:16] not in names
    assert fingerprint(b"a" * 32) != fingerprint(b"b" * 32)


@pytest.mark.parametrize("text", ["", "no key", "ab" * 31, "ab" * 33])
def test_a_file_that_is_no_key_is_named(tmp_path, text):
    (tmp_path / KEY_FILE).write_text(text)
    with pytest.raises(ValueError, match=r"pseudonym.key: holds no 64 hex digits"):
        load_key(tmp_path / KEY_FILE)
