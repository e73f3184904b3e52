"""Captioned figures: captions, levels, descriptions."""

from dataset_builders.document import Figure
from dataset_builders.generate.rules import draft
from dataset_builders.generate.rules.figures import caption_of
from dataset_builders.item import question_of
from tests.support.chapter import CAPTIONS, make_chapter, make_figures
from tests.support.drafts import by_rule, draft_and_check, right


def test_figures_are_asked_with_the_captions_of_others():
    items = draft_and_check(make_chapter("", figures=make_figures()))
    choices = by_rule(items, "figure_caption")
    assert len(choices) == 4
    for item in choices:
        assert item.modality == "image_text" and len(item.images) == 1 and len(item.options) == 4
        assert right(item) == next(caption_of(f) for f in make_figures() if f.image_sha256 == item.images[0])
    assert choices[0].figure == "Figure 1" and choices[0].agreement == 0.5 and choices[0].image_modality == "radiograph"
    (level,) = by_rule(items, "figure_level")
    assert right(level) == "L4/L5" and "L4/L5" not in question_of(level)
    described = by_rule(items, "figure_description")[0].messages[1].text
    assert described.startswith("Lateral radiograph") and "arch stays behind" in described and "Figure" not in described


def test_a_number_in_a_citing_paragraph_is_no_citation():
    said = (
        "The canal is widest at C6 in nearly all adults. A slip is seen in the side view (Figure 6). It has a grade of its own."
    )
    caption = CAPTIONS[0].replace("Fig. 1", "Fig. 6")
    figure = Figure("Figure 6", caption, (said,), image=b"six", image_modality="radiograph")
    (item,) = by_rule(draft_and_check(make_chapter("", figures=(figure,))), "figure_description")
    reply = item.messages[1].text
    assert "A slip is seen in the side view." in reply and "widest at C6" not in reply


def test_two_figures_are_too_few_for_a_choice_between_captions():
    assert not by_rule(list(draft(make_chapter("", figures=make_figures()[:2]))), "figure_caption")


def test_a_figure_without_its_image_is_not_shown():
    figures = tuple(Figure(f.label, f.caption) for f in make_figures())
    assert not list(draft(make_chapter("", figures=figures)))


def test_the_level_of_one_axial_image_is_not_asked():
    caption = "Axial CT through the body of the vertebra at L3 with its pedicles and laminae."
    figure = Figure("Figure 1", caption, image=b"axial", image_modality="ct")
    assert not by_rule(list(draft(make_chapter("", figures=(figure,)))), "figure_level")
    figure = Figure("Figure 1", caption.replace("Axial", "Sagittal"), image=b"axial", image_modality="ct")
    assert by_rule(list(draft(make_chapter("", figures=(figure,)))), "figure_level")
