import dataclasses
import hashlib
import re

import pytest
import yaml

from dataset_builders.document import Document, Figure, Provenance
from dataset_builders.figures import agreement, match_document, match_figures
from tests.conftest import DATA


def read_cases(name):
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


LAYOUTS = read_cases("figure_layouts.yaml")
MARKDOWN = read_cases("figure_markdown.yaml")


IMAGES = {
    "pp_structure": '<div style="text-align: center;"><img src="imgs/{}.jpg" alt="Image" width="70%" /></div>',
    "pp_structure_plain": "![](imgs/{}.jpg)",
    "mineru": "![](images/{}.jpg)  ",
    "marker": "![](_page_1_{}.jpeg)",
}


def centred(text):
    return f'<div style="text-align: center;">{text}</div>'


def with_bold_label(caption):
    return re.sub(r"^(\S+\s?[\dA-Z.-]+)", r"**\1**", caption, count=1)


# How each dialect writes an image and a caption, and what stands between the two.
DIALECTS = {
    "pp_structure": (IMAGES["pp_structure"].format, centred, "\n\n"),
    "pp_structure_nested": (lambda name: centred(IMAGES["pp_structure"].format(name)), lambda t: centred(centred(t)), "\n\n"),
    "pp_structure_plain": (IMAGES["pp_structure_plain"].format, str, "\n\n"),
    "mineru": (IMAGES["mineru"].rstrip().format, str, "\n"),
    "mineru_breaks": (IMAGES["mineru"].rstrip().format, str, "  \n"),
    "marker": (IMAGES["marker"].format, '<span id="page-3-0"></span>{}'.format, "\n\n"),
    "marker_bold": (IMAGES["marker"].format, with_bold_label, "\n\n"),
    "headings": (IMAGES["marker"].format, "## {}".format, "\n\n"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", LAYOUTS)
def test_layout(name, dialect):
    image, caption, between = DIALECTS[dialect]
    written = {"pic": image, "cap": caption, "h": "## {}".format, "p": str, "f": str}
    markdown, last = "", ""
    for block in LAYOUTS[name]["blocks"]:
        ((kind, text),) = block.items()
        together = {last, kind} in ({"pic", "cap"}, {"cap"})
        joint = between if together else "\n\n"
        markdown, last = f"{markdown}{joint}{written[kind](text)}", kind
    found = {
        match.image.split(".")[0][-1]: [match.label, match.caption, len(match.context)] for match in match_figures(markdown)
    }
    assert found == LAYOUTS[name]["images"]


@pytest.mark.parametrize("name", MARKDOWN)
def test_markdown(name):
    matches = match_figures(MARKDOWN[name]["markdown"])
    assert {match.image: [match.label, match.caption, len(match.context)] for match in matches} == MARKDOWN[name]["images"]


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("before", [False, True], ids=["caption after", "caption before"])
def test_images_captions_and_paragraphs(image, before):
    pairs = [
        (image.format("a"), "Fig. 1. Sagittal T2 of the lumbar spine."),
        (image.format("b"), "Fig. 2. Axial CT at L5."),
    ]
    figures = "\n".join("\n".join(pair[::-1] if before else pair) for pair in pairs)
    text = f"# A case\n\nThe disc bulges (Fig. 1).\n\n{figures}\n\nBoth planes agree (Figs. 1 and 2).\n\nNothing here."
    first, second = match_figures(text)
    assert (first.label, first.caption) == ("Figure 1", "Fig. 1. Sagittal T2 of the lumbar spine.")
    assert first.context == ("The disc bulges (Fig. 1).", "Both planes agree (Figs. 1 and 2).")
    assert (second.label, second.context) == ("Figure 2", ("Both planes agree (Figs. 1 and 2).",))


def test_panels_share_the_caption_below_them():
    text = "See Figure 7.\n\n![](a.jpg)\n\n(a) before\n\n![](b.jpg)\n\n(b) after\n\nFigure 7: Standing radiographs."
    matches = match_figures(text)
    assert [match.image for match in matches] == ["a.jpg", "b.jpg"]
    assert {match.caption for match in matches} == {"Figure 7: Standing radiographs."}
    assert all(match.context == ("See Figure 7.",) for match in matches)


def test_paragraph_and_caption_cut_by_a_page_are_joined_without_the_running_head():
    text = "\n\n".join(
        [
            "# Lumbar stenosis in adults",
            "The canal was narrowed at two levels as can be seen on the sagittal image (Fig. 1) and the",
            "Lumbar stenosis in adults",
            "14",
            "roots were crowded.",
            "![](a.jpg)",
            "Fig. 1. Sagittal T2 image with narrowing of",
            "---",
            "15",
            "the canal at L3/L4 and L4/L5.",
            "The next paragraph.",
        ]
    )
    (match,) = match_figures(text)
    assert match.caption == "Fig. 1. Sagittal T2 image with narrowing of the canal at L3/L4 and L4/L5."
    assert match.context == (
        "The canal was narrowed at two levels as can be seen on the sagittal image (Fig. 1) and the roots were crowded.",
    )


def test_a_table_takes_no_caption_and_a_supplementary_figure_no_citation_of_the_figure():
    text = (
        "Table 1. Levels operated on.\n\n![](table.jpg)\n\nShown elsewhere (Supplementary Fig. 1).\n\n"
        "![](a.jpg)\n\nFigure 1. Operated levels.\n\nCounted in Figure 1."
    )
    table, figure = match_figures(text)
    assert (table.label, table.caption) == ("", "")
    assert figure.context == ("Counted in Figure 1.",)


def test_chinese_captions_and_citations():
    text = "腰椎管狭窄见图1-2。\n\n![](a.jpg)\n\n图 1-1 矢状位T2像\n\n![](b.jpg)\n\n图 1-2 轴位像\n\n图1-1、图1-2均为术前。"
    first, second = match_figures(text)
    assert (first.label, second.label) == ("图1-1", "图1-2")
    assert second.context == ("腰椎管狭窄见图1-2。", "图1-1、图1-2均为术前。")


def test_chapters_that_number_anew_keep_their_own_paragraphs():
    chapter = "# {0}\n\nIn {0} (Figure 1).\n\n![]({0}.jpg)\n\nFigure 1. Of {0}.\n\n" + "Text between.\n\n" * 4
    neck, back = match_figures(chapter.format("neck") + chapter.format("back"))
    assert (neck.context, back.context) == (("In neck (Figure 1).",), ("In back (Figure 1).",))


def test_a_list_of_figures_and_references_are_no_context():
    text = (
        "## List of figures\n\nFigure 1. Levels ........ 12\n\n## Body\n\n![](a.jpg)\n\nFigure 1. Levels.\n\n"
        "## References\n\nSmith. Fig. 1 of the spine."
    )
    (match,) = match_figures(text)
    assert (match.caption, match.context) == ("Figure 1. Levels.", ())


def test_an_unlabelled_image_is_kept_without_label():
    logo, figure = match_figures("![](logo.png)\n\nWelcome.\n\n![](a.jpg)\n\nFigure 1. Levels.")
    assert (logo.image, logo.label) == ("logo.png", "")
    assert figure.label == "Figure 1"


def test_agreement_is_the_share_of_caption_terms_in_the_context():
    assert agreement("Wedge fracture of L1", ("A wedge fracture is seen at L1.",)) == 1.0
    assert agreement("Wedge fracture of L1", ("The consent form was signed.",)) == 0.0
    assert 0 < agreement("腰椎间盘突出", ("患者腰椎手术后恢复",)) < 1
    assert agreement("", ("text",)) == 0.0


def test_match_document_fills_what_is_missing_and_scores_all():
    image = b"image bytes"
    sha = hashlib.sha256(image).hexdigest()
    provenance = Provenance("textbook", "book", "CC-BY-4.0", "page 1", "0" * 64)
    markdown = f"The wedge fracture (Figure 2).\n\n![Figure 2]({sha})\n\nFigure 2. Wedge fracture of L1."
    bare = Document(provenance, "en", markdown, figures=(Figure("", "", image=image),))
    (figure,) = match_document(bare).figures
    assert (figure.label, figure.context) == ("Figure 2", ("The wedge fracture (Figure 2).",))
    assert figure.caption == "Figure 2. Wedge fracture of L1."
    assert figure.agreement == pytest.approx(2 / 3, abs=1e-3)
    kept = dataclasses.replace(bare, figures=(Figure("Figure 2", "Own caption", ("own context",), image=image),))
    assert match_document(kept).figures[0].context == ("own context",)


def test_real_paddle_excerpt(gold):
    first, logo = match_figures((gold / "figures" / "ppstructure_real_excerpt.md").read_text())
    assert first.label == "Figure 1"
    assert len(first.context) == 1
    assert logo.label == ""
