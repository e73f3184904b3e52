"""Questions over labelled images: right by the labels, level-aware, the same every time, in both languages."""

import dataclasses
from collections import Counter
from collections.abc import Iterable

import pytest

from dataset_builders.document import Finding
from dataset_builders.generate.checks import check_item
from dataset_builders.generate.rules import draft
from dataset_builders.generate.rules.image_questions import MAX_PER_RULE
from dataset_builders.item import Item, question_of
from dataset_builders.levels import parse_levels
from tests.support.drafts import right
from tests.support.labelled_case import DEGENERATION, DISCS, FRACTURE, HERNIATION, VERTEBRAE, make_case


def by_rule(items: Iterable[Item], rule: str, language: str = "en") -> list[Item]:
    found = [item for item in items if item.generation.prompt_id.startswith(f"rules/{rule}@") and item.language == language]
    assert found, f"no item of {rule}"
    return found


MANY = (HERNIATION, DEGENERATION, Finding("spondylolisthesis", "L5/S1"), Finding("canal_stenosis", "L1/L2", "severe"))
"""At the slip and at the narrowed canal none of the others is labelled; L4/L5 is not free of three of them."""


def drafts_of(document, rule: str) -> list[Item]:
    return [item for item in draft(document) if item.generation.prompt_id.startswith(f"rules/{rule}@")]


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return list(draft(make_case()))


def test_every_draft_passes_revision(items):
    images = {figure.image_sha256: figure.image for figure in make_case().figures}
    for item in items:
        assert isinstance(check_item(item, images.__getitem__), Item), (item.generation.prompt_id, item.messages)


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
    assert {right(item) for item in by_rule(moved, "level_of_finding")} == {"L3/L4"}
    assert not {item.id for item in by_rule(moved, "level_of_finding")} & {item.id for item in items}


def change_figures(document, **changes):
    return dataclasses.replace(document, figures=tuple(dataclasses.replace(f, **changes) for f in document.figures))


def test_the_level_of_a_finding_is_its_label_and_wrong_options_are_in_view_without_it(items):
    for item in by_rule(items, "level_of_finding"):
        finding = FRACTURE if "fracture" in question_of(item) else HERNIATION
        assert right(item) == finding.level and finding.level in (*item.levels, *item.discs)
        assert set(item.options) <= set(DISCS if "/" in finding.level else VERTEBRAE) and len(item.options) == 4


def test_a_level_with_the_same_finding_is_never_a_wrong_option():
    both = (HERNIATION, Finding("disc_herniation", "L3/L4"), Finding("disc_herniation", "L5/S1"))
    asked = by_rule(draft(make_case(both)), "level_of_finding")
    assert {right(item) for item in asked} == {"L3/L4", "L4/L5", "L5/S1"}
    assert all(len(set(item.options) & {"L3/L4", "L4/L5", "L5/S1"}) == 1 for item in asked)


def test_wrong_findings_are_those_that_the_image_shows_elsewhere():
    for item in by_rule(draft(make_case(MANY)), "finding_at_level"):
        at = {"spondylolisthesis": "L5/S1", "spinal canal stenosis": "L1/L2"}
        assert at[right(item)] in question_of(item)
        assert set(item.options) == {*at, "disc herniation", "disc degeneration"}
    assert not [i for i in draft(make_case()) if "finding_at_level" in i.generation.prompt_id]  # nothing that is surely absent


def test_a_disc_that_may_be_called_degenerate_is_never_offered_as_free_of_it():
    for grade, asked in (("1", True), ("2", False), ("3", False)):
        found = (*MANY, Finding("disc_degeneration", "L5/S1", grade))
        at_slip = [i for i in drafts_of(make_case(found), "finding_at_level") if "L5/S1" in question_of(i)]
        assert bool(at_slip) == asked, grade
        assert all(len(item.options) == 4 for item in at_slip)


def test_an_end_plate_change_is_neither_asked_of_a_single_slice_nor_offered():
    found = list(draft(make_case((*MANY, Finding("endplate_change", "L1/L2")))))
    choices = [item for item in found if item.task == "multiple_choice"]
    assert choices and not any("end-plate" in " ".join((question_of(item), *item.options)) for item in choices)


def test_findings_of_one_disc_are_no_wrong_options_beside_each_other_where_a_reader_labelled_them():
    found = (
        Finding("disc_bulge", "L5/S1"),
        *MANY[:2],
        Finding("canal_stenosis", "L1/L2"),
        Finding("spondylolisthesis", "L2/L3"),
    )
    assert drafts_of(make_case(found), "finding_at_level")
    read_by_eye = dataclasses.replace(make_case(found), ungraded=("spinal cord",))
    assert not [i for i in drafts_of(read_by_eye, "finding_at_level") if right(i) == "disc bulge"]


def test_screws_are_planned_only_round_a_fracture_that_may_need_them():
    for grade, asked in (("Genant 1", False), ("Genant 2", True), ("Genant 3", True)):
        case = make_case((dataclasses.replace(FRACTURE, grade=grade),))
        assert bool(drafts_of(case, "instrumented_levels")) == asked, grade


def test_the_root_s_level_is_named_where_only_the_midline_is_shown(items):
    case = change_figures(make_case((HERNIATION,), images=2), locator="T2 mid-sagittal slice")
    for language in ("en", "zh"):
        assert all("L4/L5" in question_of(item) for item in by_rule(draft(case), "nerve_root_of_disc", language))
        assert not any("L4/L5" in question_of(item) for item in by_rule(items, "nerve_root_of_disc", language))


def test_an_image_with_ungraded_structures_is_not_described():
    found = {item.task for item in draft(dataclasses.replace(make_case(), ungraded=("spinal canal",)))}
    assert found == {"multiple_choice", "consultation"}


def test_grades_keep_their_order_and_the_right_one_is_the_label(items):
    for item in by_rule(items, "grade_of_finding"):
        if "fracture" in question_of(item):
            assert right(item) == "Genant grade 2, moderate"
        else:
            assert item.options == tuple(f"Pfirrmann grade {step}" for step in ("I", "II", "III", "IV", "V"))
            assert right(item) == ("Pfirrmann grade IV" if "L4/L5" in question_of(item) else "Pfirrmann grade I")


def test_neighbours_screws_and_roots_follow_from_the_level(items):
    for item in by_rule(items, "adjacent_level"):
        assert right(item) == ("L2" if "below" in question_of(item) else "T12")
    assert right(by_rule(items, "instrumented_levels")[0]) == "T12 and L2"
    assert right(by_rule(items, "nerve_root_of_disc")[0]) == "L5 nerve root"


def test_no_level_is_asked_without_a_landmark_a_sagittal_plane_and_labels_on_bone():
    without = {
        "no landmark": {"levels": ("T11", "T12", "L1", "L2"), "discs": ("T12/L1", "L1/L2")},
        "axial": {"caption": "T2-weighted MRI, axial slice", "locator": "axial slice 3 of 64"},
        "cord": {"on_bone": False},
    }
    for changes in without.values():
        found = [item for item in draft(change_figures(make_case(), **changes)) if item.axis == "level_identification"]
        assert not found, changes


def test_a_t1_weighted_image_is_not_asked_for_discs_and_modic_types_need_both_weightings():
    modic = Finding("modic_change", "L4/L5", "Modic 2")
    t1 = change_figures(make_case((DEGENERATION, HERNIATION, modic), images=2), caption="T1-weighted MRI, sagittal slice")
    assert not [item for item in draft(t1) if item.task == "multiple_choice"]
    t2 = change_figures(make_case((modic,), images=2), caption="T2-weighted MRI, sagittal slice")
    both = dataclasses.replace(t1, figures=(t1.figures[1], dataclasses.replace(t2.figures[1], image_sha256="f" * 64)))
    (item,) = [i for i in by_rule(draft(both), "grade_of_finding") if "Modic" in question_of(i)]
    assert len(item.images) == 2 and right(item) == "Modic type 2" and "T1-weighted MR image with" in question_of(item)


def test_an_item_rests_on_the_labels_in_its_own_language(items):
    for item in items:
        assert item.quotes and all(level in " ".join(item.quotes) for level in (*item.levels, *item.discs))
    (zh,) = by_rule(items, "nerve_root_of_disc", "zh")
    assert zh.context[0].startswith("图像为") and zh.context[-1].endswith("L5。")


def test_slices_of_one_case_do_not_swamp():
    many = list(draft(make_case(images=25)))
    assert max(Counter((item.generation.prompt_id, item.language) for item in many).values()) <= MAX_PER_RULE
    alike = Counter(
        (item.generation.prompt_id, item.language, right(item), item.levels, item.discs)
        for item in many
        if item.task == "multiple_choice"
    )
    assert max(alike.values()) == 1
    assert len(by_rule(many, "describe_picture")) == 1  # of other slices at the same levels nobody says that they are normal


def test_the_root_is_asked_by_a_level_that_must_be_found_in_the_image(items):
    for language in ("en", "zh"):
        for item in by_rule(items, "nerve_root_of_disc", language):
            assert not parse_levels(question_of(item)).discs and item.modality == "image_text"
    twice = (HERNIATION, Finding("disc_herniation", "L5/S1"))
    assert not [item for item in draft(make_case(twice)) if "nerve_root_of_disc" in item.generation.prompt_id]


def test_a_hospital_case_speaks_its_own_language():
    assert {item.language for item in draft(make_case(kind="hospital_case", language="zh"))} == {"zh"}
