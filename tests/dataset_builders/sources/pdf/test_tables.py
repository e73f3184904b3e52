import re
from pathlib import Path

import pypdfium2

from dataset_builders.pages.content import Box, Graphic
from dataset_builders.pages.layout import find_blocks, find_lines
from dataset_builders.sources.pdf.figures import Caption
from dataset_builders.sources.pdf.flow import read_flow
from dataset_builders.sources.pdf.page import read_page
from dataset_builders.sources.pdf.tables import Table, caption_distance, find_tables, long_rules, match_captions
from tests.support.pdf_files import page_of, read_pdf, typeset, words_of

CAPTION = Caption("table", "Table 2", "Table 2. Slips by level", Box(60, 84, 200, 94))
ROWS = (("Level", "Left", "Right"), ("L1/L2", "2.1", "2.4"), ("L4/L5", "5.8", "6.0"), ("L5/S1", "1.0", ""))


def rule(x0: float, y: float, x1: float) -> Graphic:
    return Graphic(Box(x0, y, x1, y + 0.5), "rule")


def upright(x: float, top: float, bottom: float) -> Graphic:
    return Graphic(Box(x, top, x + 0.5, bottom), "rule")


def tables_of(rows: tuple[tuple[str, ...], ...], graphics: list[Graphic], captions: list[Caption]) -> list[Table]:
    """The tables of a page with ``rows`` set in columns 100 points apart, 14 points a row, below y = 100."""
    words = [
        word
        for number, row in enumerate(rows)
        for column, text in enumerate(row)
        if text
        for word in words_of(text, 64 + 100 * column, 102 + 14 * number)
    ]
    page = page_of(*words, graphics=tuple(graphics))
    return find_tables(page, captions, [], find_blocks(*find_lines(words, page.width)))


def test_an_open_table_between_rules_is_read_by_its_white_columns() -> None:
    (table,) = tables_of(ROWS, [rule(60, y, 360) for y in (100, 114.5, 158)], [CAPTION])
    assert table.label == "Table 2"
    assert table.markdown.splitlines() == [
        "Table 2. Slips by level",
        "",
        "| Level | Left | Right |",
        "| --- | --- | --- |",
        "| L1/L2 | 2.1 | 2.4 |",
        "| L4/L5 | 5.8 | 6.0 |",
        "| L5/S1 | 1.0 |  |",
    ]
    assert table.box.top == CAPTION.box.top


def test_a_grid_is_read_by_its_rules() -> None:
    grid = [rule(60, 100 + 14 * n, 360) for n in range(5)] + [upright(60 + 100 * n, 100, 156.5) for n in range(4)]
    (table,) = tables_of((("Level", "", "Right"), *ROWS[1:]), grid, [])
    assert table.label == ""
    assert table.markdown.splitlines()[0] == "| Level |  | Right |"
    assert table.markdown.splitlines()[-1] == "| L5/S1 | 1.0 |  |"


def test_a_bar_in_a_cell_is_escaped() -> None:
    (table,) = tables_of((("Level", "n|m"), ("L1", "2"), ("L2", "3")), [rule(60, y, 360) for y in (100, 114.5, 144)], [])
    assert "| Level | n\\|m |" in table.markdown


def test_a_caption_without_a_table_stands_alone() -> None:
    assert tables_of((("Only one line of text",),), [], [CAPTION]) == [Table("Table 2", "Table 2. Slips by level", CAPTION.box)]


def test_two_rules_around_an_image_are_a_frame_and_no_table() -> None:
    graphics = [rule(60, 100, 360), rule(60, 160, 360), Graphic(Box(100, 110, 300, 150), "image")]
    assert tables_of(ROWS, graphics, []) == []


def test_long_rules_are_joined_and_underlines_left_out() -> None:
    page = page_of(graphics=(rule(60, 300, 200), rule(203, 300.5, 360), rule(60, 100, 90), upright(60, 100, 200)))
    assert long_rules(page) == [Box(60, 300, 360, 301)]


def test_a_captions_distance_is_measured_above_below_and_beside() -> None:
    area = Box(100, 100, 300, 200)
    assert caption_distance(Box(100, 80, 250, 90), area) == 10
    assert caption_distance(Box(100, 215, 250, 225), area) == 15
    assert caption_distance(Box(310, 120, 400, 140), area) == 10
    assert caption_distance(Box(400, 300, 500, 310), area) > 1000


def test_the_head_of_a_table_over_pages_stays_a_row_and_leaves_its_caption(tmp_path: Path) -> None:
    rows = ",".join(f"[Group {n}], [{n} of {n + 40}], [{n}.5]" for n in range(1, 40))
    source = f"""
#set page(width: 300pt, height: 300pt, margin: (x: 20pt, top: 8pt, bottom: 20pt))
#set text(size: 10pt)
#text(weight: "bold")[Table 1. Slips of the wooden model by group]
#v(-4pt)
#table(columns: (60pt, 60pt, 70pt), stroke: 0.5pt, fill: (_, y) => if y == 0 {{ luma(200) }},
  table.header([*Category*], [*Slips*], [*Rate (mm)*]), {rows})
"""
    markdown = read_pdf(typeset(tmp_path, source)).markdown
    assert "Table 1. Slips of the wooden model by group\n\n| Category | Slips | Rate (mm) |" in markdown
    assert markdown.count("| Category | Slips | Rate (mm) |\n") == markdown.count("<!-- page ") >= 3
    assert all(f"| Group {n} | {n} of {n + 40} | {n}.5 |" in markdown for n in range(1, 40))


def test_a_cell_that_spans_rows_does_not_cut_its_table(sources: Path) -> None:
    document = pypdfium2.PdfDocument(sources / "guidelines" / "va_dod_cpg_low_back_pain_2022.pdf")
    flow = read_flow([read_page(document, 22)])
    document.close()
    (table,) = [element.text for element in flow.elements if element.kind == "table"]
    assert re.findall(r"^\|[^|]*\| (\d+)\. \|", table, re.MULTILINE) == [str(number) for number in range(1, 14)]


def test_captions_above_their_tables_stay_so_though_the_next_one_is_nearer() -> None:
    areas = [Box(60, 150, 530, 200), Box(60, 230, 530, 280)]
    captions = [Box(60, 125, 200, 134), Box(60, 205, 190, 214)]
    assert match_captions(captions, areas) == {0: 0, 1: 1}
    below = [Box(60, 210, 200, 219), Box(60, 290, 190, 299)]
    assert match_captions(below, areas) == {0: 0, 1: 1}
    assert match_captions([Box(60, 125, 200, 134)], areas[1:]) == {}
    assert match_captions(captions[1:], areas) == {1: 0}  # nearer to the first table, but captions stand above


def test_rows_in_groups_are_a_row_a_line_and_wrapped_cells_are_not() -> None:
    def rows_of(*lines: tuple[float, tuple[str, ...]]) -> list[str]:
        words = [
            word
            for top, cells in lines
            for column, text in enumerate(cells)
            if text
            for word in words_of(text, 64 + 100 * column, top)
        ]
        page = page_of(*words, graphics=tuple(rule(60, y, 360) for y in (98, lines[-1][0] + 12)))
        (table,) = find_tables(page, [], [], find_blocks(*find_lines(words, page.width)))
        return table.markdown.splitlines()[2:]

    grades = (("Inner set", "", ""), ("Grade 0", "112 (48)", "190 (82)"), ("Grade 1", "86 (37)", "34 (14)"))
    grouped = rows_of((100, ("Set", "Disc", "Root")), *((120 + 11 * n, row) for n, row in enumerate(grades)))
    assert grouped[1:] == ["| Grade 0 | 112 (48) | 190 (82) |", "| Grade 1 | 86 (37) | 34 (14) |"]
    wrapped = (("A slip of the", "12", "14"), ("lowest block", "", ""))
    joined = rows_of((100, ("Kind of fault", "Left", "Right")), (120, wrapped[0]), (131, wrapped[1]), (151, ("None", "5", "6")))
    assert joined[0] == "| A slip of the lowest block | 12 | 14 |"


def test_lines_between_a_caption_and_its_table_are_kept(tmp_path: Path) -> None:
    note = words_of("Values are degrees", 64, 90, size=8)
    words = [
        w
        for n, row in enumerate(ROWS)
        for c, text in enumerate(row)
        if text
        for w in words_of(text, 64 + 100 * c, 112 + 14 * n)
    ]
    page = page_of(*note, *words, graphics=tuple(rule(60, y, 360) for y in (110, 124.5, 168)))
    caption = Caption("table", "Table 2", "Table 2. Slips", Box(60, 76, 200, 86))
    (table,) = find_tables(page, [caption], [], find_blocks(*find_lines([*note, *words], page.width)))
    assert table.markdown.startswith("Table 2. Slips\n\nValues are degrees\n\n| Level | Left | Right |")


def test_exponents_in_a_cell_are_marked_and_stay_in_their_row() -> None:
    words = [*words_of("Test", 64, 100), *words_of("P", 164, 100), *words_of("Slope", 64, 120), *words_of("10", 164, 120)]
    words += [*words_of("−22", 174, 118, size=6), *words_of("Shift", 64, 134), *words_of("0.5", 164, 134)]
    page = page_of(*words, graphics=tuple(rule(60, y, 360) for y in (98, 113, 148)))
    (table,) = find_tables(page, [], [], find_blocks(*find_lines(words, page.width)))
    assert "| Slope | 10^−22^ |" in table.markdown
