"""Headings as questions."""

from tests.support.chapter import make_chapter
from tests.support.drafts import by_rule, draft_and_check


def test_headings_become_questions_and_the_paragraphs_answers():
    items = by_rule(draft_and_check(make_chapter()), "section_question")
    questions = {item.messages[0].text: item.messages[1].text for item in items}
    assert "diffusion" in questions["Why do discs degenerate?"]
    (about_regions,) = (answer for question, answer in questions.items() if "Regions of the column" in question)
    assert "Figure" not in about_regions and "[3]" not in about_regions
    assert not any("References" in question for question in questions)


def test_conclusions_are_asked_of_the_work():
    document = make_chapter(
        "## 5. Conclusions\n\n" + "Early walking helps after an operation and does no harm to the wound. " * 3, "article"
    )
    (item,) = by_rule(draft_and_check(document), "section_question")
    assert "A small book of spines" in item.messages[0].text
