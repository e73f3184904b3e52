import sys

import pytest
from PIL import Image, ImageDraw, ImageFont

from dataset_builders.pages import ocr
from dataset_builders.pages.layout import find_blocks, find_lines, reading_order, union
from dataset_builders.sources.pdf.scan import image_to_markdown

LEFT = ("The left column opens the", "page and speaks about the", "neck of the wooden model", "and of its seven blocks.")
RIGHT = ("The right column follows", "with words on the lower", "back, where five blocks", "carry the whole weight.")


def two_columns() -> Image.Image:
    image = Image.new("RGB", (1240, 700), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=34)
    for number, (left, right) in enumerate(zip(LEFT, RIGHT)):
        draw.text((80, 100 + 55 * number), left, fill="black", font=font)
        draw.text((680, 100 + 55 * number), right, fill="black", font=font)
    return image


def test_columns_of_a_page_image_are_read_one_after_the_other() -> None:
    text = " ".join(image_to_markdown(two_columns()).split())
    assert f"{' '.join(LEFT)}" in text
    assert f"{' '.join(RIGHT)}" in text
    assert text.index("left column") < text.index("right column")


def test_a_skewed_page_is_turned_straight() -> None:
    turned = two_columns().rotate(-2, fillcolor="white", expand=True)
    content, straight = ocr.recognise_page(turned, dpi=150)
    assert straight.size == turned.size
    lines, gutters = find_lines(content.words, content.width)
    first = [line for line in lines if line.text.startswith(("The left", "The right"))]
    assert len(first) == 2
    assert abs(first[0].box.top - first[1].box.top) < 3  # points; two degrees over the gutter alone are 10
    blocks = find_blocks(lines, gutters, size_slack=1.6)
    order = reading_order([union(line.box for line in block) for block in blocks])
    assert blocks[order[0]][0].text.startswith("The left")


def test_drawings_on_a_page_image_are_found_beside_its_text() -> None:
    image = two_columns()
    ImageDraw.Draw(image).rectangle((300, 400, 900, 640), fill=(120, 120, 120))
    content, _ = ocr.recognise_page(image, dpi=150)
    (graphic,) = [graphic for graphic in content.graphics if graphic.kind == "image"]
    scale = 72 / 150
    assert graphic.box == pytest.approx((300 * scale, 400 * scale, 900 * scale, 640 * scale), abs=5)
    assert content.source == "ocr"


def test_an_unknown_engine_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'tesseract': use 'rapidocr' or 'paddle'"):
        image_to_markdown(two_columns(), engine="tesseract")


def test_the_paddle_engine_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paddleocr", None)
    with pytest.raises(ImportError, match=r"spinemed\[paddle\]"):
        image_to_markdown(two_columns(), engine="paddle")


def test_an_engine_takes_one_core_so_that_workers_do_not_slow_each_other() -> None:
    engine = ocr._engine()
    sessions = [part.session.session.get_session_options() for part in (engine.text_det, engine.text_cls, engine.text_rec)]
    assert [options.intra_op_num_threads for options in sessions] == [1, 1, 1]
