"""What a passage is about: an item carries the specialty and sub-field of its own words, not those of the whole book."""

from dataclasses import replace

from dataset_builders.classify import classify_text
from dataset_builders.document import Document


def with_subject(document: Document, text: str) -> Document | None:
    """Return the document with specialty and sub-field of ``text``; None if it is of neither spine nor orthopaedics."""
    found = classify_text(text)
    if found.specialty == "general":
        return None
    score = found.score if found.subfield else None
    return replace(document, specialty=found.specialty, subfield=found.subfield, subfield_score=score)
