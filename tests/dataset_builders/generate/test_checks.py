"""Each check of the second stage: what it lets pass, what it stops and what it says."""

from dataclasses import replace

import pytest

from dataset_builders.document import Provenance, Reject
from dataset_builders.generate.checks import CHECKS, check_item
from dataset_builders.generate.items import RULES_VERSION, Choice, choice_messages
from dataset_builders.item import Criterion, Generation, Item, Message, question_of
from dataset_builders.taxonomy import SCORED_DIMENSIONS

PROVENANCE = Provenance("textbook", "book:1", "CC-BY-4.0", "page 3", "0" * 64)
GENERATION = Generation(RULES_VERSION, "rules/level_cloze@1", "1" * 64, "2" * 64)
OPTIONS = ("L2/L3", "L3/L4", "L4/L5", "L5/S1")
STEM = "Which disc lies above the fifth lumbar vertebra?"


def make_choice(stem=STEM, options=OPTIONS, answer="C", **changes) -> Item:
    values = {"levels": ("L4", "L5"), "discs": ("L4/L5",), **changes}
    return Item(
        "multiple_choice-1", "multiple_choice", "en", "text", choice_messages(Choice(stem, options, answer, "It does.")),
        PROVENANCE, GENERATION, options=options, answer=answer, **values,
    )  # fmt: skip


def make_dialogue(*texts: str, task="consultation", language="en", **changes) -> Item:
    roles = ("user", "assistant")
    messages = tuple(Message(roles[number % 2], text) for number, text in enumerate(texts))
    return Item("consultation-1", task, language, "text", messages, PROVENANCE, GENERATION, **changes)


def reason(item: Item, image_of=None) -> str:
    result = check_item(item, image_of)
    assert isinstance(result, Reject), "the item passed"
    assert (result.file, result.where) == ("book:1", item.id)
    return result.reason


def test_a_good_item_is_signed_with_every_check_by_name():
    revised = check_item(make_choice())
    assert revised.generation.revise_model == RULES_VERSION
    assert revised.generation.checks == tuple(CHECKS)
    assert (revised.messages, revised.options) == (make_choice().messages, OPTIONS)


def test_options_must_differ_after_normalisation():
    assert reason(make_choice(options=("L2/L3", "L4/L5 ", "L4/L5", "L5/S1"))) == "revise_options_distinct"
    assert reason(make_choice(options=("ＭＲＩ", "mri.", "L4/L5"))) == "revise_options_distinct"
    assert reason(make_choice(options=("L2/L3", "…", "L4/L5"))) == "revise_options_distinct"


def test_the_answer_must_be_an_option_and_the_reply_must_begin_with_it():
    assert reason(replace(make_choice(), answer="E")) == "revise_answer_is_an_option"
    assert reason(replace(make_choice(), answer=None)) == "revise_answer_is_an_option"
    assert reason(replace(make_choice(), answer="CC")) == "revise_answer_is_an_option"
    assert reason(replace(make_choice(), answer="B")) == "revise_answer_is_an_option"
    assert (
        reason(replace(make_choice(), messages=(Message("user", STEM), make_choice().messages[1])))
        == "revise_answer_is_an_option"
    )


def test_a_stem_that_says_only_the_right_option_gives_it_away():
    assert reason(make_choice(stem="The L4/L5 disc bulges. Which disc bulges?")) == "revise_answer_not_given_away"
    assert isinstance(check_item(make_choice(stem="L4/L5 bulges, L3/L4 does not. Which disc bulges?")), Item)
    bank = replace(PROVENANCE, source_kind="question_bank")
    assert isinstance(check_item(replace(make_choice(stem="Of the L4/L5 disc …?"), provenance=bank)), Item)


def test_an_option_inside_another_word_is_not_said():
    item = make_choice(
        stem="Which is seen in arthritis mutilans?", options=("art", "pen", "cup"), answer="A", levels=(), discs=()
    )
    assert isinstance(check_item(item), Item)


def test_levels_are_canonical_and_a_disc_brings_its_vertebrae():
    assert reason(make_choice(levels=("L4", "L5", "L9"))) == "revise_levels_canonical"
    assert reason(make_choice(discs=("L4-L5",))) == "revise_levels_canonical"
    assert reason(make_choice(levels=("L4",))) == "revise_levels_canonical"


def test_an_answer_that_is_a_level_must_be_among_the_item_s():
    assert reason(make_choice(levels=("L3", "L4"), discs=("L3/L4",))) == "revise_levels_agree"


@pytest.mark.parametrize("texts", [("a", "b", "c"), ("only",), ()])
def test_turns_alternate_and_end_with_the_assistant(texts):
    assert reason(make_dialogue(*texts)) == "revise_turns_alternate"


def test_a_consultation_has_two_exchanges():
    assert reason(make_dialogue("What is it?", "A bulge.")) == "revise_turns_alternate"
    assert isinstance(check_item(make_dialogue("What is it?", "A bulge.", "And now?", "Exercise.")), Item)


def test_turns_are_neither_empty_nor_endless():
    assert reason(make_dialogue("What?", " ", "And?", "So.")) == "revise_lengths_bounded"
    assert reason(make_dialogue("What?", "word " * 7_000, "And?", "So.")) == "revise_lengths_bounded"


def test_the_language_is_the_text_s():
    assert reason(make_dialogue("这是什么？", "椎间盘膨出。", "怎么办？", "锻炼。")) == "revise_language_matches"
    assert isinstance(check_item(make_dialogue("这是什么？", "椎间盘膨出。", "怎么办？", "锻炼。", language="zh")), Item)
    assert reason(replace(make_choice(), language="zh")) == "revise_language_matches"


def test_citations_are_taken_out_and_other_markup_is_stopped():
    revised = check_item(make_dialogue("What is it [12]?", "A  bulge [3, 5–7].", "So?", "Rest."))
    assert [message.text for message in revised.messages[:2]] == ["What is it?", "A bulge."]
    assert reason(make_dialogue("See ![x](abc)", "A.", "B?", "C.")) == "revise_no_markup"
    assert reason(make_dialogue("See <img src=x>", "A.", "B?", "C.")) == "revise_no_markup"
    assert reason(make_dialogue("At {level}?", "A.", "B?", "C.")) == "revise_no_markup"


@pytest.mark.parametrize("text", ["As Fig. 3 shows.", "Table 2 lists it.", "Figures 1 and 2 agree."])
def test_figures_that_are_not_shown_may_not_be_spoken_of(text):
    assert reason(make_dialogue("What?", f"A bulge. {text}", "And?", "So.")) == "revise_nothing_unseen"


def test_chinese_figure_numbers_are_seen_too():
    assert (
        reason(make_dialogue("这是什么？", "椎间盘膨出，见图3-2。", "怎么办？", "锻炼。", language="zh"))
        == "revise_nothing_unseen"
    )


def test_the_figure_that_is_shown_loses_its_number():
    messages = (
        Message("user", "What does Fig. 3 show?", ("a" * 64,)),
        Message("assistant", "Figure 3 shows L4. In Figure 3A it slips."),
    )
    item = Item("open_ended-1", "open_ended", "en", "image_text", messages, PROVENANCE, GENERATION, figure="Figure 3")
    revised = check_item(item)
    assert [m.text for m in revised.messages] == ["What does the figure show?", "The figure shows L4. In the figure it slips."]
    other = replace(item, messages=(messages[0], Message("assistant", "Unlike Figure 31, it slips.")))
    assert reason(other) == "revise_nothing_unseen"


def test_images_must_exist_and_fit_the_modality():
    def missing(sha256: str) -> bytes:
        raise FileNotFoundError(sha256)

    item = replace(make_choice(), modality="image_text")
    assert reason(item) == "revise_images_exist"
    shown = replace(item, messages=(replace(item.messages[0], images=("a" * 64,)), item.messages[1]))
    assert reason(shown, missing) == "revise_images_exist"
    assert isinstance(check_item(shown, {"a" * 64: b"png"}.__getitem__), Item)
    assert reason(replace(shown, modality="text")) == "revise_images_exist"


def test_a_report_needs_every_dimension_and_its_reference():
    rubric = tuple(Criterion(dimension, "says so") for dimension in SCORED_DIMENSIONS)
    report = make_dialogue("Write it.", "Here it is.", task="report", answer="Here it is.", rubric=rubric)
    assert isinstance(check_item(report), Item)
    assert reason(replace(report, rubric=rubric[1:])) == "revise_rubric_known"
    assert reason(replace(report, answer="Something else.")) == "revise_rubric_known"


def test_unknown_names_are_stopped():
    assert reason(replace(make_choice(), axis="vibes")) == "revise_known_names"


def test_the_question_column_has_no_options():
    assert question_of(make_choice()) == STEM
