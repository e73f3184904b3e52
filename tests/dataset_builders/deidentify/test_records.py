import pytest

from dataset_builders.deidentify.records import find_in_records

HL7 = (
    "MSH|^~\\&|LAB|GREEN HOSP|EMR||202403011030||ORU^R01|MSG01|P|2.5\r"
    "PID|1||88231^^^HOSP||FIELD^HOPE^M||19610214|F|||12 WREN LN^^ASHBY||5550199\r"
    "PV1|1|I|||||1234^YOUNG^ROSE\r"
    "OBX|1|TX|IMP||L4/5 stenosis|||||F"
)


def found(text):
    return [text[span.start : span.end] for span in sorted(find_in_records(text), key=lambda span: span.start)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"patient_name": "Hope Field", "mrn": 88231, "note": "L4/5 stenosis"}', ["Hope Field", "88231"]),
        ('{"name": [{"use": "official", "family": "Field", "given": ["Hope", "May"]}]}', ["Field", "Hope", "May"]),
        ("{'姓名': '成功', '诊断': '狭窄'}", ["成功"]),
        ('{"patient_name": "Hope Field", "level": "L4/5', ["Hope Field"]),
        ("<name><given>Hope</given><family>Field</family></name><level>L4</level>", ["Hope", "Field"]),
        ('<family value="Field"/><id root="2.16.840" extension="88231"/><code value="L4"/>', ["Field", "88231"]),
        ('<patient mrn="88231"><level>L4', ["88231"]),
    ],
)
def test_values_of_identifying_keys_and_elements_are_found(text, values):
    assert found(text + ("</x>" if text.startswith("<") else "")) == values


@pytest.mark.parametrize(
    "text",
    ['{"drug": {"name": "Zolmivex"}}', '{"id": 7, "finding": "disc bulge"}', "<finding>disc bulge</finding>", "a < b && c > d"],
)
def test_other_values_stay(text):
    assert found(text) == []


def test_hl7_fields_are_read_by_position():
    values = ["GREEN HOSP", "202403011030", "MSG01", "88231^^^HOSP", "FIELD^HOPE^M", "19610214", "12 WREN LN^^ASHBY", "5550199"]
    assert found(HL7) == [*values, "1234^YOUNG^ROSE"]
