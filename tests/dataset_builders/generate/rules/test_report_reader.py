"""Which words of a sentence belong to which finding."""

import pytest

from dataset_builders.generate.rules.text_findings import read_statement


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("Multilevel disc bulges mainly at L3/L4", [("disc_bulge", "L3/L4"), ("disc_bulge", "")]),
        ("Multilevel disc bulges at L3/L4 and L4/L5", [("disc_bulge", "L3/L4"), ("disc_bulge", "L4/L5")]),
        (
            "L2 and L4 wedge fractures with bone marrow edema",
            [("wedge_fracture", "L2"), ("wedge_fracture", "L4"), ("marrow_oedema", "")],
        ),
        ("L4-L5: disc bulge with facet hypertrophy", [("disc_bulge", "L4/L5"), ("facet_hypertrophy", "L4/L5")]),
        (
            "Cord compression at T11/T12 due to a disc herniation",
            [("neural_compression", "T11/T12"), ("disc_herniation", "T11/T12")],
        ),
    ],
)
def test_each_finding_has_its_level(sentence, told):
    statement = read_statement(sentence)
    assert [(finding.name, finding.level) for finding in statement.findings] == told and not statement.unread


def test_a_tear_named_last_does_not_press():
    (tear,) = (
        f
        for f in read_statement("L4/L5: disc protrusion with annular tear compressing the thecal sac").findings
        if f.name == "annular_tear"
    )
    assert not tear.compression
