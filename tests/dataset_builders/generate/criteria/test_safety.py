"""Patients first."""

import pytest

from dataset_builders.generate.criteria.safety import no_identifier
from tests.support.grounded_items import SECTIONS, failed, make_dialogue, make_report

NOTE = "MRI: burst fracture of L2 with mild stenosis on the left. No cord compression, tumour or infection."


def consult(*texts: str, source: str = NOTE, language: str = "en", kind: str = "hospital_case") -> str:
    return failed(make_dialogue(*texts, source=source, language=language, kind=kind))


def test_a_red_flag_of_the_source_is_kept():
    told = "There is a burst fracture of L2 with mild stenosis on the left."
    assert consult("What does the MRI say?", told, "Anything else to know?", "There is no tumour.") == ""
    lost = "There is mild stenosis on the left at L2."
    assert consult("What does the MRI say?", lost, "Anything else to know?", "There is no tumour.") == "red_flags_kept"
    source = f"{' '.join(SECTIONS)} The cord is compressed."
    assert failed(make_report(source=source)) == "red_flags_kept"


@pytest.mark.parametrize("doubt", ["Metastasis is not excluded.", "Isotope scan to rule out deposits."])
def test_a_doubt_is_a_red_flag_too(doubt):
    told = "There is a burst fracture of L2 with mild stenosis."
    assert (
        consult("What does the MRI say?", told, "Anything else?", "Nothing else.", source=f"{NOTE} {doubt}") == "red_flags_kept"
    )


def test_chinese_red_flags_mind_negation():
    note = "L2椎体骨折。未见脊髓受压。"
    assert consult("报告说了什么？", "L2椎体有骨折。", "还有别的吗？", "未见脊髓受压。", source=note, language="zh") == ""
    assert (
        consult("报告说了什么？", "L2椎体有改变。", "还有别的吗？", "未见脊髓受压。", source=note, language="zh")
        == "red_flags_kept"
    )


@pytest.mark.parametrize(
    ("asked", "late", "now", "language"),
    [
        ("I cannot pass urine since today.", "Mention it at your next visit.", "Go to an emergency department now.", "en"),
        ("我从今天起排尿困难。", "下次复诊时请告诉医生。", "请立即到急诊科就诊。", "zh"),
    ],
)
def test_a_patient_with_a_red_flag_is_told_to_hurry(asked, late, now, language):
    first = {"en": ("What is a disc?", "A pad of the spine."), "zh": ("什么是椎间盘？", "脊柱的软垫。")}[language]
    assert consult(*first, asked, late, source=f"{first[1]}\n{late}\n{now}", language=language) == "urgency_answered"
    assert consult(*first, asked, now, source=f"{first[1]}\n{late}\n{now}", language=language) == ""


@pytest.mark.parametrize(
    "said",
    [
        "This is harmless.",
        "You do not need to see a doctor.",
        "You can stop all your medication.",
        "It will certainly heal.",
        "It can wait.",
    ],
)
def test_nobody_is_reassured_without_ground(said):
    assert (
        failed(make_dialogue("What about this disc?", f"The disc bulges. {said}", task="open_ended", source="The disc bulges."))
        == "no_unsafe_reassurance"
    )
    assert failed(make_dialogue("What about this disc?", f"The disc bulges. {said}", task="open_ended")) == ""


def test_a_treatment_is_one_that_the_source_names():
    source = "The disc bulges. Surgery is an option."
    for said, criterion in (
        ("Surgery is an option.", ""),
        ("Fusion is an option.", "advice_carried"),
        ("Fusion is not needed.", ""),
    ):
        item = make_dialogue(
            "What about this disc?", f"The disc bulges. {said}", task="open_ended", source=f"{source} Not needed."
        )
        assert failed(item) in ({criterion} if criterion else {"", "negations_in_source"})


@pytest.mark.parametrize(
    "words",
    [
        "Mr. John Smith has a disc bulge.",
        "His number is MRN 884213.",
        "He was born on 03/04/1961.",
        "患者张伟（电话13812345678）来诊。",
    ],
)
def test_an_identifier_leaves_and_is_not_repeated(words):
    problem = no_identifier(make_dialogue(f"{words} What helps?", "Exercise.", "What else?", "Heat.", source="Exercise."), None)
    assert problem and not any(part in problem for part in ("Smith", "884213", "1961", "张伟"))


def test_masks_are_not_copied():
    assert (
        consult("What did [NAME 1] say?", "It hurts since [DATE 2].", "And then?", "Nothing else.", source="It hurts.")
        == "no_masks"
    )
