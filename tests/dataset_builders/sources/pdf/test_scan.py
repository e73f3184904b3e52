import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from dataset_builders.pages.ocr import load_settings, recognise_page
from dataset_builders.sources.pdf.scan import image_to_markdown, read_scans
from tests.support.paddle_stub import use_stub, write_model, write_text_models
from tests.support.page_images import LEFT, RIGHT, two_columns


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with use_stub(tmp_path / "stub", monkeypatch):
        yield


def test_columns_of_a_page_image_are_read_one_after_the_other() -> None:
    text = " ".join(image_to_markdown(two_columns()).split())
    assert f"{' '.join(LEFT)}" in text
    assert f"{' '.join(RIGHT)}" in text
    assert text.index("left column") < text.index("right column")


@pytest.mark.usefixtures("stub")
def test_paddles_lines_go_through_our_layout(tmp_path: Path) -> None:
    ocr = load_settings(
        "paddle", write_text_models(tmp_path / "models", "The disc has lost a third\nof its height.\nunsure noise")
    )
    blank = Image.new("RGB", (1240, 700), "white")
    assert image_to_markdown(blank, ocr) == "<!-- page 1 -->\n\nThe disc has lost a third of its height.\n"


@pytest.mark.usefixtures("stub")
def test_the_regions_of_pp_structure_become_markdown_with_figures(tmp_path: Path) -> None:
    blocks = [
        ["doc_title", "The lumbar spine of wood", [80, 20, 1160, 60]],
        ["image", "", [300, 200, 900, 640]],
        ["figure_title", "Figure 1. A grey block", [300, 650, 900, 690]],
        ["text", "Figure 1 shows the block.", [80, 100, 1160, 150]],
    ]
    folder = write_model(write_text_models(tmp_path / "models", ""), "layout_detection", json.dumps(blocks))
    page = Image.new("RGB", (1240, 700), "white")
    ImageDraw.Draw(page).rectangle((320, 220, 880, 620), fill=(120, 120, 120))
    markdown, figures = read_scans([recognise_page(page, 150, ocr=load_settings("paddle", folder))])
    (figure,) = figures
    assert (figure.label, figure.caption, figure.context) == (
        "Figure 1",
        "Figure 1. A grey block",
        ("Figure 1 shows the block.",),
    )
    assert figure.image is not None
    assert markdown.splitlines()[::2] == [
        "<!-- page 1 -->",
        "# The lumbar spine of wood",
        f"![Figure 1]({hashlib.sha256(figure.image).hexdigest()})",
        "Figure 1. A grey block",
        "Figure 1 shows the block.",
    ]
    with Image.open(io.BytesIO(figure.image)) as cropped:
        assert cropped.size == pytest.approx((569, 409), abs=4)


def test_no_pages_are_no_text() -> None:
    assert read_scans([]) == ("\n", ())
