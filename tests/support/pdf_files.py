"""Small PDFs and recognised pages for the tests of the page readers."""

import io
import re
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
import typst
from PIL import Image

from dataset_builders.document import Document
from dataset_builders.pages.content import Box, Graphic, PageContent, Word
from dataset_builders.sources import pdf
from dataset_builders.sources.base import Declared

CHARACTER = 0.5  # of the font size: how wide the words of ``words_of`` are set


def typeset(folder: Path, source: str, name: str = "article.pdf") -> Path:
    """A PDF of typst ``source`` in ``folder``."""
    (folder / "source.typ").write_text(source, encoding="utf-8")
    path = folder / name
    path.write_bytes(typst.compile(str(folder / "source.typ")))
    return path


def read_pdf(path: Path, **declared: str) -> Document:
    """The one Document of a PDF."""
    (document,) = pdf.read(path, Declared(root=path.parent, **declared))
    return document


def assemble(objects: list[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of numbered objects, the first of which is its catalogue."""
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj" % number + content + b"endobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % size + table
    return body + b"trailer<</Root 1 0 R/Size %d" % size + trailer + b">>\nstartxref\n%d\n%%%%EOF" % start


def flat(text: str) -> str:
    """The text on one line."""
    return re.sub(r"\s+", " ", text)


def words_of(text: str, x0: float, top: float, size: float = 10.0, **style: bool) -> list[Word]:
    """The words of one printed line that starts at ``x0``, ``top`` (points), each letter half as wide as high."""
    words = []
    for word in text.split(" "):
        x1 = x0 + CHARACTER * size * len(word)
        words.append(Word(word, Box(x0, top, x1, top + size), size, **style))
        x0 = x1 + 0.3 * size
    return words


def page_of(*words: Word, graphics: tuple[Graphic, ...] = (), number: int = 1, **facts: object) -> PageContent:
    """A page of 550 × 700 points."""
    return PageContent(number, 550, 700, words, graphics, **facts)  # type: ignore[arg-type]


def recognised(*lines: tuple[float, float, str]) -> PageContent:
    """A page as OCR gives it, every line of one size, with an image at its top: lines of (left, top, text)."""
    words = [Word(text, Box(x0, top, x0 + 4.6 * len(text), top + 9), 9.3) for x0, top, text in lines]
    return page_of(*words, graphics=(Graphic(Box(120, 100, 430, 300), "image"),), source="ocr")


def scanned_pdf(pages: list[Image.Image | None]) -> bytes:
    """A PDF of A4 pages with images on them as a scanner makes it; a page that is None has a line of text instead."""
    document = pypdfium2.PdfDocument.new()
    for image in pages:
        page = document.new_page(595, 842)
        if image is None:
            text = pdfium.FPDFPageObj_NewTextObj(document.raw, b"Helvetica", 10.0)
            encoded = "A page with a text layer of its own says this.\0".encode("utf-16-le")
            pdfium.FPDFText_SetText(text, (pdfium.FPDF_WCHAR * (len(encoded) // 2)).from_buffer_copy(encoded))
            pdfium.FPDFPageObj_Transform(text, 1, 0, 0, 1, 60, 700)
            pdfium.FPDFPage_InsertObject(page.raw, text)
        else:
            scan = pypdfium2.PdfImage.new(document)
            scan.set_bitmap(pypdfium2.PdfBitmap.from_pil(image))
            scan.set_matrix(pypdfium2.PdfMatrix().scale(595, 842))
            page.insert_obj(scan)
        page.gen_content()
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()
