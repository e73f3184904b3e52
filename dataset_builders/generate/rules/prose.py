"""Books, guidelines, consensus papers, articles and case reports: answers are the source's own words."""

from collections.abc import Iterator

from dataset_builders.document import Document
from dataset_builders.generate.rules.definitions import draft_definitions
from dataset_builders.generate.rules.figures import draft_figures
from dataset_builders.generate.rules.level_clozes import draft_level_clozes
from dataset_builders.generate.rules.passages import sections
from dataset_builders.generate.rules.recommendations import draft_recommendations
from dataset_builders.generate.rules.review_questions import draft_review_questions, is_practice
from dataset_builders.generate.rules.section_questions import draft_section_questions
from dataset_builders.item import Item


def draft_prose(document: Document) -> Iterator[Item]:
    """Draft every text and figure item of a document, each in the language of its own passage or caption.

    A case report gives no clozes: its levels are facts about one patient, which no reader can know.
    """
    every = sections(document.markdown)
    parts = [part for part in every if not is_practice(part)]
    kind = document.provenance.source_kind
    if kind != "case_report":
        yield from draft_level_clozes(document, parts)
    yield from draft_definitions(document, parts)
    yield from draft_section_questions(document, parts)
    yield from draft_review_questions(document, every)
    if kind in ("guideline", "consensus"):
        yield from draft_recommendations(document, parts)
    yield from draft_figures(document)
