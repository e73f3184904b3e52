"""The embedded generator: instructions by rules, no model needed; every word of an answer is the source's or its labels'.

    draft(document) -> items, signed "rules/2", each with the rule, its template's hash and a hash of its inputs

A document always gives the same items: every choice is drawn from a generator seeded with document and rule.
"""

from collections.abc import Iterator

from dataset_builders.document import Document
from dataset_builders.generate.rules.cases import draft_imaging_case
from dataset_builders.generate.rules.pictures import draft_imaging
from dataset_builders.generate.rules.prose import draft_figures, draft_text
from dataset_builders.generate.rules.questions import draft_questions
from dataset_builders.generate.rules.records import draft_record
from dataset_builders.item import Item
from dataset_builders.schema import LANGUAGES

_PROSE = ("textbook", "guideline", "consensus", "article", "case_report")


def draft(document: Document) -> Iterator[Item]:
    """The items of one classified document.

    question_bank, general_medical   the source's own question (rules_questions.py)
    open_dataset                     labelled pictures, in both languages: questions, consultation, report
    textbook … case_report           clozes, figures, sections (rules_text.py)
    hospital_case                    notes in their own language; labelled pictures in the case's language
    """
    kind = document.provenance.source_kind
    if document.exchange is not None:
        yield from draft_questions(document)
    elif kind == "general_medical":
        yield from draft_figures(document)
    elif kind == "open_dataset":
        yield from draft_imaging(document, LANGUAGES)
        yield from draft_imaging_case(document, LANGUAGES)
    elif kind in _PROSE:
        yield from draft_text(document)
        if kind == "case_report":
            yield from draft_record(document)
    elif kind == "hospital_case":
        yield from draft_imaging(document, (document.language,))
        yield from draft_imaging_case(document, (document.language,))
        yield from draft_record(document)
