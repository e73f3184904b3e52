"""Run the build's step "clean": mask what identifies a person in the images and texts of hospital cases."""

import functools
from collections.abc import Iterator
from pathlib import Path

from dataset_builders.deidentify import FindsNames, deidentify_document
from dataset_builders.deidentify.known_masks import KnownMasks
from dataset_builders.deidentify.other_languages import find_other_language
from dataset_builders.deidentify.pixels import mask_figures
from dataset_builders.document import Document, Reject
from dataset_builders.source_kinds import find_kind

_MEANT = "masking knows English and Chinese; leave the file out, or build with --language-unsupported mask and read all of it"


def clean_document(
    document: Document, masks: KnownMasks, ner: Path | None = None, dates: str = "year", other_language: str = "refuse"
) -> Iterator[Document | Reject]:
    """Mask writing in images, then text in strict mode.

    ner              the folder of a name model that masks beside the rules.
    dates            "year" or "shift", see deidentify_document.
    other_language   "refuse": a text that is neither English nor Chinese is a Reject, for masking was not measured on it;
                     "mask": all of it but clinical values and words of medicine is masked.

    An image whose writing cannot be masked is a Reject. Documents that are no hospital case stay as they are.
    """
    is_private = find_kind(document.provenance.source_kind).is_private
    language = find_other_language("\n".join(document.texts())) if is_private else None
    if language and other_language == "refuse":
        detail = f"most of the text is in another language ({language}): {_MEANT}"
        yield Reject(document.id, "unsupported_language", detail, document.provenance.source_locator)
        return
    masked, rejects = mask_figures(document, masks.mask)
    yield from rejects
    yield deidentify_document(masked, name_model(ner) if ner else None, dates, language)


@functools.cache
def name_model(folder: Path) -> FindsNames:
    """Load the name model of ``folder`` once a process. Raises FileNotFoundError if it holds none."""
    # Presidio takes seconds to import, and most builds have no such model.
    from dataset_builders.deidentify.presidio import load_name_model

    return load_name_model(folder)
