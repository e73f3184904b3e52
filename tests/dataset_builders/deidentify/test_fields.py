import pytest

from dataset_builders.deidentify import deidentify_text
from dataset_builders.deidentify.fields import find_fields


def found(text):
    return [text[span.start : span.end] for span in sorted(find_fields(text), key=lambda span: span.start)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Name: Story Peace\nMRN: 4471\nSex: F", ["Story Peace", "4471"]),
        ("姓名：成功 性别：男 年龄：54岁 住院号：88231", ["成功", "88231"]),
        ("姓名:成功性别:男", ["成功"]),
        ("姓名：成功，男，54岁", ["成功"]),
        ("Patient: Summer Field. Consultant: Dr. Rose Young. L4/5 stenosis.", ["Summer Field", "Rose Young"]),
        ("name: story peace, 54 yo", ["story peace"]),
        ("**Name:** Hope Field  **Level:** L4/5", ["Hope Field"]),
        ("Name:\nHope Field\nLevel: L4", ["Hope Field"]),
        ("Surgeon: Same. Assistant: Will Long, MD", ["Will Long"]),
        ("Hospital: Spring Field Clinic\nDiagnosis: L4/5 stenosis", ["Spring Field Clinic"]),
    ],
)
def test_a_labelled_value_is_masked_whole_whatever_a_dictionary_says(text, values):
    assert found(text) == values


@pytest.mark.parametrize(
    "text",
    [
        *("Patient: resting comfortably.", "Patient: Stable", "Pt: Seven.", "医生：Hoffmann征阴性", "患者：老年男性，腰痛。"),
        *("术者: 常规消毒", "Drug name: Gabapentin", "Name: Gabapentin", "Name: unknown", "姓名：未知", "MRN: see wristband"),
        *("Impression: L4/5 stenosis", "Hospital course: uneventful", "Time 10:30, level: L4"),
    ],
)
def test_what_is_no_persons_stays_behind_its_label(text):
    assert found(text) == []


def test_a_labelled_name_is_masked_in_both_modes():
    assert deidentify_text("Name: Story Peace", mode="standard").text == "Name: [NAME 1]"


def test_tables_and_records_inside_a_text_are_read_too():
    assert found("| Name | Level |\n|---|---|\n| Story Peace | L4 |") == ["Story Peace"]
    assert found('{"patient_name": "Story Peace", "level": "L4"}') == ["Story Peace"]
