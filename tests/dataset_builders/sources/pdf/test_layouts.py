"""Whole documents of awkward layouts (layouts/*.typ, own text): what is on their pages, and where it lands in the Markdown."""

import io
import re
from pathlib import Path

import notojp_matplotlib
import pytest
import typst
from PIL import Image

from dataset_builders.document import Document
from dataset_builders.figures import match_figures
from dataset_builders.sources import pdf
from dataset_builders.sources.base import Declared
from tests.conftest import DATA

LAYOUTS = DATA / "layouts"
FONTS = typst.Fonts(include_system_fonts=False, font_paths=[str(Path(notojp_matplotlib.__file__).parent / "fonts")])

# Label, page, width and height in points of every figure, in reading order.
FIGURES = {
    "two_columns": [
        ("Figure 1", 1, 220, 90),
        ("Figure 2", 1, 208, 80),
        ("Figure 3", 2, 200, 150),
        ("Figure 4", 2, 470, 163),
        ("Scheme 1", 2, 300, 90),
        ("Figure 5", 3, 420, 250),
        ("Figure 5", 4, 420, 200),
        ("Figure S2", 4, 200, 80),
    ],
    "bilingual": [("图1", 1, 220, 100), ("图2", 1, 290, 95), ("图3", 2, 220, 100)],
    "numbered_lines": [("Figure 1", 1, 250, 120), ("Figure 2", 4, 350, 220)],
}
# Phrases in the order in which they are to be read.
ORDER = {
    "two_columns": [
        "# Adversarial",
        "## Introduction",
        "T1-weighted",
        "L4-L5",
        "post-laminectomy",
        "cross-sectional",
        "## Methods",
    ],
    "bilingual": [
        "# 腰椎木质模型",
        "Fig.1 Overall",
        "Fig.2 The model",
        "表1 各节段",
        "| L5-S1 | 0.9 | 1.0 |",
        "Table 1",
        "Fig.3",
    ],
    "numbered_lines": [
        "# Manuscript",
        "## Introduction",
        "The load was raised in ten",
        "L4-L5",
        "## Results",
        "| L4-L5 | 8.1 |",
    ],
}


@pytest.fixture(scope="module", params=sorted(FIGURES))
def layout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Document]:
    path = tmp_path_factory.mktemp("layouts") / f"{request.param}.pdf"
    path.write_bytes(typst.compile(str(LAYOUTS / f"{request.param}.typ"), font_paths=FONTS))
    (document,) = pdf.read(path, Declared(root=path.parent))
    return request.param, document


def test_every_figure_is_found_whole(layout: tuple[str, Document]) -> None:
    name, document = layout
    assert [(figure.label, figure.page) for figure in document.figures] == [figure[:2] for figure in FIGURES[name]]
    for figure, (label, _, width, height) in zip(document.figures, FIGURES[name]):
        assert figure.image is not None, label
        image = Image.open(io.BytesIO(figure.image))
        assert (image.width * 72 / 150, image.height * 72 / 150) == pytest.approx((width, height), abs=9), label


def test_text_stands_in_reading_order_without_page_furniture(layout: tuple[str, Document]) -> None:
    name, document = layout
    places = [document.markdown.index(phrase) for phrase in ORDER[name]]
    assert places == sorted(places)
    assert not re.search(r"Journal|et al\.|example\.org|杂志|^\d+$", document.markdown, re.MULTILINE)


def test_the_markdown_alone_gives_the_same_captions_and_paragraphs(layout: tuple[str, Document]) -> None:
    _, document = layout
    matches = match_figures(document.markdown)
    assert [(match.label, match.caption, match.context) for match in matches] == [
        (figure.label, figure.caption, figure.context) for figure in document.figures
    ]


def test_captions_and_citing_paragraphs(layout: tuple[str, Document]) -> None:
    name, document = layout
    figures = {figure.label: figure for figure in reversed(document.figures)}
    if name == "two_columns":
        assert document.figures[6].caption == "Fig. 5. Long series of readings over two pages, first part."
        assert [text[:21] for text in figures["Figure S2"].context] == ["The paragraph below t"]
        assert [text[:21] for text in figures["Figure 2"].context] == ["The efficient reflex "]
    elif name == "bilingual":
        assert figures["图2"].caption == "图2 加载前后的模型。A. 加载前；B. 加载后"
        assert [text[:5] for text in figures["图2"].context] == ["本研究采用", "图1～2均"]
    else:
        assert figures["Figure 2"].caption == "Figure 2. Stiffness of the wood against the year in which it was cut."
