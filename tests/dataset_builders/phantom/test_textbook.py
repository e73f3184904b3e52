import re

import pypdfium2
import pytest

from dataset_builders.phantom.textbook import BOOKS, make_book

CHAPTER_3 = next(book for book in BOOKS if "chapter_03" in book.file)
GUIDELINE = next(book for book in BOOKS if book.source == "guideline.typ")
# The number, "3-10" or "2", at the head of a caption; and after the word, or in a pair such as "Figures 3-4 and 3-6".
CAPTION = re.compile(r"^(?:Figure (\d+(?:-\d+)?)\. |图 ?(\d+(?:-\d+)?)[ \u3000])", re.MULTILINE)
CITATION = re.compile(r"(?:Figures?|图|and)\s*(\d+(?:-\d+)?)")


@pytest.fixture(scope="module")
def texts(small_sources):
    """Book -> text of every page; an empty string where a page is an image."""
    texts = {}
    for book in BOOKS:
        with pypdfium2.PdfDocument(small_sources / book.file) as document:
            pages = [page.get_textpage().get_text_range() for page in document]
        # pdfium marks a hyphen at a line's end by U+FFFE.
        texts[book] = [page.replace("\r\n", "\n").replace("\ufffe\n", "").replace("\ufffe", "") for page in pages]
    return texts


@pytest.mark.slow
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.source)
def test_every_figure_is_captioned_once_and_cited(texts, book):
    text = "\n".join(texts[book])
    captions = [english or chinese for english, chinese in CAPTION.findall(text)]
    scanned = texts[book].count("")
    assert len(captions) == len(set(captions)) == len(book.drawings) + len(book.slices) - scanned
    assert set(captions) <= set(CITATION.findall(CAPTION.sub("", text)))


@pytest.mark.slow
def test_one_page_of_the_main_chapter_is_a_scan(texts):
    assert {book.source: pages.count("") for book, pages in texts.items() if "" in pages} == {"chapter_03.typ": 1}


@pytest.mark.slow
def test_the_main_chapter_has_pages_in_both_languages(texts):
    chinese = [len(re.findall(r"[\u4e00-\u9fff]", page)) > 300 for page in texts[CHAPTER_3]]
    assert len(chinese) >= 5
    assert any(chinese) and not all(chinese)


@pytest.mark.slow
def test_pages_carry_running_heads_with_numbers(texts):
    for pages in texts.values():
        heads = [" ".join(page.splitlines()[:2]) for page in pages]
        numbers = [re.findall(r"\d+", head) for head in heads if head]
        assert all(numbers)


@pytest.mark.slow
def test_captions_quote_what_was_planted(texts):
    text = " ".join(" ".join(texts[CHAPTER_3]).split())
    slip = re.search(r"slipped forwards on L5 by about (\d+)%", text)
    assert slip and 13 <= int(slip[1]) <= 24  # Meyerding I


def test_the_same_seed_gives_the_same_pdf():
    assert make_book(GUIDELINE, seed=3) == make_book(GUIDELINE, seed=3)
