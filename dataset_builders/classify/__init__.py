"""Sub-field of a text and kind of a picture, by weighted terms that can be read and argued with.

The terms are data (terms.yaml); every answer lists those it rests on. A term counts more the more often it
stands, but by its logarithm: ``weight * (1 + ln(count))``.

    classify_text     text            ->  specialty, sub-field, score, terms
    classify_picture  caption, bytes  ->  kind of picture, whether it is of use, score
    classify_document                     fills those columns, and levels, of a document and its figures
    relevant_figures                      drops pictures of no use, with counted reasons
"""

import dataclasses
import hashlib
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.document import Document, Figure, Reject
from dataset_builders.levels import parse_levels
from dataset_builders.schema import IMAGE_MODALITIES
from dataset_builders.taxonomy import LETTERS, ORTHOPAEDIC_SUBFIELDS, SPINE_SUBFIELDS, SUBFIELDS
from dataset_builders.terms import WORD_START, alternatives, term_pattern

VERSION = "terms/3"

# A text belongs to a specialty from this weight of terms on: one weak term is enough where a source is of the field.
SPECIALTY_THRESHOLD = 1.0
# A stage-1 document (general medicine) is the field's only on evidence no passing mention gives, and dense evidence:
# ours, read off the sample sets; both must hold.
STRONG_EVIDENCE = 12.0
STRONG_DENSITY = 0.01  # weight of terms per character
# Added to the weights before a score is a share, so that one strong term (3) alone scores 0.6, not 1.
SCORE_PRIOR = 2.0
# A sub-field or kind is named only where a term of this weight speaks for it; weaker ones tip the balance between those named.
NAMING_WEIGHT = 2


@dataclass(frozen=True, slots=True)
class Classification:
    """What a text is about.

    specialty  spine, orthopaedics, or general where neither has a term.
    subfield   a name of taxonomy.SUBFIELDS of that specialty; None where no term of any was found.
    score      0–1: the sub-field's weight as a share of the weights of all sub-fields of the specialty plus SCORE_PRIOR.
               It grows with evidence and falls with competition; it is no probability.
    terms      the terms found that speak for the sub-field, the weightiest first.
    """

    specialty: str
    subfield: str | None
    score: float
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PictureClass:
    """What a picture is.

    image_modality  one of schema.IMAGE_MODALITIES, None where neither caption nor pixels say.
    relevant        False where ``reason`` says why it is of no use to a spine data set.
    score           0–1: the modality's share of all modalities' weights plus SCORE_PRIOR; 0 where it is None.
    reason          "" or one of NO_USE.
    """

    image_modality: str | None
    relevant: bool
    score: float
    reason: str = ""


class _Lexicon:
    """Terms with the weight they give to each of several names."""

    def __init__(self, names: Mapping[str, Mapping[int, Iterable[str]]]):
        self.weights: dict[str, dict[str, int]] = {}
        for name, by_weight in names.items():
            for weight, terms in by_weight.items():
                for term in terms or ():
                    self.weights.setdefault(term, {})[name] = weight
        self._terms = sorted(self.weights, key=lambda term: (-len(term), term))
        latin = alternatives(term for term in self._terms if term[0].isascii())
        han = alternatives(term for term in self._terms if not term[0].isascii())
        self._pattern = re.compile(f"{WORD_START}{latin}|{han}")
        self._patterns = {term: re.compile(term_pattern(term)) for term in self._terms}

    def count(self, text: str) -> Counter[str]:
        """How often each term stands in lower-case ``text``; a longer term hides a shorter one inside it."""
        counts: Counter[str] = Counter()
        for words, count in Counter(self._pattern.findall(text)).items():
            counts[next(term for term in self._terms if self._patterns[term].fullmatch(words))] += count
        return counts

    def named(self, counts: Mapping[str, int]) -> set[str]:
        """The names for which a term of NAMING_WEIGHT speaks."""
        return {name for term in counts for name, weight in self.weights[term].items() if weight >= NAMING_WEIGHT}

    def weigh(self, counts: Mapping[str, int]) -> dict[str, dict[str, float]]:
        """For each name, its terms with their weight, ``weight * (1 + ln(count))``."""
        weighed: dict[str, dict[str, float]] = {}
        for term, count in counts.items():
            for name, weight in self.weights[term].items():
                weighed.setdefault(name, {})[term] = weight * (1 + math.log(count))
        return weighed


_ELSEWHERE = "elsewhere"
_TERMS_YAML = Path(__file__).with_name("terms.yaml").read_text(encoding="utf-8")
_TERMS: dict[str, Any] = yaml.safe_load(_TERMS_YAML)
# Terms of other medicine stand in both lexicons, so that what they hold of the field's words does not count.
_SUBFIELD_TERMS = _Lexicon(_TERMS["subfields"] | {_ELSEWHERE: _TERMS[_ELSEWHERE]})
_SPECIALTY_TERMS = _Lexicon(_TERMS["specialties"] | {_ELSEWHERE: _TERMS[_ELSEWHERE]})
_PICTURE_TERMS = _Lexicon(_TERMS["pictures"])
_IRRELEVANT = {
    reason: (frozenset(rule["with"]), re.compile(WORD_START + alternatives(rule["terms"])) if rule["terms"] else None)
    for reason, rule in _TERMS["irrelevant"].items()
}
NO_USE = (*_IRRELEVANT, "other_body_region")
"""Why a picture may be of no use (PictureClass.reason)."""
_OTHER_REGION = re.compile(WORD_START + alternatives(_TERMS["other_body_region"]))
_SPINE_REGION = re.compile(WORD_START + alternatives(_TERMS["spine_region"]))


def classify_text(text: str) -> Classification:
    """Specialty and sub-field of ``text``, English or Chinese. Of both specialties it is the spine's if that weighs as much."""
    return _classify(text)[0]


def classify_picture(caption: str, image: bytes | None = None) -> PictureClass:
    """Kind of a picture by its caption's words; where they say nothing, by whether its pixels are photograph or drawing."""
    text = caption.lower()
    counts = _PICTURE_TERMS.count(text)
    weights = {name: sum(terms.values()) for name, terms in _PICTURE_TERMS.weigh(counts).items()}
    named = _PICTURE_TERMS.named(counts)
    modality, score = (None, 0.0) if named or not image else _kind_by_pixels(image)
    if modality is None and weights:
        modality = max(IMAGE_MODALITIES, key=lambda name: (name in named, weights.get(name, 0.0)))
        score = weights[modality] / (sum(weights.values()) + SCORE_PRIOR)
    reason = _why_irrelevant(text, modality)
    return PictureClass(modality, not reason, round(score, 4), reason)


def classifier_version() -> str:
    """VERSION and a hash of the terms: what a manifest records."""
    return f"{VERSION}+{hashlib.sha256(_TERMS_YAML.encode()).hexdigest()[:12]}"


def classify_document(document: Document, image_of: Callable[[str], bytes] | None = None) -> Document:
    """The document with specialty, sub-field, levels and discs, and its figures with modality, levels and discs.

    What is already there (labels from image metadata) stays; a figure's levels come from its caption alone. A
    general_medical document stays "general" unless it weighs STRONG_EVIDENCE at STRONG_DENSITY. ``image_of`` gives the bytes
    of pictures that are not in memory, by SHA-256, and raises FileNotFoundError.
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
    """All that a document says, each thing once: title, text, question with options, answer, reasoning, captions.

    A right option's letter is left out, and so are the parts that the text already has.
    """
    text = "\n\n".join(filter(None, (document.provenance.source_title, document.markdown)))
    exchange = document.exchange
    parts = [figure.caption for figure in document.figures]
    if exchange:
        answer = "" if exchange.options else exchange.answer
        parts = [exchange.question, *exchange.options, answer, exchange.reasoning or "", *parts]
    return "\n\n".join([text, *(part for part in dict.fromkeys(parts) if part and part not in text)])


def why_irrelevant(figure: Figure) -> str:
    """Why the figure is of no use to a spine data set (a reason of PictureClass), "" where it is."""
    modality = figure.image_modality or classify_picture(figure.caption, figure.image).image_modality
    return _why_irrelevant(figure.caption.lower(), modality)


def relevant_figures(document: Document, why: Callable[[Figure], str] = why_irrelevant) -> tuple[Document, list[Reject]]:
    """The document without pictures that are of no use, and a Reject ("picture_<reason>") for each that left.

    Pictures of other parts of the body stay where the document is not of the spine: they belong to its specialty.
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
            rejects.append(Reject(document.id, f"picture_{reason}", figure.caption[:200], where))
    return dataclasses.replace(document, figures=tuple(kept)), rejects


def _subject_of(document: Document) -> str:
    """The document's text; of a multiple-choice question without its wrong options, which speak of something else."""
    exchange = document.exchange
    if not exchange or not exchange.options:
        return document_text(document)
    right = [option for letter, option in zip(LETTERS, exchange.options) if letter in exchange.answer]
    return "\n\n".join(filter(None, (document.provenance.source_title, exchange.question, *right, exchange.reasoning)))


def _classify(text: str) -> tuple[Classification, float]:
    """The classification and the weight of all terms of its specialty."""
    text = text.lower()
    counts = _SUBFIELD_TERMS.count(text)
    subfields = _SUBFIELD_TERMS.weigh(counts)
    weights = {name: sum(terms.values()) for name, terms in subfields.items()}
    specialties = {
        specialty: sum(terms.values()) for specialty, terms in _SPECIALTY_TERMS.weigh(_SPECIALTY_TERMS.count(text)).items()
    }
    spine = sum(weights.get(name, 0.0) for name in SPINE_SUBFIELDS) + specialties.get("spine", 0.0)
    orthopaedics = sum(weights.get(name, 0.0) for name in ORTHOPAEDIC_SUBFIELDS) + specialties.get("orthopaedics", 0.0)
    weight = max(spine, orthopaedics)
    if weight < max(SPECIALTY_THRESHOLD, weights.get(_ELSEWHERE, 0.0)):
        return Classification("general", None, 0.0), weight
    specialty, of_specialty = ("spine", SPINE_SUBFIELDS) if spine >= orthopaedics else ("orthopaedics", ORTHOPAEDIC_SUBFIELDS)
    candidates = [name for name in SUBFIELDS if name in of_specialty and name in _SUBFIELD_TERMS.named(counts)]
    if not candidates:
        return Classification(specialty, None, 0.0), weight
    subfield = max(candidates, key=weights.__getitem__)
    score = weights[subfield] / (sum(weights[name] for name in candidates) + SCORE_PRIOR)
    terms = tuple(sorted(subfields[subfield], key=lambda term: (-subfields[subfield][term], term)))
    return Classification(specialty, subfield, round(score, 4), terms), weight


def _classify_figure(figure: Figure, image_of: Callable[[str], bytes] | None) -> Figure:
    modality = figure.image_modality or classify_picture(figure.caption, _image(figure, image_of)).image_modality
    levels, discs = figure.levels, figure.discs
    if not levels and not discs:
        parsed = parse_levels(figure.caption)
        levels, discs = parsed.vertebrae, parsed.discs
    return dataclasses.replace(figure, image_modality=modality, levels=levels, discs=discs)


def _why_irrelevant(text: str, modality: str | None) -> str:
    for reason, (modalities, terms) in _IRRELEVANT.items():
        if (not modalities or modality in modalities) and (terms is None or terms.search(text)):
            return reason
    if _OTHER_REGION.search(text) and not _SPINE_REGION.search(text) and parse_levels(text).vertebrae == ():
        return "other_body_region"
    return ""


def _image(figure: Figure, image_of: Callable[[str], bytes] | None) -> bytes | None:
    if figure.image or not figure.image_sha256 or not image_of:
        return figure.image
    try:
        return image_of(figure.image_sha256)
    except FileNotFoundError:  # the source names a picture that is not there; its caption may still speak
        return None


_THUMBNAIL = 64  # pixels a side that pixel facts are read from
_COLOUR = 24  # of 255: a pixel whose channels differ by more is coloured
_FEW_TONES = 0.6  # share of pixels in the commonest of 512 colours from which on a picture is drawn, not photographed


def _kind_by_pixels(image: bytes) -> tuple[str | None, float]:
    """ "photograph" or "diagram" for coloured pictures, by how many tones they have; None for grey ones (any scan).

    Scores are low on purpose (0.3): pixels are weak evidence beside words.
    """
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(image)) as picture:
            pixels = np.asarray(picture.convert("RGB").resize((_THUMBNAIL, _THUMBNAIL)), dtype=np.int16)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None, 0.0
    coloured = float(((pixels.max(axis=2) - pixels.min(axis=2)) > _COLOUR).mean())
    tones = np.unique((pixels >> 5).reshape(-1, 3), axis=0, return_counts=True)[1]
    white = float((pixels.min(axis=2) > 235).mean())
    if white > 0.5 or (tones.max() / tones.sum() > _FEW_TONES and white > 0.2):
        return "diagram", 0.3
    if coloured > 0.3:
        return "photograph", 0.3
    return None, 0.0
