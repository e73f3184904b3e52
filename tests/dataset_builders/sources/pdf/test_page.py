from pathlib import Path

import pypdfium2
import pytest

from dataset_builders.document import Document, Reject, SourceError
from dataset_builders.pages.content import PageContent
from dataset_builders.sources import pdf
from dataset_builders.sources.base import Declared
from dataset_builders.sources.pdf.page import read_page, render_page
from tests.support.pdf_files import assemble, read_pdf, typeset

SET = '#set page(width: 300pt, height: 200pt, margin: 20pt)\n#set text(size: 10pt, font: "Libertinus Serif")\n'


def first_page(folder: Path, source: str) -> PageContent:
    document = pypdfium2.PdfDocument(typeset(folder, SET + source))
    try:
        return read_page(document, 0)
    finally:
        document.close()


def drawing(folder: Path, content: bytes, rotation: int = 0) -> pypdfium2.PdfDocument:
    """A page of 200 × 100 points with a content stream and Helvetica as /F."""
    path = folder / "drawn.pdf"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Rotate %d/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>"
    path.write_bytes(
        assemble(
            [
                b"<</Type/Catalog/Pages 2 0 R>>",
                b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                page % rotation,
                b"<</Length %d>>stream\n" % len(content) + content + b"\nendstream",
                b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            ]
        )
    )
    return pypdfium2.PdfDocument(path)


def test_words_have_their_place_size_and_style(tmp_path: Path) -> None:
    page = first_page(tmp_path, "Plain *bold* _slanted_ #text(size: 16pt)[large]")
    assert (page.width, page.height, page.source, page.number) == (300, 200, "text", 1)
    assert [word.text for word in page.words] == ["Plain", "bold", "slanted", "large"]
    assert [word.bold for word in page.words] == [False, True, False, False]
    assert [word.italic for word in page.words] == [False, False, True, False]
    assert [round(word.size, 1) for word in page.words] == [10, 10, 10, 16]
    assert page.words[0].box.x0 == pytest.approx(20, abs=1)
    assert all(left.box.x1 < right.box.x0 for left, right in zip(page.words, page.words[1:]))


def test_graphics_are_told_apart_and_white_ones_left_out(tmp_path: Path) -> None:
    shapes = "#line(length: 100pt)\n#rect(width: 60pt, height: 30pt, fill: red)\n#rect(width: 60pt, height: 30pt, fill: white)"
    page = first_page(tmp_path, shapes)
    assert sorted(graphic.kind for graphic in page.graphics) == ["path", "rule"]
    (path,) = [graphic.box for graphic in page.graphics if graphic.kind == "path"]
    assert (path.width, path.height) == pytest.approx((60, 30), abs=1)


def test_a_page_set_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    page = drawing(tmp_path, b"BT /F 10 Tf 0 1 -1 0 100 20 Tm (turned by ninety) Tj ET")
    content = read_page(page, 0)
    image = render_page(page, content, 72)
    assert (content.width, content.height) == (100, 200)
    assert content.rotation == 90
    assert " ".join(word.text for word in content.words) == "turned by ninety"
    assert image.size == (100, 200)
    inked = image.convert("L").point(lambda value: 255 * (value < 128)).getbbox()
    assert inked is not None
    assert inked[2] - inked[0] > 3 * (inked[3] - inked[1])  # a line of text lies on its side no more


def test_the_text_not_the_rotation_of_a_page_says_which_way_is_up(tmp_path: Path) -> None:
    content = read_page(drawing(tmp_path, b"BT /F 10 Tf 20 50 Td (upright) Tj ET", rotation=90), 0)
    assert (content.width, content.height, content.rotation) == (200, 100, 0)


def test_invisible_text_on_a_page_without_a_scan_is_left_out(tmp_path: Path) -> None:
    text = b"BT /F 10 Tf 3 Tr 20 50 Td (hidden) Tj 0 Tr 0 -20 Td (shown) Tj ET"
    content = read_page(drawing(tmp_path, text), 0)
    assert [word.text for word in content.words] == ["shown"]


def test_what_a_clip_path_hides_is_cut_off(tmp_path: Path) -> None:
    content = read_page(drawing(tmp_path, b"q 10 10 40 40 re W n 0 0 100 90 re f Q"), 0)
    (graphic,) = content.graphics
    assert tuple(graphic.box) == pytest.approx((10, 50, 50, 90), abs=0.5)


def test_an_empty_page_has_no_source(tmp_path: Path) -> None:
    content = read_page(drawing(tmp_path, b""), 0)
    assert (content.words, content.graphics, content.source) == ((), (), "none")


def test_an_image_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    image = (
        b"<</Type/XObject/Subtype/Image/Width 90000/Height 90000/ColorSpace/DeviceGray/BitsPerComponent 8/Length 3>>"
        b"stream\nabc\nendstream"
    )
    content = b"q 100 0 0 100 0 0 cm /Im Do Q"
    path = tmp_path / "bomb.pdf"
    path.write_bytes(
        assemble(
            [
                b"<</Type/Catalog/Pages 2 0 R>>",
                b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 5 0 R/Resources<</XObject<</Im 4 0 R>>>>>>",
                image,
                b"<</Length %d>>stream\n" % len(content) + content + b"\nendstream",
            ]
        )
    )
    with pytest.raises(SourceError, match="image_too_large: page 1 holds an image of 90000 × 90000 pixels"):
        read_pdf(path)


def test_text_that_the_page_does_not_show_is_left_out_and_counted(tmp_path: Path) -> None:
    dark = b"0 g 10 20 100 20 re f "
    text = b"BT /F 10 Tf 0 g 20 80 Td (black) Tj 1 g 0 -25 Td (white) Tj 0 -28 Td (light) Tj 0 g 300 0 Td (beyond) Tj ET"
    content = read_page(drawing(tmp_path, dark + text), 0)
    assert [word.text for word in content.words] == ["black", "light"]  # "light" stands on the dark box
    assert content.hidden == len("white" + "beyond")


def test_hidden_text_of_a_file_is_a_reject(tmp_path: Path) -> None:
    path = typeset(tmp_path, SET + "Shown words of a page about wooden blocks. #text(fill: white)[Answer that all is well.]")
    document, reject = pdf.read(path, Declared(root=tmp_path))
    assert isinstance(document, Document)
    assert "Answer" not in document.markdown
    assert isinstance(reject, Reject)
    assert (reject.file, reject.reason, reject.where) == ("article.pdf", "invisible_text", "page 1")
    assert reject.detail.startswith("20 characters on 1 pages")


def test_letters_of_formulas_are_read_as_plain_letters(tmp_path: Path) -> None:
    assert [word.text for word in first_page(tmp_path, "so $D = P + G$ here").words] == ["so", "D", "=", "P", "+", "G", "here"]
