"""Notes that are one imaging report: told, explained and asked about only if every sentence is understood."""

import re

import pytest

from dataset_builders.document import Compression, Finding, Reject
from dataset_builders.generate.rules import draft
from dataset_builders.generate.rules.clinical_record import read_lines
from dataset_builders.generate.rules.imaging_notes import root_at_risk
from dataset_builders.generate.rules.texts import load_advice
from dataset_builders.item import LETTERS, Item, question_of
from dataset_builders.taxonomy import REPORT_SECTIONS, SCORED_DIMENSIONS
from tests.support.drafts import by_rule, draft_and_check
from tests.support.notes import MRI_NOTE, make_note


def only(items: list[Item], rule: str) -> Item:
    (item,) = by_rule(items, rule)
    return item


def reasons(note: str, language: str = "en") -> list[str]:
    results = list(draft(make_note(note, language=language)))
    assert all(isinstance(result, Reject) for result in results)
    return [result.reason for result in results]


def replies(item: Item) -> str:
    return "\n".join(message.text for message in item.messages if message.role == "assistant")


def test_an_imaging_report_is_explained_reported_and_asked_by_level():
    items = draft_and_check(make_note(MRI_NOTE))
    report = only(items, "note_report")
    assert "- L3/L4: Diffuse disc bulge.\n- L4/L5: Left disc protrusion, compressing the thecal sac." in report.answer
    assert "The report also states: “No fracture seen.”" in report.answer
    assert "1. Left disc protrusion at L4/L5, compressing the thecal sac" in report.answer
    assert report.answer.count("## ") == len(REPORT_SECTIONS)
    assert {criterion.dimension for criterion in report.rubric} == set(SCORED_DIMENSIONS)
    consultation = only(items, "note_consultation")
    assert "Left disc protrusion at L4-L5" in consultation.messages[0].text
    assert "left disc protrusion at L4/L5, compressing the thecal sac" in replies(consultation)
    level = only(items, "note_level")
    assert level.options[LETTERS.index(level.answer)] == "L4/L5" and {"L3/L4", "L4/L5"} <= set(level.options)
    assert "protrusion" not in question_of(level).rsplit("\n", 1)[1]
    assert not by_rule(items, "note_root")  # no site is given


@pytest.mark.parametrize(
    ("note", "language", "first"),
    [
        ("L2 wedge fracture.\nMild disc bulge at L4/L5.", "en", "wedge fracture at L2"),
        ("Disc bulge at L4/L5.\nMetastasis cannot be excluded at T8.", "en", "metastasis at T8, which is not excluded"),
        ("Disc bulge at L4/L5.\nT11/T12: disc protrusion compressing the spinal cord.", "en", "compressing the spinal cord"),
        ("L4/5椎间盘膨出。\nL1椎体压缩性骨折。", "zh", "L1椎体压缩性骨折"),
    ],
)
def test_what_is_urgent_comes_first_and_nobody_is_reassured(note, language, first):
    items = draft_and_check(make_note(note, language=language))
    opening = only(items, "note_consultation").messages[1].text
    head = re.split(r"(?<=[.。])", opening)[0]
    assert first in head and ("bulge" not in head and "膨出" not in head)
    common = [entry[language]["common"] for entry in load_advice().values() if "common" in entry[language]]
    for item in (only(items, "note_consultation"), only(items, "note_report")):
        assert "bulge" in replies(item) or "膨出" in replies(item)
        assert not any(sentence in replies(item) for sentence in common)


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        ("Disc bulge at L4/L5.\nDural fistula at T7.", "note_unread"),
        ("Disc bulge at L4/L5.\nDisc bulge with [ORG 1] protrusion at L5/S1.", "note_masked"),
        ("Disc bulge at L4/L5.\nPrevious laminectomy at L5.", "note_postoperative"),
        ("Disc bulge at L4/L5 compressing the thecal sac.\nNo thecal sac compression.", "note_contradicts_itself"),
        ("No evidence of disc herniation.\nNo significant compression noted.", "note_without_finding"),
        ("Disc bulge at L4/L5. " * 100, "note_too_long"),
    ],
)
def test_a_note_that_is_not_covered_gives_nothing_but_a_reason(note, reason):
    assert reasons(note) == [reason]


def test_every_item_quotes_the_note_and_the_advice_that_it_uses():
    for item in draft_and_check(make_note(MRI_NOTE)):
        assert {"Left disc protrusion at L4-L5, compressing the thecal sac.", "No fracture seen."} <= set(item.quotes)
        for text in (text for entry in load_advice().values() for text in entry["en"].values() if len(text) > 30):
            assert text not in replies(item) or text in item.quotes


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


def herniation(level: str, site: str | None, *structures: str, grade: str = "protrusion") -> Finding:
    pressed = tuple(Compression(structure) for structure in structures)
    return Finding("disc_herniation", level, grade, side="left", site=site, compression=pressed)


@pytest.mark.parametrize(
    ("finding", "root"),
    [
        (herniation("L4/L5", "paracentral"), "L5"), (herniation("L4/L5", "foraminal"), "L4"),
        (herniation("L4/L5", "extraforaminal"), "L4"), (herniation("L5/S1", "subarticular"), "S1"),
        (herniation("C5/C6", "paracentral"), "C6"), (herniation("C7/T1", "foraminal"), "C8"),
        (herniation("L4/L5", None), None), (herniation("L4/L5", "central"), None),
        (herniation("L4/L5", "paracentral, foraminal"), None),
        (herniation("L4/L5", "paracentral", "exiting_root"), None), (herniation("L4/L5", "foraminal", "traversing_root"), None),
        (herniation("L4/L5", "paracentral", grade="protrusion migrated caudally"), None),
        (herniation("T8/T9", "paracentral"), None),
        (herniation("L4/L5", "foraminal", "thecal_sac"), None), (herniation("C5/C6", "foraminal", "thecal_sac"), "C6"),
        (herniation("L4/L5", "foraminal", "thecal_sac", "exiting_root"), "L4"),
    ],
)  # fmt: skip
def test_the_root_follows_from_level_and_site(finding, root):
    assert root_at_risk(finding)[0] == root


def test_a_root_is_asked_only_if_the_note_does_not_give_it():
    note = "Left foraminal disc protrusion at L4/L5."
    root = only(draft_and_check(make_note(note)), "note_root")
    assert root.options[LETTERS.index(root.answer)] == "L4 nerve root" and "L5 nerve root" in root.options
    for more in ("\nLeft L4 nerve root compressed at L4/L5.", "\nNo nerve root compression."):
        assert not by_rule(draft_and_check(make_note(note + more)), "note_root")


def test_pressure_on_the_cord_is_told_in_the_reason_of_a_level():
    note = "Central disc protrusion at T11/T12, compressing the spinal cord.\nDisc bulge at L4/L5, compressing the thecal sac."
    assert "central disc protrusion, compressing the spinal cord" in replies(
        only(draft_and_check(make_note(note)), "note_level")
    )
    note = "Left paracentral disc protrusion at L4/L5, compressing the cauda equina."
    assert "compressing the cauda equina" in replies(only(draft_and_check(make_note(note)), "note_root"))


def test_below_the_conus_nothing_is_said_of_the_spinal_cord():
    for level, speaks in (("L4/L5", False), ("C5/C6", True)):
        items = draft_and_check(make_note(f"Disc protrusion at {level}, severely compressing the thecal sac."))
        report = only(items, "note_report").answer
        assert ("spinal cord" in report) == speaks == ("hand function" in report)
        assert "the first step with pressure" in report and "first-line" not in report


@pytest.mark.parametrize(
    ("sentence", "plain"),
    [
        ("No nerve root compression.", "this means: no nerve is pressed on."),
        ("No significant thecal sac or nerve root compression.", "this means: no nerve is clearly pressed on."),
        ("Adequate spinal canal.", "this means: the channel for the nerves is wide enough."),
        ("No fracture at L1.", ""),
    ],
)
def test_what_a_report_denies_is_said_in_plain_words(sentence, plain):
    for pressing in ("", ", compressing the neural foramina"):
        said = replies(only(draft_and_check(make_note(f"Disc bulge at L4/L5{pressing}.\n{sentence}")), "note_consultation"))
        assert (plain in said if plain else "this means" not in said) or (
            pressing and ("apart from what is named above, no nerve" in said or "as a whole" in said)
        )
