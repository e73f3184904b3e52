"""Run the build's step "clean": mask what identifies a person in the images and texts of hospital cases."""

import functools
from collections.abc import Iterator
from pathlib import Path

from dataset_builders.deidentify import FindsNames, deidentify_document
from dataset_builders.deidentify.known_masks import KnownMasks
from dataset_builders.deidentify.pixels import mask_figures
from dataset_builders.document import Document, Reject


def clean_document(
    document: Document, masks: KnownMasks, ner: Path | None = None, dates: str = "year"
) -> Iterator[Document | Reject]:
    """Mask writing in images, then text in strict mode.

    ner     the folder of a name model that masks beside the rules.
    dates   "year" or "shift", see deidentify_document.

    An image whose writing cannot be masked is a Reject. Documents that are no hospital case stay as they are.
    """
    masked, rejects = mask_figures(document, masks.mask)
    yield from rejects
    yield deidentify_document(masked, name_model(ner) if ner else None, dates)


@functools.cache
def name_model(folder: Path) -> FindsNames:
    """Load the name model of ``folder`` once a process. Raises FileNotFoundError if it holds none."""
    # Presidio takes seconds to import, and most builds have no such model.
    from dataset_builders.deidentify.presidio import load_name_model

    return load_name_model(folder)
