"""Compare other parsers on the same files: the JATS articles of the gold set, and the real article PDFs.

    python benchmarks/extraction_beside.py PARSER [--sources DIR] [--gold DIR]    (defaults: SPINEMED_SOURCES, SPINEMED_GOLD)

PARSER is "spinemed" in the project's environment; the others run in a separate environment:

    python3 -m venv .venv-beside
    .venv-beside/bin/pip install docling-slim docling-parse pubget pdfminer.six pymupdf4llm==0.0.27
    .venv-beside/bin/python benchmarks/extraction_beside.py docling      # or pubget, docling-parse, pdfminer, pymupdf4llm

docling means its JATS reader alone: its PDF pipeline needs models from the Hub. pymupdf4llm is AGPL and is only measured.

JATS, truth from the XML itself: figures whose whole caption stands with a figure (precision, recall, F1), body paragraphs kept
whole (pubget leaves references out: few stay whole), tables. PDF, truth from ``gold/articles``: captions whole in the text,
reading-order probes (where one piece of text must follow another). Text is compared as letters and digits, NFKD. Seconds are
CPU seconds of one process. Each run renews its parser's part of benchmarks/results/extraction_beside.json.
"""

import argparse
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from common import RESULTS, letters_and_digits, write_result  # noqa: E402


@dataclass
class Extracted:
    """What a parser extracts from a file; None for a part that it does not extract."""

    text: str
    captions: list[str] | None = None
    tables: int | None = None


def by_spinemed(path: Path) -> Extracted:
    """Parse with this project's readers."""
    from dataset_builders.sources import read

    documents = list(read(path))
    tables = sum(document.markdown.count("\n|---") + document.markdown.count("\n| ---") for document in documents)
    captions = [figure.caption for document in documents for figure in document.figures]
    return Extracted("\n\n".join(document.markdown for document in documents), captions, tables)


def by_docling(path: Path) -> Extracted:
    """Parse with Docling's JATS reader."""
    from docling.backend.xml.jats_backend import JatsDocumentBackend
    from docling.datamodel.base_models import InputFormat
    from docling.datamodel.document import InputDocument

    backend = InputDocument(path_or_stream=path, format=InputFormat.XML_JATS, backend=JatsDocumentBackend)._backend
    document = backend.convert()
    text = "\n\n".join(item.text for item in document.texts)
    return Extracted(text, [image.caption_text(document) for image in document.images], len(document.tables))


def by_pubget(path: Path) -> Extracted:
    """Parse with Pubget's two stylesheets, for text and for tables; it has none for figures."""
    from pubget._utils import load_stylesheet

    article = etree.parse(path)
    text = load_stylesheet("text_extraction.xsl")(article)
    tables = load_stylesheet("table_extraction.xsl")(article)
    parts = [text.findtext(part) or "" for part in ("title", "abstract", "body")]
    return Extracted("\n\n".join(parts), tables=len(tables.findall(".//extracted-table")))


def by_docling_parse(path: Path) -> Extracted:
    """Extract the text lines in the order in which docling's PDF parser gives them."""
    from docling_parse.pdf_parser import DoclingPdfParser

    pages = DoclingPdfParser().load(path).iterate_pages()
    return Extracted("\n".join(line.text for _, page in pages for line in page.textline_cells))


def by_pdfminer(path: Path) -> Extracted:
    """Extract text with pdfminer.six and its layout analysis."""
    from pdfminer.high_level import extract_text

    return Extracted(extract_text(path))


def by_pymupdf4llm(path: Path) -> Extracted:
    """Convert to Markdown with PyMuPDF4LLM."""
    import pymupdf4llm

    return Extracted(pymupdf4llm.to_markdown(path, show_progress=False))


PARSERS: dict[str, tuple[str, Callable[[Path], Extracted], tuple[str, ...]]] = {
    "spinemed": ("spinemed", by_spinemed, ("jats", "pdf")),
    "docling": ("docling-slim", by_docling, ("jats",)),
    "pubget": ("pubget", by_pubget, ("jats",)),
    "docling-parse": ("docling-parse", by_docling_parse, ("pdf",)),
    "pdfminer": ("pdfminer.six", by_pdfminer, ("pdf",)),
    "pymupdf4llm": ("pymupdf4llm", by_pymupdf4llm, ("pdf",)),
}


def measure_jats(parse: Callable[[Path], Extracted], gold: Path) -> dict[str, Any]:
    """Count over the JATS articles what ``parse`` gets right."""
    figures = shown = hits = paragraphs = kept = tables = tables_found = 0
    seconds, paths = 0.0, sorted((gold / "jats").iterdir())
    has_figures = has_tables = True
    for path in paths:
        began = time.process_time()
        extracted = parse(path)
        seconds += time.process_time() - began
        captions, body, number = _truth(path)
        figures, paragraphs, tables = figures + len(captions), paragraphs + len(body), tables + number
        text = letters_and_digits(extracted.text)
        kept += sum(paragraph in text for paragraph in body)
        if extracted.tables is None:
            has_tables = False
        else:
            tables_found += extracted.tables
        if extracted.captions is None:
            has_figures = False
        else:
            left = [letters_and_digits(caption) for caption in extracted.captions]
            shown += len(left)
            for caption in captions:
                if found := next((other for other in left if caption in other), None):
                    left.remove(found)
                    hits += 1
    result: dict[str, Any] = {
        "articles": len(paths),
        "articles_a_cpu_second": round(len(paths) / seconds, 2),
        "paragraphs_whole": f"{kept}/{paragraphs}",
    }
    if has_figures:
        precision, recall = hits / shown if shown else 0.0, hits / figures
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        result["captions"] = {"precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4), "true": figures}
    if has_tables:
        result["tables"] = f"{tables_found}/{tables}"
    return result


def measure_pdf(parse: Callable[[Path], Extracted], sources: Path, gold: Path) -> dict[str, Any]:
    """Count over the article PDFs what ``parse`` gets right."""
    captions = whole = probes = right = pages = 0
    seconds, paths = 0.0, sorted((gold / "articles").glob("*.json"))
    for path in paths:
        truth = json.loads(path.read_text(encoding="utf-8"))
        pdf = next(sources.rglob(truth["pdf"]))
        began = time.process_time()
        extracted = parse(pdf)
        seconds += time.process_time() - began
        pages += _pages(pdf)
        text = letters_and_digits(extracted.text)
        captions += len(truth["figures"])
        whole += sum(letters_and_digits(figure["caption"]) in text for figure in truth["figures"])
        probes += len(truth["reading_order_probes"])
        right += sum(
            letters_and_digits(probe["a"]) + letters_and_digits(probe["b"]) in text for probe in truth["reading_order_probes"]
        )
    return {
        "files": len(paths),
        "pages": pages,
        "pages_a_cpu_second": round(pages / seconds, 2),
        "captions_whole": f"{whole}/{captions}",
        "reading_order_probes": f"{right}/{probes}",
    }


def _truth(path: Path) -> tuple[list[str], list[str], int]:
    """Return the normalised captions and body paragraphs of an article, and the number of its tables."""
    article = etree.parse(path)
    captions = [
        letters_and_digits("".join(text for part in figure.findall("caption") for text in part.itertext()))
        for figure in article.iterfind(".//fig")
    ]
    body = [
        letters_and_digits("".join(paragraph.itertext()))
        for paragraph in article.xpath("/article/body//p[not(ancestor::fig or ancestor::table-wrap)]")
        if paragraph.find(".//fig") is None and paragraph.find(".//table-wrap") is None
    ]
    return [caption for caption in captions if caption], [text for text in body if text], len(article.findall(".//table-wrap"))


def _pages(path: Path) -> int:
    from pdfminer.pdfpage import PDFPage  # pdfplumber's own parser: there in both environments

    with path.open("rb") as file:
        return sum(1 for _ in PDFPage.get_pages(file))


def main() -> None:
    """Measure one parser, print and write its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parser", choices=PARSERS)
    shared = REPO.parent / "shared"
    parser.add_argument("--sources", type=Path, default=Path(os.environ.get("SPINEMED_SOURCES", shared / "sources")))
    parser.add_argument("--gold", type=Path, default=Path(os.environ.get("SPINEMED_GOLD", shared / "gold")))
    arguments = parser.parse_args()
    package, parse, kinds = PARSERS[arguments.parser]
    parse(next((arguments.gold / "jats").iterdir()) if "jats" in kinds else next(arguments.sources.rglob("*.pdf")))  # imports
    measured: dict[str, Any] = {"version": importlib.metadata.version(package)}
    if "jats" in kinds:
        measured["jats"] = measure_jats(parse, arguments.gold)
    if "pdf" in kinds:
        measured["pdf"] = measure_pdf(parse, arguments.sources, arguments.gold)
    print(arguments.parser, json.dumps(measured, indent=1))
    path = RESULTS / "extraction_beside.json"
    before = json.loads(path.read_text(encoding="utf-8"))["figures"] if path.exists() else {}
    write_result("extraction_beside", before | {arguments.parser: measured})


if __name__ == "__main__":
    main()
