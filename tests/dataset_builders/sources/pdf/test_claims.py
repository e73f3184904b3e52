from dataset_builders.pages.content import Box, Graphic, Word
from dataset_builders.sources.pdf.flow import read_flow
from tests.support.pdf_files import page_of, words_of

IMAGE = Graphic(Box(60, 120, 300, 300), "image")
FULL = "this line of the running text is set as wide as its column"


def lines(*texts: str, top: float = 100.0, size: float = 10.0) -> list[Word]:
    """The words of lines set 12 points apart."""
    return [word for number, text in enumerate(texts) for word in words_of(text, 60, top + 12 * number, size)]


def test_a_caption_takes_the_image_of_the_facing_page() -> None:
    plate = Graphic(Box(60, 200, 490, 650), "path")
    first = page_of(*lines(FULL, "and ends."), graphics=(plate, Graphic(Box(100, 250, 300, 600), "path")))
    second = page_of(*lines("Figure 1. Six views of the column.", size=8, top=40), *lines(FULL, FULL, top=80), number=2)
    (figure,) = [element for element in read_flow([first, second]).elements if element.kind == "figure"]
    assert (figure.label, figure.page, figure.place) == ("Figure 1", 1, plate.box)
    below = page_of(*lines(FULL, "and ends."), *lines(FULL, "and goes on.", top=660), graphics=(plate,))
    (figure,) = [element for element in read_flow([below, second]).elements if element.kind == "figure"]
    assert figure.place is None  # text stands between the drawing and the end of its page


def test_a_label_that_opens_a_column_in_a_sentence_goes_back_to_it() -> None:
    caption = lines("Figure 1. The block.", top=312, size=8)
    bold = words_of("Figure 1A.", 60, 100, bold=True)
    first = page_of(*lines(FULL, "and all of it can be seen at one look in", top=400), *caption, graphics=(IMAGE,))
    second = page_of(
        *bold, *words_of("The rest goes on in this line", bold[-1].box.x1 + 3, 100), *lines(FULL, top=112), number=2
    )
    flow = read_flow([first, second])
    assert [element.label for element in flow.elements if element.kind == "figure"] == ["Figure 1"]
    assert any("at one look in Figure 1A. The rest" in element.text for element in flow.elements)
