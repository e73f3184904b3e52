"""Reported findings in words."""

import pytest

from dataset_builders.document import Compression, Finding
from dataset_builders.generate.rules.finding_words import state_reported

FINDING = Finding(
    "disc_herniation", "L4/L5", "small protrusion migrated caudally", side="left", site="paracentral",
    compression=(Compression("thecal_sac", degree="mild"), Compression("nerve_root", "touches", side="left", root="L5")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("finding", "en", "zh"),
    [
        (
            FINDING,
            "small left paracentral disc protrusion at L4/L5, migrated caudally, mildly compressing the thecal sac and "
            "touching the left L5 nerve root",
            "L4/L5左侧旁中央型小的椎间盘突出，向下移位，轻度压迫硬膜囊，贴近左侧L5 神经根",
        ),
        (Finding("tumour", "T8", "metastasis", certainty="not_excluded"), "metastasis at T8, which is not excluded", None),
        (
            Finding("spondylolisthesis", "L4/L5", "Meyerding II"),
            "grade II spondylolisthesis at L4/L5",
            "L4/L5椎体滑脱（II 度）",
        ),
        (Finding("disc_bulge", "L4/L5", side="left"), "disc bulge at L4/L5, more to the left", None),
        (
            Finding("disc_herniation", "L5/S1", "protrusion", side="mainly left"),
            "predominantly left disc protrusion at L5/S1",
            "L5/S1偏左侧椎间盘突出",
        ),
        (Finding("disc_bulge", ""), "disc bulge at several levels", "多个节段椎间盘膨出"),
    ],
)
def test_nothing_that_is_read_is_left_out(finding, en, zh):
    assert state_reported([finding], "en") == [en]
    if zh:
        assert state_reported([finding], "zh") == [zh]
