import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import ImageDraw

from dataset_builders.engine.shards import read_records
from dataset_builders.engine.steps import read_manifest
from dataset_builders.pages import ocr
from dataset_builders.pages.content import union
from dataset_builders.pages.layout import find_blocks, find_lines, reading_order
from dataset_builders.pages.paddle import find_models
from tests.support.paddle_stub import use_stub, write_stub, write_text_models
from tests.support.page_images import two_columns
from tests.support.pdf_files import scanned_pdf


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
    assert ocr.BUNDLED.identity == {"engine": "rapidocr"}


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


@pytest.mark.slow
def test_a_build_reads_with_paddle_and_again_when_its_models_change(tmp_path: Path, repo: Path) -> None:
    stub, models = write_stub(tmp_path / "stub"), tmp_path / "models"
    (tmp_path / "sources" / "articles").mkdir(parents=True)
    (tmp_path / "sources" / "articles" / "scan.pdf").write_bytes(scanned_pdf([two_columns()]))

    def build(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dataset_builders", "build", "--workers", "1", *options]
        for option, name in (("--sources", "sources"), ("--work", "work"), ("--output", "output")):
            command += [option, str(tmp_path / name)]
        path = os.pathsep.join((str(stub), str(repo)))
        return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)

    refused = build("--ocr", "paddle", "--paddle-models", str(models))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: --paddle-models {models}: not a folder")
    assert not (tmp_path / "work").exists()
    for text in ("The first models read this line.", "The other models read another line."):
        write_text_models(models, text)
        done = build("--ocr", "paddle", "--paddle-models", str(models))
        assert done.returncode == 0, done.stderr
        (document,) = read_records(tmp_path / "work" / "1_documents")
        assert text in document["markdown"]
    recorded = read_manifest(tmp_path / "work" / "1_documents").settings["ocr"]
    digests = {model.part: f"{model.name} {model.sha256}" for model in find_models(models)}
    assert recorded == {"engine": "paddle", "paddleocr": "0.0.0", "paddlepaddle": "0.0.0", **digests}
