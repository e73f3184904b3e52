"""Case reports and notes: cut into their parts, and only what they affirm is asked, explained or reported."""

import re

import pytest

from dataset_builders.document import Document, Finding, Provenance, Reject
from dataset_builders.generate.checks import revise_by_rules
from dataset_builders.generate.rules import draft
from dataset_builders.generate.rules.clinical_record import find_findings, read_lines, read_record
from dataset_builders.generate.rules.records import NOTE_SECTIONS
from dataset_builders.item import LETTERS, Item, question_of
from dataset_builders.taxonomy import SCORED_DIMENSIONS

CASE_REPORT = """# A slip that was fused

## Abstract

A summary of surgery and MRI that is no part of the case.

## Case report

A 50-year-old man complained of pain in both legs on walking. He had undergone a hernia repair ten years ago.
Power and reflexes were normal on both sides. MRI showed a slip of L4 on L5 with a narrow canal (Figure 1).
The canal was wide at the other levels. The diagnosis was degenerative spondylolisthesis at L4/L5.
He underwent decompression and fusion of L4/L5. Blood loss was small. At one year follow-up he walked without pain.

## Discussion

Slips are common and surgery is sometimes needed.
"""
NOTE = """NAME: somebody
CHIEF COMPLAINT: Back pain for three weeks.
EXAMINATION: Tender over L1.
IMAGING FINDINGS: CT shows a wedge-shaped L1. The posterior wall is intact.
DIAGNOSIS: Compression fracture of L1.
TREATMENT: Brace for eight weeks and vitamin D.
RISK AND PROGNOSIS: New fractures are possible.
POSTOPERATIVE MANAGEMENT AND FOLLOW-UP: Not operated.
"""
NOTE_ZH = """主诉：腰痛两周。
体格检查：L4/L5棘突压痛。
影像学表现：MRI示L4/L5椎间盘突出，压迫硬膜囊。
诊断：腰椎间盘突出症（L4/L5）。
治疗：卧床休息，给予非甾体抗炎药。
预后：多数患者可缓解。
"""
MRI_NOTE = """LSS MRI:
- Diffuse disc bulge noted at L3/L4 level.
- Left disc protrusion at L4-L5, compressing the thecal sac.
No fracture seen."""


def make_document(markdown: str, kind="hospital_case", language="en") -> Document:
    provenance = Provenance(kind, "case:9", "LicenseRef-Hospital", "note.txt", "0" * 64, case_id="9")
    return Document(provenance, language, markdown, specialty="spine")


def revised(document: Document) -> list[Item]:
    results = [revise_by_rules(item) for item in draft(document)]
    assert all(isinstance(result, Item) for result in results), results
    return results


def of(items: list[Item], rule: str) -> Item:
    (item,) = [item for item in items if item.generation.prompt_id.startswith(f"rules/{rule}@")]
    return item


def test_a_published_case_is_sorted_by_what_its_sentences_say():
    record = read_record(CASE_REPORT, told_in_one=True)
    assert any("hernia repair" in sentence for sentence in record.presentation)
    assert record.imaging == (
        "MRI showed a slip of L4 on L5 with a narrow canal.", "The canal was wide at the other levels."
    )  # fmt: skip
    assert record.diagnosis == ("The diagnosis was degenerative spondylolisthesis at L4/L5.",)
    assert record.treatment == ("He underwent decompression and fusion of L4/L5.", "Blood loss was small.")
    assert record.outcome == ("At one year follow-up he walked without pain.",)


def test_headings_in_capitals_or_chinese_cut_a_note():
    record = read_record(NOTE, told_in_one=False)
    assert record.presentation == ("Back pain for three weeks.", "Tender over L1.")
    assert (record.diagnosis, record.outcome) == (("Compression fracture of L1.",), ("New fractures are possible.",))
    assert record.postoperative == ("Not operated.",)
    assert "somebody" not in str(record)
    assert read_record(NOTE_ZH, told_in_one=False).imaging == ("MRI示L4/L5椎间盘突出，压迫硬膜囊。",)


@pytest.mark.parametrize(
    ("text", "kind", "language"),
    [(CASE_REPORT, "case_report", "en"), (NOTE, "hospital_case", "en"), (NOTE_ZH, "hospital_case", "zh")],
)
def test_a_case_gives_a_report_and_a_consultation_in_its_own_words(text, kind, language):
    items = revised(make_document(text, kind, language))
    report, consultation = of(items, "record_report"), of(items, "record_consultation")
    record = read_record(text, told_in_one=kind == "case_report")
    assert {report.language, consultation.language} == {language}
    assert record.diagnosis[0] in report.answer and record.diagnosis[0] not in report.messages[0].text
    assert record.treatment[0] in report.answer and record.treatment[0] not in report.messages[0].text
    assert record.imaging[0] in report.messages[0].text
    assert len(consultation.messages) >= 6
    assert any(record.treatment[0] in message.text for message in consultation.messages if message.role == "assistant")


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


def test_an_imaging_report_is_explained_reported_and_asked_by_level():
    items = revised(make_document(MRI_NOTE))
    report = of(items, "note_report")
    assert "- L3/L4: Diffuse disc bulge noted at L3/L4 level.\n- L4/L5: Left disc protrusion" in report.answer
    assert "- Without a level: No fracture seen." in report.answer and "1. Disc herniation at L4/L5" in report.answer
    assert "fracture" not in report.answer.split("## ")[2]
    assert report.answer.count("## ") == len(NOTE_SECTIONS)
    assert not re.search(r"discectomy|decompression|post-?operative|not say", report.answer, re.IGNORECASE)
    assert "LSS MRI" not in report.messages[0].text and {c.dimension for c in report.rubric} == set(SCORED_DIMENSIONS)
    consultation = of(items, "note_consultation")
    assert "Left disc protrusion at L4-L5" in consultation.messages[0].text
    level_questions = [item for item in items if item.generation.prompt_id.startswith("rules/note_level@")]
    assert {item.options[LETTERS.index(item.answer)] for item in level_questions} == {"L3/L4", "L4/L5"}
    for item in level_questions:
        assert {"L3/L4", "L4/L5"} <= set(item.options) and "Left disc protrusion" in question_of(item)
    root = of(items, "note_root")
    assert root.options[LETTERS.index(root.answer)] == "L5 nerve root" and root.discs == ("L4/L5",)


def test_a_level_that_heads_a_list_holds_for_its_lines():
    note = (
        "MRI lumbar spine\nL4-L5 level:\nwide based disc bulge noted\n- ligaments thick\n"
        "L5-S1:\nCentral disc protrusion\nNB: renal cyst"
    )
    assert read_lines(note) == [
        "L4/L5: wide based disc bulge noted", "L4/L5: ligaments thick", "L5/S1: Central disc protrusion", "NB: renal cyst"
    ]  # fmt: skip
    assert read_lines("L3-L4, L4-L5:\nDisc bulges noted\ncompressing the sac") == [
        "L3/L4, L4/L5: Disc bulges noted compressing the sac"
    ]
    report = of(revised(make_document(note)), "note_report").answer
    assert "- L4/L5: Wide based disc bulge noted. Ligaments thick.\n- L5/S1: Central disc protrusion." in report


def test_what_cannot_be_placed_is_still_concluded():
    note = "L3-L4 and L4-L5: diffuse disc bulges with canal stenosis\nSmall disc protrusion at L1/L2."
    report = of(revised(make_document(note)), "note_report").answer
    assert "- L3/L4, L4/L5: Diffuse disc bulges with canal stenosis." in report
    assert "1. Disc herniation at L1/L2\nAlso described" in report and report.count("canal stenosis") == 2


def test_masks_of_identifiers_are_not_asked_for():
    note = (
        NOTE.replace("CT shows", "CT of the spine, [OTHER_ID 1], performed on [DATE 4]. CT shows")
        + "Results are sent to the patient at [EMAIL 1].\nSigned: [NAME 5], [DATE 3]\n"
    )
    for item in revised(make_document(note)):
        assert "[" not in "".join(message.text for message in item.messages)


def test_a_note_that_names_the_root_is_not_asked_for_it():
    document = make_document("Right disc protrusion at L5/S1 compressing the S1 nerve root.")
    (root,) = [item for item in draft(document) if item.generation.prompt_id.startswith("rules/note_root@")]
    assert isinstance(revise_by_rules(root), Reject)


def test_a_normal_report_gives_nothing_to_treat():
    assert not list(draft(make_document("No evidence of disc herniation.\nNo significant compression noted.")))
