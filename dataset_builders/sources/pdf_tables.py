"""Tables of a page as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from dataset_builders.page_layout import Box
from dataset_builders.sources.pdf_figures import Caption


@dataclass(frozen=True, slots=True)
class Table:
    """``markdown`` is the caption, then the table; ``label`` is "Table 2" or "" for a table without a number."""

    label: str
    markdown: str
    box: Box


def find_tables(captions: Sequence[Caption]) -> list[Table]:
    """The table captions of a page."""
    return [Table(caption.label, caption.text, caption.box) for caption in captions]
