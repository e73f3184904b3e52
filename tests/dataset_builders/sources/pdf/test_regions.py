from collections import Counter

from dataset_builders.pages.content import Box, PageContent, Region
from dataset_builders.sources.pdf.flow import Element, read_flow
from dataset_builders.sources.pdf.regions import furniture_of, region_pieces
from tests.support.pdf_files import words_of

TABLE = "<table><tr><td>Level</td><td>Slip</td></tr><tr><td>L4/L5</td><td>5.8</td></tr></table>"
IMAGE = Box(100, 300, 400, 450)


def page_of(*regions: Region, number: int = 1) -> PageContent:
    return PageContent(number, 550, 700, (), (), source="ocr", regions=regions)


def elements(*pages: PageContent) -> list[tuple[str, str]]:
    return [(element.kind, element.text) for element in read_flow(pages).elements]


def test_the_engines_order_and_kinds_are_kept() -> None:
    page = page_of(
        Region("title", "The lumbar spine of wood", Box(60, 40, 490, 70)),
        Region("heading", "Methods", Box(60, 400, 260, 420)),
        Region("text", "The right column was read first.", Box(300, 100, 490, 300)),
        Region("text", "Then the left one.\nIt has two paragraphs.", Box(60, 100, 260, 300)),
        Region("aside", "1 A note.", Box(60, 600, 260, 620)),
    )
    flow = read_flow([page])
    assert flow.title == "The lumbar spine of wood"
    assert [(element.kind, element.level, element.text) for element in flow.elements] == [
        ("heading", 1, "The lumbar spine of wood"),
        ("heading", 2, "Methods"),
        ("paragraph", 0, "The right column was read first."),
        ("paragraph", 0, "Then the left one."),
        ("paragraph", 0, "It has two paragraphs."),
        ("aside", 0, "1 A note."),
    ]


def test_a_caption_goes_to_its_image_and_the_two_stand_where_the_first_does() -> None:
    page = page_of(
        Region("figure", "", IMAGE),
        Region("text", "A paragraph beside them.", Box(60, 100, 490, 200)),
        Region("caption", "Figure 1. A block", Box(100, 460, 400, 470)),
    )
    first, _ = read_flow([page]).elements
    assert first == Element("figure", "Figure 1. A block", 1, label="Figure 1", place=IMAGE)


def test_a_caption_that_the_engine_calls_text_is_one() -> None:
    page = page_of(Region("figure", "", IMAGE), Region("text", "Figure 1. A block", Box(100, 460, 400, 470)))
    assert elements(page) == [("figure", "Figure 1. A block")]


def test_a_table_has_its_caption_and_its_cells() -> None:
    page = page_of(
        Region("caption", "Table 2. Slips", Box(100, 90, 400, 100)),
        Region("table", TABLE, Box(100, 110, 400, 200)),
        Region("table", TABLE, Box(100, 500, 400, 600)),
    )
    rows = "| Level | Slip |\n| --- | --- |\n| L4/L5 | 5.8 |"
    assert elements(page) == [("table", f"Table 2. Slips\n\n{rows}"), ("table", rows)]


def test_a_table_caption_without_a_table_stands_alone() -> None:
    assert elements(page_of(Region("caption", "Table 2. Slips", Box(100, 90, 400, 100)))) == [("table", "Table 2. Slips")]


def test_running_heads_are_furniture() -> None:
    page = page_of(
        Region("furniture", "Journal of Spines", Box(60, 20, 490, 30)), Region("text", "Text.", Box(60, 60, 490, 80))
    )
    assert furniture_of(page) == ["Journal of Spines"]
    assert elements(page) == [("paragraph", "Text.")]
    assert read_flow([page]).furniture == ("Journal of Spines",)


def test_a_paragraph_goes_on_over_pages_of_regions() -> None:
    pages = [
        page_of(Region("text", "The conus ends at the", Box(60, 500, 490, 650))),
        page_of(Region("text", "level of L1.", Box(60, 60, 490, 80)), number=2),
    ]
    assert elements(*pages) == [("paragraph", "The conus ends at the level of L1.")]


def test_pages_of_words_and_of_regions_are_one_document() -> None:
    words = words_of("A page with a text layer says this.", 60, 100)
    layered = PageContent(1, 550, 700, tuple(words), ())
    scanned = page_of(
        Region("heading", "Results", Box(60, 60, 490, 80)), Region("text", "Scanned.", Box(60, 90, 490, 99)), number=2
    )
    assert elements(layered, scanned) == [
        ("paragraph", "A page with a text layer says this."),
        ("heading", "Results"),
        ("paragraph", "Scanned."),
    ]


def test_every_region_is_a_piece_or_furniture() -> None:
    kinds = ("title", "heading", "text", "caption", "aside", "table", "furniture")
    regions = [
        Region(kind, TABLE if kind == "table" else kind, Box(60, 50 * n, 490, 50 * n + 20)) for n, kind in enumerate(kinds)
    ]
    page = page_of(*regions)
    assert len(region_pieces(page, 10.0, Counter())) + len(furniture_of(page)) == len(kinds)
