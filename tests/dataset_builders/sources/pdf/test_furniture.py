import re
from pathlib import Path

from dataset_builders.pages.content import Box, Graphic, PageContent
from dataset_builders.pages.layout import Line, find_lines
from dataset_builders.sources.pdf.furniture import find_furniture, without_line_numbers, without_ornaments
from tests.support.pdf_files import page_of, read_pdf, typeset, words_of

BODY = "a line of the text that stands in the middle of the page"


def furniture(*pages: PageContent) -> list[str]:
    """The texts of running heads, feet and page numbers."""
    split: list[tuple[PageContent, list[Line]]] = [(page, find_lines(page.words, page.width)[0]) for page in pages]
    found = find_furniture(split)
    return [line.text for _, lines in split for line in lines if id(line) in found]


def headed(number: int, head: str, foot: str) -> PageContent:
    words = [*words_of(head, 60, 30), *words_of(BODY, 60, 300), *words_of(foot, 270, 670)]
    return page_of(*words, number=number)


def test_heads_that_come_back_and_numbers_that_count_up_are_furniture() -> None:
    pages = [headed(n, f"Journal of Spines {n}", str(n + 40)) for n in (1, 2, 3)]
    assert furniture(*pages) == ["Journal of Spines 1", "41", "Journal of Spines 2", "42", "Journal of Spines 3", "43"]


def test_a_head_of_one_page_and_numbers_that_do_not_count_are_text() -> None:
    assert furniture(headed(1, "Opening words", "17"), headed(2, "Other words", "3")) == []


def test_words_in_the_middle_of_pages_are_never_furniture() -> None:
    assert furniture(*(page_of(*words_of(BODY, 60, 300), number=n) for n in (1, 2, 3))) == []


def test_a_single_pages_number_stands_alone_at_its_edge() -> None:
    assert furniture(headed(1, BODY, "1")) == ["1"]
    beside = page_of(*words_of(BODY, 60, 300), *words_of("1", 270, 670), *words_of("of the table", 300, 670))
    assert furniture(beside) == []


def test_the_head_row_of_a_table_over_pages_is_text() -> None:
    sides = tuple(Graphic(Box(x, 20, x + 0.5, 400), "rule") for x in (40, 500))
    pages = [page_of(*words_of("Category and rate", 60, 30), graphics=sides, number=n) for n in (1, 2, 3)]
    assert furniture(*pages) == []


def test_ornaments_of_three_pages_go_and_those_of_two_stay() -> None:
    logo = Graphic(Box(40, 20, 90, 50), "image")
    pages = [page_of(graphics=(logo,), number=n) for n in (1, 2, 3)]
    assert [page.graphics for page in without_ornaments(pages)] == [(), (), ()]
    assert [page.graphics for page in without_ornaments(pages[:2])] == [(logo,), (logo,)]


def test_the_rules_of_a_table_that_reaches_into_the_margin_stay() -> None:
    head, side = Graphic(Box(40, 60, 500, 60.5), "rule"), Graphic(Box(40, 60, 40.5, 300), "rule")
    pages = [page_of(graphics=(head, side), number=n) for n in (1, 2, 3)]
    assert [page.graphics for page in without_ornaments(pages)] == [(head, side)] * 3


def numbered(step: int, x0: float = 20) -> PageContent:
    lines = range(8)
    text = [word for n in lines for word in words_of(BODY, 60, 100 + 12 * n)]
    return page_of(*text, *(word for n in lines for word in words_of(str(step * (n + 1)), x0, 100 + 12 * n)))


def test_a_manuscripts_line_numbers_go() -> None:
    (page,) = without_line_numbers([numbered(1)])
    assert not any(word.text.isdigit() for word in page.words)
    (page,) = without_line_numbers([numbered(5)])
    assert not any(word.text.isdigit() for word in page.words)


def test_numbers_that_count_by_another_step_or_stand_in_the_text_stay() -> None:
    for page in (numbered(3), numbered(1, x0=400)):
        assert without_line_numbers([page])[0].words == page.words


def test_numbers_of_tables_at_the_top_of_two_pages_are_no_page_numbers(tmp_path: Path) -> None:
    table = "#table(columns: 3, stroke: 0.5pt, [Level], [n], [mm], [L1], [{n}], [4.{n}])"
    foot = "#set page(width: 300pt, height: 400pt, margin: 20pt, footer: context counter(page).display())"
    body = "A paragraph below the table that fills a little of the page so that it does not look empty."
    pages = [f"{table.format(n=n)}\n\n{body} Number {word}." for n, word in ((31, "one"), (75, "two"))]
    markdown = read_pdf(typeset(tmp_path, foot + "\n" + "\n#pagebreak()\n".join(pages))).markdown
    assert "| L1 | 31 | 4.31 |" in markdown
    assert "| L1 | 75 | 4.75 |" in markdown
    assert not re.search(r"^[12]$", markdown, re.MULTILINE)
