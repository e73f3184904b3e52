"""Read lone images (JPEG, PNG, TIFF): a scanned page becomes its text, anything else a single figure."""

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image, ImageSequence, UnidentifiedImageError

from dataset_builders.document import Document, Figure, Provenance, SourceError, describe_error
from dataset_builders.image_metadata import drop_metadata
from dataset_builders.language import detect_language
from dataset_builders.licences import check_licence
from dataset_builders.pages.content import PageContent
from dataset_builders.pages.ocr import BUNDLED, OcrSettings, recognise_page
from dataset_builders.sources.base import Declared, read_bytes, sha256_of_file
from dataset_builders.sources.pdf import encode_png
from dataset_builders.sources.pdf.scan import read_scans

MAX_PIXELS = 100_000_000
MIN_PAGE_WORDS = 60  # fewer are labels in an image
_MIN_PAGE_SIDE = 600  # pixels: less cannot be read
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"MM\x00*")
_A4_WIDTH = 8.27  # inches: the scale of a page that does not say its resolution


def accepts(_path: Path, head: bytes) -> bool:
    """Accept JPEG, PNG and TIFF by their signatures."""
    return head.startswith(_SIGNATURES)


def read(path: Path, declared: Declared, ocr: OcrSettings = BUNDLED) -> Iterator[Document]:
    """Read an image as one Document: the text of a page, which ``ocr`` says how to read, or a single figure without caption.

    Raises SourceError: "broken_image", "image_too_large" (over 100 million pixels), "too_large".
    """
    data = read_bytes(path)
    with _open(data) as image:
        pages = list(_read_pages(image, ocr)) if _looks_like_page(image) else []
        if _count_words(content for content, _ in pages) >= MIN_PAGE_WORDS:
            yield _page_document(path, declared, pages)
            return
        kept = _without_metadata(data, image)
    figure = Figure("", "", locator="picture", image=kept)
    kind = declared.source_kind or "open_dataset"
    yield Document(_provenance(path, declared, kind, "picture"), "en", figures=(figure,))


def _open(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "TIFF"))
        if image.width * image.height > MAX_PIXELS:
            raise SourceError("image_too_large", f"{image.width} × {image.height} pixels, the limit is {MAX_PIXELS}")
        image.load()
    except Image.DecompressionBombError as error:
        raise SourceError("image_too_large", f"too many to decode; the limit is {MAX_PIXELS} pixels") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise SourceError("broken_image", f"cannot be decoded ({describe_error(error)}); truncated or not an image") from error
    return image


def _looks_like_page(image: Image.Image) -> bool:
    """A cheap test before OCR: of readable size and page-like shape, mostly light, with some dark on it."""
    if min(image.size) < _MIN_PAGE_SIDE or not 0.5 < image.width / image.height < 2.0:
        return False
    small = image.convert("L").resize((200, 200), Image.Resampling.BOX)
    histogram = small.histogram()
    light = sum(histogram[180:]) / 40_000
    return light > 0.6


def _read_pages(image: Image.Image, ocr: OcrSettings) -> Iterator[tuple[PageContent, Image.Image]]:
    for number, frame in enumerate(ImageSequence.Iterator(image), 1):
        dpi = max(frame.width / _A4_WIDTH, 72.0)
        yield recognise_page(frame.convert("RGB"), dpi, number, ocr)


def _count_words(pages: Iterable[PageContent]) -> int:
    text = " ".join(page.text for page in pages)
    han = len(re.findall(r"[\u4e00-\u9fff]", text))
    return len(re.findall(r"[A-Za-z]{2,}", text)) + han // 2


def _page_document(path: Path, declared: Declared, pages: list[tuple[PageContent, Image.Image]]) -> Document:
    markdown, figures = read_scans(pages)
    provenance = _provenance(path, declared, declared.source_kind or "article", "page image")
    return Document(provenance, detect_language(markdown), markdown, figures)


def _without_metadata(data: bytes, image: Image.Image) -> bytes:
    """A JPEG or PNG in a plain mode that carries no metadata is kept as it is; any other image becomes a PNG."""
    if image.format not in ("JPEG", "PNG") or image.mode not in ("L", "RGB"):
        return encode_png(_first_frame(image))
    try:
        bare = drop_metadata(data)
    except ValueError as error:
        raise SourceError("broken_image", "cannot be decoded: not built like its format") from error
    return bare if bare == data or image.format == "PNG" or bare.startswith(b"\x89PNG") else encode_png(_first_frame(image))


def _first_frame(image: Image.Image) -> Image.Image:
    image.seek(0)
    if image.mode in ("I;16", "I", "F"):  # deep grey: spread what is there over 8 bits
        low, high = image.getextrema()
        span = max(float(high) - float(low), 1.0)  # type: ignore[arg-type]
        return image.convert("F").point(lambda value: (value - float(low)) * 255 / span).convert("L")  # type: ignore[arg-type]
    return image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")


def _provenance(path: Path, declared: Declared, kind: str, locator: str) -> Provenance:
    sha256 = sha256_of_file(path)
    slug = re.sub(r"[^\w]+", "-", path.stem.lower()).strip("-") or "picture"
    return Provenance(
        source_kind=kind,
        source_id=declared.id or declared.doi or f"{kind}:{slug}-{sha256[:8]}",
        source_licence=check_licence(declared.licence or "").spdx,
        source_locator=locator,
        source_sha256=sha256,
        source_title=declared.title,
        source_doi=declared.doi,
        source_url=declared.url or (f"https://doi.org/{declared.doi}" if declared.doi else None),
        case_id=declared.case_id,
    )
