"""What check_item does with a draft: it tidies it, signs it or names the first criterion that it fails."""

from dataclasses import replace

from dataset_builders.document import Reject
from dataset_builders.generate.checks import check_item
from dataset_builders.generate.criteria import load_criteria
from dataset_builders.generate.items import RULES_VERSION
from dataset_builders.item import Item, Message, question_of
from tests.support.grounded_items import OPTIONS, STEM, failed, make_choice, make_dialogue
from tests.support.scripts import load_benchmark


def test_a_good_item_is_signed_with_every_criterion_and_its_version():
    revised = check_item(make_choice())
    assert revised.generation.revise_model == RULES_VERSION
    code = [criterion for criterion in load_criteria() if criterion.checked_by == "code"]
    assert revised.generation.checks == tuple(f"{criterion.id}@{criterion.version}" for criterion in code)
    assert (revised.messages, revised.options) == (make_choice().messages, OPTIONS)


def test_a_bad_item_leaves_by_its_source_its_id_and_a_criterion():
    result = check_item(make_choice(answer="B"))
    assert isinstance(result, Reject)
    assert (result.file, result.reason, result.where) == ("book:1", "revise_key_in_source", make_choice(answer="B").id)


def test_citations_are_taken_out_and_white_space_is_evened():
    revised = check_item(make_dialogue("What is the disc [12]?", "A  bulge of a disc [3, 5–7].", "What helps it?", "Exercise."))
    assert [message.text for message in revised.messages[:2]] == ["What is the disc?", "A bulge of a disc."]


def test_the_figure_that_is_shown_loses_its_number():
    messages = (
        Message("user", "What does Fig. 3 show?", ("a" * 64,)),
        Message("assistant", "Figure 3 shows L4. In Figure 3A it slips."),
    )
    item = make_dialogue("What does it show?", "L4, which slips on L5.", task="open_ended", source="L4 slips on L5.")
    item = replace(item, messages=messages, modality="image_text", figure="Figure 3")
    revised = check_item(item)
    assert isinstance(revised, Item), revised
    assert [m.text for m in revised.messages] == ["What does the figure show?", "The figure shows L4. In the figure it slips."]
    assert (
        failed(replace(item, messages=(messages[0], Message("assistant", "Unlike Figure 31, L4 slips.")))) == "nothing_unseen"
    )


def test_the_question_column_has_no_options():
    assert question_of(make_choice()) == STEM


def test_broken_items_are_rejected_and_good_ones_kept():
    gate = load_benchmark("criteria")
    good = gate.load_good_items()
    assert gate.count_lost(good)["lost"] == 0
    few = good[::5]  # of both languages and every task but reports
    assert gate.measure(few, gate.criteria_breaks.BREAKS)["share"] >= 0.95
