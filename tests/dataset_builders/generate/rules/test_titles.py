"""Headings and titles that a question may name."""

from dataclasses import replace

import pytest

from dataset_builders.generate.rules.passages import Section
from dataset_builders.generate.rules.titles import (
    bare_title,
    full_title,
    is_topic,
    locator_of,
    subject_of_title,
    takes_up,
    title_of,
    topic_of,
    year_of,
)
from tests.support.chapter import make_chapter


@pytest.mark.parametrize(
    ("title", "bare"),
    [("3.2 Discs", "Discs"), ("A. Discs", "Discs"), ("IV. Discs", "Discs"), ("3.10脊髓圆锥", "脊髓圆锥"), ("二、腰椎", "腰椎"),
     ("Discs", "Discs"), ("C7 palsy", "C7 palsy")],
)  # fmt: skip
def test_a_heading_loses_its_number(title, bare):
    assert bare_title(title) == bare


@pytest.mark.parametrize(
    ("title", "topic"),
    [("Lumbar discs", True), ("Introduction", False), ("Recommendation 12", False), ("the rest of a sentence", False),
     ("Table 3", False), ("Our results", False), ("L4 | 40", False), ("Discs (of the", False),
     ("腰椎解剖", True), ("引言", False)],
)  # fmt: skip
def test_a_topic_is_no_piece_and_no_organisational_heading(title, topic):
    assert is_topic(title) == topic


def test_a_passage_is_about_its_heading_if_that_says_something_by_itself():
    assert topic_of(Section("2 Lumbar discs", 1, ()), "en") == "Lumbar discs"
    for title in ("Introduction", "Curves", "General population"):
        assert topic_of(Section(title, 1, ()), "en") == "", title
    assert topic_of(Section("Lumbar discs", 1, ()), "zh") == ""


def test_a_text_takes_its_topic_up_in_any_form_of_its_words():
    assert takes_up("A fractured vertebra", "Vertebral fractures") and not takes_up("A vertebra", "Vertebral fractures")
    assert takes_up("A vertebra", "Vertebral fractures", 1) and not takes_up("It is", "It is")
    assert takes_up("椎体发生骨折", "椎体骨折") and not takes_up("报告按顺序书写", "椎体骨折")


def test_a_title_is_read_whole_with_its_year():
    document = make_chapter("# ADVICE FOR THE DIAGNOSIS AND\n\n# CARE OF BACK PAIN\n\nVersion 2 – 2022, reviewed 2021, © 2022")
    cut = replace(document, provenance=replace(document.provenance, source_title="ADVICE FOR THE DIAGNOSIS AND"))
    assert full_title(cut, "en") == "Advice for the Diagnosis and Care of Back Pain" and year_of(cut) == "2022"
    assert full_title(document, "en") == "A small book of spines" and year_of(make_chapter("# Discs")) == ""


@pytest.mark.parametrize(
    ("title", "subject"),
    [
        ("Tuberculosis of the wrist: a case report", "Tuberculosis of the wrist"),
        ("Case Report: Reconstruction of the pelvis", "Reconstruction of the pelvis"),
        ("Sciatic zoster: An infrequent case report and literature review", "Sciatic zoster"),
        ("Care of back pain: an updated overview", "Care of back pain"),
    ],
)
def test_a_papers_subject_is_its_title_without_the_kind_of_paper(title, subject):
    document = make_chapter()
    assert subject_of_title(replace(document, provenance=replace(document.provenance, source_title=title))) == subject


def test_a_title_that_was_cut_off_is_not_named():
    document = make_chapter()
    cut = replace(document, provenance=replace(document.provenance, source_title="Advice for the diagnosis and"))
    assert title_of(cut, "en") == "" and title_of(document, "en") == "A small book of spines"


def test_a_section_is_located_by_its_heading():
    assert (locator_of(Section("Discs", 1, ())), locator_of(Section("", 0, ()))) == ("section Discs", "")
    assert locator_of(Section("Weak for | Reviewed", 1, ())) == ""
