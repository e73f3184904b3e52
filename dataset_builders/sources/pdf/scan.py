"""Page images that are no pages of a PDF: recognised pages ─▶ Markdown and figures."""

from collections.abc import Sequence

from PIL import Image

from dataset_builders.document import Figure
from dataset_builders.pages.content import PageContent
from dataset_builders.pages.ocr import BUNDLED, OcrSettings, recognise_page
from dataset_builders.sources.pdf import crop_figure, link_figures, write_markdown
from dataset_builders.sources.pdf.flow import read_flow


def image_to_markdown(image: Image.Image, ocr: OcrSettings = BUNDLED, dpi: float = 150.0) -> str:
    """Read the image of one page at ``dpi`` pixels an inch as Markdown in reading order, figures by their SHA-256."""
    markdown, _ = read_scans([recognise_page(image, dpi, ocr=ocr)])
    return markdown


def read_scans(pages: Sequence[tuple[PageContent, Image.Image]]) -> tuple[str, tuple[Figure, ...]]:
    """Write recognised pages as one Markdown text with their figures, cropped from the images that the pages lie on.

    ``pages`` are numbered from 1 and come from ocr.recognise_page. The text is "\\n" if nothing was read.
    """
    flow = read_flow([content for content, _ in pages])
    images = {}
    for element in flow.elements:
        if element.kind == "figure" and element.place is not None:
            content, image = pages[element.page - 1]
            images[element] = crop_figure(image, content, element.place)
    return write_markdown(flow.elements, images), tuple(link_figures(flow, images))
