import pytest

from dataset_builders.figures.markdown import (
    CAPTION,
    HEADING,
    IMAGE,
    LEGEND,
    PARAGRAPH,
    TABLE,
    image_addresses,
    read_blocks,
    replace_addresses,
)


def kinds(markdown):
    return [(block.kind, block.text) for block in read_blocks(markdown)]


def test_each_block_has_its_kind():
    markdown = (
        "# A case\n\nThe disc bulges (Fig. 1).\n\n![T2](a.jpg)\n\n(a) sagittal\n\n**Fig. 1.** Sagittal T2.\n\n| level | share |"
    )
    assert kinds(markdown) == [
        (HEADING, "A case"),
        (PARAGRAPH, "The disc bulges (Fig. 1)."),
        (IMAGE, "T2"),
        (LEGEND, "(a) sagittal"),
        (CAPTION, "Fig. 1. Sagittal T2."),
        (TABLE, "| level | share |"),
    ]


def test_an_html_image_is_a_image_with_its_address_and_text():
    (block,) = read_blocks('<div style="text-align: center;"><img src="imgs/a.jpg" alt="Image" width="70%" /></div>')
    assert (block.kind, block.source, block.text) == (IMAGE, "imgs/a.jpg", "Image")


def test_a_caption_knows_its_label():
    (block,) = read_blocks("Supplementary Figure 2. Axial CT.")
    assert (block.kind, block.label) == (CAPTION, "Figure S2")


@pytest.mark.parametrize("between", ["Lumbar stenosis in adults", "14", "---", "Lumbar stenosis in adults\n\n14\n\n---"])
def test_a_page_edge_parts_no_paragraph(between):
    markdown = f"# Lumbar stenosis in adults\n\nThe canal was narrowed at the\n\n{between}\n\nlower two levels."
    assert kinds(markdown)[1:] == [(PARAGRAPH, "The canal was narrowed at the lower two levels.")]


def test_finished_paragraphs_stay_apart():
    assert [text for _, text in kinds("The first one ends.\n\nThe second begins.")] == [
        "The first one ends.",
        "The second begins.",
    ]


def test_captions_in_one_run_of_lines_are_parted():
    assert [kind for kind, _ in kinds("Fig. 1. Sagittal T2.\nFig. 2. Axial CT.")] == [CAPTION, CAPTION]


def test_addresses_are_listed_and_replaced_in_order():
    markdown = '![one](a.jpg) and <img src="b.png" alt="two"> and ![](c(1).jpg "title")'
    assert image_addresses(markdown) == ["a.jpg", "b.png", "c(1).jpg"]
    assert replace_addresses(markdown, str.upper) == "![one](A.JPG) and ![two](B.PNG) and ![](C(1).JPG)"
