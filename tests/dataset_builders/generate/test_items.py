"""Putting an Item together: id, levels, and what it takes over."""

from dataclasses import replace

import pytest

from dataset_builders.generate.items import Choice, Draft, Origin, choice_messages, draft_choice, find_quotes, located, new_item
from dataset_builders.item import Generation, Item, Message, Quote
from tests.support.chapter import make_chapter, make_figures

GENERATION = Generation("rules/2", "rules/x@1", "1" * 64, "2" * 64)
CHOICE = Choice("Which disc lies above L5?", ("L3/L4", "L4/L5", "L5/S1"), "B", "By its name.")


def make_open(question="What is at L4/L5?", answer="A disc beside L5.", images=()) -> Draft:
    return Draft("open_ended", "en", (Message("user", question, images), Message("assistant", answer)))


def test_a_choice_is_shown_with_letters_and_answered_by_the_right_option():
    question, reply = choice_messages(CHOICE)
    assert question.text == "Which disc lies above L5?\n\nA. L3/L4\nB. L4/L5\nC. L5/S1"
    assert reply.text == "B. L4/L5\n\nBy its name."
    assert choice_messages(replace(CHOICE, answer="AC", rationale=""))[1].text == "A. L3/L4\nC. L5/S1"


def test_an_item_is_about_the_levels_that_its_turns_name_wrong_options_aside():
    item = new_item(make_chapter(), GENERATION, draft_choice(CHOICE, "en"))
    assert (item.levels, item.discs) == (("L4", "L5"), ("L4/L5",))
    given = new_item(make_chapter(), GENERATION, draft_choice(CHOICE, "en", about=("L5", "C2")))
    assert (given.levels, given.discs) == (("C2", "L5"), ())


def test_a_disc_brings_its_vertebrae():
    item = new_item(make_chapter(), GENERATION, replace(make_open(), about=("L5/S1", "L4/L5")))
    assert (item.levels, item.discs) == (("L4", "L5", "S1"), ("L4/L5", "L5/S1"))


def test_an_item_takes_over_what_its_figure_is():
    figure = make_figures()[0]
    shown = new_item(make_chapter(), GENERATION, make_open(images=(figure.image_sha256,)), Origin(figure, figure.context))
    assert (shown.modality, shown.image_modality, shown.agreement, shown.figure) == (
        "image_text",
        "radiograph",
        0.5,
        "Figure 1",
    )
    assert shown.provenance.source_locator == "chapter.md, page 1" and shown.context == figure.context
    spoken_of = new_item(make_chapter(), GENERATION, make_open(), Origin(figure, locator="section Slips"))
    assert (spoken_of.modality, spoken_of.image_modality) == ("text", None)
    assert spoken_of.provenance.source_locator == "chapter.md, section Slips"


def test_the_id_tells_apart_calls_tasks_languages_and_parts():
    drafts = (make_open(), replace(make_open(), language="zh"), replace(make_open(), task="consultation"))
    items = [new_item(make_chapter(), GENERATION, draft) for draft in drafts]
    items += [new_item(make_chapter(), GENERATION, make_open(), part="1")]
    items += [new_item(make_chapter(), replace(GENERATION, generation_id="3" * 64), make_open())]
    assert len({item.id for item in items}) == 5 and items[0].id.startswith("open_ended-")
    assert new_item(make_chapter(), GENERATION, make_open("Other words?")).id == items[0].id


def test_a_place_is_added_to_the_locator_once():
    provenance = make_chapter().provenance
    assert located(provenance, "page 3").source_locator == "chapter.md, page 3"
    assert located(located(provenance, "page 3"), "page 3").source_locator == "chapter.md, page 3"
    assert located(replace(provenance, source_locator=""), "page 3").source_locator == "page 3"


def test_an_item_quotes_its_source_by_offsets():
    context = ("Discs herniate most often at L4/L5.", "Most settle within 12 weeks.")
    origin = Origin(context=context, quotes=("within 12 weeks", "at L4/L5"))
    item = new_item(make_chapter(), GENERATION, make_open(), origin)
    assert item.evidence == (Quote(1, 12, 27), Quote(0, 26, 34))
    assert item.quotes == origin.quotes
    assert Item.from_dict(item.to_dict()) == item
    assert new_item(make_chapter(), GENERATION, make_open(), Origin(context=context)).quotes == context


@pytest.mark.parametrize("quote", ["within 13 weeks", ""])
def test_a_quote_that_the_source_does_not_hold_is_refused(quote):
    with pytest.raises(ValueError, match=f"a quote of {len(quote)} characters stands in none of the 1 paragraphs"):
        find_quotes([quote], ["Most settle within 12 weeks."])
