"""Notes that are one imaging report: only what they affirm is asked, explained or reported."""

import re

from dataset_builders.document import Reject
from dataset_builders.generate.checks import check_item
from dataset_builders.generate.rules import draft
from dataset_builders.generate.rules.clinical_record import read_lines
from dataset_builders.generate.rules.imaging_notes import NOTE_SECTIONS
from dataset_builders.item import LETTERS, Item, question_of
from dataset_builders.taxonomy import SCORED_DIMENSIONS
from tests.support.drafts import by_rule, draft_and_check
from tests.support.notes import MRI_NOTE, make_note


def only(items: list[Item], rule: str) -> Item:
    (item,) = by_rule(items, rule)
    return item


def test_an_imaging_report_is_explained_reported_and_asked_by_level():
    items = draft_and_check(make_note(MRI_NOTE))
    report = only(items, "note_report")
    assert "- L3/L4: Diffuse disc bulge noted at L3/L4 level.\n- L4/L5: Left disc protrusion" in report.answer
    assert "- Without a level: No fracture seen." in report.answer and "1. Disc herniation at L4/L5" in report.answer
    assert "fracture" not in report.answer.split("## ")[2]
    assert report.answer.count("## ") == len(NOTE_SECTIONS)
    assert not re.search(r"discectomy|decompression|post-?operative|not say", report.answer, re.IGNORECASE)
    assert "LSS MRI" not in report.messages[0].text and {c.dimension for c in report.rubric} == set(SCORED_DIMENSIONS)
    consultation = only(items, "note_consultation")
    assert "Left disc protrusion at L4-L5" in consultation.messages[0].text
    level_questions = [item for item in items if item.generation.prompt_id.startswith("rules/note_level@")]
    assert {item.options[LETTERS.index(item.answer)] for item in level_questions} == {"L3/L4", "L4/L5"}
    for item in level_questions:
        assert {"L3/L4", "L4/L5"} <= set(item.options) and "Left disc protrusion" in question_of(item)
    root = only(items, "note_root")
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
    report = only(draft_and_check(make_note(note)), "note_report").answer
    assert "- L4/L5: Wide based disc bulge noted. Ligaments thick.\n- L5/S1: Central disc protrusion." in report


def test_what_cannot_be_placed_is_still_concluded():
    note = "L3-L4 and L4-L5: diffuse disc bulges with canal stenosis\nSmall disc protrusion at L1/L2."
    report = only(draft_and_check(make_note(note)), "note_report").answer
    assert "- L3/L4, L4/L5: Diffuse disc bulges with canal stenosis." in report
    assert "1. Disc herniation at L1/L2\nAlso described" in report and report.count("canal stenosis") == 2


def test_a_note_that_names_the_root_is_not_asked_for_it():
    document = make_note("Right disc protrusion at L5/S1 compressing the S1 nerve root.")
    (root,) = [item for item in draft(document) if item.generation.prompt_id.startswith("rules/note_root@")]
    assert isinstance(check_item(root), Reject)


def test_a_normal_report_gives_nothing_to_treat():
    assert not list(draft(make_note("No evidence of disc herniation.\nNo significant compression noted.")))
