"""Findings that a report affirms, doubts or denies, and what it leaves unread."""

import pytest

from dataset_builders.document import Compression, Finding
from dataset_builders.generate.rules.text_findings import find_findings, read_statement

LEFT_ROOT = Finding(
    "disc_herniation", "L4/L5", "protrusion", side="left", site="paracentral",
    compression=(Compression("thecal_sac"), Compression("nerve_root", side="left", root="L5")),
)  # fmt: skip
LEFT_ROOT_ZH = Finding(
    "disc_herniation", "L4/L5", side="left", site="paracentral",
    compression=(Compression("thecal_sac"), Compression("nerve_root", side="left", root="L5")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("Diffuse disc bulge at L4/L5 & L5/S1 levels.", [("disc_bulge", "L4/L5"), ("disc_bulge", "L5/S1")]),
        ("No disc herniation at L4/L5.", []),
        ("L4-5: no stenosis. L5-S1: central protrusion.", [("disc_herniation", "L5/S1")]),
        ("Compression fracture of D12.", [("wedge_fracture", "T12")]),
        ("Status post discectomy, previous herniation at L4/L5.", []),
        ("Grade I anterolisthesis of L4 on L5.", [("spondylolisthesis", "L4/L5")]),
        ("Bulge and protrusion at L3/L4 and L4/L5.", []),  # which is where?
        ("Disc protrusion.", []),
        ("L4-L5 disc bulge and L5-S1 disc protrusion.", [("disc_bulge", "L4/L5"), ("disc_herniation", "L5/S1")]),
        ("No disc bulge at L3-L4 but a protrusion at L4-L5.", [("disc_herniation", "L4/L5")]),
        ("Disc herniation is not seen at L5/S1.", []),
        ("L4/5椎间盘膨出，L5/S1椎间盘突出。", [("disc_bulge", "L4/L5"), ("disc_herniation", "L5/S1")]),
        ("未见L4/5椎间盘突出。", []),
        ("L4/5椎间盘膨出，未见突出。", [("disc_bulge", "L4/L5")]),
    ],
)
def test_findings_are_affirmed_and_at_a_level(text, findings):
    assert [(finding.name, finding.level) for finding in find_findings(text)] == findings


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("L4-L5: Lt paracentral disc protruion compresing the tehcal sac and left L5 nerve root", LEFT_ROOT),
        ("L4/5椎间盘向左后突出，压迫硬膜囊及左侧L5神经根。", LEFT_ROOT_ZH),
        ("Grade II retrolisthesis of L5 on S1", Finding("spondylolisthesis", "L5/S1", "retrolisthesis Meyerding II")),
        ("Modic type II changes at L4/L5", Finding("modic_change", "L4/L5", "Modic 2")),
        (
            "L5-S1: disc protrusion, more to the Lt side",
            Finding("disc_herniation", "L5/S1", "protrusion", side="mainly left"),
        ),
        ("Severe canal stenosis at L4-L5", Finding("canal_stenosis", "L4/L5", "severe")),
        ("Pfirrmann grade IV degeneration of the L5-S1 disc", Finding("disc_degeneration", "L5/S1", "Pfirrmann IV")),
        ("Old compression fracture of T12", Finding("wedge_fracture", "T12", "old compression fracture")),
    ],
)
def test_side_site_grade_and_compression_are_read_through_misspellings(text, finding):
    assert read_statement(text).findings == (finding,)
    assert not read_statement(text).unread


@pytest.mark.parametrize(
    ("text", "certainty"),
    [
        ("Discitis at L4/L5.", "definite"), ("Probably discitis at L4/L5.", "probable"), ("? discitis at L4/L5", "possible"),
        ("Discitis cannot be excluded at L4/L5.", "not_excluded"), ("To rule out discitis at L4/L5.", "not_excluded"),
        ("L4/5椎间盘炎待排除。", "not_excluded"), ("L4/5不除外椎间盘炎。", "not_excluded"), ("考虑L4/5椎间盘炎。", "probable"),
    ],
)  # fmt: skip
def test_doubt_is_kept(text, certainty):
    statement = read_statement(text)
    assert [finding.certainty for finding in statement.findings] == [certainty] and not statement.unread


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("No evidence of fracture, metastasis or cord compression.", ("fracture", "tumour", "cord", "compresses")),
        ("No significant thecal sac or nerve root compression noted.", ("thecal_sac", "nerve_root", "compresses")),
        ("未见骨折、脱位及骨质破坏。", ("fracture", "dislocation", "tumour")),
        ("硬膜囊未受压。", ("thecal_sac", "compresses")),
    ],
)
def test_a_negation_holds_for_its_list(text, denied):
    statement = read_statement(text)
    assert statement.denied == denied and not statement.findings and not statement.unread


@pytest.mark.parametrize(
    "text",
    [
        "No disc herniation, canal stenosis at L4/5.",  # is the stenosis denied?
        "Left paracentral disc protrusion at L4/L5 compressing the right nerve root.",
        "Dural fistula at T7.",
        "Disc bulge at L4/L5 with an arachnoid web.",
        "Normal bony alignment except crush of T12.",
        "Abnormal signal of L1.",
        "椎体边缘不规则。",
        "[NAME 1] cyst at L4/L5.",
        "Disc bulge at L4/L5, worse at L5/S1.",
        "Disc bulge at L4/L5 compressing the thecal sac and there-",
        "Disc bulges at L3/L4 and L4/L5, encroaching the left foramen at L4/L5.",
    ],
)
def test_what_is_not_understood_is_said_to_be_unread(text):
    assert read_statement(text).unread


@pytest.mark.parametrize(
    "text", ["The spinal cord is normal in signal and caliber.", "脊髓形态、信号正常。", "Adequate spinal canal."]
)
def test_a_sentence_of_normal_findings_is_covered(text):
    statement = read_statement(text)
    assert not statement.findings and not statement.unread


def test_what_a_report_asks_for_is_kept():
    assert read_statement("Disc bulge at L4/L5, contrast study is recommended").advised == ("contrast study is recommended",)
    assert read_statement("Previous laminectomy at L4/L5.").is_postoperative
