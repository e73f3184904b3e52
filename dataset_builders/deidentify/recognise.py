"""Recognise identifiers in a text by rules: labels and fields, patterns, and ages or birth years above 89."""

from collections.abc import Sequence

from dataset_builders.deidentify.dates import find_telling_years
from dataset_builders.deidentify.identifiers import Span, find_in_view


def recognise(text: str, language: str, fields: Sequence[Span]) -> list[Span]:
    """Return everything that rules find in a folded text (identifiers.fold); the spans may overlap.

    language   "en" or "zh", see identifiers.find_in_view.
    fields     what stands under an identifying label or key (fields.find_fields).
    """
    years = [Span(start, end, "AGE90") for start, end in find_telling_years(text)]
    return [*fields, *find_in_view(text, language), *years]
