"""Case reports and notes that tell a whole case: in their own words."""

import pytest

from dataset_builders.generate.rules.clinical_record import read_record
from dataset_builders.item import Item
from tests.support.drafts import by_rule, draft_and_check
from tests.support.notes import CASE_REPORT, NOTE, NOTE_ZH, make_note


def only(items: list[Item], rule: str) -> Item:
    (item,) = by_rule(items, rule)
    return item


@pytest.mark.parametrize(
    ("text", "kind", "language"),
    [(CASE_REPORT, "case_report", "en"), (NOTE, "hospital_case", "en"), (NOTE_ZH, "hospital_case", "zh")],
)
def test_a_case_gives_a_report_and_a_consultation_in_its_own_words(text, kind, language):
    items = draft_and_check(make_note(text, kind, language))
    report, consultation = only(items, "record_report"), only(items, "record_consultation")
    record = read_record(text, told_in_one=kind == "case_report")
    assert {report.language, consultation.language} == {language}
    assert record.diagnosis[0] in report.answer and record.diagnosis[0] not in report.messages[0].text
    assert record.treatment[0] in report.answer and record.treatment[0] not in report.messages[0].text
    assert record.imaging[0] in report.messages[0].text
    assert len(consultation.messages) >= 6
    assert any(record.treatment[0] in message.text for message in consultation.messages if message.role == "assistant")


def test_masks_of_identifiers_are_not_asked_for():
    note = (
        NOTE.replace("CT shows", "CT of the spine, [OTHER_ID 1], performed on [DATE 4]. CT shows")
        + "Results are sent to the patient at [EMAIL 1].\nSigned: [NAME 5], [DATE 3]\n"
    )
    for item in draft_and_check(make_note(note)):
        assert "[" not in "".join(message.text for message in item.messages)
