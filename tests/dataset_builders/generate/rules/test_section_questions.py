"""Headings as questions."""

from dataclasses import replace

import pytest

from tests.support.chapter import make_chapter
from tests.support.drafts import by_rule, draft_and_check

FRACTURES = (
    "Vertebral fractures of the old lie at the thoracolumbar junction, where the stiff thorax meets the mobile lumbar spine. "
    "Whether such a fracture is recent cannot be said from its shape on a radiograph. "
    "Fat-suppressed MRI shows the oedema of its marrow for about three months after the fall."
)


def ask(text, kind="textbook", title="A small book of spines"):
    document = make_chapter(text, kind)
    document = replace(document, provenance=replace(document.provenance, source_title=title))
    return by_rule(draft_and_check(document), "section_question")


def test_headings_become_questions_and_the_paragraphs_answers():
    (item,) = ask(f"## 3.3 Vertebral fractures\n\n{FRACTURES} As Figure 2 shows [3], it heals.")
    assert "Vertebral fractures" in item.messages[0].text and item.messages[1].text == FRACTURES
    assert item.subfield == "vertebral_fracture" and "".join(item.quotes).replace(".", ". ").strip() == FRACTURES
    (why,) = ask(f"## Why do vertebrae break?\n\n{FRACTURES}")
    assert why.messages[0].text == "Why do vertebrae break?"


@pytest.mark.parametrize(
    "heading", ["General population", "Curves", "Vertebral tumours", "Zamir Merali and Justin Wang", "Results", "Discs?!"]
)
def test_a_heading_that_names_no_topic_of_its_text_is_not_asked(heading):
    assert not ask(f"## {heading}\n\n{FRACTURES}")


def test_an_answer_does_not_begin_in_the_middle_of_a_thought():
    (item,) = ask(f"## Vertebral fractures\n\nIn 2020, this fracture was the cause of a million visits. {FRACTURES}")
    assert item.messages[1].text == FRACTURES


def test_of_a_paper_only_the_conclusion_is_asked_by_its_subject():
    text = f"## Vertebral fractures\n\n{FRACTURES}\n\n## 5. Conclusion\n\n{FRACTURES}"
    (item,) = ask(text, "case_report", "Vertebral fractures of the old: a case report")
    assert "“Vertebral fractures of the old”" in item.messages[0].text
    assert not ask(text, "case_report", "Amputation of a finger: a case report")


def test_an_answer_is_not_cut_inside_a_list_that_it_announces():
    text = f"## Vertebral fractures\n\n{FRACTURES}\n\nVertebral fractures are of two types. Wedges lose height in front. "
    (item,) = ask(text + "Bursts " + "lose height on all sides of the body " * 20 + "at once.")
    assert item.messages[1].text == FRACTURES
    (item,) = ask(text + "Bursts lose height on all sides.")
    assert item.messages[1].text.endswith("Bursts lose height on all sides.")


def test_the_result_of_one_study_is_not_told_as_a_rule():
    text = f"## Conclusion\n\n{FRACTURES} Vertebral fractures without pain did not lead to collapse."
    (item,) = ask(text, "case_report", "Vertebral fractures of the old: a case report")
    assert item.messages[1].text == FRACTURES
