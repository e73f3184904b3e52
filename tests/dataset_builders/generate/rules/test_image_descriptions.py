"""What the labels of an image say, in sentences."""

from dataclasses import replace

from dataset_builders.generate.rules.image_descriptions import describe_image, draft_description, is_labelled
from tests.support.labelled_case import DISCS, FRACTURE, HERNIATION, make_case, make_figure


def test_a_description_says_kind_levels_and_findings():
    text = describe_image(make_figure("sagittal", 30, findings=(FRACTURE,)), "en")
    assert "a sagittal CT image" in text and "T11 to S1" in text
    assert "L1: vertebral wedge (compression) fracture (Genant grade 2, moderate, 31.5 %)" in text


def test_what_is_not_labelled_is_not_called_normal():
    for language in ("en", "zh"):
        text = describe_image(make_figure("axial", 1, ("L3",)), language)
        assert "L3" in text and "normal" not in text and "正常" not in text
        assert len(text) > len(describe_image(make_figure("axial", 1, ("L3",)), language, caveat=False))


def test_discs_are_named_only_if_no_labelled_vertebra_is_beside_them():
    figure = make_figure("sagittal", 1, ())
    assert "L4/L5" in describe_image(replace(figure, discs=("L4/L5",)), "en")
    assert "L4/L5" not in describe_image(replace(figure, levels=("L4", "L5"), discs=("L4/L5",)), "en")


def test_what_was_seen_before_is_not_told_again():
    first, second = (make_figure("sagittal", place, findings=(FRACTURE,)) for place in (30, 31))
    again = describe_image(second, "en", seen=(first,))
    assert "T11" not in again and "wedge" not in again
    assert "wedge" in describe_image(replace(second, findings=(HERNIATION, FRACTURE)), "en")


def test_a_description_is_an_open_question_on_its_image():
    document = make_case()
    item = draft_description(document, document.figures[1], "zh")
    assert (item.task, item.language, item.images) == ("open_ended", "zh", (document.figures[1].image_sha256,))
    assert item.discs == DISCS and item.messages[1].text == describe_image(document.figures[1], "zh")


def test_a_figure_without_image_or_label_is_not_asked_about():
    figure = make_figure("sagittal", 1)
    assert is_labelled(figure)
    assert not is_labelled(replace(figure, levels=())) and not is_labelled(replace(figure, image=None, image_sha256=None))
