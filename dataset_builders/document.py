"""Define the records that flow between build steps, from a file on disk to a generated item.

    read ─▶ Document(provenance, markdown, figures, exchange, findings) ─▶ … ─▶ Item ─▶ a row (schema.py)

All records are frozen and compare by value. On disk they are JSON lines (``to_dict`` / ``from_dict``); image bytes
live beside them in a content-addressed store and only their SHA-256 is written.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from dataset_builders.licences import HOSPITAL, UNKNOWN

UNKNOWN_LICENCE = UNKNOWN
HOSPITAL_LICENCE = HOSPITAL
MASK = r"\[[A-Z][A-Z0-9_]+ \d+(?:: \d{4}(?:–\d{4})*)?\]"
"""Pattern of what stands for an identifier in a de-identified text: "[NAME 1]", "[DATE 2: 2021]", with the date's year."""
PATH = "path"
"""Heading of Document.known for the path of a file: the names of folders and files may name a patient."""
COMPANION = "companion"
"""Reason of the Reject that a Companion becomes: nothing was lost."""


class SourceError(Exception):
    """A source file that cannot be read.

    reason   a short slug to count by.
    detail   says what is wrong and what to do.
    """

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def describe_error(error: BaseException) -> str:
    """Describe an error by its type and the place it gives, never by its message, which may quote a patient's text.

    The words are the same in every run: messages of libraries hold addresses in memory and names of temporary files.
    """
    name = type(error).__name__
    if isinstance(error, UnicodeDecodeError):
        return f"{name} at byte {error.start}"
    if isinstance(error, json.JSONDecodeError):
        return f"{name} at line {error.lineno}, column {error.colno}"
    if isinstance(error, SyntaxError) and error.lineno is not None:  # of XML, too
        return f"{name} at line {error.lineno}"
    return name


@dataclass(frozen=True, slots=True)
class Reject:
    """Something that left the build, and why. ``where`` is the row, page or item inside ``file`` ("" for all of it).

    The file of a hospital goes by its keyed name, and neither ``detail`` nor ``where`` quotes it (sources/hospital.py).
    """

    file: str
    reason: str
    detail: str = ""
    where: str = ""

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Companion:
    """A file read as part of another one: a label map of a volume, a licence beside a book, images of an XML file."""

    file: str
    of: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a document or an item comes from. Fields have the column names of the published data sets; unknown values are None.

    source_id      one source *document*: a DOI, PMC id, data set row ("medmcqa:86da0aa9") or case. Splits never cut through it.
    source_locator page, section, figure, slice or line, in words a person can follow ("page 4, Figure 2").
    source_sha256  hash of the file's bytes, or of the row's own bytes if one file holds many documents.
    source_licence SPDX id, "LicenseRef-Hospital", "LicenseRef-Contested" or "LicenseRef-Unknown".
    """

    source_kind: str
    source_id: str
    source_licence: str
    source_locator: str
    source_sha256: str
    source_title: str | None = None
    source_doi: str | None = None
    source_url: str | None = None
    case_id: str | None = None


@dataclass(frozen=True, slots=True)
class Compression:
    """What a finding presses on, narrows or touches, as a report says it.

    structure  one of STRUCTURES.
    contact    "compresses", "narrows", "touches" or "enters" (a fragment in the canal).
    degree     as the report says it: "mild", "moderate", "severe", "marked", "largely", "significant", or None.
    side       as of a Finding.
    root       name of the nerve root ("S1"), if the report names it.
    """

    structure: str
    contact: str = "compresses"
    degree: str | None = None
    side: str | None = None
    root: str | None = None


STRUCTURES = (
    "cord", "conus", "cauda_equina", "thecal_sac", "csf_space", "canal", "lateral_recess", "foramen", "nerve_root",
    "exiting_root", "traversing_root",
)  # fmt: skip
"""What may be pressed on, the spinal cord first."""
CERTAINTIES = ("definite", "probable", "possible", "not_excluded")
"""How sure a report is of a finding; "not_excluded" is what it asks to rule out or cannot rule out."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One planted, graded, labelled or reported finding.

    name         of taxonomy.FINDINGS.
    level        a vertebra ("L1") or disc ("L4/L5"); "" if a report gives none.
    side         "left", "right", "bilateral", "mainly left" or "mainly right" (a report's "more to the left"), or None.
    site         where in the cross-section: "central", "paracentral", "posterolateral", "subarticular", "foraminal" or
                 "extraforaminal", comma-separated if a report gives several; None if unknown.
    compression  what it presses on.
    certainty    one of CERTAINTIES.
    """

    name: str
    level: str
    grade: str | None = None
    value: float | None = None
    unit: str | None = None
    side: str | None = None
    site: str | None = None
    compression: tuple[Compression, ...] = ()
    certainty: str = "definite"

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(**{**record, "compression": tuple(Compression(**entry) for entry in record.get("compression", ()))})


@dataclass(frozen=True, slots=True)
class Figure:
    """An image with what the source says about it.

    label          as numbered in the source, normalised: "Figure 3", "图3-2"; "" if the source gives none.
    context        the paragraphs that cite it, in reading order, whole.
    page           1-based printed-file page, None if the source has no pages.
    image_sha256   of the PNG or JPEG bytes, None if the source names an image that is not there.
    locator        where in the document ("page 4", "sagittal slice 31 of 64").
    image_modality one of schema.IMAGE_MODALITIES, from metadata or classification.
    levels, discs, findings   from image labels (or, after classification, from the caption), never guessed.
    agreement      0–1, how well caption and context agree with each other (figures.py); None before it is scored.
    on_bone        whether ``levels`` were labelled on the vertebrae themselves, not on the cord at their height.
    image          the encoded bytes, only in memory.
    """

    label: str
    caption: str
    context: tuple[str, ...] = ()
    page: int | None = None
    image_sha256: str | None = None
    locator: str = ""
    image_modality: str | None = None
    levels: tuple[str, ...] = ()
    discs: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    agreement: float | None = None
    on_bone: bool = True
    image: bytes | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.image is not None and self.image_sha256 is None:
            object.__setattr__(self, "image_sha256", hashlib.sha256(self.image).hexdigest())

    def map_texts(self, function: Callable[[str], str]) -> Self:
        """Return the figure with ``function`` applied to label, caption and context; see Document.map_texts."""
        label, caption = function(self.label), function(self.caption)
        return dataclasses.replace(self, label=label, caption=caption, context=tuple(map(function, self.context)))

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        values = dict(record)
        values["findings"] = tuple(map(Finding.from_dict, values["findings"]))
        for name in ("context", "levels", "discs"):
            values[name] = tuple(values[name])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A ready-made question with its answer: a question-bank row, or a row of a stage-1 set.

    options        texts without letters, in the source's order; empty for an open question.
    answer         the right option's letter ("B") or, with no options, the answer's text.
    reasoning      explanation or chain of thought, as the source has it.
    read_as        how a table's answer was understood: "letter", "text", "number from 0"; "" if it is no table's.
    """

    question: str
    answer: str
    options: tuple[str, ...] = ()
    reasoning: str | None = None
    read_as: str = ""

    def map_texts(self, function: Callable[[str], str]) -> Self:
        """Return the exchange with ``function`` applied to all its texts; see Document.map_texts."""
        question, answer = function(self.question), function(self.answer)
        options = tuple(map(function, self.options))
        reasoning = None if self.reasoning is None else function(self.reasoning)
        return type(self)(question, answer, options, reasoning, self.read_as)


@dataclass(frozen=True, slots=True)
class Masking:
    """The writing that was masked in an image.

    image   SHA-256 of the original image in the image store; for a DICOM file, its path inside the sources folder.
    boxes   left, top, right, bottom in its pixels.
    """

    image: str
    boxes: tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Deidentification:
    """What was taken out of a hospital document: numbers and places, never the words; for the report of residual risk.

    identifiers  category -> masks in the text.
    tags         DICOM keyword ("private", "overlay" for those) -> elements removed, emptied or replaced.
    words        how many are left in the text; ``known`` of them are in the bundled vocabularies (Latin script only).
    clinical     masked words that are medicine or formed like it.
    other_language   what the text is in if it is neither English nor Chinese: all but medicine was masked.
    """

    identifiers: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    maskings: tuple[Masking, ...] = ()
    words: int = 0
    known: int = 0
    clinical: int = 0
    other_language: str | None = None

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        maskings = tuple(Masking(m["image"], tuple(map(tuple, m["boxes"]))) for m in record["maskings"])
        return cls(**{**record, "maskings": maskings})


@dataclass(frozen=True, slots=True)
class Document:
    """One source document: an article, a chapter, a question, an imaging case, a note.

    ``markdown`` is the whole text in reading order, figures as ``![label](sha256)`` where they stand;
    ``file`` is the path inside the sources folder, for tracing; ``specialty``, ``subfield`` and ``subfield_score`` are
    None until the document is classified; ``deidentification`` is None if there was nothing to de-identify.
    ``known`` is what a private source says beside its texts, as pairs of heading and words ("patient_name", "Hope Field";
    PATH, "ward/Field_Hope.txt"): de-identification masks it in the texts and drops it, so no later step sees it.
    ``ungraded`` names the structures that the labels of an imaging case say nothing of ("spinal canal"; naming.name_structures
    has them all): that nothing is labelled there does not mean that nothing is wrong.
    """

    provenance: Provenance
    language: str
    markdown: str = ""
    figures: tuple[Figure, ...] = ()
    exchange: Exchange | None = None
    findings: tuple[Finding, ...] = ()
    levels: tuple[str, ...] = ()
    discs: tuple[str, ...] = ()
    specialty: str | None = None
    subfield: str | None = None
    subfield_score: float | None = None
    file: str = ""
    deidentification: Deidentification | None = None
    known: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ungraded: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return the source id: one document is one source."""
        return self.provenance.source_id

    def texts(self) -> list[str]:
        """Return each of the document's texts, in the order of map_texts."""
        texts: list[str] = []
        self.map_texts(lambda text: texts.append(text) or text)  # type: ignore[func-returns-value]
        return texts

    def map_texts(self, function: Callable[[str], str]) -> Self:
        """Return the document with ``function`` applied once to each of its texts, always in the same order.

        Its texts are the words of the source: label, caption and context of every figure; question, answer, options and
        reasoning of the exchange; markdown; title. Unchanged, because other records and files are found by them: ids, file
        paths, DOI and URL, hashes, locators and the licence. Unchanged, because they come from our own tables and not the
        source: kind, language, levels, discs, findings, ungraded structures, image modality, specialty and sub-field.
        ``deidentification`` holds numbers and places, never words. Unchanged, too: ``known``, which
        de-identification reads and drops.
        """
        figures = tuple(figure.map_texts(function) for figure in self.figures)
        exchange = self.exchange and self.exchange.map_texts(function)
        markdown = function(self.markdown)
        title = self.provenance.source_title
        provenance = dataclasses.replace(self.provenance, source_title=None if title is None else function(title))
        return dataclasses.replace(self, provenance=provenance, markdown=markdown, figures=figures, exchange=exchange)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready mapping, without image bytes."""
        bare = dataclasses.replace(self, figures=tuple(dataclasses.replace(f, image=None) for f in self.figures))
        record = dataclasses.asdict(bare)
        for figure in record["figures"]:
            del figure["image"]
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        values = dict(record)
        values["provenance"] = Provenance(**values["provenance"])
        values["figures"] = tuple(Figure.from_dict(figure) for figure in values["figures"])
        values["findings"] = tuple(map(Finding.from_dict, values["findings"]))
        if values["exchange"] is not None:
            exchange = values["exchange"]
            values["exchange"] = Exchange(**{**exchange, "options": tuple(exchange["options"])})
        values["levels"] = tuple(values["levels"])
        values["discs"] = tuple(values["discs"])
        if values["deidentification"] is not None:
            values["deidentification"] = Deidentification.from_dict(values["deidentification"])
        values["known"] = tuple(map(tuple, values["known"]))
        values["ungraded"] = tuple(values.get("ungraded", ()))
        return cls(**values)
