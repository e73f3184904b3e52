import pytest

from dataset_builders.deidentify.headings import (
    Heading,
    find_heading,
    hl7_fields,
    is_heading,
    is_name_shaped,
    mask_value,
    normalise,
)
from dataset_builders.deidentify.rules import CATEGORIES


@pytest.mark.parametrize(
    ("written", "heading"),
    [
        ("patientName", "patient name"),
        ("PATIENT_NAME", "patient name"),
        ("Patient-Name :", "patient name"),
        ("住 院 号：", "住院号"),
    ],
)
def test_a_heading_is_written_in_one_way(written, heading):
    assert normalise(written) == heading and find_heading(written) == find_heading(heading) is not None


@pytest.mark.parametrize("written", ["Finding", "诊断", "Sex"])
def test_a_clinical_heading_identifies_nobody(written):
    assert find_heading(written) is None and is_heading(written)


def test_prose_is_no_heading():
    assert not is_heading("L4/5") and not is_heading("name " * 20)


@pytest.mark.parametrize("value", ["", " - ", "n/a", "Unknown", "未知", "[NAME 1]", "x" * 301])
def test_an_empty_field_stays(value):
    assert mask_value(Heading("NAME", "sure"), value, 0, len(value)) is None


@pytest.mark.parametrize(
    ("category", "value", "masked"),
    [
        *(
            ("AGE", "65", None),
            ("AGE", "93", "AGE90"),
            ("BIRTH", "1961", None),
            ("BIRTH", "1931", "AGE90"),
            ("BIRTH", "2/61", "DATE"),
        ),
        *(("MRN", "88231", "MRN"), ("MRN", "QZKX", "MRN"), ("MRN", "wristband", None), ("ORG", "Spring Clinic", "ORG")),
    ],
)
def test_a_value_is_masked_as_its_heading_says(category, value, masked):
    span = mask_value(Heading(category, "sure"), value, 0, len(value))
    assert (span and span.category) == masked


@pytest.mark.parametrize("value", ["gabapentin", "L4/5", "disc bulge", "椎间盘突出"])
def test_medicine_under_a_word_for_anything_stays(value):
    assert mask_value(Heading("NAME", "generic"), value, 0, len(value)) is None


def test_the_mask_leaves_quotes_and_blanks_around_a_value():
    span = mask_value(Heading("NAME", "sure"), ' "Hope Field" ', 0, 14)
    assert (span.start, span.end) == (2, 12)


def test_a_role_is_followed_by_a_name_or_by_something_else():
    assert is_name_shaped("Summer Field") and is_name_shaped("陆桂芬") and is_name_shaped("J. Quill")
    assert not any(map(is_name_shaped, ["resting", "Stable", "Lumbar Stenosis", "老年男性", "Seven", "Um", "Okey"]))


def test_hl7_fields_are_of_our_categories():
    categories = {heading.category for fields in hl7_fields().values() for heading in fields.values()}
    assert categories <= {*CATEGORIES, "BIRTH"} and hl7_fields()["PID"][5] == Heading("NAME", "sure")
