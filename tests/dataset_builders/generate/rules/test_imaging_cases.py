"""Reports and consultations over a case of labelled images."""

import dataclasses
from collections.abc import Iterable

import pytest

from dataset_builders.generate.rules import draft
from dataset_builders.generate.rules.imaging_cases import choose_images
from dataset_builders.item import Item
from dataset_builders.taxonomy import REPORT_SECTIONS, SCORED_DIMENSIONS
from tests.support.labelled_case import FRACTURE, make_case, make_figure


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


def test_consultations_show_two_to_four_images_over_several_turns(items):
    for language in ("en", "zh"):
        for consultation in by_rule(items, "imaging_consultation", language):
            assert 2 <= len(consultation.images) <= 4 and len(consultation.messages) == 10
            assert consultation.messages[0].images and consultation.messages[2].images


def test_a_case_with_levels_alone_makes_no_report_and_no_finding():
    found = list(draft(make_case(findings=())))
    assert {item.task for item in found} == {"multiple_choice", "open_ended", "consultation"}
    for item in found:
        assert not any("fracture" in message.text or "hernia" in message.text for message in item.messages)


def test_images_are_chosen_for_what_they_add():
    sagittal = [make_figure("sagittal", place, findings=(FRACTURE,)) for place in (30, 31, 32, 33)]
    axial = [make_figure("axial", place, (level,)) for place, level in ((1, "S1"), (2, "L1"), (3, "L2"))]
    chosen = choose_images([*sagittal, *axial])
    assert [figure.locator for figure in chosen] == [
        "sagittal slice 30 of 64",
        "axial slice 2 of 64",
    ]  # at the fracture's level
    assert len(choose_images(sagittal)) == 2  # a pair, where all show the same


def test_a_later_image_is_told_by_what_it_adds():
    document = dataclasses.replace(
        make_case((FRACTURE,)),
        figures=(make_figure("sagittal", 30, findings=(FRACTURE,)), make_figure("coronal", 9, findings=(FRACTURE,))),
    )
    for consultation in by_rule(draft(document), "imaging_consultation"):
        first, more = (message.text for message in consultation.messages[1:4:2])
        assert "T11 to S1" in first and "L1: vertebral wedge" in first
        assert "coronal" in more and "T11" not in more and "wedge" not in more and "already" in more
