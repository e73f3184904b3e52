"""A textbook's own questions."""

from dataset_builders.item import question_of
from tests.support.chapter import make_chapter
from tests.support.drafts import by_rule, draft_and_check, right

REVIEW = """## Review Questions

Which ligament limits extension of the vertebral column?

- ligamentum flavum

- anterior longitudinal ligament

- nuchal ligament

B

Look at this image of the spine and name the vertebra.

- C1

- C2

- C3

A

A question of the spine whose key was lost

- one

- two

- three

## Critical Thinking Questions

Describe how the vertebral column is divided.

The vertebral column has cervical, thoracic and lumbar regions, and below them the sacrum and the coccyx.

Explain the curves of the vertebral column.

Why is the lumbar region of the vertebral column the one that carries the most load?
"""


def test_a_books_questions_are_asked_with_its_own_keys():
    items = draft_and_check(make_chapter(REVIEW))
    (choice,) = by_rule(items, "review_question")
    assert question_of(choice) == "Which ligament limits extension of the vertebral column?"
    assert right(choice) == "anterior longitudinal ligament" and choice.answer == "B"
    (study,) = by_rule(items, "study_question")
    assert study.messages[0].text == "Describe how the vertebral column is divided."
    assert study.messages[1].text.startswith("The vertebral column has cervical") and study.messages[1].text in study.quotes


def test_their_lines_are_no_text_to_ask_about():
    text = REVIEW + "\n\nA scoliosis is a curve of the spine that is ten degrees or more in the frontal plane."
    assert not by_rule(draft_and_check(make_chapter(text)), "definition")
