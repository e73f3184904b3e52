"""Mask what identifies a person in a document's texts; for its images see pixels, for DICOM files dicom_headers.

Two modes for text. ``standard`` masks what the rules recognise (recognise). ``strict``, the default for hospital cases, masks
also what trained networks find (tagger), and codes and capitalised words that are not known to be medicine (unknown_words).
Names, places, dates and codes of which the networks are sure that they identify nobody stay.

Masks read "[NAME 1]": the same words give the same number within one document, so that a reader can still tell who did what. Of
a date its year stays ("[DATE 1: 2021]", see dates), as Safe Harbor allows; full dates are moved by one offset only if asked
(shift_dates).
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dataset_builders.deidentify.dates import (
    AS_OF,
    CHOICES,
    count_as_of,
    shows_high_age,
    write_year,
    years_of,
)
from dataset_builders.deidentify.dicom_headers import deidentify_dicom
from dataset_builders.deidentify.fields import find_fields
from dataset_builders.deidentify.identifiers import (
    Span,
    clinical_spans,
    find_again,
    fold,
    is_clinical_chinese,
    merge,
    names_of,
    outside,
)
from dataset_builders.deidentify.known import Known, read_known
from dataset_builders.deidentify.known_words import is_known, is_medical
from dataset_builders.deidentify.other_languages import find_all_but_medicine
from dataset_builders.deidentify.recognise import recognise
from dataset_builders.deidentify.rules import clue
from dataset_builders.deidentify.shift_dates import choose_offset, shift_date
from dataset_builders.deidentify.tagger import THRESHOLD, WEIGHTS, tag
from dataset_builders.deidentify.unknown_words import find_unknown
from dataset_builders.document import MASK, Deidentification, Document
from dataset_builders.source_kinds import find_kind

__all__ = ["Deidentified", "deidentify_dicom", "deidentify_document", "deidentify_text"]

_MASK = re.compile(MASK)
_LATIN_WORD = re.compile(r"[A-Za-z]+")
_COUNTED = 2  # letters of a word that is counted as known or not
_TELLING = 4  # letters of a masked word that may show that medicine was masked; shorter ones are often initials
_SENTENCE = re.compile(r"[^。；;.!?\n]*(?:[。；;!?]+|\.(?=\s|$)|\n|$)[ \t]*")


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A masked ``text``, and the ``spans`` of the *input* that were masked."""

    text: str
    spans: tuple[Span, ...]


class FindsNames(Protocol):
    """Finds identifiers beside the rules; presidio.load_name_model gives one."""

    def find(self, text: str) -> list[Span]:
        """Find spans of ``text``, in any order."""


def deidentify_text(
    text: str,
    language: str = "en",
    mode: str = "strict",
    names: FindsNames | None = None,
    threshold: float = THRESHOLD,
    weights: Path = WEIGHTS,
) -> Deidentified:
    """Mask every identifier of a text in English or Chinese; a text may mix the two.

    language   "en" or "zh", the language of most of it.
    mode       "standard" or "strict".
    names      finds more: all of it is masked but levels, measurements, doses and grades, and in standard mode words of
               medicine.
    threshold  of strict mode's tagger, 0 to 1: lower finds more, and masks more that is medicine.
    weights    the tagger's, as tagger.train writes them.

    A date is masked down to its year (dates). Surrogates, which are no characters, become "?". Raises ValueError if the mode is
    neither.
    """
    if mode not in ("standard", "strict"):
        raise ValueError(f"mode {mode!r}: choose standard or strict")
    return _Masker(mode, names, threshold=threshold, weights=weights).mask([text], language)[0]


def deidentify_document(
    document: Document, names: FindsNames | None = None, dates: str = "year", other_language: str | None = None
) -> Document:
    """Mask all texts of a hospital case (Document.map_texts) in strict mode, and what ``names`` finds in them.

    A name that is found in one text is masked in all of them, and so is what the source says beside them (``known``, which is
    dropped; see known.py for the rule). ``deidentification`` of the result counts what was masked.
    Sentences that hold nothing but masks and their labels are left out. Documents of other kinds come back as they are: names
    in published literature are authors', not patients'.

    dates   "year" leaves the year of a date, as Safe Harbor allows. "shift" moves full dates by the case's offset, so that
            intervals hold; that is *not* Safe Harbor (see shift_dates for the risk).
    other_language   what most of it is in if it is neither English nor Chinese: all but clinical values and words of medicine
            is masked then, for no rule can tell its names (other_languages).

    Raises ValueError if ``dates`` is neither.
    """
    if dates not in CHOICES:
        raise ValueError(f"dates {dates!r}: choose {' or '.join(CHOICES)}")
    if not find_kind(document.provenance.source_kind).is_private:
        return dataclasses.replace(document, known=())
    masker = _Masker("strict", names, dates, read_known(document.known), readable=other_language is None)
    masked = iter(masker.mask(document.texts(), document.language))
    clean = document.map_texts(lambda _: _drop_remnants(next(masked).text))
    if dates == "shift":
        clean = _shift_dates(clean, masker.dates, document.markdown)
    words = [word for word in _LATIN_WORD.findall(_MASK.sub("", clean.markdown)) if len(word) >= _COUNTED]
    counted = dataclasses.replace(
        document.deidentification or Deidentification(),
        identifiers=dict(sorted(masker.found.items())),
        words=len(words),
        known=sum(map(is_known, words)),
        clinical=masker.clinical,
        other_language=other_language,
    )
    return dataclasses.replace(clean, deidentification=counted, known=())


class _Masker:
    """Masks the texts of one document: the same words get the same number; ``dates`` holds what stood under each date mask.

    ``found`` counts masks by category, ``clinical`` those that hold a word of medicine: they may hide more than they should.
    """

    def __init__(
        self,
        mode: str,
        names: FindsNames | None = None,
        dates: str = "year",
        known: Known | None = None,
        threshold: float = THRESHOLD,
        weights: Path = WEIGHTS,
        readable: bool = True,
    ) -> None:
        self._mode = mode
        self._readable = readable
        self._weights = weights
        self._threshold = threshold
        self._names = names
        self._years = dates == "year"
        self._known = known or Known()
        self._as_of = AS_OF
        self._numbers: dict[tuple[str, str], int] = {}
        self._last = Counter[str]()
        self.dates: dict[str, str] = {}
        self.found = Counter[str]()
        self.clinical = 0

    def mask(self, texts: Sequence[str], language: str) -> list[Deidentified]:
        texts = [text.encode("utf-8", "replace").decode() if any(map(_is_surrogate, text)) else text for text in texts]
        views = [fold(text) for text in texts]
        fields = [find_fields(view.text) for view in views]
        for view, own in zip(views, fields, strict=True):
            for span in own:
                if span.category == "NAME":
                    self._known.add_name(view.text[span.start : span.end])
        found = [self._find(view.text, language, own) for view, own in zip(views, fields, strict=True)]
        names = frozenset[str]().union(*(names_of(view.text, own) for view, own in zip(views, found, strict=True)))
        spans = [
            [view.to_input(span) for span in merge([*own, *find_again(view.text, names)])]
            for view, own in zip(views, found, strict=True)
        ]
        self._as_of = count_as_of(
            text[span.start : span.end]
            for text, own in zip(texts, spans, strict=True)
            for span in own
            if span.category == "DATE"
        )
        return [self._write(text, own) for text, own in zip(texts, spans, strict=True)]

    def _write(self, text: str, spans: list[Span]) -> Deidentified:
        parts, position = [], 0
        for span in spans:
            words = text[span.start : span.end]
            mark = self._mark(span.category, words)
            self.found[span.category] += 1
            self.clinical += any(is_medical(word) for word in _LATIN_WORD.findall(words) if len(word) >= _TELLING)
            if span.category == "DATE" and not any(shows_high_age(year, self._as_of) for year in years_of(words)):
                self.dates.setdefault(mark, words)
            parts += [text[position : span.start], mark]
            position = span.end
        return Deidentified("".join([*parts, text[position:]]), tuple(spans))

    def _mark(self, category: str, words: str) -> str:
        year = write_year(words, self._as_of) if self._years and category == "DATE" else ""
        return f"[{category} {self._number(category, words)}{': ' if year else ''}{year}]"

    def _find(self, text: str, language: str, fields: list[Span]) -> list[Span]:
        """Find identifiers in a folded text: each finder gives spans that may overlap; ``mask`` joins them."""
        found = recognise(text, language, fields)
        if self._mode == "strict":
            found = [*fields, *tag(text, found, find_unknown(text), self._threshold, self._weights)]
        if not self._readable:
            found += find_all_but_medicine(text)
        found += self._known.find(text)
        if self._names:
            found += self._find_names(text)
        return found

    def _find_names(self, text: str) -> list[Span]:
        found = outside(self._names.find(text) if self._names else [], clinical_spans(text))
        if self._mode == "strict":
            return found
        return [span for span in found if not _is_clinical(text[span.start : span.end])]

    def _number(self, category: str, words: str) -> int:
        key = (category, " ".join(words.split()).casefold())
        if key not in self._numbers:
            self._last[category] += 1
            self._numbers[key] = self._last[category]
        return self._numbers[key]


def _is_clinical(words: str) -> bool:
    return is_clinical_chinese(words) or all(is_medical(word) for word in words.split())


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def _drop_remnants(text: str) -> str:
    """Drop the sentences that are nothing but masks and labels ("Signed by [NAME 2], [DATE 1].")."""
    if not _MASK.search(text):
        return text
    kept = []
    for match in _SENTENCE.finditer(text):
        sentence = match.group()
        rest = clue("label_beside_mask").sub("", _MASK.sub("", sentence))
        if _MASK.search(sentence) and not re.search(r"[^\W_]", rest):
            sentence = "\n" if sentence.endswith("\n") else ""
        kept.append(sentence)
    return re.sub(r"\n{3,}", "\n\n", "".join(kept))


def _shift_dates(document: Document, dates: dict[str, str], secret: str) -> Document:
    offset = choose_offset(secret, dates.values())
    surrogates = {mark: moved for mark, words in dates.items() if (moved := shift_date(words, offset))}

    def write(text: str) -> str:
        return _MASK.sub(lambda match: surrogates.get(match.group(), match.group()), text)

    return document.map_texts(write)
