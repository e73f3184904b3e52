import json
import pickle
import re
from pathlib import Path

import pytest
from PIL import ImageDraw

from dataset_builders.pages import ocr
from dataset_builders.pages.layout import find_blocks, find_lines, reading_order, union
from tests.support.paddle_stub import use_stub, write_text_models
from tests.support.page_images import two_columns


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


def test_the_bundled_engine_needs_no_models() -> None:
    assert ocr.load_settings() == ocr.load_settings("rapidocr") == ocr.BUNDLED
    assert ocr.BUNDLED.identity["engine"] == "rapidocr"


@pytest.mark.parametrize(
    ("engine", "models", "message"),
    [
        ("tesseract", None, "--ocr tesseract: there is no such engine; use rapidocr or paddle"),
        ("paddle", None, "--ocr paddle: give the folder of its models with --paddle-models DIR"),
        ("rapidocr", Path("models"), "--paddle-models models: only --ocr paddle reads with models of your own"),
    ],
)
def test_settings_that_do_not_fit_are_named_with_the_fix(engine: str, models: Path | None, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ocr.load_settings(engine, models)


def test_settings_of_paddle_pickle_and_change_with_its_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with use_stub(tmp_path / "stub", monkeypatch):
        first = ocr.load_settings("paddle", write_text_models(tmp_path / "first", "one text"))
        same = ocr.load_settings("paddle", write_text_models(tmp_path / "moved", "one text"))
        other = ocr.load_settings("paddle", write_text_models(tmp_path / "other", "another text"))
        assert pickle.loads(pickle.dumps(first)) == first
        assert len(pickle.dumps(first)) < 2000
        assert first.identity == same.identity != other.identity
        assert first.identity["paddleocr"] == "0.0.0"
        assert json.loads(json.dumps(first.identity)) == first.identity


def test_lines_that_the_engine_is_unsure_of_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with use_stub(tmp_path / "stub", monkeypatch):
        settings = ocr.load_settings("paddle", write_text_models(tmp_path / "models", "a sure line\nunsure noise"))
        content, _ = ocr.recognise_page(two_columns(), 150, ocr=settings)
        assert [word.text for word in content.words] == ["a sure line"]


def test_masks_are_found_by_the_bundled_engine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr.paddle, "_pipeline", lambda models: pytest.fail("paddle was asked"))
    assert any("left column" in line.text for line in ocr.recognise_lines(two_columns()))


def test_an_engine_takes_one_core_so_that_workers_do_not_slow_each_other() -> None:
    engine = ocr._engine()
    sessions = [part.session.session.get_session_options() for part in (engine.text_det, engine.text_cls, engine.text_rec)]
    assert [options.intra_op_num_threads for options in sessions] == [1, 1, 1]
