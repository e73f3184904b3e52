import pytest
import yaml

from dataset_builders.figures.captions import (
    cited_labels,
    find_references,
    is_caption,
    is_continued,
    is_set_off,
    label_key,
    parse_caption,
    parse_label,
    parse_table_caption,
    plain_text,
    split_label,
    strip_markup,
)
from tests.conftest import DATA

LABELS = yaml.safe_load((DATA / "figure_labels.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "numbers"), LABELS["citations"].items())
def test_citation(text, numbers):
    assert " ".join(label.removeprefix("Figure ").removeprefix("图") for label in cited_labels(text)) == numbers


@pytest.mark.parametrize(("text", "label"), LABELS["captions"].items())
def test_caption(text, label):
    assert parse_caption(text) == (label and (label, strip_markup(text)))


def test_a_series_of_its_own_is_cited_where_it_has_a_caption():
    assert cited_labels("Schemes 1 and 2; plate 3 mm; Plate II", known=["Scheme 1", "Plate II"]) == ("Scheme 1", "Plate II")
    assert cited_labels("Plate 3 was locked.", known=["Figure 3"]) == ()


def test_known_labels_decide_what_a_hyphen_means():
    assert cited_labels("Fig. 1-3") == ("Figure 1-3",)
    assert cited_labels("Fig. 1-3", known=["Figure 1", "Figure 2", "Figure 3"]) == ("Figure 1", "Figure 2", "Figure 3")
    assert cited_labels("Figs. 1-3", known=["Figure 1-3", "Figure 1-4"]) == ("Figure 1-3",)
    assert cited_labels("图1-3", known=["图1", "图2", "图3"]) == ("图1", "图2", "图3")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("FIG. 3A–C | Axial CT", "Figure 3"),
        ("**Figure 3.2A–C** Axial CT", "Figure 3.2"),
        ("Fig. 3-2. Axial CT", "Figure 3-2"),
        ("图 1（a）轴位CT", "图1"),
        ("图3-2", "图3-2"),
        ("Supplementary Figure 2. Axial CT", "Figure S2"),
        ("Table 2. Levels", None),
        ("The canal in Figure 2", None),
    ],
)
def test_label(text, label):
    assert parse_label(text) == label


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("A slip (see Fig. 3A) and Figs. 4–5.", {"Fig. 3A": ["Figure 3"], "Figs. 4–5": ["Figure 4", "Figure 5"]}),
        ("如图 3-2 和图一所示", {"图 3-2": ["图3-2"], "图一": ["图1"]}),
        ("见Ｆｉｇ．３，㎜", {"Ｆｉｇ．３": ["Figure 3"]}),
        ("S1 Fig and Supplementary Figure 2", {"S1 Fig": ["Figure S1"], "Supplementary Figure 2": ["Figure S2"]}),
        ("Tables 1 and 2, Box 3, video 4", {"Tables 1 and 2": [], "Box 3": [], "video 4": []}),
        ("附表2及彩图1；代表3例，体表2处", {"附表2": [], "彩图1": []}),
        ("Scheme 1 of treatment; plate 2 mm long; Image 1", {"Scheme 1": []}),
        ("a figure 8 bandage, 心电图1次, Fig. X-ray, figures 2016", {}),
    ],
)  # fmt: skip
def test_references_stand_where_they_are_written(text, references):
    assert {text[found.start : found.end]: list(found.labels) for found in find_references(text)} == references


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("图3-2 颈椎侧位片", True),
        ("图3-2 中椎间隙变窄", False),
        ("Figure 4 Lateral view", True),
        ("Figure 4 shows a slip", False),
        ("Table 2. Levels operated on", True),
        ("Table 2 lists the levels", False),
        ("Box 1: Red flags", True),
        ("The canal of Figure 2", False),
    ],
)
def test_captions_of_figures_tables_and_boxes(text, is_one):
    assert is_caption(text) == is_one


@pytest.mark.parametrize(
    ("text", "label", "rest"),
    [
        ("Fig. 4A: Axial CT，术前", "Figure 4", "Axial CT，术前"),
        ("Figure 4 Lateral radiograph", "Figure 4", "Lateral radiograph"),
        ("Fig. 1 A patient with a slip", "Figure 1", "A patient with a slip"),
        ("图 3-2　颈椎侧位片，㎜", "图3-2", "颈椎侧位片，㎜"),
        ("S1 Fig. Sagittal view", "Figure S1", "Sagittal view"),
        ("Figure 3", "Figure 3", ""),
        ("Sagittal view of Fig. 3", "", "Sagittal view of Fig. 3"),
    ],
)
def test_a_caption_without_its_label_keeps_its_own_characters(text, label, rest):
    assert split_label(text) == (label, rest)


@pytest.mark.parametrize(
    ("caption", "styled", "label"),
    [
        ("Table 3. Levels", False, "Table 3"),
        ("Table 3 lists levels", False, None),
        ("Table 3 lists levels", True, "Table 3"),
        ("表3‑2 各节段", False, "表3-2"),
        ("Levels of Table 3", False, None),
    ],
)
def test_table_captions(caption, styled, label):
    assert parse_table_caption(caption, styled) == label


def test_a_label_is_set_off_from_the_words_of_its_caption():
    assert is_set_off("Fig. 3. axial CT") and is_set_off("Fig. 3a. Axial CT") and is_set_off("图3 轴位")
    assert not is_set_off("Fig. 3 axial CT") and not is_set_off("no label at all")


def test_continued_captions_and_keys():
    assert is_continued("Fig. 3. (continued)") and is_continued("续图3") and not is_continued("Fig. 3. Axial")
    assert label_key("Figure 3-2") == label_key("图3-2") == "3-2"


def test_plain_text_has_one_writing():
    assert (
        plain_text("**S1 Fig**. See &amp; 图一，Ｆｉｇ．２¹² and Fig.\u00a03\u20112") == "Fig S1. See & 图1,Fig.2 and Fig. 3-2"
    )
