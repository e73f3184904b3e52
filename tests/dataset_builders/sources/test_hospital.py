"""What is left of a reader's result for a hospital's file: keyed names, plain places, the reason's own sentence."""

import dataclasses

import pytest

from dataset_builders.document import Companion, Deidentification, Document, Figure, Masking, Provenance, Reject
from dataset_builders.sources.base import Declared
from dataset_builders.sources.hospital import EXPLANATIONS, conceal, name_file

KEY = b"k" * 32
FILE = "hospital/Quibble Ann/4711.pdf"


def concealed(tmp_path, result, key=KEY):
    return next(conceal([result], tmp_path / FILE, Declared(root=tmp_path, source_kind="hospital_case"), key))


def document(locator=f"{FILE}, pages 1–3", **changes):
    source = Provenance(
        "article", "article:quibble-ann-1a2b", "MIT", locator, "f" * 64, "Quibble", "10.1/q", "http://q", "quibble-1"
    )
    return Document(source, "en", "Text.", **changes)


def test_provenance_says_nothing_but_the_place(tmp_path):
    source = concealed(tmp_path, document(file=FILE)).provenance
    assert (source.source_kind, source.source_licence) == ("hospital_case", "LicenseRef-Hospital")
    assert source.source_locator == f"{name_file(FILE, KEY)}, pages 1–3"
    assert source.source_title is source.source_doi is source.source_url is None
    assert "uibble" not in repr(source) and "4711" not in repr(source) and "f" * 64 not in repr(source)
    assert len(source.source_sha256) == 64 and source.case_id.startswith("hospital:") and source.source_id != source.case_id


def test_ids_hold_under_one_key_and_differ_under_another(tmp_path):
    one, again, other = (concealed(tmp_path, document(), key).provenance for key in (KEY, KEY, b"x" * 32))
    assert one == again
    fields = ("source_id", "case_id", "source_locator", "source_sha256")
    assert not {getattr(one, name) for name in fields} & {getattr(other, name) for name in fields}


@pytest.mark.parametrize("locator", ["hospital/Quibble row 5", "page 4711 of Quibble", "Quibble, page 4"])
def test_a_locator_that_is_not_all_place_is_left_out(tmp_path, locator):
    assert concealed(tmp_path, document(locator)).provenance.source_locator == name_file(FILE, KEY)


def test_figures_keep_places_and_lose_file_names(tmp_path):
    places = ("T2 sagittal slice 3 of 9", "Quibble.png", "page 4")
    figures = tuple(Figure("", "", locator=place) for place in places)
    found = concealed(tmp_path, document(figures=figures)).figures
    assert [figure.locator for figure in found] == ["T2 sagittal slice 3 of 9", "image 2", "page 4"]


def test_a_masked_dicom_file_is_named_by_its_key(tmp_path):
    removed = Deidentification(maskings=(Masking(FILE, ()), Masking("a" * 64, ())))
    found = concealed(tmp_path, document(deidentification=removed)).deidentification
    assert found == dataclasses.replace(removed, maskings=(Masking(name_file(FILE, KEY), ()), Masking("a" * 64, ())))


@pytest.mark.parametrize(
    ("where", "kept"),
    [("line 12 Quibble.png", "line 12"), ("sheet 2 row 3", "sheet 2 row 3"), ("Quibble row 3", ""), ("", ""), ("rowdy 3", "")],
)
def test_a_reject_keeps_reason_and_row_alone(tmp_path, where, kept):
    reject = concealed(tmp_path, Reject(FILE, "broken_line", "Quibble said", where))
    assert reject == Reject(name_file(FILE, KEY), "broken_line", EXPLANATIONS["broken_line"], kept)


def test_a_crash_names_the_type_of_its_error(tmp_path):
    assert concealed(tmp_path, Reject(FILE, "reader_crashed", "ValueError")).detail == "ValueError"


def test_companions_have_keyed_names(tmp_path):
    (tmp_path / "hospital/Quibble Ann").mkdir(parents=True)
    (tmp_path / FILE).touch()
    found = concealed(tmp_path, Companion("hospital/Quibble Ann/a.png", FILE))
    assert found == Companion(name_file("hospital/Quibble Ann/a.png", KEY), name_file(FILE, KEY))
    assert concealed(tmp_path, Companion("hospital/a.png", "Quibble's folder")).of == "its folder"


def test_a_name_keeps_only_the_suffix_of_a_format():
    assert name_file("a.nii.gz", KEY).endswith(".nii.gz")
    assert "ibble" not in name_file("x.Quibble.pdf", KEY) and "ibble" not in name_file("x.quibble", KEY)
