import pytest
from PIL import Image

from dataset_builders.document import Companion, Document, Reject, SourceError
from dataset_builders.sources import jats
from dataset_builders.sources.base import Declared

ARTICLE = """<?xml version="1.0"?>
<article xmlns:xlink="http://www.w3.org/1999/xlink" article-type="{kind}">
<front><article-meta><article-id pub-id-type="pmcid">7</article-id><article-id pub-id-type="doi">10.1/x</article-id>
<title-group><article-title>A wedge fracture</article-title></title-group>
<permissions><license><license-p>Creative Commons Attribution License 4.0</license-p></license></permissions>
<abstract><p>Short.</p></abstract></article-meta></front>
<body><sec><title>Case</title>
<p>Ranges (<xref ref-type="fig" rid="F1">Figures 1</xref>–<xref ref-type="fig" rid="F3">3</xref>) count.</p>
<p>One (<xref ref-type="fig" rid="F2">Figure 2(a)</xref>) alone in 10<sup>3</sup>.
<fig id="F2"><label>Figure 2</label><caption>
<p>Axial, beside <xref ref-type="fig" rid="F1">Figure 1</xref>.</p></caption></fig></p>
<p>A supplement (<xref ref-type="fig" rid="F1">Figure 1—figure supplement 1</xref>).</p>
<table-wrap><label>Table 1</label><caption><p>Levels</p></caption><table>
<tr><th>Level</th><th>Height</th></tr><tr><td rowspan="2">L1</td><td>20</td></tr><tr><td>1|2</td></tr></table></table-wrap>
</sec></body>
<floats-group><fig id="F1"><label>Fig. 1.</label><caption><title>Sagittal</title><p>T2 image.</p></caption>
<graphic xlink:href="{graphic}"/></fig>
<fig id="F3"><label>Figure 3</label><caption><p>{caption}</p></caption><graphic xlink:href="third"/></fig></floats-group>
</article>"""


def write(folder, kind="case-report", graphic="first", caption="Last.", text=ARTICLE):
    path = folder / "case.xml"
    path.write_text(text.format(kind=kind, graphic=graphic, caption=caption), encoding="utf-8")
    return path


def read(path, **declared):
    return list(jats.read(path, Declared(root=path.parent, **declared)))


def test_provenance_and_kind(tmp_path):
    (document,) = read(write(tmp_path))
    provenance = document.provenance
    assert (provenance.source_id, provenance.source_doi, provenance.source_licence) == ("PMC7", "10.1/x", "CC-BY-4.0")
    assert (provenance.source_kind, provenance.source_title) == ("case_report", "A wedge fracture")
    (article,) = read(write(tmp_path, kind="research-article"))
    assert article.provenance.source_kind == "article"
    (declared,) = read(write(tmp_path, kind="research-article"), source_kind="case_report", licence="CC0-1.0")
    assert (declared.provenance.source_kind, declared.provenance.source_licence) == ("case_report", "CC0-1.0")


def test_context_is_what_the_cross_references_say(tmp_path):
    (document,) = read(write(tmp_path))
    context = {figure.label: figure.context for figure in document.figures}
    assert context["Figure 1"] == ("Ranges (Figures 1–3) count.",)
    assert context["Figure 2"] == ("Ranges (Figures 1–3) count.", "One (Figure 2(a)) alone in 10^3.")
    assert context["Figure 3"] == ("Ranges (Figures 1–3) count.",)


def test_markdown_holds_headings_tables_and_figures_where_they_are_cited(tmp_path):
    (document,) = read(write(tmp_path))
    blocks = document.markdown.split("\n\n")
    assert blocks[:3] == ["# A wedge fracture", "## Abstract", "Short."]
    assert "| Level | Height |\n| --- | --- |\n| L1 | 20 |\n| L1 | 1\\|2 |" in blocks
    assert blocks.index("![Figure 1]()") == blocks.index("Ranges (Figures 1–3) count.") + 1
    assert blocks[blocks.index("![Figure 1]()") + 1] == "Figure 1. Sagittal. T2 image."


def test_image_beside_is_read_and_one_outside_is_not(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("L", (8, 8)).save(folder / "first.png")
    Image.new("L", (8, 8)).save(tmp_path / "secret.png")
    (document,) = read(write(folder))
    assert document.figures[0].image == (folder / "first.png").read_bytes()
    assert [result.of for result in read(folder / "first.png") if isinstance(result, Companion)] == ["case.xml"]
    assert jats.accepts(folder / "first.png", b"\x89PNG")
    jats._graphics_of.cache_clear()
    (document,) = read(write(folder, graphic="../secret.png"))
    assert all(figure.image is None for figure in document.figures)


def test_image_by_permission_of_its_owner_is_left_out(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "third.png")
    results = read(write(tmp_path, caption="Reproduced from Smith with permission."))
    assert [(r.reason, r.where) for r in results if isinstance(r, Reject)] == [("image_licence", "Figure 3")]
    (document,) = (r for r in results if isinstance(r, Document))
    assert document.figures[-1].image_sha256 is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<note><to>you</to></note>", "not_jats"),
        ("<article><front>", "broken_xml"),
        (
            '<!DOCTYPE article [<!ENTITY a SYSTEM "file:///etc/passwd">]><article><front/><body><p>&a;</p></body></article>',
            "xml_entities",
        ),
        (
            '<!DOCTYPE article [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><article><front/><body><p>&b;</p></body></article>',
            "xml_entities",
        ),
    ],
)
def test_what_is_refused(tmp_path, text, reason):
    path = tmp_path / "bad.xml"
    path.write_text(text)
    assert jats.accepts(path, text.encode())
    with pytest.raises(SourceError) as error:
        read(path)
    assert error.value.reason == reason


def test_openstax_files_are_left_to_their_reader(tmp_path):
    assert not jats.accepts(tmp_path / "index.xml", b'<document xmlns="http://cnx.rice.edu/cnxml">')


def test_real_case_reports(sources):
    folder = sources / "case_reports"
    for path in sorted(folder.glob("*.xml")):
        (document,) = (r for r in read(path, source_kind="case_report") if isinstance(r, Document))
        assert document.id == path.stem
        assert document.provenance.source_licence.startswith("CC-BY")
        assert document.figures
        assert all(figure.caption and figure.context for figure in document.figures)


BODY = """<?xml version="1.0"?>
<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta><article-id pub-id-type="pmcid">7</article-id>
</article-meta></front><body><sec><title>Case</title>{}</sec></body></article>"""


def figures_of(folder, body):
    (document,) = read(write(folder, text=BODY.replace("{}", body)))
    return document, [(figure.label, figure.caption, figure.context) for figure in document.figures]


@pytest.mark.parametrize(
    ("caption", "text"),
    [
        ("<caption>Axial CT of <italic>L4</italic>, narrow.</caption>", "Axial CT of L4, narrow."),
        ("<caption><title>CT</title>Axial at <bold>L4</bold>.</caption>", "CT Axial at L4."),
        ("<caption/>", ""),
        ("", ""),
        ("<caption><title>CT</title><p>Axial.</p><p>Narrow.</p></caption>", "CT. Axial. Narrow."),
    ],
)
def test_a_caption_is_read_however_it_is_built(tmp_path, caption, text):
    body = f'<p>See <xref ref-type="fig" rid="f">Fig. 1</xref>.</p><fig id="f"><label>Figure 1</label>{caption}</fig>'
    assert figures_of(tmp_path, body)[1] == [("Figure 1", text, ("See Fig. 1.",))]


def test_panels_of_a_group_are_called_as_the_group_and_share_its_caption_and_context(tmp_path):
    body = """<p>Both (<xref ref-type="fig" rid="g">Figure 2</xref>).</p><p>One (<xref ref-type="fig" rid="b">2B</xref>).</p>
    <fig-group id="g"><label>Figure 2</label><caption><p>The lesion.</p></caption>
    <fig id="a"><label>A</label><caption><p>Sagittal.</p></caption></fig>
    <fig id="b"><label>B</label><caption><p>Axial.</p></caption></fig></fig-group>"""
    document, figures = figures_of(tmp_path, body)
    assert figures == [
        ("Figure 2", "The lesion. Sagittal.", ("Both (Figure 2).",)),
        ("Figure 2", "The lesion. Axial.", ("Both (Figure 2).", "One (2B).")),
    ]
    assert [figure.locator for figure in document.figures] == ["Figure 2A", "Figure 2B"]
    assert document.markdown.count("The lesion.") == 2, "the group's caption is no paragraph"


def test_a_displayed_formula_is_a_block_with_its_number(tmp_path):
    body = "<p>So:</p><disp-formula><label>(1)</label><tex-math>$$a=b$$</tex-math></disp-formula>"
    assert "\n\n$a=b$ (1)" in figures_of(tmp_path, body)[0].markdown


@pytest.mark.parametrize(
    "caption",
    [
        "Axial CT. Reprinted from Smith et al. [12], with permission.",
        "Axial CT. © 2010 Elsevier. All rights reserved.",
        "Axial CT, courtesy of Dr. Smith.",
        "Axial CT (CC BY-NC-SA).",
        "轴位CT，图片经Elsevier许可转载",
    ],
)
def test_an_image_that_its_caption_gives_to_another_owner_is_refused(tmp_path, caption):
    Image.new("L", (8, 8)).save(tmp_path / "f.png")
    body = f'<p>See.</p><fig id="f"><label>Figure 1</label><caption><p>{caption}</p></caption><graphic xlink:href="f"/></fig>'
    results = read(write(tmp_path, text=BODY.replace("{}", body)))
    assert [result.reason for result in results if isinstance(result, Reject)] == ["image_licence"]
