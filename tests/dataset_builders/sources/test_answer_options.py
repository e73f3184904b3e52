"""Options of a question-bank row, in every form that tables hold them."""

import pytest

from dataset_builders.sources.answer_options import Options, read_options

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
    ],
    ids=str,
)
def test_forms(found):
    assert read_options(found, {}).texts == WORDS


@pytest.mark.parametrize("pattern", ["{}", "op{}", "option_{}", "choice {}", "选项{}"])
def test_a_column_each(pattern):
    values = {pattern.format(letter): word for letter, word in zip("abcd", (*WORDS, None))}
    assert read_options(None, values) == Options(WORDS, tuple(values)[:3])


@pytest.mark.parametrize("first", [0, 1])
def test_numbered_columns_say_from_where_they_count(first):
    values = {f"option{first + place}": word for place, word in enumerate(WORDS)}
    options = read_options(None, values)
    assert (options.texts, options.first_number) == (WORDS, first)


@pytest.mark.parametrize("text", ["", "one", "[" * 5000, "{'a': __import__('os')}", "['a' 'b", "A. only one"])
def test_what_is_no_list_of_options_gives_none_or_one(text):
    assert len(read_options(text, {}).texts) < 2
