import pydicom
import pytest

from dataset_builders.document import Companion, Document, Finding, Reject
from dataset_builders.sources import READERS
from dataset_builders.sources.base import Declared
from dataset_builders.sources.imaging import dicom, rsna
from tests.support.mri_images import AXIAL, IDENTITY, write_image

T2, T1, AX = "1012284084", "1792451510", "2092806862"
LEVELS = ("l1_l2", "l2_l3", "l3_l4", "l4_l5", "l5_s1")
CONDITIONS = (
    "spinal_canal_stenosis",
    "left_neural_foraminal_narrowing",
    "right_neural_foraminal_narrowing",
    "left_subarticular_stenosis",
    "right_subarticular_stenosis",
)
GRADES = {
    "spinal_canal_stenosis_l4_l5": "Severe",
    "left_neural_foraminal_narrowing_l4_l5": "Moderate",
    "right_neural_foraminal_narrowing_l4_l5": "Normal/Mild",
    "left_subarticular_stenosis_l5_s1": "Severe",
    "right_subarticular_stenosis_l5_s1": "Normal/Mild",
}
POINTS = (
    f"7,{T2},3,Spinal Canal Stenosis,L4/L5,30.5,40.25",
    f"7,{T1},2,Left Neural Foraminal Narrowing,L4/L5,28,41",
    f"7,{T1},5,Right Neural Foraminal Narrowing,L4/L5,28,41",
    f"7,{AX},4,Left Subarticular Stenosis,L5/S1,33,20",
    f"7,{AX},4,Right Subarticular Stenosis,L5/S1,25,20",
)


def write_tables(folder, grades=GRADES, points=POINTS):
    columns = [f"{condition}_{level}" for condition in CONDITIONS for level in LEVELS]
    cells = [grades.get(column, "") for column in columns]
    (folder / "train.csv").write_text(f"study_id,{','.join(columns)}\n7,{','.join(cells)}\n")
    header = "study_id,series_id,instance_number,condition,level,x,y"
    (folder / "train_label_coordinates.csv").write_text("\n".join([header, *points]) + "\n")
    described = {T2: "Sagittal T2/STIR", T1: "Sagittal T1", AX: "Axial T2"}
    rows = [f"7,{series},{description}" for series, description in described.items()]
    (folder / "train_series_descriptions.csv").write_text("\n".join(["study_id,series_id,series_description", *rows]) + "\n")
    rsna._rows_by_study.cache_clear()
    rsna._files_of.cache_clear()


@pytest.fixture
def folder(tmp_path):
    """One study: six sagittal T2, six sagittal T1 and, at two angles, twenty axial images."""
    for series, count in ((T2, 6), (T1, 6), (AX, 20)):
        for number in range(1, count + 1):
            tilted = (1, 0, 0, 0, 0.97, -0.243) if number > 10 else AXIAL
            orientation = {"orientation": tilted} if series == AX else {}
            write_image(tmp_path / f"train_images/7/{series}/{number}.dcm", "1.9.7", f"1.9.{series}", number, **orientation)
    write_tables(tmp_path)
    return tmp_path


def read(folder, kind="open_dataset"):
    results = []
    for path in sorted(folder.rglob("*.*")):
        head = path.read_bytes()[:4096]
        assert next(reader for reader in READERS if reader.accepts(path, head)) is rsna
        results += rsna.read(path, Declared(root=folder, source_kind=kind))
    return results


def document(results):
    (found,) = [result for result in results if isinstance(result, Document)]
    return found


def rejects(results):
    return [(result.file, result.reason, result.where) for result in results if isinstance(result, Reject)]


def test_grades_become_findings_of_the_worse_side(folder):
    found = document(read(folder))
    assert "discs" in found.ungraded and "spinal canal" not in found.ungraded
    assert found.findings == (
        Finding("canal_stenosis", "L4/L5", "Severe"),
        Finding("foraminal_narrowing", "L4/L5", "Moderate"),
        Finding("subarticular_stenosis", "L5/S1", "Severe"),
    )
    assert (found.levels, found.discs) == ((), ("L4/L5", "L5/S1"))
    assert "- L4/L5 right: foraminal narrowing, Normal/Mild" in found.markdown
    assert (found.provenance.source_id, found.provenance.case_id) == ("rsna:7", "rsna:7")


def test_findings_are_on_the_images_that_they_were_marked_on(folder):
    marked = {figure.locator: figure for figure in document(read(folder)).figures if figure.discs}
    assert {place: figure.findings for place, figure in marked.items()} == {
        "T2/STIR sagittal slice 3 of 6": (Finding("canal_stenosis", "L4/L5", "Severe"),),
        "T1 sagittal slice 2 of 6": (Finding("foraminal_narrowing", "L4/L5", "Moderate"),),
        "T1 sagittal slice 5 of 6": (Finding("foraminal_narrowing", "L4/L5", "Normal/Mild"),),
        "T2 axial slice 4 of 20": (Finding("subarticular_stenosis", "L5/S1", "Severe"),),
    }
    caption = marked["T2 axial slice 4 of 20"].caption
    assert "left subarticular stenosis at L5/S1 (Severe)" in caption
    assert "right subarticular stenosis at L5/S1 (Normal/Mild)" in caption


def test_twenty_five_images_of_every_series_also_where_angles_differ(folder):
    figures = document(read(folder)).figures
    kinds = [figure.locator.split(" slice")[0] for figure in figures]
    assert len(kinds) == 25
    assert {kind: kinds.count(kind) for kind in kinds} == {"T2/STIR sagittal": 6, "T1 sagittal": 6, "T2 axial": 13}


def test_the_rest_are_companions_and_nothing_is_lost(folder):
    results = read(folder)
    assert len([result for result in results if isinstance(result, Companion)]) == 3 + 31
    assert rejects(results) == []


def test_no_tag_reaches_the_document(folder):
    assert not any(word in str(document(read(folder))) for word in (*IDENTITY, "1.9.7"))


def test_bad_rows_are_rejected_with_their_place(folder):
    points = (*POINTS[1:], f"7,{T2},99,Spinal Canal Stenosis,L4/L5,1,1", f"7,{T2},3,Back Pain,L4/L5,1,1",
              f"7,{T2},../../{T2}/3,Spinal Canal Stenosis,L3/L4,x,1")  # fmt: skip
    write_tables(folder, {**GRADES, "spinal_canal_stenosis_l4_l5": "Awful"}, points)
    results = read(folder)
    assert rejects(results) == [
        ("train.csv", "bad_grade", "study 7"),
        ("train_label_coordinates.csv", "bad_coordinate", "study 7 L4/L5"),
        ("train_label_coordinates.csv", "bad_coordinate", "study 7 L4/L5"),
        ("train_label_coordinates.csv", "bad_coordinate", "study 7 L3/L4"),
    ]
    assert "canal_stenosis" not in {finding.name for finding in document(results).findings}


def test_a_file_of_several_frames_is_no_slice_of_a_study(folder):
    path = folder / f"train_images/7/{T2}/3.dcm"
    dataset = pydicom.dcmread(path)
    dataset.NumberOfFrames, dataset.PixelData = 2, dataset.PixelData * 2
    dataset.save_as(path)
    assert (path.relative_to(folder).as_posix(), "multi_frame", "image") in rejects(read(folder))


def test_a_study_without_images_is_rejected(folder):
    path = folder / "train.csv"
    path.write_text(path.read_text() + "8,Severe\n")
    results = list(rsna.read(path, Declared(root=folder, source_kind="open_dataset")))
    assert rejects(results) == [("train.csv", "no_image", "study 8")]


def test_a_table_without_its_columns_says_so(folder):
    path = folder / "train_series_descriptions.csv"
    path.write_text("study_id,series\n7,1\n")
    rsna._rows_by_study.cache_clear()
    with pytest.raises(rsna.SourceError, match=r"lacks the columns \['series_description', 'series_id'\]"):
        list(rsna.read(path, Declared(root=folder, source_kind="open_dataset")))


@pytest.mark.parametrize("kind", [None, "hospital_case"])
def test_undeclared_and_hospital_studies_go_the_hospitals_way(folder, kind, monkeypatch):
    taken = []
    monkeypatch.setattr(dicom, "read", lambda path, declared: taken.append(path) or iter(()))
    with pytest.raises(rsna.SourceError, match="not_declared_open"):
        list(rsna.read(folder / "train.csv", Declared(root=folder, source_kind=kind)))
    path = folder / f"train_images/7/{T1}/1.dcm"
    assert list(rsna.read(path, Declared(root=folder, source_kind=kind))) == [] and taken == [path]


def test_images_outside_the_layout_are_left_to_the_dicom_reader(folder):
    path = write_image(folder / "test_images/9/1/1.dcm", "1.9.9", "1.9.9.1", 1)
    assert not rsna.accepts(path, path.read_bytes()[:4096])
