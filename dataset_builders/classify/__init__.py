"""Classify the sub-field of a text and the kind of an image by weighted terms that people can read and change (terms.yaml).

Every answer lists the terms it rests on. A term counts more the more often it occurs in the text: ``weight * (1 + ln(count))``.

    classify_text     text            ->  specialty, sub-field, score, terms
    classify_image    caption, bytes  ->  kind of image, whether it is of use, score
    classify_document                     fills those columns, and levels, of a document and its figures
    relevant_figures                      drops images of no use, with counted reasons
"""

import dataclasses
import io
from collections.abc import Callable
from dataclasses import dataclass

from dataset_builders.classify.lexicon import ELSEWHERE, read_terms
from dataset_builders.document import Document, Figure, Reject
from dataset_builders.levels import parse_levels
from dataset_builders.schema import IMAGE_MODALITIES
from dataset_builders.taxonomy import LETTERS, ORTHOPAEDIC_SUBFIELDS, SPINE_SUBFIELDS, SUBFIELDS

# A text belongs to a specialty if its terms weigh this much: one weak term is enough, for most sources are of the field.
SPECIALTY_THRESHOLD = 1.0
# A document of general medicine is of the field only if its terms weigh this much and stand this densely: more than a passing
# mention gives. Ours, read off the sample sets; both must hold.
STRONG_EVIDENCE = 12.0
STRONG_DENSITY = 0.01  # weight of terms per character
# Added to the weights before a score is a share, so that one strong term (3) alone scores 0.6, not 1.
SCORE_PRIOR = 2.0
_SCORE_DIGITS = 4  # decimal places that scores are rounded to
_QUOTED = 200  # characters of a caption that a Reject shows


@dataclass(frozen=True, slots=True)
class Classification:
    """What a text is about.

    specialty  spine, orthopaedics, or general if neither has a term.
    subfield   a name of taxonomy.SUBFIELDS of that specialty; None if no term of any was found.
    score      0–1: the sub-field's weight as a share of the weights of all sub-fields of the specialty plus SCORE_PRIOR.
               It grows with evidence and falls with competition; it is not a probability.
    terms      the terms found that speak for the sub-field, the weightiest first.
    """

    specialty: str
    subfield: str | None
    score: float
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageClass:
    """What an image is.

    image_modality  one of schema.IMAGE_MODALITIES, None if neither caption nor pixels tell.
    relevant        False if ``reason`` says why it is of no use to a spine data set.
    score           0–1: the modality's share of all modalities' weights plus SCORE_PRIOR; 0 if it is None.
    reason          "" or one of NO_USE.
    """

    image_modality: str | None
    relevant: bool
    score: float
    reason: str = ""


_TERMS = read_terms()
NO_USE = (*(rule.reason for rule in _TERMS.no_use), "other_body_region")
"""Why an image may be of no use (ImageClass.reason)."""


def classify_text(text: str) -> Classification:
    """Classify ``text``, English or Chinese, by specialty and sub-field. If both specialties weigh the same, spine wins."""
    return _classify(text)[0]


def classify_image(caption: str, image: bytes | None = None) -> ImageClass:
    """Classify an image by the words of its caption; if they do not tell, by whether its pixels look drawn."""
    text = caption.lower()
    counts = _TERMS.images.count(text)
    weights = {name: sum(terms.values()) for name, terms in _TERMS.images.weigh(counts).items()}
    named = _TERMS.images.named(counts)
    modality, score = (None, 0.0) if named or not image else _kind_by_pixels(image)
    if modality is None and weights:
        modality = max(IMAGE_MODALITIES, key=lambda name: (name in named, weights.get(name, 0.0)))
        score = weights[modality] / (sum(weights.values()) + SCORE_PRIOR)
    reason = _why_irrelevant(text, modality)
    return ImageClass(modality, not reason, round(score, _SCORE_DIGITS), reason)


def classify_document(document: Document, image_of: Callable[[str], bytes] | None = None) -> Document:
    """Fill in specialty, sub-field, levels and discs of a document, and modality, levels and discs of its figures.

    image_of   gives the bytes of an image that is not in memory by its SHA-256, or raises FileNotFoundError.

    What is already there (labels from image metadata) stays; a figure's levels come from its caption alone. A
    general_medical document stays "general" unless it weighs STRONG_EVIDENCE at STRONG_DENSITY.
    """
    text = document_text(document)
    found, weight = _classify(_subject_of(document))
    if document.provenance.source_kind == "general_medical" and (
        weight < STRONG_EVIDENCE or weight < STRONG_DENSITY * len(text)
    ):
        found = Classification("general", None, 0.0)
    levels, discs = document.levels, document.discs
    if not levels and not discs:
        parsed = parse_levels(text)
        levels, discs = parsed.vertebrae, parsed.discs
    return dataclasses.replace(
        document,
        specialty=document.specialty or found.specialty,
        subfield=document.subfield or found.subfield,
        subfield_score=found.score if document.subfield_score is None and found.subfield else document.subfield_score,
        levels=levels,
        discs=discs,
        figures=tuple(_classify_figure(figure, image_of) for figure in document.figures),
    )


def document_text(document: Document) -> str:
    """Join all that a document says, each thing once: title, text, question with options, answer, reasoning, captions.

    A right option's letter is left out, and so are parts that the text already has.
    """
    text = "\n\n".join(filter(None, (document.provenance.source_title, document.markdown)))
    exchange = document.exchange
    parts = [figure.caption for figure in document.figures]
    if exchange:
        answer = "" if exchange.options else exchange.answer
        parts = [exchange.question, *exchange.options, answer, exchange.reasoning or "", *parts]
    return "\n\n".join([text, *(part for part in dict.fromkeys(parts) if part and part not in text)])


def why_irrelevant(figure: Figure) -> str:
    """Return why the figure is of no use to a spine data set (a reason of ImageClass), "" if it is of use."""
    modality = figure.image_modality or classify_image(figure.caption, figure.image).image_modality
    return _why_irrelevant(figure.caption.lower(), modality)


def relevant_figures(document: Document, why: Callable[[Figure], str] = why_irrelevant) -> tuple[Document, list[Reject]]:
    """Drop a document's images that are of no use; return it, and a Reject ("image_<reason>") for each that left.

    why   gives the reason of a figure, "" if it is of use.

    Images of other parts of the body stay if the document is not of the spine: they belong to its specialty.
    """
    kept: list[Figure] = []
    rejects: list[Reject] = []
    for figure in document.figures:
        reason = why(figure)
        of_this_document = reason == "other_body_region" and document.specialty in ("orthopaedics", "general")
        labelled = bool(figure.levels or figure.discs or figure.findings) and reason == "other_body_region"
        if not reason or of_this_document or labelled:
            kept.append(figure)
        else:
            where = " ".join(filter(None, (figure.label, figure.locator)))
            rejects.append(Reject(document.id, f"image_{reason}", figure.caption[:_QUOTED], where))
    return dataclasses.replace(document, figures=tuple(kept)), rejects


def _subject_of(document: Document) -> str:
    """Return the document's text, without the wrong options of a multiple-choice question, which are about something else."""
    exchange = document.exchange
    if not exchange or not exchange.options:
        return document_text(document)
    right = [option for letter, option in zip(LETTERS, exchange.options) if letter in exchange.answer]
    return "\n\n".join(filter(None, (document.provenance.source_title, exchange.question, *right, exchange.reasoning)))


def _classify(text: str) -> tuple[Classification, float]:
    """Return the classification, and the weight of all terms of its specialty."""
    text = text.lower()
    counts = _TERMS.subfields.count(text)
    subfields = _TERMS.subfields.weigh(counts)
    weights = {name: sum(terms.values()) for name, terms in subfields.items()}
    specialties = {
        specialty: sum(terms.values()) for specialty, terms in _TERMS.specialties.weigh(_TERMS.specialties.count(text)).items()
    }
    spine = sum(weights.get(name, 0.0) for name in SPINE_SUBFIELDS) + specialties.get("spine", 0.0)
    orthopaedics = sum(weights.get(name, 0.0) for name in ORTHOPAEDIC_SUBFIELDS) + specialties.get("orthopaedics", 0.0)
    weight = max(spine, orthopaedics)
    if weight < max(SPECIALTY_THRESHOLD, weights.get(ELSEWHERE, 0.0)):
        return Classification("general", None, 0.0), weight
    specialty, of_specialty = ("spine", SPINE_SUBFIELDS) if spine >= orthopaedics else ("orthopaedics", ORTHOPAEDIC_SUBFIELDS)
    candidates = [name for name in SUBFIELDS if name in of_specialty and name in _TERMS.subfields.named(counts)]
    if not candidates:
        return Classification(specialty, None, 0.0), weight
    subfield = max(candidates, key=weights.__getitem__)
    score = weights[subfield] / (sum(weights[name] for name in candidates) + SCORE_PRIOR)
    terms = tuple(sorted(subfields[subfield], key=lambda term: (-subfields[subfield][term], term)))
    return Classification(specialty, subfield, round(score, _SCORE_DIGITS), terms), weight


def _classify_figure(figure: Figure, image_of: Callable[[str], bytes] | None) -> Figure:
    modality = figure.image_modality or classify_image(figure.caption, _image(figure, image_of)).image_modality
    levels, discs = figure.levels, figure.discs
    if not levels and not discs:
        parsed = parse_levels(figure.caption)
        levels, discs = parsed.vertebrae, parsed.discs
    return dataclasses.replace(figure, image_modality=modality, levels=levels, discs=discs)


def _why_irrelevant(text: str, modality: str | None) -> str:
    for rule in _TERMS.no_use:
        if (not rule.modalities or modality in rule.modalities) and (rule.pattern is None or rule.pattern.search(text)):
            return rule.reason
    if _TERMS.other_region.search(text) and not _TERMS.spine_region.search(text) and parse_levels(text).vertebrae == ():
        return "other_body_region"
    return ""


def _image(figure: Figure, image_of: Callable[[str], bytes] | None) -> bytes | None:
    if figure.image or not figure.image_sha256 or not image_of:
        return figure.image
    try:
        return image_of(figure.image_sha256)
    except FileNotFoundError:  # the source names an image that is not there; its caption may still speak
        return None


_THUMBNAIL = 64  # pixels a side that pixel facts are read from
_COLOUR = 24  # of 255: a pixel whose channels differ by more is coloured
_WHITE = 235  # of 255: a pixel whose channels are all above is white
_TONE_BITS = 3  # of 8 bits a channel: 512 tones
# Shares of pixels, ours: drawings have a white ground, or one tone that fills most of them and some white.
_WHITE_GROUND = 0.5
_FEW_TONES = 0.6
_SOME_WHITE = 0.2
_MUCH_COLOUR = 0.3  # a coloured image that is not drawn is a photograph; scans have no colour
_PIXEL_SCORE = 0.3  # low on purpose: pixels are weak evidence beside words


def _kind_by_pixels(image: bytes) -> tuple[str | None, float]:
    """Tell "photograph" or "diagram" for coloured images, by how many tones they have; None for grey ones (any scan)."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(image)) as opened:
            pixels = np.asarray(opened.convert("RGB").resize((_THUMBNAIL, _THUMBNAIL)), dtype=np.int16)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None, 0.0
    coloured = float(((pixels.max(axis=2) - pixels.min(axis=2)) > _COLOUR).mean())
    tones = np.unique((pixels >> (8 - _TONE_BITS)).reshape(-1, 3), axis=0, return_counts=True)[1]
    white = float((pixels.min(axis=2) > _WHITE).mean())
    if white > _WHITE_GROUND or (tones.max() / tones.sum() > _FEW_TONES and white > _SOME_WHITE):
        return "diagram", _PIXEL_SCORE
    if coloured > _MUCH_COLOUR:
        return "photograph", _PIXEL_SCORE
    return None, 0.0
