"""Findings that a report affirms."""

import pytest

from dataset_builders.document import Finding
from dataset_builders.generate.rules.text_findings import find_findings


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("Diffuse disc bulge at L4/L5 & L5/S1 levels.", [("disc_bulge", "L4/L5"), ("disc_bulge", "L5/S1")]),
        ("No disc herniation at L4/L5.", []),
        ("L4-5: no stenosis. L5-S1: central protrusion.", [("disc_herniation", "L5/S1")]),
        ("Compression fracture of L1.", [("wedge_fracture", "L1")]),
        ("Status post discectomy, previous herniation at L4/L5.", []),
        ("Grade I anterolisthesis of L4 on L5.", [("spondylolisthesis", "L4/L5")]),
        ("Bulge and protrusion at L3/L4 and L4/L5.", []),  # which is where?
        ("Disc protrusion.", []),
        ("L4/5椎间盘膨出，L5/S1椎间盘突出。", [("disc_bulge", "L4/L5"), ("disc_herniation", "L5/S1")]),
        ("未见L4/5椎间盘突出。", []),
    ],
)
def test_findings_are_affirmed_and_at_a_level(text, findings):
    assert list(find_findings(text)) == [Finding(name, level) for name, level in findings]
