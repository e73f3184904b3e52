"""A rebuild in the same work folder after the code changed: the rows of a fresh build, and no step run that need not be."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from dataset_builders.pipeline import STEPS
from dataset_builders.pseudonyms import KEY_FILE

pytestmark = pytest.mark.slow

NOTE = "MRI shows a disc bulge with {} canal stenosis at L{}/L{}."
QUESTION = {
    "id": "q1",
    "question": "Which nerve root does a paracentral herniation at L4/L5 compress?",
    "options": ["L4", "L5", "S1", "L3"],
    "answer": "B",
}
# Appended to a file of the copy: from then on parse_levels finds nothing.
NO_LEVELS = "\n\ndef parse_levels(text):\n    return Levels((), (), ())\n"
# One more phrase is rewritten as a hospital's texts are cleaned. (What is masked in a note would leave it without rows.)
REWRITES_MARROW = """
_without_rule = clean_document


def clean_document(document, masks, **settings):
    from dataclasses import replace

    for result in _without_rule(document, masks, **settings):
        yield replace(result, markdown=result.markdown.replace("Marrow signal", "Bone marrow signal"))
"""


@pytest.fixture(scope="module")
def original(repo, tmp_path_factory) -> Path:
    """The project's code, a bank, twelve notes and an image in ``sources``, and a build of them in ``work``."""
    folder = tmp_path_factory.mktemp("original")
    for package in ("dataset_builders", "modeling"):
        shutil.copytree(repo / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    bank, notes = folder / "sources/question_banks/bank.jsonl", folder / "sources/hospital/notes.jsonl"
    bank.parent.mkdir(parents=True)
    notes.parent.mkdir()
    bank.write_text(json.dumps(QUESTION) + "\n")
    with notes.open("w") as file:
        for number in range(12):
            note = NOTE.format(("mild", "moderate", "severe")[number % 3], 1 + number % 4, 2 + number % 4)
            note += " Marrow signal is normal." if number in (3, 8) else ""
            images = ["slice.png"] if number == 5 else []
            file.write(json.dumps({"case_id": str(number), "note": note, "images": images}) + "\n")
    Image.new("L", (64, 64), 77).save(notes.parent / "slice.png")
    build(folder, "work")
    return folder


@pytest.fixture
def copy(original, tmp_path) -> Path:
    """The same, to be edited."""
    return shutil.copytree(original, tmp_path / "copy")


def build(copy: Path, work: str) -> tuple[dict[str, dict], str]:
    """Rows by id of a build by the copy's code, and what it printed on stderr."""
    result = subprocess.run(
        [
            *(sys.executable, "-m", "dataset_builders", "build", "--sources", "sources"),
            *("--work", work, "--output", f"{work}_out", "--workers", "1"),
        ],
        cwd=copy, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return read_rows(copy, work), result.stderr


def read_rows(copy: Path, work: str) -> dict[str, dict]:
    paths = sorted((copy / f"{work}_out").rglob("*.parquet"))
    return {row["id"]: row for path in paths for row in pq.read_table(path).drop(["images"]).to_pylist()}


def finished(copy: Path, work: str) -> dict[str, int]:
    """Step -> when its manifest was written."""
    folders = [copy / work / f"{number}_{name}" for number, name in enumerate(STEPS) if number]
    return {folder.name.partition("_")[2]: (folder / "manifest.json").stat().st_mtime_ns for folder in folders}


def searched(copy: Path) -> dict[Path, int]:
    """What the search for writing found in each image, as it was kept -> when."""
    return {path: path.stat().st_mtime_ns for path in (copy / "work" / "masks").rglob("*.json")}


def run_again(before: dict[str, int], after: dict[str, int]) -> set[str]:
    return {step for step in before if before[step] != after[step]}


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_a_changed_rule_of_levels_leaves_no_old_level(copy):
    assert any(row["levels"] for row in read_rows(copy, "work").values())
    before = finished(copy, "work")
    append(copy / "dataset_builders/levels/__init__.py", NO_LEVELS)
    rebuilt, printed = build(copy, "work")
    (copy / "fresh").mkdir()
    shutil.copyfile(copy / "work" / KEY_FILE, copy / "fresh" / KEY_FILE)
    fresh, _ = build(copy, "fresh")
    assert rebuilt == fresh and rebuilt and not any(row["levels"] for row in rebuilt.values())
    assert run_again(before, finished(copy, "work")) == {"classified", "drafts", "revised", "reviewed", "split"}
    assert "classified   is run again: code: dataset_builders/levels/__init__.py" in printed


def test_a_changed_masking_rule_changes_exactly_the_rows_it_concerns(copy):
    rows = read_rows(copy, "work")
    same, printed = build(copy, "work")
    assert same == rows and "run again" not in printed
    before, images = finished(copy, "work"), searched(copy)
    append(copy / "dataset_builders/deidentify/clean.py", REWRITES_MARROW)
    changed, printed = build(copy, "work")
    assert len(images) == 1 and searched(copy) == images, "an image was read again, for a rule of texts"
    concerned = {identifier for identifier, row in rows.items() if "Marrow signal" in json.dumps(row)}
    assert concerned and concerned != set(rows) and len(changed) == len(rows)
    assert {identifier: row for identifier, row in rows.items() if identifier not in concerned} == {
        identifier: row for identifier, row in changed.items() if "Bone marrow signal" not in json.dumps(row)
    }
    assert not run_again(before, finished(copy, "work")) & {"documents", "figures"}
    manifest = json.loads((copy / "work/3_clean/manifest.json").read_text())
    assert "dataset_builders/deidentify/clean.py" in manifest["code"]
    card = (copy / "work_out/spinemed-450k/README.md").read_text(encoding="utf-8")
    assert "clean        is run again: code: dataset_builders/deidentify/clean.py\n" in printed and "| clean | " in card


def test_a_step_whose_records_stay_the_same_repeats_nothing_behind_it(copy):
    before, images = finished(copy, "work"), searched(copy)
    append(copy / "dataset_builders/pages/bundled.py", "\n# changed\n")
    build(copy, "work")
    assert len(searched(copy)) == len(images) + 1, "the image was not read again by the changed code"
    assert run_again(before, finished(copy, "work")) == {"documents", "clean"}


def test_a_work_folder_of_an_older_layout_is_built_again_and_said_so(copy):
    rows = read_rows(copy, "work")
    path = copy / "work/1_documents/manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**{k: v for k, v in manifest.items() if k not in ("code", "libraries")}, "version": 2}))
    again, printed = build(copy, "work")
    assert again == rows
    lines = [line for line in printed.splitlines() if "run again" in line]
    assert len(lines) == 1 and "documents    is run again: its manifest is of another version of this program" in lines[0]
