"""A hospital's tree with names in every file, folder, sheet, header and column: a build gives out none of them."""

import csv
import json
import shutil
import stat
import subprocess
import sys

import nibabel as nib
import numpy as np
import openpyxl
import pyarrow.parquet as pq
import pytest
import typst
from PIL import Image, PngImagePlugin

from dataset_builders.pseudonyms import KEY_FILE
from dataset_builders.publish import copy_publishable
from tests.support.few_sources import copy_masks
from tests.support.mri_images import SAGITTAL, write_image
from tests.support.processes import fresh_python
from tests.support.published import parquet_bytes

pytestmark = pytest.mark.slow

# Each stands in the name of a file, folder, sheet, column or header only, so a find says which kind of name leaks.
NAMES = {
    "folder": "Quibblesfold", "file": "Quibblesfile", "sheet": "Quibblesheet", "column": "Quibblescol",
    "header": "Quibbleshead", "image": "Quibblesimg", "exif": "Quibblesexif", "number": "MRN5501927", "chinese": "欧阳翠羽",
    "yaml": "Quibblesyaml",
    "value": "Quibblesvalue", "element": "Quibbleselem",
}  # fmt: skip
NOTE = (
    "A 62-year-old woman has back pain. MRI of the lumbar spine shows severe central canal stenosis at L4/5 with grade I "
    "spondylolisthesis. Decompression at L4/5 relieved the pain, number {}."
)
JATS = (
    '<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta/></front><body><p>L4/5 is narrow (case {}).</p>'
    '<fig><label>Figure 1</label><caption><p>Sagittal MRI of L4/5.</p></caption><graphic xlink:href="{}.png"/></fig>'
    "</body></article>"
)


def write_lines(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_scan(path):
    text = PngImagePlugin.PngInfo()
    text.add_text("PatientName", NAMES["exif"])
    y, x = np.mgrid[0:96, 0:96]
    grey = (90 + 60 * np.exp(-(((x - 48) / 20) ** 2)) + 10 * np.sin(y / 9)).astype(np.uint8)
    Image.fromarray(grey).save(path, pnginfo=text)


def plant(root):
    """Write every reader's format below ``root``/Hospital; return the number of files."""
    ward = root / "Hospital" / f"{NAMES['folder']} {NAMES['chinese']}" / "articles"
    patient = ward / NAMES["number"]
    for folder in (patient, ward / "general_medical", ward / "imaging", ward / "book/modules/m1", ward / "book/media"):
        folder.mkdir(parents=True)
    stem = f"{NAMES['file']}_{NAMES['number']}"
    (patient / "note.txt").write_text(NOTE.format(1))
    (ward / f"{stem}.txt").write_text(NOTE.format(2))
    (ward / f"{stem}.md").write_text(f"{NOTE.format(3)}\n\n![]({NAMES['image']}.png)\n")
    write_scan(ward / f"{NAMES['image']}.png")
    rows = [
        {"note": NOTE.format(4), "patient_id": NAMES["number"], "images": [f"{NAMES['image']}.png", f"{NAMES['file']}.png"]}
    ]
    rows += [{"note": NOTE.format(5), "findings": [{"name": NAMES["value"], "level": "L4/L5"}]}]
    rows += [
        {"note": NOTE.format(6), "findings": f"[{NAMES['value']}"},
        {"note": NOTE.format(7), "images": f"[{NAMES['value']}"},
    ]
    write_lines(ward / f"{stem}.jsonl", *rows)
    (ward / f"{stem}.csv").write_text(f"note,{NAMES['column']}\n{NOTE.format(8)},x\n{NOTE.format(9)},1,2,3\n")
    book = openpyxl.Workbook()
    for number, title in enumerate((NAMES["sheet"], f"{NAMES['chinese']}")):
        sheet = book.active if number == 0 else book.create_sheet()
        sheet.title = title
        for cells in (["note", NAMES["column"]], [NOTE.format(10 + number), "x"], [None, "y"]):
            sheet.append(cells)
    book.save(ward / f"{stem}.xlsx")
    text = "#set document(date: none)\n" + (NOTE.format(12) + "\n\n") * 4
    (ward / f"{stem}.pdf").write_bytes(typst.compile(text.encode(), format="pdf"))
    (ward / f"{NAMES['file']}.xml").write_text(JATS.format(13, NAMES["image"]))
    (ward / f"{NAMES['file']}_broken.xml").write_text(f"<article><{NAMES['element']}></article>")
    module = '<document xmlns="http://cnx.rice.edu/cnxml"><content><para>L4/5 is narrow.</para><figure id="{}"/></content>'
    module += "</document>"
    (ward / "book/modules/m1/index.cnxml").write_text(module.format(NAMES["element"]))
    question = {"question": "Which level is stenotic in case 14?", "options": ["L4/5", "L1/2", "T7/8"], "answer": "A"}
    write_lines(ward / f"{stem}_bank.jsonl", {**question, "id": NAMES["number"]}, {**question, "answer": NAMES["value"]})
    general = {
        "Question": "What is stenosis at L4/5?",
        "Complex_CoT": "The canal is narrow.",
        "Response": "A narrow canal at L4/5.",
    }
    write_lines(ward / "general_medical" / f"{stem}.jsonl", {**general, "id": NAMES["number"]})
    vision = {"image": [f"{NAMES['image']}.png"], "conversations": [{"from": "human", "value": "What level?"},
              {"from": "gpt", "value": "It is L4/5."}], "id": NAMES["number"]}  # fmt: skip
    write_lines(ward / "general_medical" / f"{stem}_vision.jsonl", vision)
    tags = {"PatientName": NAMES["header"], "PatientID": NAMES["number"], "SeriesDescription": NAMES["header"]}
    for number in range(4):
        write_image(ward / f"imaging/{stem}_{number}.dcm", "1.5.9", "1.5.9.1", number, SAGITTAL, **tags)
    (ward / f"imaging/{stem}_bad.dcm").write_bytes(b"\0" * 128 + b"DICM" + NAMES["header"].encode() * 20)
    voxels = np.random.default_rng(0).integers(0, 200, (24, 24, 40)).astype(np.int16)
    nib.save(nib.Nifti1Image(voxels, np.diag([3.0, 3.0, 3.0, 1.0])), ward / f"imaging/{stem}_lumbar_t2.nii.gz")
    (ward / f"imaging/{stem}_findings.json").write_text(json.dumps([{NAMES["value"]: 1}]))
    (ward / f"{NAMES['file']}.weird{NAMES['file']}").write_bytes(b"\x01\x02")
    (ward / f"{NAMES['file']}_link.txt").symlink_to(root.parent / "nowhere")
    (root / "sources.yaml").write_text(
        f"- {{match: 'Hospital/*', licence: CC-BY-4.0, source_kind: article, title: {NAMES['yaml']}, id: '{NAMES['yaml']}'}}\n"
    )
    (root / "question_banks").mkdir()
    bank = {"question": "Which root leaves at L5/S1?", "options": ["L5", "S1", "L4"], "answer": "A", "source_licence": "MIT"}
    write_lines(root / "question_banks/bank.jsonl", {**bank, "id": "1"})
    return sum(path.is_file() for path in ward.rglob("*"))


def run(sources, folder, program, workers):
    command = [program, "-m", "dataset_builders", "build", "--sources", str(sources), "--work", str(folder / "work")]
    result = subprocess.run(
        [*command, "--output", str(folder), "--workers", workers], capture_output=True, text=True, check=True
    )
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    files = plant(folder / "sources")
    return folder, files, run(folder / "sources", folder, sys.executable, "2")


def places(folder, printed):
    """Everything a build gives out, by name: Parquet by cell and image, cards, pages, rejects, logs, what it printed."""
    yield "printed", printed.encode()
    for path in sorted((folder / "spinemed-450k").rglob("*")) + sorted((folder / "spinebench").rglob("*")):
        if path.suffix == ".parquet":
            for number, row in enumerate(pq.read_table(path).to_pylist()):
                for name, value in row.items():
                    images = [image["bytes"] for image in value] if name == "images" else []
                    yield f"{path.name} row {number} {name}", b"".join(images) or json.dumps(value, ensure_ascii=False).encode()
        elif path.is_file():
            yield path.name, path.read_bytes()
    work = folder / "work"
    for path in sorted(work.rglob("*")):
        given_out = (
            path.parent.name in ("rejects", "logs") or path.suffix in (".html", ".log", ".json") or path.suffix == ".bin"
        )
        if path.is_file() and given_out:
            yield path.relative_to(work).as_posix(), path.read_bytes()
    for number in range(3, 10):
        for path in sorted(work.glob(f"{number}_*/*.jsonl")):
            yield path.relative_to(work).as_posix(), path.read_bytes()


def test_no_name_of_a_file_folder_sheet_column_or_header_leaves(planted, capsys):
    folder, files, printed = planted
    looked = list(places(folder, printed))
    found = [(kind, name) for name, data in looked for kind, word in NAMES.items() if word.encode() in data]
    with capsys.disabled():
        print(f"\n{files} planted files: {len(NAMES)} names looked for in {len(looked):,} places, {len(found)} found")
    assert found == []
    assert len(looked) > 150


def test_the_tree_is_read_and_every_row_of_it_is_the_hospitals(planted):
    folder, files, _ = planted
    with (folder / "work/inventory.csv").open(encoding="utf-8", newline="") as file:
        outcomes = {row["file"]: row["outcome"] for row in csv.DictReader(file)}
    assert len(outcomes) >= files and sum(outcome == "read" for outcome in outcomes.values()) >= 12
    rows = [row for path in folder.rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    kinds = {(row["source_kind"], row["source_licence"]) for row in rows}
    assert kinds >= {("hospital_case", "LicenseRef-Hospital")}
    assert kinds <= {("hospital_case", "LicenseRef-Hospital"), ("question_bank", "LicenseRef-Unknown")}
    hospital = [row for row in rows if row["source_kind"] == "hospital_case"]
    assert all(row["source_id"].startswith("hospital:") and row["source_title"] is None for row in hospital)


def test_nothing_of_it_is_published(planted, tmp_path):
    folder, _, _ = planted
    for name in ("spinemed-450k", "spinebench"):
        copy_publishable(folder / name, tmp_path / name)
    assert not [row for path in tmp_path.rglob("*.parquet") for row in pq.read_table(path).to_pylist()]


def test_the_work_folder_is_its_owners_alone(planted):
    work = planted[0] / "work"
    assert stat.S_IMODE(work.stat().st_mode) == 0o700
    private = [work / KEY_FILE, work / "inventory.csv", work / "residual_risk.html", *(work / "rejects").iterdir()]
    private += [*work.glob("*_*/0*.jsonl"), *work.glob("images/*/*.bin")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_with_the_same_key_another_work_folder_gives_the_same_bytes_and_rejects(planted, tmp_path):
    folder, _, _ = planted
    (tmp_path / "work").mkdir()
    shutil.copyfile(folder / "work" / KEY_FILE, tmp_path / "work" / KEY_FILE)
    copy_masks(folder / "work", tmp_path / "work")
    run(folder / "sources", tmp_path, fresh_python(), "1")  # which orders its sets otherwise
    assert parquet_bytes(tmp_path) == parquet_bytes(folder)
    for path in (folder / "work/rejects").iterdir():
        assert path.read_bytes() == (tmp_path / "work/rejects" / path.name).read_bytes()


def test_purge_deletes_what_was_unmasked_and_says_what_is_left(planted, tmp_path):
    work = shutil.copytree(planted[0] / "work", tmp_path / "work")
    command = [sys.executable, "-m", "dataset_builders", "purge", "--work", str(work)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "deleted" in result.stdout and "left:" in result.stdout and KEY_FILE in result.stdout
    for path in (path for path in work.rglob("*") if path.is_file()):
        data = path.read_bytes()
        assert [kind for kind, word in NAMES.items() if word.encode() in data] == [], path
    assert not list(work.glob("[012]_*")) and list(work.glob("3_clean/*.jsonl"))
