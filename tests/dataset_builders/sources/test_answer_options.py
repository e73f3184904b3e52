"""Options of a question-bank row, in every form that tables hold them."""

import pytest

from dataset_builders.sources.answer_options import Options, read_options, split_options

WORDS = ("C1", "C2", "C7")


@pytest.mark.parametrize(
    "found",
    [
        ["C1", "C2", "C7"],
        ["A. C1", "B. C2", "C. C7"],
        {"B": "C2", "A": "C1", "C": "C7"},
        {"text": ["C1", "C2", "C7"], "label": ["A", "B", "C"]},
        [{"key": "A", "value": "C1"}, {"key": "B", "value": "C2"}, {"key": "C", "value": "C7"}],
        '["C1", "C2", "C7"]',
        '{"A": "C1", "B": "C2", "C": "C7"}',
        "{'A': 'C1', 'B': 'C2', 'C': 'C7'}",
        "['C1' 'C2'\n 'C7']",
        "array(['C1', 'C2', 'C7'], dtype=object)",
        "{'text': array(['C1', 'C2', 'C7'], dtype=object), 'label': array(['A', 'B', 'C'], dtype=object)}",
        "(A) C1\n(B) C2\n(C) C7",
        "A、C1 B、C2 C、C7",
        "A.C1B.C2C.C7",
        "A.C1;B.C2;C.C7",
        "1) C1\n2) C2\n3) C7",
        "(a) C1 (b) C2 (c) C7",
        "Ａ．C1\nＢ．C2\nＣ．C7",
        "A. C1<br>B. C2<br/>C. C7",
        "C1|C2|C7",
    ],
    ids=str,
)
def test_forms(found):
    assert read_options(found, {}).texts == WORDS


@pytest.mark.parametrize("pattern", ["{}", "op{}", "option_{}", "choice_{}", "选项{}"])
def test_a_column_each(pattern):
    values = {pattern.format(letter): word for letter, word in zip("abcd", (*WORDS, None))}
    assert read_options(None, values) == Options(WORDS, tuple(values)[:3])


@pytest.mark.parametrize("first", [0, 1])
def test_numbered_columns_say_from_where_they_count(first):
    values = {f"option{first + place}": word for place, word in enumerate(WORDS)}
    options = read_options(None, values)
    assert (options.texts, options.first_number) == (WORDS, first)


def test_options_keep_the_letters_that_the_source_gives_them():
    assert read_options(["B. C2", "A. C1", "C. C7"], {}) == Options(("C2", "C1", "C7"), ("b", "a", "c"))
    assert read_options({"A": "C1", "C": "C2", "D": "C7"}, {}).names == ("a", "c", "d")


def test_marks_of_one_style_part_the_options_and_a_mark_that_stands_twice_leaves_them_unread():
    assert split_options("A. Hepatitis B B. Hepatitis C C. None").texts == ("Hepatitis B", "Hepatitis C", "None")
    assert split_options("A. Vitamin B. B. Vitamin C. C. None") == Options()


@pytest.mark.parametrize("text", ["", "one", "[" * 5000, "{'a': __import__('os')}", "['a' 'b", "A. only one"])
def test_what_is_no_list_of_options_gives_none_or_one(text):
    assert len(read_options(text, {}).texts) < 2
