from dataset_builders.pages.content import Box, PageContent, Region, union
from tests.support.pdf_files import words_of


def test_boxes_measure_what_they_share_and_the_gap_between_them() -> None:
    first, second = Box(0, 0, 10, 10), Box(15, 5, 25, 15)
    assert (first.overlap_x(second), first.overlap_y(second)) == (-5, 5)
    assert not first.intersects(second)
    assert first.grown(6, 0).intersects(second)
    assert first.holds(Box(8, 8, 11, 11))
    assert not first.holds(Box(9, 9, 13, 13))
    assert union([first, second]) == (0, 0, 25, 15)
    assert Box(10, 0, 0, 10).area == 0


def test_a_page_says_its_words_and_the_text_of_its_regions() -> None:
    page = PageContent(
        1, 550, 700, tuple(words_of("two words", 0, 0)), (), regions=(Region("text", "a region", Box(0, 0, 1, 1)),)
    )
    assert page.text == "two words a region"
