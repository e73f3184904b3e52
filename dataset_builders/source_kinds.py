"""Define the source kinds: the one table of what is true of a kind, whatever file format it comes in.

Read by intake (folders), de-identification (is_private), models (model_class), checks (is_as_written) and the schema. The code
that drafts a kind is in generate/rules (DRAFTERS); a test checks that every kind of this table has its entry there.

Hospital is where it lies: ``kind_of_parts`` says what the folders of a path make of the files in it, and a folder that names a
hospital or its patients decides, whatever stands above or below it.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from dataset_builders.licences import HOSPITAL, UNKNOWN

MODEL_CLASSES = ("external", "open_data", "hospital", "questions")
"""Classes of source that a models.yaml names a model for; its roles are "draft.external", "classifier.questions", …"""


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of source.

    folders        names of folders whose files are of this kind unless declared otherwise; `fetch` writes to the first.
    model_class    one of MODEL_CLASSES. "hospital" goes to trusted endpoints only; "questions" is labelled, but never drafted.
    is_prose       whether it is running text for readers: Markdown files of such a kind are books and articles, not notes.
    is_as_written  whether its questions are an examiner's own: never reworded, and never searched for give-aways.
    licence        the licence assumed for a source that states none.
    """

    name: str
    folders: tuple[str, ...]
    model_class: str
    is_prose: bool = False
    is_as_written: bool = False
    licence: str = UNKNOWN

    @property
    def is_private(self) -> bool:
        """Whether its texts and images are patients': masked before use, sent to trusted endpoints only, never published."""
        return self.model_class == "hospital"


class UnknownKind(ValueError):
    """A source kind has no entry in KINDS; the message names both."""


KINDS = {
    kind.name: kind
    for kind in (
        SourceKind("textbook", ("textbooks",), "external", is_prose=True),
        SourceKind("guideline", ("guidelines",), "external", is_prose=True),
        SourceKind("consensus", ("consensus",), "external", is_prose=True),
        SourceKind("article", ("articles",), "external", is_prose=True),
        SourceKind("question_bank", ("question_banks",), "questions", is_as_written=True),
        SourceKind("open_dataset", ("imaging", "open_datasets"), "open_data"),
        SourceKind("case_report", ("case_reports",), "external", is_prose=True),
        SourceKind("hospital_case", ("hospital",), "hospital", licence=HOSPITAL),
        SourceKind("general_medical", ("general_medical",), "questions", is_as_written=True),
    )
}
"""Every source kind by name, in the order of cards and documents."""

KIND_OF_FOLDER = {folder: kind.name for kind in KINDS.values() for folder in kind.folders}

HOSPITAL_CASE = "hospital_case"
"""The kind of whatever lies below a hospital's folder, and of whatever lies in no folder that names a kind."""

HOSPITAL_WORDS = frozenset((
    "hospital", "hospitals", "hosp", "clinic", "clinics", "klinik", "kliniken", "klinikum", "krankenhaus", "infirmary",
    "polyclinic", "hospice", "patient", "patients", "patienten", "inpatient", "inpatients", "outpatient", "outpatients",
    "ward", "wards", "admission", "admissions", "discharge", "discharges", "emr", "ehr", "pacs", "mrn",
))  # fmt: skip
"""Words of a folder's name, case-folded, that make what lies below it a hospital's."""

HOSPITAL_SIGNS = (
    "医院", "醫院", "卫生院", "诊所", "診所", "门诊", "門診", "住院", "病区", "病房",
    "患者", "病人", "病患", "病例", "病历", "病歷", "病案", "医疗记录",
)  # fmt: skip
"""The same in Chinese, anywhere in the name."""

_GENERIC_WORDS = frozenset((
    "a", "all", "and", "archive", "case", "cases", "data", "dataset", "export", "exports", "file", "files", "folder", "image",
    "images", "imaging", "new", "note", "notes", "old", "record", "records", "report", "reports", "scan", "scans", "source",
    "sources", "the",
))  # fmt: skip
_PUBLISHED_CASES = ("病例报告", "病例報告", "病例报道")  # case reports: literature


def names_hospital(folder: str) -> bool:
    """Tell whether a folder below the sources is called after a hospital or its patients ("Hospital", "patient_007", "XX医院").

    Case, width and compatibility forms do not matter (Unicode NFKC, case folding); a word counts between anything but letters.
    """
    name = _fold(folder)
    return _holds_sign(name) or not HOSPITAL_WORDS.isdisjoint(re.findall(r"[^\W\d_]+", name))


def is_inside_hospital(folders: Sequence[str]) -> bool:
    """Tell whether the sources folder or one above it (``folders``) is a hospital's.

    Such folders hold more than sources: a project "hospital-llm" is no hospital. Names count that say nothing else ("Hospital
    2024", "patient_records"), that hold the word between blanks ("City Hospital") or a Chinese one ("XX医院").
    """
    return any(map(_is_hospital_above, map(_fold, folders)))


def kind_of_parts(parts: Sequence[str]) -> str | None:
    """Return the kind that the folders ``parts``, outermost first, give to a file in the last of them; None if none names one.

    A hospital's folder decides wherever it stands; else the innermost folder of KIND_OF_FOLDER does.
    """
    if any(map(names_hospital, parts)):
        return HOSPITAL_CASE
    return next((KIND_OF_FOLDER[name] for part in reversed(parts) if (name := _fold(part)) in KIND_OF_FOLDER), None)


def find_kind(name: str) -> SourceKind:
    """Return the entry of the kind ``name``. Raises UnknownKind if it has none."""
    if name not in KINDS:
        raise UnknownKind(
            f"source kind {name!r} has no entry in KINDS of dataset_builders/source_kinds.py: add one, or declare one of "
            f"{', '.join(KINDS)}"
        )
    return KINDS[name]


def _fold(folder: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folder).casefold()).strip()


def _is_hospital_above(name: str) -> bool:
    words = set(re.findall(r"[^\W\d_]+", name))
    between_blanks = {word.strip("0123456789_-.,()[]") for word in name.split()}
    says_only_that = bool(words & HOSPITAL_WORDS) and words <= HOSPITAL_WORDS | _GENERIC_WORDS
    return says_only_that or _holds_sign(name) or not HOSPITAL_WORDS.isdisjoint(between_blanks)


def _holds_sign(name: str) -> bool:
    for published in _PUBLISHED_CASES:
        name = name.replace(published, "")
    return any(sign in name for sign in HOSPITAL_SIGNS)
