import re

from dataset_builders.pages.content import Box, Graphic, PageContent, Word
from dataset_builders.sources.pdf.flow import Element, read_flow
from tests.support.pdf_files import page_of, recognised, words_of

FULL = "this line of the running text is set as wide as its column"


def lines(*texts: str, top: float = 100.0, x0: float = 60.0, size: float = 10.0, **style: bool) -> list[Word]:
    """The words of lines set 12 points apart."""
    return [word for number, text in enumerate(texts) for word in words_of(text, x0, top + 12 * number, size, **style)]


def kinds(*pages: PageContent) -> list[tuple[str, str]]:
    return [(element.kind, element.text) for element in read_flow(pages).elements]


def test_lines_become_a_paragraph_with_hyphens_undone() -> None:
    page = page_of(*lines(FULL, "and goes on with the inter-", "vertebral disc of the level."))
    assert kinds(page) == [("paragraph", f"{FULL} and goes on with the intervertebral disc of the level.")]


def test_an_indent_starts_a_paragraph() -> None:
    words = [*lines(f"{FULL}."), *lines("Here the next one starts, set in a little", x0=72, top=112), *lines(FULL, top=124)]
    assert [text[:4] for _, text in kinds(page_of(*words))] == ["this", "Here"]


def test_larger_type_is_a_heading_ranked_by_its_size() -> None:
    words = [*lines("A title of many words", size=20, top=40), *lines("Methods", size=13, top=80), *lines(FULL, FULL)]
    flow = read_flow([page_of(*words)])
    assert [(e.level, e.text) for e in flow.elements if e.kind == "heading"] == [(1, "A title of many words"), (2, "Methods")]
    assert flow.title == "A title of many words"


def test_bold_lines_are_headings_and_long_bold_text_is_not() -> None:
    words = [*lines("Results", top=80, bold=True), *lines(FULL, FULL)]
    assert kinds(page_of(*words))[0] == ("heading", "Results")
    words = [*lines(FULL, "which is all in bold and ends as sentences do.", top=60, bold=True), *lines(FULL, FULL, FULL)]
    assert kinds(page_of(*words))[0][0] == "paragraph"


def test_a_bold_opening_is_a_heading_of_its_paragraph() -> None:
    bold = words_of("Background.", 60, 100, bold=True)
    words = [*bold, *words_of("The disc between two vertebrae bears", bold[-1].box.x1 + 3, 100), *lines(FULL, top=112)]
    (_, heading), (kind, text) = kinds(page_of(*words))
    assert (heading, kind, text[:8]) == ("Background", "paragraph", "The disc")


def test_bullets_and_numbers_are_a_list() -> None:
    words = lines("• the first entry", "• the second entry", "(2) the third entry.")
    assert kinds(page_of(*words, *lines(f"Below them {FULL}", FULL, top=300))) == [
        ("list", "- the first entry"),
        ("list", "- the second entry"),
        ("list", "- (2) the third entry."),
        ("paragraph", f"Below them {FULL} {FULL}"),
    ]


def test_footnotes_are_asides_that_do_not_cut_a_paragraph() -> None:
    note = lines("1 A note in small type.", size=7, top=600)
    first = page_of(*lines(FULL, "and goes on over the foot of the page to the"), *note)
    second = page_of(*lines("next page, where it ends.", FULL), number=2)
    joined = f"{FULL} and goes on over the foot of the page to the next page, where it ends. {FULL}"
    assert kinds(first, second) == [("paragraph", joined), ("aside", "1 A note in small type.")]


def test_a_finished_sentence_ends_a_paragraph_at_the_foot_of_a_page() -> None:
    pages = [page_of(*lines(FULL, "and ends here."), number=1), page_of(*lines("Another one starts there.", FULL), number=2)]
    assert [text[:7] for _, text in kinds(*pages)] == ["this li", "Another"]


def test_a_paragraph_goes_on_in_the_next_column() -> None:
    left = [f"the left column speaks in its line {number}" for number in "abcdef"]
    right = [f"the right column speaks in line {number}" for number in "abcdef"]
    words = [*lines(*left), *lines(*right, x0=300)]
    assert kinds(page_of(*words)) == [("paragraph", " ".join([*left, *right]))]


def test_a_figure_stands_where_its_caption_is_read() -> None:
    words = [*lines(FULL, "and ends above it."), *lines("Figure 1. A block.", top=312, x0=100, size=8)]
    words += lines("Another paragraph starts below the figure and", FULL, top=400)
    flow = read_flow([page_of(*words, graphics=(Graphic(Box(100, 150, 400, 300), "image"),))])
    assert [element.kind for element in flow.elements] == ["paragraph", "figure", "paragraph"]
    assert flow.elements[1] == Element("figure", "Figure 1. A block.", 1, label="Figure 1", place=Box(100, 150, 400, 300))


def test_running_heads_are_kept_apart() -> None:
    pages = [page_of(*lines("Journal of Spines", top=30), *lines(FULL, FULL, top=300), number=n) for n in (1, 2)]
    flow = read_flow(pages)
    assert flow.furniture == ("Journal of Spines",)
    assert not any("Journal" in element.text for element in flow.elements)


def test_small_print_inside_an_image_is_part_of_it() -> None:
    words = [*lines(FULL, FULL), *lines("kVp 120", top=250, x0=200, size=6)]
    page = page_of(*words, graphics=(Graphic(Box(100, 150, 400, 300), "image"),))
    assert not any(re.search("kVp", text) for _, text in kinds(page))


def test_no_pages_are_an_empty_flow() -> None:
    flow = read_flow([])
    assert (flow.elements, flow.furniture, flow.title) == ((), (), "")


def test_columns_whose_recognised_edges_tremble_are_told_apart() -> None:
    left = [f"The left column speaks in its line {number} of old blocks." for number in "abcdefghij"]
    right = [f"The right column speaks in its line {number} of wood." for number in "abcdefghij"]
    tremble = (0.8, 0.3, 0.8, 1.8, 2.2, 1.8, 1.3, 1.8, 1.3, 2.2)
    lines = [(60 + tremble[i] / 2, 400 + 13 * i, text) for i, text in enumerate(left)]
    lines += [(304 + tremble[i], 400 + 13 * i, text) for i, text in enumerate(right)]
    text = " ".join(element.text for element in read_flow([recognised(*lines)]).elements if element.kind != "figure")
    assert text == " ".join([*left, *right])


def test_a_bold_citation_at_the_start_of_a_line_is_no_caption() -> None:
    bold = words_of("Figure 1B.", 60, 112, bold=True)
    rest = words_of("And more of the results are found there", bold[-1].box.x1 + 3, 112)
    words = [*lines("The results of all four grades are summarised in"), *bold, *rest, *lines(FULL, top=124)]
    ((kind, text),) = kinds(page_of(*words))
    assert kind == "paragraph"
    assert "are summarised in Figure 1B. And more" in text


def test_a_bracketed_number_that_goes_on_with_a_sentence_is_no_list_item() -> None:
    words = lines(
        f"{FULL} that Lund", "(28) has seen (1) a fracture of the lowest block in the column;", "(2) a tumour of it and no more"
    )
    ((kind, text),) = kinds(page_of(*words))
    assert kind == "paragraph"
    assert "that Lund (28) has seen (1) a fracture" in text


def test_items_that_count_up_are_a_list() -> None:
    words = lines(
        "The reasons for leaving a block out were these:", "(1) a crack in the wood", "(2) a knot", "(3) a stain of glue"
    )
    assert [kind for kind, _ in kinds(page_of(*words, *lines(f"Below them {FULL}", top=300)))] == [
        "paragraph",
        *["list"] * 3,
        "paragraph",
    ]


def test_exponents_keep_signs_and_points() -> None:
    base = words_of("a slope of 10", 60, 100)
    raised = words_of("−4", base[-1].box.x1, 98, size=6)
    more = words_of("and L", raised[-1].box.x1 + 3, 100)
    words = [*base, *raised, *more, *words_of("0.5", more[-1].box.x1, 98, size=6), *lines(FULL, top=112)]
    assert kinds(page_of(*words))[0][1].startswith("a slope of 10^−4^ and L^0.5^ this line")
