"""What the labels of an image say, in sentences."""

from dataclasses import replace

from dataset_builders.document import Finding
from dataset_builders.generate.rules.image_descriptions import (
    describe_image,
    draft_description,
    is_labelled,
    labels_at,
    state_labels,
)
from tests.support.labelled_case import FRACTURE, HERNIATION, NORMAL_DISC, VERTEBRAE, make_case, make_figure


def test_a_description_says_kind_levels_landmark_and_findings():
    text = describe_image(make_figure("sagittal", 30, findings=(FRACTURE,)), "en")
    assert "a sagittal CT image" in text and "T11 to S1" in text and "starts from the sacrum" in text
    assert "L1: vertebral wedge (compression) fracture (Genant grade 2, moderate, 31.5 %)" in text


def test_what_is_not_labelled_is_not_called_normal_and_a_normal_grade_is_no_finding():
    document = make_case((NORMAL_DISC,))
    for language in ("en", "zh"):
        text = describe_image(document.figures[1], language)
        assert "normal." not in text and "正常" not in text and "Pfirrmann" not in text


def test_a_finding_that_this_kind_of_image_cannot_show_is_not_told():
    figure = make_figure("sagittal", 1, findings=(HERNIATION, Finding("modic_change", "L4/L5", "Modic 1"), FRACTURE))
    text = describe_image(figure, "en")  # a CT image
    assert "fracture" in text and "hernia" not in text and "Modic" not in text


def test_all_labels_are_stated_one_by_one_for_what_rests_on_them():
    labels = state_labels(make_case().figures[1:2], "zh")
    assert all(level in labels[1] for level in VERTEBRAE) and "标注：L2/L3 Pfirrmann I 级。" in labels
    asked = labels_at(labels, ("L4/L5",))
    assert labels[0] in asked and "标注：L4/L5 椎间盘突出。" in asked and not any("L2/L3 " in line for line in asked)


def test_a_description_is_an_open_question_on_its_image():
    document = make_case()
    item = draft_description(document, document.figures[1], "zh")
    assert (item.task, item.language, item.images) == ("open_ended", "zh", (document.figures[1].image_sha256,))
    assert item.levels == VERTEBRAE and item.messages[1].text == describe_image(document.figures[1], "zh")


def test_a_figure_without_image_or_label_is_not_asked_about():
    figure = make_figure("sagittal", 1)
    assert is_labelled(figure)
    assert not is_labelled(replace(figure, levels=())) and not is_labelled(replace(figure, image=None, image_sha256=None))
