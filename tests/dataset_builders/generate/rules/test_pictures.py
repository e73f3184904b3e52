"""Items over labelled pictures: right by the labels, level-aware, the same every time, in both languages."""

import dataclasses
from collections import Counter

import pytest

from dataset_builders.document import Document, Figure, Finding, Provenance
from dataset_builders.generate.checks import revise_by_rules
from dataset_builders.generate.rules import draft
from dataset_builders.generate.rules.cases import choose_pictures
from dataset_builders.generate.rules.level_options import root_of_disc
from dataset_builders.generate.rules.naming import (
    is_abnormal,
    load_advice,
    name_grade,
    picture_kind,
    span_levels,
    state_findings,
)
from dataset_builders.generate.rules.pictures import MAX_ALIKE, MAX_PER_RULE
from dataset_builders.item import LETTERS, Item, question_of
from dataset_builders.levels import parse_levels
from dataset_builders.taxonomy import REPORT_SECTIONS, SCORED_DIMENSIONS

VERTEBRAE = ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")
DISCS = ("T11/T12", "T12/L1", "L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
FRACTURE = Finding("wedge_fracture", "L1", "Genant 2", 31.5, "%")
HERNIATION = Finding("disc_herniation", "L4/L5")
DEGENERATION = Finding("disc_degeneration", "L4/L5", "4")
NORMAL_DISC = Finding("disc_degeneration", "L2/L3", "1")
FINDINGS = (FRACTURE, HERNIATION, DEGENERATION, NORMAL_DISC)


def make_case(findings=FINDINGS, pictures=5, kind="open_dataset", language="en") -> Document:
    figures = tuple(
        Figure(
            "", "T2-weighted MRI, sagittal slice", locator=f"sagittal slice {number} of 64", image=b"picture %d" % number,
            image_modality="mri", levels=VERTEBRAE, discs=DISCS, findings=findings if number else (),
        )
        for number in range(pictures)
    )  # fmt: skip
    provenance = Provenance(kind, "set:case7", "CC-BY-4.0", "case7", "0" * 64, case_id="case7")
    return Document(provenance, language, figures=figures, findings=findings, levels=VERTEBRAE, discs=DISCS, specialty="spine")


def by_rule(items, rule: str, language: str = "en") -> list[Item]:
    found = [item for item in items if item.generation.prompt_id.startswith(f"rules/{rule}@") and item.language == language]
    assert found, f"no item of {rule}"
    return found


def right(item: Item) -> str:
    return item.options[LETTERS.index(item.answer)]


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return list(draft(make_case()))


def test_every_draft_passes_revision(items):
    images = {figure.image_sha256: figure.image for figure in make_case().figures}
    for item in items:
        assert isinstance(revise_by_rules(item, images.__getitem__), Item), (item.generation.prompt_id, item.messages)


def test_a_case_gives_every_task_in_both_languages(items):
    counted = Counter((item.task, item.language) for item in items)
    assert set(counted) == {
        (task, language) for task in ("multiple_choice", "open_ended", "consultation", "report") for language in ("en", "zh")
    }
    assert {item.modality for item in items} == {"image_text"}
    assert {item.axis for item in items} == {"level_identification", "pathology_assessment", "surgical_planning"}


def test_the_same_document_gives_the_same_items(items):
    assert list(draft(make_case())) == items
    assert len({item.id for item in items}) == len(items)
    assert [item.id for item in draft(dataclasses.replace(make_case(), specialty="general"))] == [item.id for item in items]


def test_a_changed_label_changes_the_items_that_say_it(items):
    moved = list(draft(make_case((dataclasses.replace(HERNIATION, level="L3/L4"),))))
    assert right(by_rule(moved, "level_of_finding")[0]) == "L3/L4"
    assert not {item.id for item in by_rule(moved, "level_of_finding")} & {item.id for item in items}


def test_the_level_of_a_finding_is_its_label_and_wrong_options_lack_it(items):
    for item in by_rule(items, "level_of_finding"):
        finding = FRACTURE if "fracture" in question_of(item) else HERNIATION
        assert right(item) == finding.level and finding.level in (*item.levels, *item.discs)
        assert set(item.options) <= set(DISCS if "/" in finding.level else VERTEBRAE)


def test_a_level_with_the_same_finding_is_never_a_wrong_option():
    both = (HERNIATION, Finding("disc_herniation", "L3/L4"), Finding("disc_herniation", "L5/S1"))
    for item in by_rule(draft(make_case(both)), "level_of_finding"):
        assert len(set(item.options) & {"L3/L4", "L4/L5", "L5/S1"}) == 1


def test_a_finding_of_the_same_level_is_never_a_wrong_option(items):
    for item in by_rule(items, "finding_at_level"):
        if "L4/L5" in item.discs:
            assert not {"disc herniation", "disc degeneration", "disc bulge", "disc space narrowing"} & set(item.options) - {
                right(item)
            }


def test_grades_keep_their_order_and_the_right_one_is_the_label(items):
    for item in by_rule(items, "grade_of_finding"):
        if "fracture" in question_of(item):
            assert right(item) == "Genant grade 2, moderate"
        else:
            assert item.options == tuple(f"Pfirrmann grade {step}" for step in ("I", "II", "III", "IV", "V"))
            assert right(item) == ("Pfirrmann grade IV" if "L4/L5" in question_of(item) else "Pfirrmann grade I")


def test_counting_and_naming_levels(items):
    for item in by_rule(items, "extreme_level"):
        assert right(item) in ("T11", "S1")
    for item in by_rule(items, "count_of_levels"):
        assert right(item) == {"lumbar": "5", "thoracic": "2"}["lumbar" if "lumbar" in question_of(item) else "thoracic"]
    for item in by_rule(items, "adjacent_level"):
        assert right(item) == ("L2" if "below" in question_of(item) else "T12")
    assert right(by_rule(items, "instrumented_levels")[0]) == "T12 and L2"
    assert right(by_rule(items, "nerve_root_of_disc")[0]) == "L5 nerve root"


@pytest.mark.parametrize(
    ("disc", "part", "root"),
    [("L4/L5", "traversing", "L5"), ("L5/S1", "exiting", "L5"), ("C5/C6", "exiting", "C6"), ("C7/T1", "exiting", "C8"),
     ("C5/C6", "traversing", None), ("T8/T9", "exiting", None), ("T12/L1", "traversing", None), ("L5/L6", "exiting", None)],
)  # fmt: skip
def test_roots_follow_the_anatomy(disc, part, root):
    assert root_of_disc(disc, part) == root


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


def test_consultations_show_two_to_four_pictures_over_several_turns(items):
    for language in ("en", "zh"):
        for consultation in by_rule(items, "imaging_consultation", language):
            assert 2 <= len(consultation.images) <= 4 and len(consultation.messages) == 10
            assert consultation.messages[0].images and consultation.messages[2].images


def test_a_case_with_levels_alone_makes_no_report_and_no_finding():
    found = list(draft(make_case(findings=())))
    assert {item.task for item in found} == {"multiple_choice", "open_ended", "consultation"}
    for item in found:
        assert not any("fracture" in message.text or "hernia" in message.text for message in item.messages)


def test_a_hospital_case_speaks_its_own_language():
    assert {item.language for item in draft(make_case(kind="hospital_case", language="zh"))} == {"zh"}


def test_slices_of_one_case_do_not_swamp():
    many = list(draft(make_case(pictures=25)))
    assert max(Counter((item.generation.prompt_id, item.language) for item in many).values()) <= MAX_PER_RULE
    alike = Counter(
        (item.generation.prompt_id, item.language, right(item), item.levels, item.discs)
        for item in many
        if item.task == "multiple_choice"
    )
    assert max(alike.values()) <= MAX_ALIKE
    assert len(by_rule(many, "describe_picture")) == 2  # one with the findings, one without


def test_the_root_is_asked_by_a_level_that_must_be_found_in_the_picture(items):
    for language in ("en", "zh"):
        for item in by_rule(items, "nerve_root_of_disc", language):
            assert not parse_levels(question_of(item)).discs and item.modality == "image_text"
    twice = (HERNIATION, Finding("disc_herniation", "L5/S1"))
    assert not [item for item in draft(make_case(twice)) if "nerve_root_of_disc" in item.generation.prompt_id]


def make_figure(plane: str, place: int, levels=VERTEBRAE, findings=()) -> Figure:
    return Figure(
        "", f"CT, {plane} slice", locator=f"{plane} slice {place} of 64", image=f"{plane}{place}".encode(),
        image_modality="ct", levels=levels, findings=findings,
    )  # fmt: skip


def test_pictures_are_chosen_for_what_they_add():
    sagittal = [make_figure("sagittal", place, findings=(FRACTURE,)) for place in (30, 31, 32, 33)]
    axial = [make_figure("axial", place, (level,)) for place, level in ((1, "S1"), (2, "L1"), (3, "L2"))]
    chosen = choose_pictures([*sagittal, *axial])
    assert [figure.locator for figure in chosen] == [
        "sagittal slice 30 of 64",
        "axial slice 2 of 64",
    ]  # at the fracture's level
    assert len(choose_pictures(sagittal)) == 2  # a pair, where all show the same


def test_a_later_picture_is_told_by_what_it_adds():
    document = dataclasses.replace(
        make_case((FRACTURE,)),
        figures=(make_figure("sagittal", 30, findings=(FRACTURE,)), make_figure("coronal", 9, findings=(FRACTURE,))),
    )
    for consultation in by_rule(draft(document), "imaging_consultation"):
        first, more = (message.text for message in consultation.messages[1:4:2])
        assert "T11 to S1" in first and "L1: vertebral wedge" in first
        assert "coronal" in more and "T11" not in more and "wedge" not in more and "already" in more


def test_spans_of_levels_are_written_short():
    assert span_levels(VERTEBRAE, "en") == "T11 to S1" and span_levels(DISCS, "zh") == "T11/T12～L5/S1"
    assert span_levels(("L1", "L2", "L3"), "en") == "L1, L2, L3"
    assert span_levels(("C2", "C5", "C6", "C7", "T1"), "en") == "C2, C5 to T1"


def test_findings_that_share_their_grade_share_a_line():
    bulges = [Finding("disc_bulge", level) for level in ("L5/S1", "L3/L4")]
    assert state_findings([*bulges, FRACTURE], "en") == (
        "disc bulge at L3/L4, L5/S1; vertebral wedge (compression) fracture at L1 (Genant grade 2, moderate, 31.5 %)"
    )


def test_normal_grades_are_no_findings():
    assert not is_abnormal(NORMAL_DISC) and is_abnormal(DEGENERATION)
    assert not is_abnormal(Finding("canal_stenosis", "L4/L5", "Normal/Mild"))
    assert is_abnormal(Finding("canal_stenosis", "L4/L5", "Severe")) and is_abnormal(HERNIATION)


@pytest.mark.parametrize(
    ("finding", "words"),
    [(Finding("spondylolisthesis", "L4/L5", "Meyerding II"), "Meyerding grade II"),
     (Finding("modic_change", "L4/L5", "Modic 2"), "Modic type 2"),
     (Finding("disc_narrowing", "L4/L5", "severe"), "severe"),
     (Finding("disc_bulge", "L4/L5", "7"), "")],
)  # fmt: skip
def test_grades_in_words(finding, words):
    assert name_grade(finding, "en") == words


def test_pictures_are_named_by_what_is_known():
    figure = Figure("", "T2-weighted MRI, sagittal slice", image_modality="mri")
    assert (
        picture_kind(figure, "en") == "a sagittal T2-weighted MR image"
        and picture_kind(figure, "zh") == "矢状位 T2 加权 MRI 图像"
    )
    thoracic = Figure("", "axial MRI slice with T1 and T2 in view", image_modality="mri")
    assert picture_kind(thoracic, "en") == "an axial MR image"
    assert picture_kind(Figure("", "T1 mid-sagittal slice", image_modality="mri"), "en") == "a sagittal T1-weighted MR image"
    assert picture_kind(Figure("", "", image_modality="ct"), "en") == "a CT image"
    assert picture_kind(Figure("", "lateral view", image_modality="radiograph"), "zh") == "侧位X 线片"
    assert picture_kind(Figure("", ""), "en") == "a spine image"


def test_advice_covers_every_finding_in_both_languages():
    for languages in load_advice().values():
        for language in ("en", "zh"):
            assert set(languages[language]) == {"plain", "conservative", "surgical", "risk", "postoperative"}
            assert all(not text.endswith((".", "。")) for text in languages[language].values())
