"""Reports and consultations over a case of labelled images."""

import dataclasses
from collections.abc import Iterable

import pytest

from dataset_builders.document import Finding
from dataset_builders.generate.rules import draft
from dataset_builders.generate.rules.imaging_cases import choose_images, choose_slices
from dataset_builders.item import Item
from dataset_builders.taxonomy import REPORT_SECTIONS, SCORED_DIMENSIONS
from tests.support.labelled_case import DISCS, FRACTURE, make_case, make_figure


def by_rule(items: Iterable[Item], rule: str, language: str = "en") -> list[Item]:
    found = [item for item in items if item.generation.prompt_id.startswith(f"rules/{rule}@") and item.language == language]
    assert found, f"no item of {rule}"
    return found


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return list(draft(make_case()))


def test_a_report_has_six_sections_and_a_criterion_for_each_dimension(items):
    for language, heading in (("en", "en"), ("zh", "zh")):
        (report,) = by_rule(items, "report", language)
        assert report.answer == report.messages[-1].text
        assert [line[3:] for line in report.answer.splitlines() if line.startswith("## ")] == [
            getattr(term, heading) for term in REPORT_SECTIONS.values()
        ]
        assert [criterion.dimension for criterion in report.rubric] == list(SCORED_DIMENSIONS)
        assert all("{" not in criterion.criterion for criterion in report.rubric)
        assert 2 <= len(report.images) <= 4


def test_a_report_says_each_abnormal_label_and_no_normal_one(items):
    (report,) = by_rule(items, "report")
    assert "- L1: vertebral wedge (compression) fracture (Genant grade 2, moderate, 31.5 %)" in report.answer
    assert "- L4/L5: disc herniation; disc degeneration (Pfirrmann grade IV)" in report.answer
    assert "L2/L3" not in report.answer


def test_a_report_of_labels_plans_no_follow_up_of_surgery():
    bulges = tuple(Finding("disc_bulge", level) for level in DISCS)
    for language, said in (("en", "No operation is recorded and none is proposed."), ("zh", "未记录手术，目前亦无手术建议。")):
        (report,) = by_rule(draft(make_case(bulges)), "report", language)
        assert report.answer.split("## ")[5].rstrip().endswith(said)


def test_a_case_with_ungraded_structures_has_no_report_and_its_consultation_names_them():
    case = dataclasses.replace(make_case(), ungraded=("spinal canal", "neural foramina"))
    found = list(draft(case))
    assert not [item for item in found if item.task == "report"]
    for language, names in (("en", "spinal canal, neural foramina"), ("zh", "椎管、椎间孔")):
        for item in by_rule(found, "imaging_consultation", language):
            assert names in item.messages[1].text


def test_nothing_is_called_free_of_abnormal_labels_beside_ungraded_structures():
    case = dataclasses.replace(make_case(findings=()), ungraded=("discs",))
    (consultation,) = by_rule(draft(case), "imaging_consultation")
    assert "no finding was graded" in consultation.messages[1].text
    assert "No abnormal finding is labelled" not in consultation.messages[1].text


def test_a_consultation_shows_up_to_25_slices_in_order_and_says_which(items):
    many = list(draft(make_case(images=40)))
    for language in ("en", "zh"):
        for consultation in by_rule(many, "imaging_consultation", language):
            assert len(consultation.messages[0].images) == 25 and not any(m.images for m in consultation.messages[1:])
            first, *_, last = choose_slices(make_case(images=40).figures)
            assert (first.locator, last.locator) == ("sagittal slice 0 of 64", "sagittal slice 39 of 64")
            assert "25" in consultation.messages[0].text and "39" in consultation.messages[1].text
    (resident, patient) = by_rule(items, "imaging_consultation")
    assert "Seen on images 2 to 5" in resident.messages[1].text and len(patient.messages) == len(resident.messages) + 2


def test_planes_are_shown_one_after_the_other():
    mixed = [make_figure("axial", 3), make_figure("sagittal", 9), make_figure("coronal", 4), make_figure("sagittal", 2)]
    assert [figure.locator.partition(" of")[0] for figure in choose_slices(mixed)] == [
        "sagittal slice 2", "sagittal slice 9", "coronal slice 4", "axial slice 3",
    ]  # fmt: skip


def test_a_case_with_levels_alone_makes_no_report_and_no_finding():
    found = list(draft(make_case(findings=())))
    assert {item.task for item in found} == {"open_ended", "consultation"}
    for item in found:
        assert not any("fracture" in message.text or "hernia" in message.text for message in item.messages)


def test_a_case_whose_levels_cannot_be_numbered_gives_nothing():
    axial = [make_figure("axial", place, (level,), (FRACTURE,)) for place, level in ((1, "L3"), (2, "L1"))]
    assert not list(draft(dataclasses.replace(make_case((FRACTURE,)), figures=tuple(axial))))


def test_images_of_a_report_are_chosen_for_what_they_add():
    sagittal = [make_figure("sagittal", place, findings=(FRACTURE,)) for place in (30, 31, 32, 33)]
    axial = [make_figure("axial", place, (level,)) for place, level in ((1, "S1"), (2, "L1"), (3, "L2"))]
    chosen = choose_images([*sagittal, *axial])
    assert [figure.locator for figure in chosen] == [
        "sagittal slice 30 of 64",
        "axial slice 2 of 64",
    ]  # at the fracture's level
    assert len(choose_images(sagittal)) == 2  # a pair, where all show the same
