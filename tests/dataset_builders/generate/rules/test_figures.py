"""Captioned figures: captions, levels, descriptions."""

from dataclasses import replace

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


def draft_one(caption, **values):
    figures = (Figure(values.pop("label", "Figure 1"), caption, image=b"one", **{"image_modality": "ct", **values}),)
    return draft_and_check(make_chapter("", figures=figures))


def test_a_level_is_asked_only_if_the_caption_says_that_a_landmark_is_in_view():
    caption = "Sagittal CT down to the sacrum: the wedge-shaped body of L1 with its lost anterior height."
    (level,) = by_rule(draft_one(caption), "figure_level")
    assert right(level) == "L1" and "L1" not in question_of(level)
    for changed in (caption.replace("Sagittal", "Axial"), caption.replace("down to the sacrum", "of one patient")):
        assert not by_rule(draft_one(changed), "figure_level")


LONG = (
    "Slip of L4 on L5 in two lateral radiographs of the lumbar spine. (a) Standing, with the slip. (b) The same patient after "
    "reduction and fixation, one year later."
)


def test_a_figure_of_panels_is_shown_whole_and_only_described():
    panels = tuple(Figure("Figure 9", f"Figure 9: {LONG}", image=name, image_modality="radiograph") for name in (b"a", b"b"))
    items = draft_and_check(make_chapter("", figures=(*make_figures(), *panels)))
    (described,) = [item for item in items if item.figure == "Figure 9"]
    assert len(described.images) == 2 and described.messages[1].text == LONG
    assert not any(LONG in item.options for item in items)


def test_images_that_share_their_label_and_caption_are_one_figure():
    caption = "Figure 9: Lateral radiograph of the lumbar spine with a slip of L4 on L5. It was taken at rest."
    panels = tuple(Figure("Figure 9", caption, image=name, image_modality="radiograph") for name in (b"a", b"b"))
    (item,) = [i for i in draft_and_check(make_chapter("", figures=(*make_figures(), *panels))) if i.figure == "Figure 9"]
    assert len(item.images) == 2 and item.task == "open_ended"


def test_a_figure_of_panels_is_not_shown_with_part_of_its_caption():
    assert by_rule(draft_one(LONG + " It was taken at rest."), "figure_description")
    assert not by_rule(draft_one(LONG + " The patient had no complaints then." * 12), "figure_description")


def test_a_caption_that_only_names_its_image_is_no_description():
    assert not draft_one("Axial CT of the lumbar spine.")
    assert not by_rule(draft_one(LONG, image_modality="table"), "figure_description")


def test_a_sentence_that_says_the_caption_again_is_no_explanation():
    caption = "Figure 9: Lateral radiograph of the sacrum, formed by the fusion of five sacral vertebrae. It was taken at rest."
    again = "The sacrum is formed from five sacral vertebrae by their fusion (Figure 9)."
    more = "Failure of the first arch to close is common and harmless in adults (Figure 9)."
    (item,) = draft_one(caption, label="Figure 9", context=(again, more))
    assert item.messages[1].text.endswith("taken at rest. " + more.replace(" (Figure 9)", ""))


def test_a_caption_that_may_be_true_too_is_not_offered():
    first, *others = make_figures()
    said = first.caption.removeprefix("Fig. 1").lstrip(": .")
    twin = replace(others[0], label="Figure 9", caption=f"Figure 9: Another view. {said}", image=b"twin")
    for item in by_rule(draft_and_check(make_chapter("", figures=(first, *others, twin))), "figure_caption"):
        assert sum(said[:40] in option for option in item.options) <= 1
