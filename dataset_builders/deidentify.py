"""De-identification: text by recognised identifiers, DICOM by PS3.15's basic profile, pictures by what can be read in them.

Two modes for text. ``standard`` masks what is recognised. ``strict``, the default for hospital cases, fails closed: codes
and capitalised words that are not known to be medicine are masked too. Masks read "[NAME 1]": the same words give the same
number within one document, so that who did what stays readable.
"""

import dataclasses
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dataset_builders.document import Document, Exchange, Figure, Reject, SourceError
from dataset_builders.identifiers import Span, find_in_view, fold, merge, names_again
from dataset_builders.unknown_words import find_unknown

@dataclass(frozen=True, slots=True)
class Deidentified:
    """``text`` with masks, and the spans of the *input* that were masked."""

    text: str
    spans: tuple[Span, ...]


def deidentify_text(text: str, language: str = "en", mode: str = "strict") -> Deidentified:
    """Mask every identifier of a text in English or Chinese (language "en" or "zh").

    mode is "standard" or "strict". Raises ValueError for another one.
    """
    if mode not in ("standard", "strict"):
        raise ValueError(f"mode {mode!r}: choose standard or strict")
    return _Masker(mode).mask(text, language)


def deidentify_document(document: Document, image_of: Callable[[str], bytes]) -> tuple[Document, list[Reject]]:
    """The document with its words masked; hospital cases in strict mode, and without pictures that show writing.

    Published literature and data sets are left as published: their authors' names are provenance, not patients.
    """
    if document.provenance.source_kind != "hospital_case":
        return document, []
    masker = _Masker("strict")

    def mask(text: str) -> str:
        return masker.mask(text, document.language).text

    figures: list[Figure] = []
    rejects: list[Reject] = []
    for figure in document.figures:
        if figure.image_sha256 and (words := written_in(image_of(figure.image_sha256))):
            detail = f"{len(words)} characters of writing in the picture; mask them at the source"
            rejects.append(Reject(document.id, "burned_in_text", detail, figure.locator or figure.label))
        else:
            context = tuple(mask(paragraph) for paragraph in figure.context)
            figures.append(dataclasses.replace(figure, caption=mask(figure.caption), context=context))
    exchange = document.exchange and Exchange(
        mask(document.exchange.question),
        mask(document.exchange.answer),
        tuple(mask(option) for option in document.exchange.options),
        document.exchange.reasoning and mask(document.exchange.reasoning),
    )
    title = document.provenance.source_title
    clean = dataclasses.replace(
        document,
        markdown=mask(document.markdown),
        figures=tuple(figures),
        exchange=exchange,
        provenance=dataclasses.replace(document.provenance, source_title=title and mask(title)),
    )
    return clean, rejects


def deidentify_dicom(dataset: Any) -> Any:
    """A copy of a pydicom.Dataset without identifiers: PS3.15 basic profile, private tags gone, UIDs remapped by hash.

    Raises SourceError("burned_in_text") where the header says or OCR finds that the pixels hold writing, and
    SourceError("face_in_volume") for head studies, whose surface shows a face.
    """
    import copy

    from dicomanonymizer.simpledicomanonymizer import anonymize_dataset
    from pydicom.dataset import Dataset
    from pydicom.uid import generate_uid

    if str(dataset.get("BurnedInAnnotation", "NO")).upper() == "YES":
        raise SourceError("burned_in_text", "the header says that the pixels hold writing (0028,0301); mask it at the source")
    region = f"{dataset.get('BodyPartExamined', '')} {dataset.get('StudyDescription', '')}".upper()
    if re.search(r"\b(HEAD|BRAIN|SKULL|FACE|ORBITS?)\b", region):
        raise SourceError("face_in_volume", "a head study shows the patient's face; deface it at the source")
    clean = copy.deepcopy(dataset)
    uids = {
        element.tag: generate_uid(entropy_srcs=[str(element.value)])
        for element in dataset.iterall()
        if element.VR == "UI"
        and element.keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
    }
    anonymize_dataset(clean, delete_private_tags=True)
    for tag, uid in uids.items():
        if tag in clean:
            clean[tag].value = uid
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = "PS3.15 basic application level confidentiality profile"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "113100", "DCM", "Basic Application Confidentiality Profile"
    clean.DeidentificationMethodCodeSequence = [code]
    if "PixelData" in clean and (words := _written_in_pixels(clean)):
        raise SourceError("burned_in_text", f"{len(words)} characters of writing in the pixels; mask them at the source")
    return clean


def written_in(image: bytes) -> str:
    """Letters and digits that OCR reads in an encoded picture, where there are enough to identify (3, ours); else ""."""
    from PIL import Image

    with Image.open(io.BytesIO(image)) as picture:
        return _read(picture)


class _Masker:
    """Masks one document: the same words get the same number."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._numbers: dict[tuple[str, str], int] = {}

    def mask(self, text: str, language: str) -> Deidentified:
        spans = find_spans(text, language, self._mode)
        parts, position = [], 0
        for span in spans:
            parts += [
                text[position : span.start],
                f"[{span.category} {self._number(span.category, text[span.start : span.end])}]",
            ]
            position = span.end
        return Deidentified("".join([*parts, text[position:]]), tuple(spans))

    def _number(self, category: str, words: str) -> int:
        key = (category, " ".join(words.split()).casefold())
        same_category = sum(1 for other, _ in self._numbers if other == category)
        return self._numbers.setdefault(key, same_category + 1)


def find_spans(text: str, language: str, mode: str) -> list[Span]:
    """What deidentify_text masks, in reading order."""
    view = fold(text)
    found = find_in_view(view.text, language)
    if mode == "strict":
        found += find_unknown(view.text)
        found += names_again(view.text, found)
    return [view.to_input(span) for span in merge(found)]


def _written_in_pixels(dataset: Any) -> str:
    import numpy as np
    from PIL import Image

    pixels = np.asarray(dataset.pixel_array, dtype=np.float64)
    while pixels.ndim > 2 and pixels.shape[-1] not in (3, 4):
        pixels = pixels[0]
    low, high = np.percentile(pixels, (0.5, 99.9))
    grey = np.clip((pixels - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
    return _read(Image.fromarray(grey))


def _read(picture: Any) -> str:
    from dataset_builders.ocr import image_to_markdown

    words = re.sub(r"!\[[^\]]*\]\([^)]*\)|\W", "", image_to_markdown(picture.convert("RGB")))
    return words if len(words) >= 3 else ""
