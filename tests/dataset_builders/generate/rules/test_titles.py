"""Headings and titles that a question may name."""

from dataclasses import replace

import pytest

from dataset_builders.generate.rules.passages import Section
from dataset_builders.generate.rules.titles import bare_title, is_topic, locator_of, title_of, topic_of
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


def test_a_passage_is_about_its_heading_or_else_its_source():
    document = make_chapter()
    assert topic_of(Section("2 Discs", 1, ()), document, "en") == "Discs"
    assert topic_of(Section("Introduction", 1, ()), document, "en") == "A small book of spines"
    assert topic_of(Section("Introduction", 1, ()), document, "zh") == ""


def test_a_title_that_was_cut_off_is_not_named():
    document = make_chapter()
    cut = replace(document, provenance=replace(document.provenance, source_title="Advice for the diagnosis and"))
    assert title_of(cut, "en") == "" and title_of(document, "en") == "A small book of spines"


def test_a_section_is_located_by_its_heading():
    assert (locator_of(Section("Discs", 1, ())), locator_of(Section("", 0, ()))) == ("section Discs", "")
