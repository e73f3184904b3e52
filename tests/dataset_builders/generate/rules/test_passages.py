"""Markdown as prose: sections, sentences, and what a question may quote."""

import pytest

from dataset_builders.generate.rules.passages import (
    Section,
    is_broken_word,
    is_debris,
    is_prose,
    leans_back,
    plain_text,
    sections,
    sentences,
    teaching_run,
)
from tests.support.chapter import CHAPTER


def test_markdown_becomes_prose():
    text = "A **bold** claim[1, 2] of <sup>3</sup>L4 (see Fig. 3A) and [a link](http://x.y) ![Figure 1](abc)."
    assert plain_text(text) == "A bold claim of L4 and a link."
    assert sentences("Dr. Smith saw 3.5 mm. It grew (Fig. 2). Why?") == ["Dr. Smith saw 3.5 mm.", "It grew (Fig. 2).", "Why?"]
    assert sentences("椎间盘退变。常见于L4/5。") == ["椎间盘退变。", "常见于L4/5。"]
    assert is_prose("The cord of most adults ends at the lower border of L1.") and not is_prose("12. 34; 56 – 78, 90 (12) 34.")


def test_sections_have_headings_and_no_tables():
    found = sections(CHAPTER)
    assert [section.title for section in found] == [
        "The vertebral column", "Regions of the column", "References", "Why do discs degenerate?"
    ]  # fmt: skip
    assert not any("|" in paragraph for section in found for paragraph in section.paragraphs)


@pytest.mark.parametrize(
    ("unfit", "why"),
    [
        ("We analysed the discs of forty adults and present our own view of them here.", "the work"),
        ("The Work Group carried forward the earlier recommendation on this subject.", "the work"),
        ("More research is needed, since focus groups asked for it and future studies are planned.", "the work"),
        ("Table 3 lists the shares of all levels in the order of their number.", "pointer"),
        ("Burst Seat belt Flexion Distraction anterior and middle Ligaments cannot be seen on it.", "table"),
        ("many useful facts about the discs that begin in the middle of a sentence.", "piece"),
        ("12 Discs with a running number before them are lines of a list of references.", "number"),
    ],
)
def test_an_answer_has_no_unfit_sentence_in_it(unfit, why):
    fit = "Discs have no vessels of their own and live by diffusion through the end plates."
    assert teaching_run(Section("Discs", 2, (f"{fit} {fit}", unfit, f"{fit} {fit} {fit}")), 200) == [fit, fit], why
    assert teaching_run(Section("Discs", 2, (unfit, unfit, unfit, fit)), 2000) == []


def test_captions_and_invitations_are_no_part_of_an_answer():
    lines = ("Figure 2. The disc from above.", "Discs are thick in the lumbar spine. Visit this website to see one. They age.")
    assert teaching_run(Section("Discs", 2, lines), 500) == ["Discs are thick in the lumbar spine."]


@pytest.mark.parametrize(
    ("sentence", "leans"),
    [
        ("It ages.", True),
        ("In 2020, this category was the main diagnosis.", True),
        ("When the disc ages, this disc narrows.", False),
        ("Discs that age become narrow.", False),
        ("发生此类骨折时，该骨折应固定。", True),
        ("椎间盘退变后信号减低。", False),
    ],
)
def test_a_sentence_that_points_back_begins_nothing(sentence, leans):
    assert leans_back(sentence) == leans


def test_words_run_together_and_pieces_are_told_from_compounds():
    for word in ("suggestcognitive", "softtissue", "thatclinicians", "tng"):
        assert is_broken_word(word), word
    for word in ("radiofrequency", "intervertebral", "brainstem", "weightbearing", "anesthetic", "mm", "osteophyte"):
        assert not is_broken_word(word), word
    assert is_debris("The pain is inappropriate s tng to spinal instability in adults.")


def test_references_glued_to_words_are_cut_off():
    assert plain_text("It ages.49-51 Then it dries,3 and narrows.(8) See fig.3 at 3.5 mm^4^.") == (
        "It ages. Then it dries, and narrows. See fig.3 at 3.5 mm."
    )
    assert is_debris("The pain 4. and its causes are many in adults.") and not is_debris("Pain has many causes in adults.")
