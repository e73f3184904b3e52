"""Define the source kinds: the one table of what is true of a kind, whatever file format it comes in.

Read by intake (folders), de-identification (is_private), models (model_class), checks (is_as_written) and the schema. The code
that drafts a kind is in generate/rules (DRAFTERS); a test checks that every kind of this table has its entry there.
"""

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


def find_kind(name: str) -> SourceKind:
    """Return the entry of the kind ``name``. Raises UnknownKind if it has none."""
    if name not in KINDS:
        raise UnknownKind(
            f"source kind {name!r} has no entry in KINDS of dataset_builders/source_kinds.py: add one, or declare one of "
            f"{', '.join(KINDS)}"
        )
    return KINDS[name]
