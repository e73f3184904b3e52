import hashlib
import io
import re
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
import pytest
import typst
from PIL import Image

from dataset_builders.document import Document, SourceError
from dataset_builders.sources import pdf
from tests.support.pdf_files import assemble, flat, read_pdf, typeset

ARTICLE = """
#set document(title: "Bending of the lumbar model under a side load")
#set page(width: 595pt, height: 620pt, margin: 50pt,
  header: [Journal of Model Spines #h(1fr) Volume 4], footer: align(center, context counter(page).display()))
#set text(size: 10pt, font: "Libertinus Serif", hyphenate: true)
#set par(justify: true)
#show heading: set text(size: 13pt)
#align(center, text(size: 18pt, weight: "bold")[Bending of the lumbar model under a side load])

This open access article is licensed under a Creative Commons Attribution 4.0 International License.
doi: 10.5555/model.spine.4

#columns(2, gutter: 20pt)[
  == Materials
  The column one opening sentence describes five stacked blocks that stand for the lumbar vertebrae. Each block was
  cut from beech wood and glued to a foam disc. The assembly is drawn in Figure 1 with all of its parts. The blocks
  were numbered from the head downwards so that every reader can follow the order of the levels without doubt.
  - first bullet of the list
  - second bullet of the list

  Figure 1 shows that the middle block carries most of the bending, which nobody had expected before the test began.

  == Results
  The column two text tells that the load was raised in ten equal steps. After every step the angle between two
  neighbouring blocks was read from a photograph. Table 1 holds the angles. The largest one was found between the
  third and fourth block, as Fig. 2 confirms, and it grew linearly with the load until the glue began to give way
  which is where the experiment was stopped.
]
#place.flush()
#figure(kind: "own", supplement: none,
  box(width: 300pt, height: 90pt, stroke: 1pt)[
    #place(dx: 20pt, dy: 10pt, circle(radius: 30pt, fill: blue))
    #place(dx: 150pt, dy: 10pt, polygon(fill: red, (0pt, 0pt), (60pt, 0pt), (30pt, 60pt)))
    #place(dx: 240pt, dy: 40pt, text(size: 7pt)[part A])
  ])
#text(size: 8.5pt)[*Figure 1.* The wooden column with all five blocks. Blue marks the head end.]

#pagebreak()
#text(size: 8.5pt)[*Table 1.* Angles in degrees after the last step.]
#table(columns: 3, stroke: 0.5pt, [Level], [Left], [Right], [L1/L2], [2.1], [2.4], [L3/L4], [5.8], [6.0])

#box(width: 200pt, height: 80pt, stroke: 1pt, inset: 10pt, line(end: (180pt, 50pt), stroke: 2pt))

#text(size: 8.5pt)[*Fig. 2* Angle against load (A) and the fitted line (B)]

The closing paragraph on the second page thanks the carpenter and refers to nothing else.
"""


@pytest.fixture(scope="module")
def article(tmp_path_factory: pytest.TempPathFactory) -> Document:
    return read_pdf(typeset(tmp_path_factory.mktemp("pdf"), ARTICLE))


def test_columns_are_read_one_after_the_other(article: Document) -> None:
    text = flat(article.markdown)
    order = ["column one opening", "first bullet", "nobody had expected", "## Results", "column two text", "closing paragraph"]
    places = [text.index(phrase) for phrase in order]
    assert places == sorted(places)


def test_running_heads_and_page_numbers_are_left_out(article: Document) -> None:
    assert "Journal of Model Spines" not in article.markdown
    assert not re.search(r"^\d$", article.markdown, re.MULTILINE)
    assert "<!-- page 1 -->" in article.markdown
    assert "<!-- page 2 -->" in article.markdown


def test_hyphenation_is_joined(article: Document) -> None:
    assert not re.search(r"[a-z]-\s*\n?\s*[a-z]{2,}", article.markdown.replace("- ", ""))
    assert "neighbouring blocks was read from a photograph" in flat(article.markdown)


def test_headings_and_lists_become_markdown(article: Document) -> None:
    assert "# Bending of the lumbar model under a side load" in article.markdown
    assert re.search(r"^## Materials$", article.markdown, re.MULTILINE)
    assert "- • first bullet of the list" in article.markdown or "- first bullet of the list" in article.markdown


def test_vector_figures_carry_image_caption_and_citing_paragraphs(article: Document) -> None:
    first, second = article.figures
    assert (first.label, first.page, first.locator) == ("Figure 1", 1, "page 1")
    assert first.caption == "Figure 1. The wooden column with all five blocks. Blue marks the head end."
    assert [paragraph[:24] for paragraph in first.context] == ["The column one opening s", "Figure 1 shows that the "]
    assert (second.label, second.page) == ("Figure 2", 2)
    assert second.caption == "Fig. 2 Angle against load (A) and the fitted line (B)"
    assert [paragraph[:15] for paragraph in second.context] == ["The column two "]


def test_a_figure_is_cropped_whole_at_150_dpi(article: Document) -> None:
    encoded = article.figures[0].image
    assert encoded is not None
    image = Image.open(io.BytesIO(encoded)).convert("RGB")
    assert image.width == pytest.approx(300 * 150 / 72, abs=15)
    assert image.height == pytest.approx(90 * 150 / 72, abs=15)
    colours = {colour for _, colour in image.getcolors(1 << 20) or []}
    assert {(0, 116, 217), (255, 65, 54)} <= colours  # typst's blue and red: the circle and the triangle


def test_the_figure_stands_in_the_markdown_before_its_caption(article: Document) -> None:
    figure = article.figures[0]
    assert figure.image is not None
    assert figure.image_sha256 == hashlib.sha256(figure.image).hexdigest()
    assert f"![Figure 1]({figure.image_sha256})\n\nFigure 1. The wooden column" in article.markdown


def test_tables_become_markdown_and_not_figures(article: Document) -> None:
    assert "Table 1. Angles in degrees after the last step.\n\n| Level | Left | Right |" in article.markdown
    assert "| L3/L4 | 5.8 | 6.0 |" in article.markdown


def test_provenance_is_read_from_the_article_itself(article: Document) -> None:
    provenance = article.provenance
    assert provenance.source_id == provenance.source_doi == "10.5555/model.spine.4"
    assert provenance.source_url == "https://doi.org/10.5555/model.spine.4"
    assert provenance.source_licence == "CC-BY-4.0"
    assert provenance.source_title == "Bending of the lumbar model under a side load"
    assert provenance.source_locator == "article.pdf, pages 1–2"
    assert provenance.source_kind == "article"


def test_what_is_declared_overrides_the_file(tmp_path: Path) -> None:
    path = typeset(tmp_path, "A page of plain text that says nothing of a licence at all.", "My notes.pdf")
    provenance = read_pdf(path, source_kind="textbook", licence="CC0-1.0").provenance
    assert (provenance.source_kind, provenance.source_licence) == ("textbook", "CC0-1.0")
    assert provenance.source_id == f"textbook:my-notes-{provenance.source_sha256[:8]}"
    assert read_pdf(path).provenance.source_licence == "LicenseRef-Unknown"


def test_chinese_captions_and_paragraphs_keep_no_spaces_between_characters(tmp_path: Path) -> None:
    import notojp_matplotlib

    source = """
    #set page(width: 400pt, height: 400pt, margin: 40pt)
    #set text(size: 11pt, font: "Noto Sans CJK JP", lang: "zh")
    椎体由前方的椎体和后方的椎弓组成，椎弓发出七个突起，各有肌肉和韧带附着其上，共同维持脊柱稳定，如图3-2所示。
    这一段继续说明每个节段的作用。

    #rect(width: 200pt, height: 90pt, fill: aqua)

    #text(size: 9pt)[图3-2 腰椎的木制模型侧面观]

    图3-2显示了同样的结构，这一句是正文而不是图题。
    """
    (tmp_path / "source.typ").write_text(source, encoding="utf-8")
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[str(Path(notojp_matplotlib.__file__).parent / "fonts")])
    path = tmp_path / "zh.pdf"
    path.write_bytes(typst.Compiler(str(tmp_path / "source.typ"), font_paths=fonts).compile())
    document = read_pdf(path)
    (figure,) = document.figures
    assert document.language == "zh"
    assert (figure.label, figure.caption) == ("图3-2", "图3-2 腰椎的木制模型侧面观")
    assert figure.image is not None
    assert [paragraph[:6] for paragraph in figure.context] == ["椎体由前方的", "图3-2显示"]
    assert "共同维持脊柱稳定，如图3-2所示。" in document.markdown


@pytest.mark.parametrize(
    ("text", "sane"),
    [
        ("The vertebral arch closes the canal behind the body of the vertebra and bears seven processes.", True),
        ("椎体由前方的椎体和后方的椎弓组成", True),
        ("wkh ywrtz hjklp brdgs clwsz thrck cnlbh ndthx bdyfg thxvr tbrbn dbrzs svnpr cssxx", False),
        ("\ue001\ue002\ue003\ue004 \ue005\ue006\ue007 text", False),
        ("×µÌåÓÉÇ°·½µÄ×µÌåºÍºó·½µÄ×µ¹­×é³É", False),
    ],
)
def test_garbled_text_layers_are_told_from_writing(text: str, sane: bool) -> None:
    assert pdf.is_sane(text) is sane


def make_scan(text_layer: str) -> bytes:
    """A PDF whose page is an image of text, below an invisible text layer."""
    from PIL import ImageDraw, ImageFont

    image = Image.new("RGB", (900, 500), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=30)
    for number, line in enumerate(("The scanned page says that", "the third block was bent.", "It stood below the second.")):
        draw.text((60, 60 + 60 * number), line, fill="black", font=font)
    document = pypdfium2.PdfDocument.new()
    page = document.new_page(432, 240)
    scan = pypdfium2.PdfImage.new(document)
    scan.set_bitmap(pypdfium2.PdfBitmap.from_pil(image))
    scan.set_matrix(pypdfium2.PdfMatrix().scale(432, 240))
    page.insert_obj(scan)
    if text_layer:
        text = pdfium.FPDFPageObj_NewTextObj(document.raw, b"Helvetica", 10.0)
        encoded = (text_layer + "\0").encode("utf-16-le")
        pdfium.FPDFText_SetText(text, (pdfium.FPDF_WCHAR * (len(encoded) // 2)).from_buffer_copy(encoded))
        pdfium.FPDFTextObj_SetTextRenderMode(text, pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)
        pdfium.FPDFPageObj_Transform(text, 1, 0, 0, 1, 10, 100)
        pdfium.FPDFPage_InsertObject(page.raw, text)
    page.gen_content()
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("layer", ["", "wkh ywrtz hjklp brdgs clwsz thrck cnlbh ndthx bdyfg thxvr tbrbn dbrzs"])
def test_a_scan_with_no_or_a_garbled_text_layer_is_recognised(tmp_path: Path, layer: str) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(make_scan(layer))
    text = flat(read_pdf(path).markdown)
    assert "The scanned page says that the third block was bent. It stood below the second." in text
    assert "ywrtz" not in text


def test_a_sane_text_layer_of_a_scan_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(make_scan("An invisible layer that reads as proper writing should be taken as it stands."))
    assert "should be taken as it stands" in read_pdf(path).markdown
    assert "third block" not in read_pdf(path).markdown


def reason(path: Path) -> str:
    with pytest.raises(SourceError) as error:
        read_pdf(path)
    return error.value.reason


def test_a_truncated_pdf_is_refused(tmp_path: Path) -> None:
    whole = typeset(tmp_path, "Some text").read_bytes()
    path = tmp_path / "half.pdf"
    path.write_bytes(whole[: len(whole) // 3])
    assert reason(path) == "broken_pdf"


def test_an_encrypted_pdf_is_refused(tmp_path: Path) -> None:
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>",
        b"<</Filter/Standard/V 1/R 2/P -4/O<" + b"11" * 32 + b">/U<" + b"22" * 32 + b">>>",
    ]
    path = tmp_path / "locked.pdf"
    path.write_bytes(assemble(objects, b"/Encrypt 4 0 R/ID[<00><00>]"))
    assert reason(path) == "encrypted_pdf"


def test_a_pdf_without_pages_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.pdf"
    path.write_bytes(assemble([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"]))
    assert reason(path) == "no_pages"


def test_too_many_and_too_large_pages_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.pdf"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 20000 100]>>"
    path.write_bytes(assemble([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R 3 0 R]/Count 2>>", page]))
    assert reason(path) == "page_too_large"
    monkeypatch.setattr(pdf, "MAX_PAGES", 1)
    assert reason(path) == "too_many_pages"


def test_an_empty_page_is_refused_for_its_lack_of_text(tmp_path: Path) -> None:
    assert reason(typeset(tmp_path, "#v(1pt)")) == "no_text"
