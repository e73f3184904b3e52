"""Read PDF articles, guidelines and books, with a text layer or scanned: one Document, figures cropped from the rendered page.

    pages ─▶ running heads out ─▶ blocks in reading order ─▶ captions, figures, tables ─▶ paragraphs across columns and pages

A page whose text layer is missing or garbled goes through OCR, by the engine of the build's settings; each page is decided on
its own.
"""

import hashlib
import io
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pypdfium2
from PIL import Image

from dataset_builders.document import Document, Figure, Provenance, Reject, SourceError, describe_error
from dataset_builders.figures.captions import cited_labels, is_continued
from dataset_builders.language import detect_language
from dataset_builders.licences import check_licence
from dataset_builders.pages.content import Box, PageContent
from dataset_builders.pages.ocr import BUNDLED, OcrSettings, recognise_page, straighten
from dataset_builders.sources.base import UNKNOWN_LICENCE, Declared, read_bytes, sha256_of_file
from dataset_builders.sources.pdf.flow import Element, Flow, read_flow
from dataset_builders.sources.pdf.page import read_page, render_page

MAX_PAGES = 2_000
MAX_CONTENT = 32 << 20  # bytes of one unpacked stream that is no image: a page's drawing takes ten times that in memory
MAX_PAGE_SIDE = 14_400  # points: the largest page of PDF 1.7 (annex C)
CROP_DPI = 150
OCR_DPI = 150
_MAX_PAGE_PIXELS = 40_000_000
_MIN_LETTERS = 20  # fewer in a text layer are a stamp or a page number, not the page
_MANY_PATHS = 200  # drawn letters
_NAMED_PAGES = 12  # in a reject

_DOI = re.compile(r"\b10\.\d{4,9}/[-._;()/:A-Za-z0-9]*[A-Za-z0-9]")
LICENCE_WORDS = re.compile(
    r"creative\s?commons|licen[cs]ed?\b|copyright|©|public domain|all rights reserved|知识共享|版权|许可", re.IGNORECASE
)
_NO_PAGES = re.compile(rb"/Type\s*/Pages\b[^>]*/Count\s+0\b")
_GUIDELINE_TITLE = re.compile(r"guideline|指南", re.IGNORECASE)
_CONSENSUS_TITLE = re.compile(r"\bconsensus\b|共识", re.IGNORECASE)


def accepts(path: Path, head: bytes) -> bool:
    """Accept a PDF by its signature, anywhere in the first kilobyte (PDF 32000-1, annex H), or by its name."""
    return b"%PDF-" in head[:1024] or path.suffix.lower() == ".pdf"


def read(path: Path, declared: Declared, ocr: OcrSettings = BUNDLED) -> Iterator[Document | Reject]:
    """Read a PDF as one Document; ``ocr`` says which engine reads pages without a usable text layer.

    A Reject "invisible_text" counts the characters that the text layer holds and the pages do not show.

    Raises SourceError: "encrypted_pdf", "broken_pdf", "no_pages", "too_many_pages", "page_too_large",
    "content_too_large", "image_too_large", "no_text", "too_large".
    """
    data = read_bytes(path)
    _check_streams(data)
    document = _open(data)
    try:
        pages = read_pages(document, ocr)
        flow = read_flow(pages)
        images = dict(_crop_figures(document, pages, flow))
        metadata_title = document.get_metadata_value("Title").strip()
    finally:
        document.close()
    if not flow.elements:
        raise SourceError("no_text", f"no text in {len(pages)} pages, also not by OCR")
    markdown = write_markdown(flow.elements, images)
    figures = tuple(link_figures(flow, images))
    provenance = _provenance(path, declared, pages, flow, metadata_title)
    yield Document(provenance, detect_language(markdown), markdown, figures)
    yield from _count_hidden(pages, declared.relative(path))


def _count_hidden(pages: Sequence[PageContent], file: str) -> Iterator[Reject]:
    hiding = [page for page in pages if page.hidden]
    if hiding:
        numbers = ", ".join(str(page.number) for page in hiding[:_NAMED_PAGES]) + (", …" if len(hiding) > _NAMED_PAGES else "")
        detail = (
            f"{sum(page.hidden for page in hiding)} characters on {len(hiding)} pages are not shown (outside the crop box, "
            "white on white, transparent or of an invisible mode) and were left out; look at the page if text is missing"
        )
        yield Reject(file, "invisible_text", detail, f"page {numbers}")


def read_pages(document: pypdfium2.PdfDocument, ocr: OcrSettings = BUNDLED) -> list[PageContent]:
    """Read every page from its text layer, or by OCR if that is missing or garbled.

    No page image is kept: books of scans are long. Raises SourceError("broken_pdf") or ("page_too_large") naming the page.
    """
    pages: list[PageContent] = []
    for index in range(len(document)):
        try:
            content = read_page(document, index)
        except pypdfium2.PdfiumError as error:
            raise SourceError("broken_pdf", f"page {index + 1} cannot be read ({describe_error(error)})") from error
        if max(content.width, content.height) > MAX_PAGE_SIDE:
            raise SourceError(
                "page_too_large",
                f"page {index + 1} is {content.width:.0f} × {content.height:.0f} pt, the limit is {MAX_PAGE_SIDE}",
            )
        if needs_ocr(content):
            dpi = _dpi(content, OCR_DPI)
            rotation, hidden = content.rotation, content.hidden
            content, _ = recognise_page(render_page(document, content, dpi), dpi, content.number, ocr)
            content = replace(content, rotation=rotation, hidden=hidden)
        pages.append(content)
    return pages


def needs_ocr(content: PageContent) -> bool:
    """Tell whether a page shows what its text layer does not hold: an image or drawing without text, or garbled text."""
    text = " ".join(word.text for word in content.words)
    if len(re.findall(r"\w", text)) >= _MIN_LETTERS:
        return not is_sane(text)
    page = content.width * content.height
    drawn = content.covered or any(graphic.kind == "image" and graphic.box.area > 0.25 * page for graphic in content.graphics)
    return drawn or len(content.graphics) > _MANY_PATHS


def is_sane(text: str) -> bool:
    """Tell whether ``text`` reads as writing, not as the codes of a font without a character map.

    Garbled are: over 10% replacement, private-use or control characters; over 30% of U+0080–U+00FF (Chinese bytes read as
    Latin-1); Latin words of four letters and more of which over 40% have no vowel.
    """
    characters = [character for character in text if not character.isspace()]
    if not characters:
        return False
    strange = sum(unicodedata.category(character) in ("Co", "Cn", "Cc") or character == "\ufffd" for character in characters)
    accented = sum("\u0080" <= character <= "\u00ff" for character in characters)
    words = re.findall(r"[A-Za-z]{4,}", text)
    voiceless = sum(not re.search("[aeiouyAEIOUY]", word) for word in words)
    return (
        strange <= 0.1 * len(characters)
        and accented <= 0.3 * len(characters)
        and (len(words) < 10 or voiceless <= 0.4 * len(words))
    )


def write_markdown(elements: tuple[Element, ...], images: dict[Element, bytes]) -> str:
    """Write elements as Markdown, ``<!-- page N -->`` at the start of a page and ``![label](sha256)`` before a caption.

    ``images`` are the encoded images of the figures that have one.
    """
    parts: list[str] = []
    page = 0
    for element in elements:
        if element.page != page:
            page = element.page
            parts.append(f"<!-- page {page} -->")
        if element.kind == "heading":
            parts.append(f"{'#' * element.level} {element.text}")
        elif element.kind == "figure":
            if element in images:
                parts.append(f"![{element.label}]({hashlib.sha256(images[element]).hexdigest()})")
            if element.text:
                parts.append(element.text)
        else:
            parts.append(element.text)
    return "\n\n".join(parts) + "\n"


def _check_streams(data: bytes) -> None:
    """Raise SourceError if a packed stream unpacks to more than MAX_CONTENT, before pdfium unpacks it.

    Deflate packs by 1032 to 1 at most, so that only streams of some size need a look; images have a limit of their own.
    """
    for match in re.finditer(rb"\bstream\r?\n", data):
        start, end = match.end(), data.find(b"endstream", match.end())
        if (end if end > 0 else len(data)) - start < MAX_CONTENT // 1032:
            continue
        header = data[max(start - 1000, 0) : start].rpartition(b" obj")[2]
        if b"FlateDecode" not in header or b"/Image" in header:
            continue
        try:
            unpacked = len(zlib.decompressobj().decompress(data[start : end if end > 0 else len(data)], MAX_CONTENT + 1))
        except zlib.error:
            continue  # pdfium reads what it can of a damaged stream
        if unpacked > MAX_CONTENT:
            raise SourceError(
                "content_too_large", f"a stream at byte {start} unpacks to more than the limit of {MAX_CONTENT} bytes"
            )


def _open(data: bytes) -> pypdfium2.PdfDocument:
    try:
        document = pypdfium2.PdfDocument(data)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        if b"/Encrypt" in data:  # pdfium's own error code may be left over from another file
            raise SourceError("encrypted_pdf", "the file needs a password; save it without one") from error
        if _NO_PAGES.search(data):
            raise SourceError("no_pages", "the PDF has no pages") from error
        raise SourceError("broken_pdf", f"pdfium cannot open it ({describe_error(error)}); truncated or not a PDF") from error
    if count == 0:
        raise SourceError("no_pages", "the PDF has no pages")
    if count > MAX_PAGES:
        raise SourceError("too_many_pages", f"{count} pages, the limit is {MAX_PAGES}; split the file")
    return document


def _crop_figures(document: pypdfium2.PdfDocument, pages: list[PageContent], flow: Flow) -> Iterator[tuple[Element, bytes]]:
    """PNG bytes of every figure with a place on a page; a page is rendered once."""
    number, image = 0, None
    for element in flow.elements:
        if element.kind != "figure" or element.place is None:
            continue
        content = pages[element.page - 1]
        if number != element.page or image is None:
            number = element.page
            image = straighten(render_page(document, content, _dpi(content, CROP_DPI)), content.skew)
        yield element, crop_figure(image, content, element.place)


def _dpi(content: PageContent, dpi: int) -> int:
    """``dpi``, or less if the page would have more than 40 million pixels."""
    return int(min(dpi, 72 * (_MAX_PAGE_PIXELS / (content.width * content.height)) ** 0.5))


def crop_figure(page: Image.Image, content: PageContent, place: Box) -> bytes:
    """Cut ``place`` (points) from the image of its page, trim the white border and encode it as PNG."""
    scale = page.width / content.width
    box = place.grown(2)
    corners = (int(box.x0 * scale), int(box.top * scale), int(box.x1 * scale) + 1, int(box.bottom * scale) + 1)
    inside = (max(corners[0], 0), max(corners[1], 0), min(corners[2], page.width), min(corners[3], page.height))
    return encode_png(trim(page.crop(inside)))


def trim(image: Image.Image, margin: int = 4) -> Image.Image:
    """Cut off an image's white border but for ``margin`` pixels; an image that is all white stays as it is."""
    from PIL import ImageChops

    grey = image.convert("L")
    ink = ImageChops.invert(grey).point(lambda value: 255 if value > 12 else 0).getbbox()
    if ink is None:
        return image
    return image.crop(
        (
            max(ink[0] - margin, 0),
            max(ink[1] - margin, 0),
            min(ink[2] + margin, image.width),
            min(ink[3] + margin, image.height),
        )
    )


def encode_png(image: Image.Image) -> bytes:
    """Encode an image as PNG without metadata, grey if its three channels are equal everywhere."""
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    if image.mode == "RGB":
        red, green, blue = image.split()
        if red.tobytes() == green.tobytes() == blue.tobytes():
            image = red
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def link_figures(flow: Flow, images: dict[Element, bytes]) -> Iterator[Figure]:
    """Yield the document's figures, each with its image, if ``images`` has one, and the paragraphs that cite it."""
    found = [element for element in flow.elements if element.kind == "figure"]
    known = [element.label for element in found if element.label]
    citing: dict[str, list[str]] = {label: [] for label in known}
    for element in flow.elements:
        if element.kind in ("paragraph", "list", "aside"):
            for label in cited_labels(element.text, known):
                if label in citing:
                    citing[label].append(element.text)
    captions: dict[str, str] = {}
    for element in found:
        context = tuple(citing[element.label]) if element.label else ()
        first = captions.setdefault(element.label, element.text)
        caption = first if is_continued(element.text) else element.text
        yield Figure(element.label, caption, context, element.page, locator=f"page {element.page}", image=images.get(element))


def _provenance(path: Path, declared: Declared, pages: list[PageContent], flow: Flow, metadata_title: str) -> Provenance:
    sha256 = sha256_of_file(path)
    opening = "\n".join(element.text for element in flow.elements if element.page <= 2) + "\n" + "\n".join(flow.furniture)
    doi = declared.doi or find_doi(opening)
    title = declared.title or _usable_title(metadata_title) or flow.title or None
    kind = declared.source_kind or _kind(title or "")
    slug = re.sub(r"[^\w]+", "-", path.stem.lower()).strip("-") or "document"
    url = declared.url or (f"https://doi.org/{doi}" if doi else None)
    last = len(pages)
    return Provenance(
        source_kind=kind,
        source_id=declared.id or doi or f"{kind}:{slug}-{sha256[:8]}",
        source_licence=_licence(declared, flow, url or ""),
        source_locator=f"{declared.relative(path)}, {f'pages 1–{last}' if last > 1 else 'page 1'}",
        source_sha256=sha256,
        source_title=title,
        source_doi=doi,
        source_url=url,
        case_id=declared.case_id,
    )


def find_doi(text: str) -> str | None:
    """Find the DOI named most often in ``text``: an article's own stands in heads and feet too, a cited one once."""
    counts = Counter(match.group().rstrip(".") for match in _DOI.finditer(text.replace("\u200b", "")))
    return max(counts, key=lambda doi: counts[doi]) if counts else None


def _usable_title(title: str) -> str:
    """Metadata titles that a person wrote; file names and place-holders are not."""
    words = title.split()
    placeholder = re.match(r"untitled|microsoft word|document\d*$|.*\.(?:docx?|indd|tex|pdf)$", title, re.IGNORECASE)
    if placeholder or ("_" in title and len(words) < 4) or (len(words) < 3 and not re.search(r"[\u4e00-\u9fff]{4}", title)):
        return ""
    return title


def _kind(title: str) -> str:
    if _CONSENSUS_TITLE.search(title):
        return "consensus"
    return "guideline" if _GUIDELINE_TITLE.search(title) else "article"


def _licence(declared: Declared, flow: Flow, url: str) -> str:
    if declared.licence:
        return check_licence(declared.licence).spdx
    statements = [element.text for element in flow.elements if LICENCE_WORDS.search(element.text)]
    statements += [line for line in flow.furniture if LICENCE_WORDS.search(line)]
    return check_licence("\n".join(statements), url).spdx if statements else UNKNOWN_LICENCE
