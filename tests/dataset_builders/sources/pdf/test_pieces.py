from collections import Counter

from dataset_builders.pages.content import Box, Graphic
from dataset_builders.pages.layout import find_blocks, find_lines
from dataset_builders.sources.pdf.flow import read_flow
from dataset_builders.sources.pdf.pieces import Piece, page_pieces
from tests.support.pdf_files import page_of, recognised, words_of


def pieces_of(words: list, graphics: tuple[Graphic, ...] = ()) -> list[Piece]:
    page = page_of(*words, graphics=graphics)
    return page_pieces(page, find_blocks(*find_lines(words, page.width)), 10.0, Counter(), Counter())


def test_a_page_is_its_figures_and_what_text_is_left() -> None:
    words = [*words_of("Figure 1. A block seen from its left.", 100, 312, size=9), *words_of("A line of text", 60, 500)]
    figure, text = pieces_of(words, (Graphic(Box(100, 100, 400, 300), "image"),))
    assert figure.region is not None
    assert figure.region.caption is not None
    assert (figure.region.caption.label, figure.region.box) == ("Figure 1", Box(100, 100, 400, 300))
    assert [line.text for line in text.lines] == ["A line of text"]


def test_small_type_inside_a_figure_is_part_of_it() -> None:
    words = [*words_of("Figure 1. A block.", 100, 312, size=9), *words_of("axis", 150, 200)]
    assert len(pieces_of(words, (Graphic(Box(100, 100, 400, 300), "image"),))) == 1


def test_a_caption_and_its_translation_are_one_piece() -> None:
    words = [*words_of("图1 腰椎模型", 100, 312, size=9), *words_of("Fig. 1 Model of the spine", 100, 330, size=9)]
    (figure,) = pieces_of(words, (Graphic(Box(100, 100, 400, 300), "image"),))
    assert [line.text for line in figure.lines] == ["Fig. 1 Model of the spine"]


def test_a_recognised_caption_ends_where_the_paragraph_below_begins() -> None:
    paragraph = [
        (82, 324, "The first paragraph below the image is as wide as the page allows and is set close to"),
        (82, 336, "the caption, in type that recognition takes for the same size as that of the caption it"),
    ]
    figure = next(e for e in read_flow([recognised((122, 312, "Figure 2. A block seen from its left."), *paragraph)]).elements
                  if e.kind == "figure")  # fmt: skip
    assert figure.text == "Figure 2. A block seen from its left."
    caption = [
        (82, 312, "Figure 3. A block that was drawn from its left side, with all that stands behind it shown."),
        (82, 324, "The arrow is its edge."),
    ]
    lower = [(x0, top + 12, text) for x0, top, text in paragraph]
    figure = next(e for e in read_flow([recognised(*caption, *lower)]).elements if e.kind == "figure")
    assert figure.text.endswith("with all that stands behind it shown. The arrow is its edge.")
