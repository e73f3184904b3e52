import pytest

from dataset_builders.deidentify.tables import find_in_tables


def found(text):
    return [text[span.start : span.end] for span in sorted(find_in_tables(text), key=lambda span: span.start)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            "| Name | Level | MRN |\n|---|---|---|\n| Hope Field | L4/5 | 77-12 |\n| Park | L5 | - |",
            ["Hope Field", "77-12", "Park"],
        ),
        ("| Name | Level |\n| Hope Field | L4/5 |", ["Hope Field"]),
        (
            "Name          Level   Phone\nHope Field    L4/5    555-0199\nPark          L5/S1",
            ["Hope Field", "555-0199", "Park"],
        ),
        ('name,level,dob\nHope Field,L4/5,1961-02-14\n"Park, Summer",L5,1961\n', ["Hope Field", "1961-02-14", "Park, Summer"]),
        ("姓名\t节段\n成功\t腰4/5", ["成功"]),
        ("| 姓名 | 成功 | 性别 | 男 |\n| 诊断 | 狭窄 | 住院号 | 88231 |", ["成功", "88231"]),
        ("| Field | Value |\n|---|---|\n| Patient name | Hope Park |\n| Level | L4 |", ["Hope Park"]),
        ("<table><tr><th>Name</th><th>Level</th></tr><tr><td>Hope Field</td><td>L4/5</td></tr></table>", ["Hope Field"]),
    ],
)
def test_cells_under_or_beside_an_identifying_heading_are_found(text, values):
    assert found(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "| Drug | Dose |\n|---|---|\n| Gabapentin | 300 mg |",
        "| Name | Dose |\n|---|---|\n| Gabapentin | 300 mg |",
        "| Patient | VAS |\n|---|---|\n| 1 | 7 |\n| 2 | 5 |",
        "The name, the level and the side were checked,\nthen the disc, the root, and the sac,\n",
        "Level  Name        Grade\nL4/5   disc bulge  2",
    ],
)
def test_clinical_columns_and_prose_stay(text):
    assert found(text) == []
