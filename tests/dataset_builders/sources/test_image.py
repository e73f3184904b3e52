import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from dataset_builders.document import Document, SourceError
from dataset_builders.sources import image as image_reader
from dataset_builders.sources.base import Declared

LINES = (
    "The model of the spine was built from five wooden blocks. Each",
    "block stands for one lumbar level and can be turned by hand. A",
    "rubber disc between two blocks takes the bending moment, and we",
    "loaded the column from the side in ten equal steps. After every",
    "step the angle of each block was written down. The lowest block",
    "moved least because the table held it. All readings were made",
    "again by a second person on the next day, and the two readers",
    "agreed within half a degree on every block of the whole model.",
)


def write(tmp_path: Path, image: Image.Image, name: str, **options: Any) -> Path:
    path = tmp_path / name
    image.save(path, **options)
    return path


def read(path: Path, **declared: str) -> Document:
    (document,) = image_reader.read(path, Declared(root=path.parent, **declared))
    return document


def page_of_text() -> Image.Image:
    image = Image.new("RGB", (1240, 1000), (250, 248, 240))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=34)
    for number, line in enumerate(LINES):
        draw.text((100, 100 + 60 * number), line, fill=(20, 20, 20), font=font)
    return image


def gradient(size: tuple[int, int] = (700, 700)) -> Image.Image:
    return Image.linear_gradient("L").resize(size)


def test_a_page_of_text_becomes_a_document(tmp_path: Path) -> None:
    document = read(write(tmp_path, page_of_text(), "page.jpg"))
    assert document.provenance.source_locator == "page image"
    assert document.provenance.source_kind == "article"
    assert "five wooden blocks. Each block stands for one lumbar level" in document.markdown
    assert document.figures == ()


def test_a_dark_image_becomes_one_figure_without_ocr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_reader, "recognise_page", lambda *arguments: pytest.fail("OCR was run"))
    path = write(tmp_path, gradient(), "scan.png")
    document = read(path)
    (figure,) = document.figures
    assert (figure.label, figure.caption, document.markdown) == ("", "", "")
    assert figure.image == path.read_bytes()
    assert (document.provenance.source_kind, document.provenance.source_locator) == ("open_dataset", "picture")
    assert document.provenance.source_id == f"open_dataset:scan-{document.provenance.source_sha256[:8]}"


def test_a_light_drawing_with_few_words_stays_a_figure(tmp_path: Path) -> None:
    image = Image.new("RGB", (800, 800), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((200, 200, 600, 600), outline="black", width=8)
    draw.text((300, 380), "vertebral body", fill="black", font=ImageFont.load_default(size=30))
    (figure,) = read(write(tmp_path, image, "drawing.png")).figures
    assert figure.caption == ""


def test_metadata_is_dropped_from_kept_images(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Jane Example, born 1970"
    path = write(tmp_path, gradient(), "named.jpg", exif=exif)
    image = read(path).figures[0].image
    assert image is not None
    assert b"Jane Example" in path.read_bytes()
    assert b"Jane Example" not in image
    assert Image.open(io.BytesIO(image)).format == "PNG"


def test_a_deep_grey_tiff_is_spread_over_eight_bits(tmp_path: Path) -> None:
    image = Image.new("I;16", (300, 200), 1000)
    image.paste(3000, (0, 0, 150, 200))
    kept = read(write(tmp_path, image, "deep.tif")).figures[0].image
    assert kept is not None
    with Image.open(io.BytesIO(kept)) as decoded:
        assert decoded.getextrema() == (0, 255)


def test_kind_and_licence_are_those_declared(tmp_path: Path) -> None:
    path = write(tmp_path, gradient(), "scan.png")
    provenance = read(path, source_kind="textbook", licence="CC-BY-4.0", doi="10.5555/x.1").provenance
    assert (provenance.source_kind, provenance.source_licence, provenance.source_id) == ("textbook", "CC-BY-4.0", "10.5555/x.1")
    assert provenance.source_url == "https://doi.org/10.5555/x.1"


def test_truncated_and_oversized_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, gradient(), "half.png")
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(SourceError, match="broken_image"):
        read(path)
    whole = write(tmp_path, gradient(), "bomb.png")
    monkeypatch.setattr(image_reader, "MAX_PIXELS", 1000)
    with pytest.raises(SourceError, match="image_too_large: 700 × 700 pixels, the limit is 1000"):
        read(whole)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(SourceError, match="image_too_large"):
        read(whole)
