from collections import Counter

import pytest

from dataset_builders.pages.content import Box, Word
from dataset_builders.pages.layout import body_size, find_blocks, find_lines, is_han, join_lines, reading_order
from tests.support.pdf_files import page_of, words_of

WIDTH = 550.0
LEFT = [f"the left column has its line {number}" for number in "abcdef"]
RIGHT = [f"the right column has its line {number}" for number in "abcdef"]


def two_columns(top: float = 100.0, gap: float = 20.0) -> list[Word]:
    """Two columns of six lines, 12 points apart; the right one starts ``gap`` after the left one's longest line."""
    words = []
    right = 60 + max(words_of(text, 60, top)[-1].box.x1 for text in LEFT) - 60 + gap
    for number, (first, second) in enumerate(zip(LEFT, RIGHT)):
        words += words_of(first, 60, top + 12 * number) + words_of(second, right, top + 12 * number)
    return words


def test_words_of_one_baseline_are_one_line() -> None:
    (line,), gutters = find_lines(words_of("the disc has lost a third of its height", 60, 100), WIDTH)
    assert line.text == "the disc has lost a third of its height"
    assert gutters == []


def test_a_gap_of_a_font_size_and_a_half_parts_a_line() -> None:
    near = [*words_of("left", 60, 100), *words_of("near", 60 + 20 + 14, 100)]
    far = [*words_of("left", 60, 100), *words_of("far", 60 + 20 + 16, 100)]
    assert [line.text for line in find_lines(near, WIDTH)[0]] == ["left near"]
    assert [line.text for line in find_lines(far, WIDTH)[0]] == ["left", "far"]


def test_the_number_of_a_list_stays_with_its_far_text() -> None:
    words = [*words_of("12.", 60, 100), *words_of("twelfth entry", 60 + 15 + 30, 100)]
    assert [line.text for line in find_lines(words, WIDTH)[0]] == ["12. twelfth entry"]


def test_a_narrow_gutter_parts_columns_that_word_spaces_do_not() -> None:
    lines, gutters = find_lines(two_columns(gap=9.0), WIDTH)
    assert sorted(line.text for line in lines) == sorted([*LEFT, *RIGHT])
    assert gutters


def test_raised_numbers_are_marked_and_others_are_not() -> None:
    raised = Word("2,3", Box(95, 98, 105, 104), 6.0)
    (line,), _ = find_lines([*words_of("as shown", 60, 100)[:2], raised], WIDTH)
    assert line.text.endswith("^2,3^")
    lowered = Word("2", Box(95, 105, 99, 111), 6.0)
    assert "^" not in find_lines([*words_of("as H", 60, 100), lowered], WIDTH)[0][0].text


def test_a_line_knows_how_much_of_its_start_is_bold() -> None:
    bold = words_of("Figure 3.", 60, 100, bold=True)
    (line,), _ = find_lines([*bold, *words_of("The conus", bold[-1].box.x1 + 3, 100)], WIDTH)
    assert line.text[: line.lead] == "Figure 3."
    assert not line.bold
    assert find_lines(bold, WIDTH)[0][0].bold


def test_lines_of_a_column_stack_and_those_of_two_columns_do_not() -> None:
    lines, gutters = find_lines(two_columns(), WIDTH)
    blocks = find_blocks(lines, gutters)
    assert sorted([line.text for line in block] for block in blocks) == sorted([LEFT, RIGHT])


def test_another_size_or_a_wide_gap_starts_a_new_stack() -> None:
    words = [*words_of("a heading of the text", 60, 100, size=14), *words_of("text below the heading goes on", 60, 116)]
    words += words_of("and on to its second line here", 60, 128) + words_of("after a gap there is another one", 60, 160)
    blocks = find_blocks(*find_lines(words, WIDTH))
    assert [len(block) for block in sorted(blocks, key=lambda block: block[0].box.top)] == [1, 2, 1]


def test_a_rule_across_the_column_ends_a_stack_and_an_underline_does_not() -> None:
    lines, gutters = find_lines([*words_of("the first line of a text", 60, 100), *words_of("the second line", 60, 112)], WIDTH)
    assert len(find_blocks(lines, gutters, [Box(40, 111, 300, 111.5)])) == 2
    assert len(find_blocks(lines, gutters, [Box(60, 110, 120, 110.5)])) == 1


def test_columns_are_read_within_what_spans_them() -> None:
    title, foot = Box(50, 50, 500, 70), Box(50, 400, 500, 420)
    left, right = [Box(50, top, 260, top + 90) for top in (100, 200)], [Box(280, top, 500, top + 90) for top in (100, 200)]
    boxes = [foot, *right, *left, title]
    order = [boxes[index] for index in reading_order(boxes)]
    assert order == [title, *left, *right, foot]


def test_a_spanning_element_parts_the_columns_above_from_those_below() -> None:
    upper, lower = [Box(50, 100, 260, 190), Box(280, 100, 500, 190)], [Box(50, 250, 260, 340), Box(280, 250, 500, 340)]
    band = Box(50, 200, 500, 240)
    boxes = [*lower, band, *upper]
    assert [boxes[index] for index in reading_order(boxes)] == [*upper, band, *lower]


def test_reading_order_takes_every_box_once_even_in_a_circle() -> None:
    boxes = [Box(0, 0, 10, 10), Box(0, 0, 10, 10), Box(5, 2, 30, 8)]
    assert sorted(reading_order(boxes)) == [0, 1, 2]
    assert reading_order([]) == []


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        (["the neigh-", "bouring block"], "the neighbouring block"),
        (["the inter\u00ad", "vertebral disc"], "the intervertebral disc"),
        (["levels L4-", "L5 are fused"], "levels L4-L5 are fused"),
        (["the L4/", "L5 disc"], "the L4/L5 disc"),
        (["a dash –", "and more"], "a dash – and more"),
        (["椎间盘", "突出"], "椎间盘突出"),
        (["位于L4", "水平"], "位于L4水平"),
        (["one", "", "two"], "one two"),
        ([], ""),
    ],
)
def test_printed_lines_become_running_text(lines: list[str], joined: str) -> None:
    assert join_lines(lines) == joined


def test_a_hyphen_that_the_document_writes_elsewhere_is_kept() -> None:
    lines = ["a cross-", "sectional study"]
    assert join_lines(lines) == "a crosssectional study"
    assert join_lines(lines, Counter({"cross-sectional": 2, "crosssectional": 1})) == "a cross-sectional study"


def test_the_body_size_is_that_of_most_characters() -> None:
    page = page_of(*words_of("A TITLE", 60, 50, size=20), *words_of("the body of the text is longer", 60, 100, size=9.9))
    assert body_size([page]) == 10.0
    assert body_size([page_of()]) == 10.0


def test_han_and_full_width_marks_are_chinese_writing() -> None:
    assert all(map(is_han, "椎，（"))
    assert not any(map(is_han, "aL4,"))
