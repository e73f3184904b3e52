"""The embedded generator: instructions by rules, no model needed; every word of an answer is the source's or its labels'.

    draft(document) -> items, signed "rules/2", each with the rule, its template's hash and a hash of its inputs

A document always gives the same items: every choice is drawn from a generator seeded with document and rule.
"""

from collections.abc import Callable, Iterator

from dataset_builders.document import Document, Reject
from dataset_builders.generate.rules.exchanges import draft_exchange
from dataset_builders.generate.rules.figures import draft_figures
from dataset_builders.generate.rules.image_questions import draft_image_questions
from dataset_builders.generate.rules.imaging_cases import draft_imaging_case
from dataset_builders.generate.rules.prose import draft_prose
from dataset_builders.generate.rules.records import draft_record
from dataset_builders.item import Item
from dataset_builders.schema import LANGUAGES
from dataset_builders.source_kinds import UnknownKind, find_kind


def draft(document: Document) -> Iterator[Item | Reject]:
    """Draft the items of one classified document: its own question if it has one, else by its source kind (DRAFTERS).

    A kind without an entry in source_kinds.KINDS, or without one in DRAFTERS, is one Reject that names kind and table.
    """
    name = document.provenance.source_kind
    try:
        kind = find_kind(name)
    except UnknownKind as error:
        yield Reject(document.id, "unknown_source_kind", str(error))
        return
    if document.exchange is not None:
        yield from draft_exchange(document)
    elif kind.name in DRAFTERS:
        yield from DRAFTERS[kind.name](document)
    else:
        detail = f"source kind {name!r} has no entry in DRAFTERS of dataset_builders/generate/rules/__init__.py: add one"
        yield Reject(document.id, "no_drafter", detail)


def _draft_case_report(document: Document) -> Iterator[Item | Reject]:
    yield from draft_prose(document)
    yield from draft_record(document)


def _draft_open_dataset(document: Document) -> Iterator[Item]:
    """Labelled images, asked about in both languages."""
    yield from draft_image_questions(document, LANGUAGES)
    yield from draft_imaging_case(document, LANGUAGES)


def _draft_hospital_case(document: Document) -> Iterator[Item | Reject]:
    """Labelled images and notes, asked about in the case's own language."""
    yield from draft_image_questions(document, (document.language,))
    yield from draft_imaging_case(document, (document.language,))
    yield from draft_record(document)


def _draft_question_bank(document: Document) -> Iterator[Reject]:
    detail = "a file among question banks that holds no question; declare its source_kind in sources.yaml if it is another"
    yield Reject(document.id, "no_question", detail)


DRAFTERS: dict[str, Callable[[Document], Iterator[Item | Reject]]] = {
    "textbook": draft_prose,
    "guideline": draft_prose,
    "consensus": draft_prose,
    "article": draft_prose,
    "question_bank": _draft_question_bank,
    "open_dataset": _draft_open_dataset,
    "case_report": _draft_case_report,
    "hospital_case": _draft_hospital_case,
    "general_medical": draft_figures,
}
"""Source kind to the function that drafts a document of it which has no question of its own."""
