import json

import openpyxl
import pydicom
import pytest
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian

from dataset_builders.document import Companion, Document, Finding, Reject, SourceError
from dataset_builders.sources import notes
from dataset_builders.sources.base import Declared
from tests.support.dicom_files import headers


def write(folder, rows, name="ward.jsonl"):
    path = folder / name
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    notes._images_of.cache_clear()
    return path


def read(path, root, **declared):
    return list(notes.read(path, Declared(root=root, **{"source_kind": "hospital_case", **declared})))


def test_rows_become_pseudonymous_cases(tmp_path):
    rows = [
        {"patient_id": "4711", "note": "L4-5 bulge."},
        {"patient_id": "4712", "note": " "},
        {"patient_id": "4711", "note": "Later."},
    ]
    first, empty, second = read(write(tmp_path, rows), tmp_path)
    assert (empty.reason, empty.where) == ("empty_note", "line 2")
    assert first.provenance.case_id == second.provenance.case_id
    assert first.provenance.case_id.startswith("ward-")
    assert first.id == f"hospital:{first.provenance.case_id}"
    assert second.id != first.id
    assert first.provenance.source_licence == "LicenseRef-Hospital"
    assert not any("4711" in str(value) for value in first.to_dict()["provenance"].values())


def test_columns_that_are_no_text_are_handed_over_as_known(tmp_path):
    row = {
        "patient_name": "Hope Field",
        "patient": {"mrn": 88231},
        "phones": ["555"],
        "note": "L4 pain.",
        "sex": "F",
        "empty": None,
    }
    (document,) = read(write(tmp_path, [row]), tmp_path)
    assert document.known == (("patient_name", "Hope Field"), ("mrn", "88231"), ("phones", "555"))
    assert "Hope" not in repr(document)


def test_the_same_number_in_another_file_is_another_case(tmp_path):
    (one,) = read(write(tmp_path, [{"id": "7", "note": "One."}], "a.jsonl"), tmp_path)
    (two,) = read(write(tmp_path, [{"id": "7", "note": "Two."}], "b.jsonl"), tmp_path)
    assert one.provenance.case_id.split("-")[1] != two.provenance.case_id.split("-")[1]


def test_a_case_with_images_and_findings(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "sagittal.png")
    row = {
        "case_id": "c1",
        "language": "zh",
        "sex": "F",
        "age": 61,
        "note": "## Diagnosis\n\nL1 fracture.",
        "images": ["sagittal.png", "gone.png", "../x.png"],
        "findings": [
            {"name": "wedge_fracture", "level": "L1", "grade": "Genant 2", "value": 30, "unit": "%"},
            {"name": "disc_bulge", "level": "L4/L5", "grade": None, "value": None, "unit": None},
        ],
    }
    results = read(write(tmp_path, [row]), tmp_path)
    assert [r.reason for r in results if isinstance(r, Reject)] == ["image_missing"] * 2
    (document,) = (r for r in results if isinstance(r, Document))
    assert document.findings[0] == Finding("wedge_fracture", "L1", "Genant 2", 30.0, "%")
    assert (document.levels, document.discs, document.language) == (("L1",), ("L4/L5",), "zh")
    assert document.figures[0].image == (tmp_path / "sagittal.png").read_bytes()
    assert document.markdown.startswith("Sex: F, Age: 61")
    assert notes.accepts(tmp_path / "sagittal.png", b"\x89PNG")
    assert read(tmp_path / "sagittal.png", tmp_path) == [Companion("sagittal.png", "ward.jsonl")]


def test_text_files_and_folders_of_cases(tmp_path):
    (tmp_path / "4711").mkdir()
    (tmp_path / "4711" / "note.txt").write_bytes("腰4/5椎间盘突出。".encode("gb18030"))
    (document,) = read(tmp_path / "4711" / "note.txt", tmp_path)
    assert (document.markdown, document.language) == ("腰4/5椎间盘突出。", "zh")
    assert "4711" not in str(document.provenance)
    (tmp_path / "blank.txt").write_text(" \n")
    with pytest.raises(SourceError, match="empty_note"):
        read(tmp_path / "blank.txt", tmp_path)


def test_a_note_knows_what_the_headers_beside_it_say(tmp_path):
    case = tmp_path / "4711"
    (case / "mri").mkdir(parents=True)
    (case / "note.txt").write_text("field is sore at L4/5.")
    header = headers()
    header.PatientName, header.PatientID = "Field^Hope", "ZQ4471"
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pydicom.dcmwrite(case / "mri" / "1.dcm", header, enforce_file_format=True)
    (case / "mri" / "2.dcm").write_bytes(b"no image")
    (document,) = read(case / "note.txt", tmp_path)
    assert {("full name", "Field Hope"), ("PatientID", "ZQ4471")} <= set(document.known)


def test_text_among_books_is_no_note(tmp_path):
    (tmp_path / "labels.txt").write_text("1 L5")
    with pytest.raises(SourceError, match="not_a_note"):
        read(tmp_path / "labels.txt", tmp_path, source_kind="open_dataset")


def test_xlsx(tmp_path):
    book = openpyxl.Workbook()
    for cells in (["Patient_ID", "Note"], [1, "L5-S1 protrusion."], [2, None], [None, None]):
        book.active.append(cells)
    book.save(tmp_path / "ward.xlsx")
    assert notes.accepts(tmp_path / "ward.xlsx", b"PK\x03\x04")
    results = read(tmp_path / "ward.xlsx", tmp_path)
    assert [getattr(r, "where", None) or r.provenance.source_locator for r in results] == ["ward.xlsx row 2", "row 3"]
    (tmp_path / "bad.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    assert not notes.accepts(tmp_path / "bad.xlsx", b"PK\x03\x04")


@pytest.mark.parametrize(
    "name", ["README.md", "LICENSE", "Readme.txt", "VERSE_README.md", "CITATION.cff", "ATTRIBUTIONS.md", "SCHEMAS.json"]
)
def test_documentation_is_a_companion(tmp_path, name):
    (tmp_path / name).write_text("About this folder.")
    assert notes.accepts(tmp_path / name, b"About this folder.")
    assert read(tmp_path / name, tmp_path) == [Companion(name, "folder")]


def test_what_is_no_note_is_not_taken(tmp_path):
    (tmp_path / "table.csv").write_text("study_id,condition\n1,Moderate\n")
    assert not notes.accepts(tmp_path / "table.csv", b"study_id,condition\n1,Moderate\n")
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    notes._images_of.cache_clear()
    assert not notes.accepts(tmp_path / "a.png", b"\x89PNG")
    assert not notes.accepts(tmp_path / "blob.txt", b"\x00\x01\x02")


def test_real_hospital_notes(sources):
    counts = {}
    for path in sorted((sources / "hospital").glob("*.jsonl")):
        results = read(path, sources)
        documents = [r for r in results if isinstance(r, Document)]
        assert len({d.id for d in documents}) == len(documents)
        counts[path.stem.split("_")[0]] = (len(documents), len(results) - len(documents))
    assert counts == {"aci": (16, 0), "lumbar": (515, 60), "mts": (21, 0)}


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Quibble"},
        {"level": "Quibble"},
        {"level": ["L4/L5"]},
        {"grade": "Quibble 2"},
        {"grade": {"Quibble": 1}},
        {"unit": "Quibble"},
        {"value": "Quibble 0199"},
    ],
)
def test_a_finding_that_could_name_a_person_is_a_reject_that_does_not_quote_it(tmp_path, changes):
    finding = {"name": "disc_bulge", "level": "L4/L5", "grade": "moderate", "value": 3, "unit": "mm"}
    rows = [{"note": "One.", "findings": [{**finding, **changes}]}, {"note": "Two.", "findings": [finding]}]
    reject, document = read(write(tmp_path, rows), tmp_path)
    assert (reject.reason, reject.where) == ("broken_findings", "line 1") and "uibble" not in repr(reject)
    assert document.findings == (Finding("disc_bulge", "L4/L5", "moderate", 3.0, "mm"),)


def test_a_row_of_wrong_types_is_its_own_reject_and_the_next_is_read(tmp_path):
    reject, document = read(write(tmp_path, [{"note": "One.", "images": "[Quibble.png"}, {"note": "Two."}]), tmp_path)
    assert (reject.reason, reject.where) == ("broken_row", "line 1") and "uibble" not in repr(reject)
    assert document.markdown == "Two."


def test_the_images_of_a_markdown_note_lose_their_file_names(tmp_path):
    (tmp_path / "a.md").write_text("L4/5 is narrow.\n\n![](Quibble_4711.png)\n")
    (document,) = read(tmp_path / "a.md", tmp_path)
    assert "uibble" not in document.markdown and "L4/5 is narrow." in document.markdown


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"id": "1", "findings": "Bulge at L4/5.", "impression": "No stenosis."},
         "## Findings\n\nBulge at L4/5.\n\n## Impression\n\nNo stenosis."),
        ({"id": "1", "report": "Bulge at L4/5.", "conclusion": "No lesion.", "clinical_history": "Back pain."},
         "## History\n\nBack pain.\n\nBulge at L4/5.\n\n## Impression\n\nNo lesion."),
        ({"id": "1", "Clinical History": "Back pain.", "Findings": "Bulge at L4/5.", "Impression": "No stenosis."},
         "## History\n\nBack pain.\n\n## Findings\n\nBulge at L4/5.\n\n## Impression\n\nNo stenosis."),
        ({"檢查所見": "L4/5椎間盤突出。", "診斷意見": "椎間盤突出症。"},
         "## 检查所见\n\nL4/5椎間盤突出。\n\n## 诊断意见\n\n椎間盤突出症。"),
        ({"检查号": "1", "检查所见": "L4/5椎间盘突出。", "诊断意见": "椎间盘突出症。"},
         "## 检查所见\n\nL4/5椎间盘突出。\n\n## 诊断意见\n\n椎间盘突出症。"),
    ],
)  # fmt: skip
def test_the_parts_of_a_report_in_columns_of_their_own_are_one_note(tmp_path, row, text):
    path = write(tmp_path, [row])
    assert notes.accepts(path, path.read_bytes())
    (document,) = read(path, tmp_path)
    assert document.markdown == text
    assert not {"No stenosis.", "No lesion.", "椎间盘突出症。"} & {word for _, word in document.known}


def test_a_merged_patient_is_one_patient(tmp_path):
    book = openpyxl.Workbook()
    for row in (["patient_id", "note"], ["P1", "Bulge at L4/5."], [None, "Smaller now."], ["P2", "Fracture of T12."]):
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    book.save(tmp_path / "ward.xlsx")
    cases = [document.provenance.case_id for document in read(tmp_path / "ward.xlsx", tmp_path)]
    assert len(cases) == 3 and cases[0] == cases[1] != cases[2]
