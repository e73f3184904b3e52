"""How a file's answers are meant: nothing is assumed, and what is not certain is a reject."""

import pytest

from dataset_builders.sources.answer_keys import BadKey, Keyed, Keys, prove_keys, read_key
from dataset_builders.sources.answer_options import Options

DISCS = Options(("L1/L2", "L2/L3", "L4/L5", "T12/L1"))
NUMBERS = Options(("3", "4", "5", "6"))


def keyed(*answers, options=DISCS, explanation=""):
    return [Keyed(options, answer, explanation) for answer in answers]


@pytest.mark.parametrize(
    ("answers", "first"),
    [
        ((2, 0, 1), 0),
        ((2, 4, 1), 1),
        ((2, 3, 1), None),
        ((0, 4), None),
        (("1.0", "4.0"), 1),
        (("0", "3"), 0),
        (("A", "B"), None),
    ],
)
def test_a_number_that_fits_one_base_alone_proves_it(answers, first):
    assert prove_keys(keyed(*answers)).first == first


def test_explanations_prove_a_base_if_they_agree():
    rows = [Keyed(DISCS, 2, "The disc at L4/L5 is the one."), Keyed(DISCS, 1, "It is L2/L3.")]
    keys = prove_keys(rows)
    assert (keys.first, keys.evidence) == (0, "2 of 2 explanations name the option that a count from 0 gives")
    assert prove_keys([*rows, Keyed(DISCS, 2, "L2/L3, of course.")]).first is None
    assert prove_keys(rows[:1]).first is None
    assert prove_keys([Keyed(DISCS, 2, "Not L1/L2 but L4/L5.")] * 5).first is None, "two options are named: no evidence"


def test_numbered_options_prove_a_base():
    options = Options(("a", "b", "c"), ("option1", "option2", "option3"))
    assert read_key(Keyed(options, 2), prove_keys(keyed(2, options=options))) == ("B", "number from 1")


def test_what_is_declared_goes_before_what_the_rows_show():
    assert prove_keys(keyed(0, 1), declared=1).first == 1


def test_a_number_that_is_an_option_s_text_too_is_read_as_the_file_s_other_answers_are():
    numbered = [*keyed(3, options=NUMBERS), *keyed(3, 4)]
    assert [read_key(row, prove_keys(numbered))[0] for row in numbered] == ["C", "C", "D"]
    texts = [*keyed("3", options=NUMBERS), *keyed("L1/L2", "T12/L1")]
    assert [read_key(row, prove_keys(texts))[0] for row in texts] == ["A", "A", "D"]
    mixed = [*keyed(3, options=NUMBERS), *keyed(4), *keyed("L1/L2")]
    with pytest.raises(BadKey, match="the answer may mean A as a text or C as a number"):
        read_key(mixed[0], prove_keys(mixed))


def test_a_letter_that_is_an_option_s_text_too_is_read_as_the_file_s_other_answers_are():
    groups = Options(("O", "A", "B", "AB"))
    letters = [*keyed("A", options=groups), *keyed("B", "C")]
    assert read_key(letters[0], prove_keys(letters)) == ("A", "letter")
    texts = [*keyed("A", options=groups), *keyed("L4/L5")]
    assert read_key(texts[0], prove_keys(texts)) == ("B", "text")


@pytest.mark.parametrize(
    ("answer", "letters"),
    [
        ("b", "B"), ("(C)(A)", "AC"), (["A", "C"], "AC"), ("Option B", "B"), ("答案：C", "C"), ("B. L2/L3", "B"),
        ("l4/l5 ", "C"), ("A和C", "AC"),
    ],
)  # fmt: skip
def test_letters_and_texts_in_their_spellings(answer, letters):
    assert read_key(Keyed(DISCS, answer), Keys())[0] == letters


@pytest.mark.parametrize("answer", ["E", "B. L4/L5", "none", True, ["L9"], "7"])
def test_what_names_no_option_is_refused(answer):
    with pytest.raises(BadKey, match="answer_names_no_option"):
        read_key(Keyed(DISCS, answer), Keys(first=1))


def test_a_number_without_a_base_is_refused_with_the_way_out():
    with pytest.raises(BadKey, match="declare answers_from"):
        read_key(Keyed(DISCS, 2), Keys())


def test_a_letter_is_looked_up_among_the_source_s_own_letters():
    options = Options(("L2", "L3", "L4"), ("b", "a", "d"))
    assert [read_key(Keyed(options, letter), Keys())[0] for letter in "ABD"] == ["B", "A", "C"]
    with pytest.raises(BadKey, match="answer_names_no_option"):
        read_key(Keyed(options, "C"), Keys())


def test_an_option_s_text_of_letters_is_meant_by_those_letters_and_unsorted_letters_are_no_answer():
    codes = Options(("AC", "SC", "SI", "C1"))
    assert read_key(Keyed(codes, "AC"), Keys())[0] == "A"
    with pytest.raises(BadKey, match="answer_names_no_option"):
        read_key(Keyed(DISCS, "BAD"), Keys())


def test_explanations_that_deny_an_option_prove_nothing():
    rows = [Keyed(DISCS, 1, text) for text in ("L1/L2 is wrong.", "Never L1/L2.", "It is not L1/L2.", "不是 L1/L2")]
    assert prove_keys(rows).first is None


def test_a_number_that_may_be_an_option_s_text_needs_a_base():
    with pytest.raises(BadKey, match="answer_base_unknown"):
        read_key(Keyed(Options(("1", "2", "3", "4")), 2), Keys())
