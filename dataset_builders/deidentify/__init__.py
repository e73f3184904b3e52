"""De-identification of documents' text by recognised identifiers; for their pictures see pixels, for DICOM dicom_headers.

Two modes for text. ``standard`` masks what is recognised. ``strict``, the default for hospital cases, fails closed: codes
and capitalised words that are not known to be medicine are masked too. Masks read "[NAME 1]": the same words give the same
number within one document, so that who did what stays readable. Full dates of a document are moved by one offset instead.
"""

import dataclasses
import re
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from dataset_builders.deidentify.dicom_headers import deidentify_dicom
from dataset_builders.deidentify.identifiers import (
    Span,
    clinical_spans,
    find_in_view,
    fold,
    is_clinical_chinese,
    merge,
    names_again,
    outside,
)
from dataset_builders.deidentify.known_words import is_known, is_medical
from dataset_builders.deidentify.shift_dates import choose_offset, shift_date
from dataset_builders.deidentify.unknown_words import find_unknown
from dataset_builders.document import Deidentification, Document, Exchange
from dataset_builders.source_kinds import find_kind

__all__ = ["Deidentified", "count_identifiers", "deidentify_dicom", "deidentify_document", "deidentify_text"]

_MASK = re.compile(r"\[[A-Z][A-Z0-9_]+ \d+\]")
_LATIN_WORD = re.compile(r"[A-Za-z]+")
_SENTENCE = re.compile(r"[^。；;.!?\n]*(?:[。；;!?]+|\.(?=\s|$)|\n|$)[ \t]*")
# What stands beside masks without saying anything of the patient's spine.
_LABELS = re.compile(
    r"(?i:\b(?:patient|name|age|sex|gender|male|female|mr|mrs|ms|dr|md|physician|surgeon|radiologist|attending"
    r"|resident|nurse|doctor|hospital|"
    r"department|ward|unit|bed|number|no|id|mrn|record|medical|chart|accession|admission|admitted|discharge|discharged"
    r"|date|dated|time|birth|dob|of|"
    r"address|home|phone|telephone|tel|mobile|cell|fax|e-?mail|signature|signed|signing|by|on|at|the|and|contact"
    r"|emergency|next|kin|insurance|policy|"
    r"plan|report|reported|reviewed|verified|dictated|electronically|cc|to|from|re|referring|sincerely|regards|yours"
    r"|dear|thank|you|call|or|s|is|was)\b)"
    r"|姓名|患者|病人|性别|年龄|[男女]|岁|住院号?|门诊号?|病案号?|病历号?|检查号?|登记号?|身份证号?|医保号?|号码?|编号|电话|手机|联系人?|方式|邮箱|电子邮件|传真|地址|住址|邮编|"
    r"科室|病区|床号?|医院|医师|医生|主治|主任|护士|技师|术者|签名|签字|签|报告者?|审核者?|记录者?|日期|时间|入院|出院|出生|检查|手术|于|为|是|和|及|与"
)


@dataclass(frozen=True, slots=True)
class Deidentified:
    """``text`` with masks, and the spans of the *input* that were masked."""

    text: str
    spans: tuple[Span, ...]


class FindsNames(Protocol):
    """What finds identifiers beside the rules: presidio.load_name_model gives one."""

    def find(self, text: str) -> list[Span]:
        """Spans of ``text``, in any order."""


def deidentify_text(text: str, language: str = "en", mode: str = "strict", names: FindsNames | None = None) -> Deidentified:
    """Mask every identifier of a text in English or Chinese (language "en" or "zh"); mixed texts are understood.

    mode is "standard" or "strict". What ``names`` finds is masked too: all but levels, measurements, doses and grades, and in
    standard mode all but words of medicine. Raises ValueError for another mode. Characters that are no Unicode become U+FFFD.
    """
    if mode not in ("standard", "strict"):
        raise ValueError(f"mode {mode!r}: choose standard or strict")
    return _Masker(mode, names).mask(text, language)


def deidentify_document(document: Document, names: FindsNames | None = None) -> Document:
    """The document with its words masked, hospital cases in strict mode and with what ``names`` finds.

    ``deidentification`` counts what was masked. Full dates are moved by the case's offset (shift_dates); sentences that hold
    nothing but masks and their labels are left out. Published literature and data sets stay as published: their authors'
    names are provenance, not patients.
    """
    if not find_kind(document.provenance.source_kind).is_private:
        return document
    masker = _Masker("strict", names)

    def mask(text: str) -> str:
        return _drop_remnants(masker.mask(text, document.language).text)

    figures = tuple(
        dataclasses.replace(figure, caption=mask(figure.caption), context=tuple(map(mask, figure.context)))
        for figure in document.figures
    )
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
        figures=figures,
        exchange=exchange,
        provenance=dataclasses.replace(document.provenance, source_title=title and mask(title)),
    )
    words = [word for word in _LATIN_WORD.findall(_MASK.sub("", clean.markdown)) if len(word) > 1]
    counted = dataclasses.replace(
        document.deidentification or Deidentification(),
        identifiers=dict(sorted(masker.found.items())),
        words=len(words),
        known=sum(map(is_known, words)),
        clinical=masker.clinical,
    )
    return dataclasses.replace(_shift_dates(clean, masker.dates, document.markdown), deidentification=counted)


def count_identifiers(document: Document) -> dict[str, int]:
    """How many identifiers strict mode masks in a document's text, by category: for a build's report of residual risk."""
    texts = [document.markdown, *(figure.caption for figure in document.figures)]
    counts = Counter(span.category for text in texts for span in deidentify_text(text, document.language).spans)
    return dict(sorted(counts.items()))


class _Masker:
    """Masks one document: the same words get the same number; ``dates`` holds what stood under each date mask.

    ``found`` counts masks by category, ``clinical`` those that hold a word of medicine: they may hide more than they should.
    """

    def __init__(self, mode: str, names: FindsNames | None = None) -> None:
        self._mode = mode
        self._names = names
        self._numbers: dict[tuple[str, str], int] = {}
        self._last = Counter[str]()
        self.dates: dict[str, str] = {}
        self.found = Counter[str]()
        self.clinical = 0

    def mask(self, text: str, language: str) -> Deidentified:
        text = text.encode("utf-8", "replace").decode() if any(map(_is_surrogate, text)) else text
        spans = self._find(text, language)
        parts, position = [], 0
        for span in spans:
            words = text[span.start : span.end]
            mark = f"[{span.category} {self._number(span.category, words)}]"
            self.found[span.category] += 1
            self.clinical += any(is_medical(word) for word in _LATIN_WORD.findall(words) if len(word) > 3)
            if span.category == "DATE":
                self.dates.setdefault(mark, words)
            parts += [text[position : span.start], mark]
            position = span.end
        return Deidentified("".join([*parts, text[position:]]), tuple(spans))

    def _find(self, text: str, language: str) -> list[Span]:
        view = fold(text)
        found = find_in_view(view.text, language)
        if self._names:
            found += self._find_names(view.text)
        if self._mode == "strict":
            found += find_unknown(view.text)
        if self._names or self._mode == "strict":
            found += names_again(view.text, found)
        return [view.to_input(span) for span in merge(found)]

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
    """Without the sentences that are nothing but masks and labels ("Signed by [NAME 2], [DATE 1].")."""
    if not _MASK.search(text):
        return text
    kept = []
    for match in _SENTENCE.finditer(text):
        sentence = match.group()
        rest = _LABELS.sub("", _MASK.sub("", sentence))
        if _MASK.search(sentence) and not re.search(r"[^\W_]", rest):
            sentence = "\n" if sentence.endswith("\n") else ""
        kept.append(sentence)
    return re.sub(r"\n{3,}", "\n\n", "".join(kept))


def _shift_dates(document: Document, dates: dict[str, str], secret: str) -> Document:
    offset = choose_offset(secret, dates.values())
    surrogates = {mark: moved for mark, words in dates.items() if (moved := shift_date(words, offset))}

    def write(text: str) -> str:
        return _MASK.sub(lambda match: surrogates.get(match.group(), match.group()), text)

    exchange = document.exchange and Exchange(
        write(document.exchange.question),
        write(document.exchange.answer),
        tuple(write(option) for option in document.exchange.options),
        document.exchange.reasoning and write(document.exchange.reasoning),
    )
    figures = tuple(
        dataclasses.replace(figure, caption=write(figure.caption), context=tuple(map(write, figure.context)))
        for figure in document.figures
    )
    return dataclasses.replace(document, markdown=write(document.markdown), figures=figures, exchange=exchange)
