"""Reports and rubrics from recorded findings."""

import pytest

from dataset_builders.document import Compression, Finding
from dataset_builders.generate.rules.naming import name_finding
from dataset_builders.generate.rules.reports import (
    CRITERION_CHARACTERS,
    MAX_EXPLAINED,
    RECORD_CHARACTERS,
    CaseFacts,
    abnormal,
    by_level,
    distinct_names,
    format_report,
    is_urgent,
    quote,
    quote_briefly,
    say_common,
    write_report,
    write_rubric,
)
from dataset_builders.generate.rules.texts import load_rules
from dataset_builders.taxonomy import FINDINGS, REPORT_SECTIONS, SCORED_DIMENSIONS
from tests.support.labelled_case import DEGENERATION, FRACTURE, HERNIATION, NORMAL_DISC


def test_findings_come_by_weight_and_normal_ones_not_at_all():
    assert abnormal((DEGENERATION, HERNIATION, NORMAL_DISC, FRACTURE, HERNIATION)) == (FRACTURE, HERNIATION, DEGENERATION)


def test_every_finding_of_the_taxonomy_has_a_weight():
    assert len(abnormal([Finding(name, "L4/L5") for name in FINDINGS])) == len(FINDINGS)


def test_findings_are_listed_level_by_level_head_to_tail():
    assert by_level((HERNIATION, DEGENERATION, FRACTURE), "en") == [
        ("L1", ["vertebral wedge (compression) fracture (Genant grade 2, moderate, 31.5 %)"]),
        ("L4/L5", ["disc herniation", "disc degeneration (Pfirrmann grade IV)"]),
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_report_without_findings_advises_nothing(language):
    rule = load_rules("cases")["report"]
    report = write_report(CaseFacts((), ("an MR image",), ("L4", "L5"), 2), rule, language)
    assert report.count("## ") == len(REPORT_SECTIONS) and "{" not in report
    assert rule.phrasings[language]["treatment_none"][0] in report and rule.phrasings[language]["disclaimer"][0] in report


def test_only_the_weightiest_findings_are_explained():
    findings = abnormal([Finding(name, "L4/L5") for name in FINDINGS])
    assert distinct_names(findings) == [finding.name for finding in findings[:MAX_EXPLAINED]]
    report = write_report(CaseFacts(findings), load_rules("cases")["report"], "en")
    treatment = report.split("## ")[3]
    assert all(name_finding(finding, "en") in treatment for finding in findings[:MAX_EXPLAINED])
    assert name_finding(findings[-1], "en") not in treatment


def test_nobody_is_reassured_beside_an_urgent_finding_nor_of_one_that_presses():
    bulge = Finding("disc_bulge", "L4/L5")
    pressing = Finding("disc_bulge", "L4/L5", compression=(Compression("nerve_root"),))
    assert say_common([bulge], "en") and say_common([bulge], "zh")
    assert not say_common([pressing], "en") and not say_common([bulge, FRACTURE], "en")
    report = write_report(CaseFacts((FRACTURE, bulge)), load_rules("cases")["report"], "en")
    assert "without pain" not in report and "name no level" in report


@pytest.mark.parametrize(
    ("finding", "urgent"),
    [
        (Finding("tumour", "T8", certainty="not_excluded"), True),
        (Finding("disc_bulge", "C5/C6", compression=(Compression("cord"),)), True),
        (Finding("disc_bulge", "C5/C6", compression=(Compression("cord", "touches"),)), False),
        (Finding("disc_bulge", "L4/L5", compression=(Compression("thecal_sac", degree="severe"),)), True),
        (Finding("spondylolisthesis", "L4/L5", "Meyerding III"), True),
        (Finding("spondylolisthesis", "L4/L5", "Meyerding II"), False),
        (Finding("canal_stenosis", "L4/L5", "Severe"), True), (Finding("disc_herniation", "L4/L5"), False),
    ],
)  # fmt: skip
def test_what_needs_prompt_assessment(finding, urgent):
    assert is_urgent(finding) is urgent


def test_a_rubric_has_a_criterion_for_each_dimension_even_without_findings():
    for findings in ((), (HERNIATION,)):
        rubric = write_rubric(CaseFacts(findings), load_rules("cases")["report"], "en")
        assert [line.dimension for line in rubric] == list(SCORED_DIMENSIONS)
        assert all(line.criterion and "{" not in line.criterion for line in rubric)


def test_a_report_needs_a_body_for_each_heading():
    with pytest.raises(ValueError):
        format_report(["one"], "en")


def test_records_are_quoted_in_whole_sentences_and_criteria_cut_at_a_word():
    sentences = ["word " * 30 + "end."] * 60
    assert len(quote(sentences, "en")) <= RECORD_CHARACTERS and quote(sentences, "en").endswith("end.")
    assert quote_briefly(sentences, "en").endswith("word …") and len(quote_briefly(sentences, "en")) <= CRITERION_CHARACTERS + 2
    assert quote(["甲。", "乙。"], "zh") == "甲。乙。" and quote_briefly(["A.", "B."], "en") == "A. B."
