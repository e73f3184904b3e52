import io
import json

import numpy as np
import pytest
from PIL import Image

from dataset_builders.document import Companion, Document, Finding, Reject
from dataset_builders.sources import READERS
from dataset_builders.sources.base import Declared
from dataset_builders.sources.imaging import dicom, spark
from tests.support.mri_images import AXIAL, IDENTITY, write_image

STUDY, SAGITTAL_SERIES, AXIAL_SERIES = "1.2.840.7.1", "1.2.840.7.1.1", "1.2.840.7.1.2"


def point(identification, x=30, y=30, **tag):
    return {"coord": [x, y], "tag": {"identification": identification, **tag}, "zIndex": 3}


def annotate(path, points, study=STUDY, series=SAGITTAL_SERIES, instance=f"{SAGITTAL_SERIES}.4"):
    annotation = [{"annotator": 1, "data": {"point": points}}]
    data = [{"instanceUid": instance, "seriesUid": series, "annotation": annotation}]
    path.write_text(json.dumps([{"studyUid": study, "data": data, "version": "v0.1"}]))
    return path


@pytest.fixture
def folder(tmp_path):
    """One study of eleven sagittal and three axial images, the fourth sagittal one labelled; names run against numbers."""
    for number in range(1, 12):
        name = f"image{30 - number}.dcm"
        write_image(tmp_path / "train/study0" / name, STUDY, SAGITTAL_SERIES, number, description="T2_TSE Doe Jane")
    for number in range(1, 4):
        write_image(tmp_path / f"train/study0/image{number}.dcm", STUDY, AXIAL_SERIES, number, orientation=AXIAL)
    points = [
        point("T12-L1", y=5, disc="v1"),
        point("L4-L5", y=40, disc="v2,v5"),
        point("L5-S1", y=50, disc="v4"),
        point("L4", y=35, vertebra="v1"),
        point("L5", y=45, vertebra="v2"),
    ]
    annotate(tmp_path / "lumbar_train150_annotation.json", points)
    for cached in (spark._home, spark._list_images, spark._load_labels):
        cached.cache_clear()
    return tmp_path


def read(folder, kind="open_dataset"):
    results = []
    for path in sorted(folder.rglob("*.*")):
        head = path.read_bytes()[:4096]
        assert next(reader for reader in READERS if reader.accepts(path, head)) is spark
        results += spark.read(path, Declared(root=folder, source_kind=kind))
    return results


def documents(results):
    return [result for result in results if isinstance(result, Document)]


def rejects(results):
    return [(result.reason, result.where) for result in results if isinstance(result, Reject)]


def test_labels_become_findings_at_their_levels(folder):
    (document,) = documents(read(folder))
    assert "spinal canal" in document.ungraded and "end plates" not in document.ungraded
    assert document.discs == ("T12/L1", "L4/L5", "L5/S1")
    assert document.levels == ("L4", "L5")
    assert document.findings == (
        Finding("disc_bulge", "L4/L5"),
        Finding("endplate_change", "L4/L5", "Schmorl's node"),
        Finding("disc_herniation", "L5/S1", "extrusion"),
    )
    assert "Labelled as degenerative: L5." in document.markdown


def test_only_the_labelled_image_states_levels_and_findings(folder):
    (document,) = documents(read(folder))
    (labelled,) = [figure for figure in document.figures if figure.levels]
    assert labelled.locator == "T2 sagittal slice 4 of 11"
    assert (labelled.levels, labelled.discs, labelled.findings) == (document.levels, document.discs, document.findings)
    assert "disc herniation at L5/S1 (extrusion)" in labelled.caption
    others = [figure for figure in document.figures if figure is not labelled]
    assert len(others) == 13 and not any(figure.discs or figure.findings for figure in others)
    assert {figure.locator.split(" slice")[0] for figure in others} == {"T2 sagittal", "axial"}


def test_images_are_the_right_way_up(folder):
    (document,) = documents(read(folder))
    for figure in document.figures:
        pixels = np.asarray(Image.open(io.BytesIO(figure.image)), dtype=float)
        assert pixels[-80:].mean() > pixels[:80].mean() + 50  # brighter downwards (feet or back)
        assert pixels[:, -80:].mean() > pixels[:, :80].mean() + 20  # brighter to the patient's back or left


def test_a_study_is_one_document_and_its_other_files_are_companions(folder):
    results = read(folder)
    assert len([result for result in results if isinstance(result, Companion)]) == 14
    assert rejects(results) == []


def test_no_tag_reaches_the_document(folder):
    (document,) = documents(read(folder))
    text = str(document)
    assert not any(word in text for word in (*IDENTITY, STUDY, "Jane", "TSE"))
    assert all(figure.image and b"Doe" not in figure.image for figure in document.figures)


@pytest.mark.parametrize("kind", [None, "hospital_case"])
def test_undeclared_and_hospital_studies_go_the_hospitals_way(folder, kind, monkeypatch):
    taken = []
    monkeypatch.setattr(dicom, "read", lambda path, declared: taken.append(path) or iter(()))
    with pytest.raises(spark.SourceError, match="not_declared_open"):
        list(spark.read(folder / "lumbar_train150_annotation.json", Declared(root=folder, source_kind=kind)))
    path = folder / "train/study0/image1.dcm"
    assert list(spark.read(path, Declared(root=folder, source_kind=kind))) == [] and taken == [path]


def test_what_cannot_be_used_is_rejected_and_the_rest_kept(folder):
    points = [point("L4-L5", disc="v9"), point("Q7", vertebra="v1"), point("L3-L4", x=99, disc="v2"), point("L2-L3", disc="v3")]
    annotate(folder / "lumbar_train150_annotation.json", points)
    results = read(folder)
    assert [reason for reason, _ in rejects(results)] == ["bad_annotation", "bad_annotation", "mark_outside"]
    (document,) = documents(results)
    assert [figure.discs for figure in document.figures if figure.discs] == [("L2/L3",)]


def test_labels_without_their_image_are_rejected(folder):
    annotate(folder / "lumbar_train150_annotation.json", [point("L4-L5", disc="v2")], instance="9.9")
    results = read(folder)
    assert [reason for reason, _ in rejects(results)] == ["no_image"]
    assert documents(results)[0].findings == ()
    spark._load_labels.cache_clear()
    annotate(folder / "lumbar_train150_annotation.json", [point("L4-L5", disc="v2")], study="9.9.9")
    declared = Declared(root=folder, source_kind="open_dataset")
    assert rejects(spark.read(folder / "lumbar_train150_annotation.json", declared)) == [("no_image", "study 1")]
    path = folder / "train/study0/image1.dcm"
    assert not spark.accepts(path, path.read_bytes()[:4096])


def test_an_image_without_pixels_is_that_images_reject(folder):
    write_image(folder / "train/study0/image29.dcm", STUDY, SAGITTAL_SERIES, 1, PixelData=None)
    results = read(folder)
    assert rejects(results) == [("no_pixels", "image")]
    assert len(documents(results)[0].figures) == 13


def test_a_file_of_another_shape_says_so(folder):
    path = folder / "lumbar_train150_annotation.json"
    path.write_text('[{"studyUid": "1", "instanceUid": "2"}]')
    with pytest.raises(spark.SourceError, match="bad_annotation"):
        list(spark.read(path, Declared(root=folder, source_kind="open_dataset")))


@pytest.mark.parametrize(
    ("identification", "disc", "expected"),
    [
        ("L5-L6", "v2,v5", [("disc_bulge", "L5/L6"), ("endplate_change", "L5/L6")]),
        ("T13-L1", "v3", [("disc_herniation", "T13/L1")]),
        ("L4–L5", "v2，v4", [("disc_bulge", "L4/L5"), ("disc_herniation", "L4/L5")]),
        ("L6-S1", "", []),
    ],
)
def test_levels_beyond_the_usual_and_several_labels_of_a_disc(tmp_path, identification, disc, expected):
    labels = spark._load_labels(annotate(tmp_path / "annotation.json", [point(identification, disc=disc)]))
    ((mark,),) = labels[STUDY].marks.values()
    assert sorted((finding.name, finding.level) for finding in mark.findings) == expected
