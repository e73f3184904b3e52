import json
import sys

import pytest

from dataset_builders.document import Reject
from dataset_builders.phantom import SIZES, make_sources, planted_identifiers, textbook
from dataset_builders.phantom.make_sources import Size
from dataset_builders.schema import SOURCE_KINDS
from dataset_builders.sources import KIND_OF_FOLDER, declare, list_files, load_declarations, read_declared
from tests.support.few_sources import EMBEDDED_KINDS


def read_all(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_with_files_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        make_sources(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(small_sources, tmp_path, monkeypatch):
    """Of every kind of file some are made again: the first imaging and hospital cases, and the books of fewest phantoms."""
    monkeypatch.setitem(SIZES, "few", Size(ct=1, mri=0, hospital_cases=2))
    fewest = sorted(textbook.BOOKS, key=lambda book: len(book.slices))[:4]
    monkeypatch.setattr(
        sys.modules[make_sources.__module__],
        "make_books",
        lambda seed: ((book.file, textbook.make_book(book, seed)) for book in fewest),
    )
    make_sources(tmp_path / "again", seed=0, size="few")
    again, before = read_all(tmp_path / "again"), read_all(small_sources)
    assert {KIND_OF_FOLDER[name.split("/")[0]] for name in again if "/" in name} == EMBEDDED_KINDS
    for name, data in again.items():
        assert before[name].startswith(data) if name.startswith("hospital/cases") else before[name] == data, name


@pytest.mark.slow
def test_every_kind_of_folder_is_there_and_full(small_sources):
    files = read_all(small_sources)
    kinds = {KIND_OF_FOLDER[name.split("/")[0]] for name in files if "/" in name}
    assert kinds == EMBEDDED_KINDS <= set(SOURCE_KINDS)
    assert sum(name.startswith("textbooks/") for name in files) >= 3
    assert sum(name.endswith(f"_{suffix}.nii.gz") for name in files for suffix in ("ct", "T2w")) == 3
    rows = [json.loads(line) for name in files if name.startswith("hospital/cases") for line in files[name].splitlines()]
    assert len(rows) == SIZES["small"].hospital_cases
    assert all(f"hospital/{image}" in files for row in rows for image in row["images"])


@pytest.mark.slow
def test_no_identity_stands_outside_the_hospital_folder(small_sources):
    identifiers = [text.encode() for texts in planted_identifiers(seed=0).values() for text in texts]
    for name, content in read_all(small_sources).items():
        if not name.startswith("hospital/") and not name.endswith((".gz", ".png", ".pdf")):
            assert not [text for text in identifiers if text in content], name


@pytest.mark.slow
def test_every_file_is_read(small_sources):
    declarations = load_declarations(small_sources)
    results = [
        result
        for path in list_files(small_sources)
        if path.suffix != ".pdf" or "guidelines" in path.parts
        for result in read_declared(path, declare(path, small_sources, declarations))
    ]
    assert not [result for result in results if isinstance(result, Reject)]
