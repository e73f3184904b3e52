"""The options of multiple choice."""

import pytest

from tests.support.grounded_items import failed, make_choice

ROOTS = ("L3 root", "L4 root", "L5 root", "S1 root")
WHICH_ROOT = "Which root does a paracentral herniation at L4/L5 compress?"
ROOT_SOURCE = "A paracentral herniation at L4/L5 compresses the traversing L5 root."
DRUGS = ("Naproxen", "Gabapentin", "Tramadol", "Diazepam")
WHICH_DRUG = "Which drug is advised for acute back pain?"
DRUG_SOURCE = "For acute back pain naproxen is advised."


@pytest.mark.parametrize(
    ("options", "criterion"),
    [
        (("L2/L3", "L4/L5 ", "L4/L5", "L5/S1"), "options_distinct"),
        (("ＭＲＩ", "mri.", "L4/L5"), "options_distinct"),
        (("L2/L3", "L4-5", "L4/L5", "L5/S1"), "options_differ_in_meaning"),
        (("L2/L3", "the fourth lumbar disc space", "L4/L5", "L5/S1"), "options_alike"),
        (("L2/L3", "L4/L5 and L5/S1", "L4/L5", "L5/S1"), "options_differ_in_meaning"),
        (("L2/L3", "All of the above", "L4/L5", "L5/S1"), "no_option_about_options"),
        (("L2/L3", "muscle strain", "L4/L5", "L5/S1"), "options_alike"),
    ],
)
def test_options_are_apart_in_meaning_and_of_one_kind(options, criterion):
    assert failed(make_choice(options=options)) == criterion


@pytest.mark.parametrize("option", ["以上都是", "以上均不是", "A和B"])
def test_chinese_options_do_not_speak_of_options_either(option):
    options = ("腰椎下段", "腰椎上段", "胸椎上段", option)
    item = make_choice("腰椎间盘突出最常见于哪里？", options, "A", "", "腰椎间盘突出最常见于腰椎下段。", "zh")
    assert failed(item) == "no_option_about_options"


def test_grades_and_numbers_that_hold_each_other_are_apart():
    grades = tuple(f"Pfirrmann grade {grade}" for grade in ("II", "III", "IV", "V"))
    source = "The disc at L4/L5 has Pfirrmann grade IV."
    assert failed(make_choice("Which grade has the disc at L4/L5?", grades, "C", "", source)) == ""
    weeks = ("2 weeks", "4 weeks", "6 weeks", "12 weeks")
    assert (
        failed(make_choice("How long is the brace of the spine worn?", weeks, "D", "", "The brace is worn for 12 weeks.")) == ""
    )


def test_the_source_may_not_join_another_option_to_the_key():
    source = "The disc is herniated most often at L4/L5 and L5/S1."
    assert failed(make_choice("Where is the disc herniated most often?", source=source, why="")) == "one_option_in_source"


def test_the_key_is_the_one_that_the_source_names():
    assert failed(make_choice(WHICH_ROOT, ROOTS, "C", "", ROOT_SOURCE)) == ""
    assert failed(make_choice(WHICH_ROOT, ROOTS, "B", "", ROOT_SOURCE)) == "key_in_source"
    assert failed(make_choice(WHICH_DRUG, DRUGS, "B", "", DRUG_SOURCE)) == "key_in_source"


def test_the_explanation_speaks_for_the_key():
    both = f"{ROOT_SOURCE} The L4 root exits there."
    assert failed(make_choice(WHICH_ROOT, ROOTS, "C", "It compresses the L4 root.", both)) == "explanation_agrees"
    assert failed(make_choice(WHICH_DRUG, DRUGS, "A", "The answer is B.", DRUG_SOURCE)) == "explanation_agrees"


def test_a_stem_that_says_only_the_right_option_gives_it_away():
    assert failed(make_choice("The L4/L5 disc bulges. Which disc bulges?", source="L4/L5 bulges.")) == "answer_not_given_away"
    stem = "The fifth lumbar nerve root is pressed on. Which root is it?"
    assert failed(make_choice(stem, ROOTS, "C", "", ROOT_SOURCE)) == "answer_not_given_away"
    both = "L4/L5 bulges, L3/L4 does not. Which disc bulges?"
    assert failed(make_choice(both, source="L4/L5 bulges, L3/L4 does not.", why="")) == ""


def test_an_option_inside_another_word_is_not_said():
    source = "Arthritis mutilans of the spine is shown by the cup sign, which is seen on radiographs."
    assert failed(make_choice("Which is seen in mutilans of the spine?", ("art", "pen", "cup"), "C", "", source)) == ""


def test_the_key_does_not_stand_out():
    longer = ("Rest", "Heat", "Exercise under the eyes of a physiotherapist", "Ice")
    source = "Back pain is helped by exercise under the eyes of a physiotherapist."
    assert failed(make_choice("What helps back pain?", longer, "C", "", source)) == "options_alike"
    stops = ("Rest", "Heat", "Exercise.", "Ice")
    assert failed(make_choice("What helps back pain?", stops, "C", "", "Exercise helps back pain.")) == "options_alike"
