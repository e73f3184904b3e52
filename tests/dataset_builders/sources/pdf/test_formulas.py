from dataset_builders.pages.content import Box, Graphic, Word
from dataset_builders.sources.pdf.flow import read_flow
from tests.support.pdf_files import page_of, words_of

FULL = "this line of the running text is set as wide as its column"


def lines(*texts: str, top: float = 100.0, size: float = 10.0) -> list[Word]:
    """The words of lines set 12 points apart."""
    return [word for number, text in enumerate(texts) for word in words_of(text, 60, top + 12 * number, size)]


def kinds(*words: Word, graphics: tuple[Graphic, ...] = ()) -> list[tuple[str, str]]:
    return [(element.kind, element.text) for element in read_flow([page_of(*words, graphics=graphics)]).elements]


def test_a_display_formula_is_one_block() -> None:
    words = [*lines("The overlap of two masks is given by the coefficient in which P and G"), *words_of("2 |P ∩ G|", 232, 120)]
    words += [*words_of("D =", 200, 127), *words_of("(1)", 460, 127), *words_of("|P| + |G|", 234, 134)]
    words += lines("are the numbers of pixels of both masks and nothing else is meant.", FULL, top=158)
    bar = Graphic(Box(228, 131.5, 290, 132), "rule")
    assert [text[:33] for _, text in kinds(*words, graphics=(bar,))] == [
        "The overlap of two masks is given",
        "$$D = (2 |P ∩ G|)/(|P| + |G|) (1)",
        "are the numbers of pixels of both",
    ]


def test_a_formula_without_a_bar_keeps_its_number() -> None:
    words = [*lines(FULL, FULL), *words_of("slip = a / b", 200, 140), *words_of("(2.1)", 460, 140), *lines(FULL, top=170)]
    assert ("formula", "$$slip = a / b (2.1)$$") in kinds(*words)


def test_a_label_in_a_drawing_and_a_line_of_text_are_no_formulas() -> None:
    words = [*lines(FULL, FULL), *words_of("n = 12", 200, 150), *lines("so that a = b", top=124)]
    image = Graphic(Box(150, 142, 400, 300), "image")
    assert "formula" not in [kind for kind, _ in kinds(*words, graphics=(image,))]


def test_letters_of_a_font_without_a_map_are_left_as_they_are() -> None:
    words = [*lines(FULL, FULL), *words_of("௞ = ௜ + 1", 200, 140), *lines(FULL, top=170)]
    assert "formula" not in [kind for kind, _ in kinds(*words)]
