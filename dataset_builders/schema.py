"""Define the two published schemas: the only contract between builders, training and evaluation.

    spinemed-450k   messages + images, one row an instruction      (spinemed_features)
    spinebench      question + options + answer + rubric + images  (spinebench_features), tasks as BENCHMARK_TASKS says

COLUMNS explains every column in a sentence; cards.py prints it. An unknown value is null, never a guess.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataset_builders.source_kinds import KINDS

if TYPE_CHECKING:
    from datasets import Features

TASKS = ("multiple_choice", "open_ended", "consultation", "report")
LANGUAGES = ("en", "zh")
MODALITIES = ("text", "image_text")
SOURCE_KINDS = tuple(KINDS)
PRIVATE_KINDS = tuple(kind.name for kind in KINDS.values() if kind.is_private)
"""Source kinds whose rows may be sent to trusted endpoints only."""
SPECIALTIES = ("spine", "orthopaedics", "general")
AXES = ("level_identification", "pathology_assessment", "surgical_planning")
IMAGE_MODALITIES = ("radiograph", "ct", "mri", "diagram", "intraoperative", "photograph", "table", "other")
REVIEW_STATUSES = ("unreviewed", "accepted", "corrected", "removed")


@dataclass(frozen=True, slots=True)
class BenchmarkTask:
    """How SpineBench samples, asks and scores one task.

    name         one of TASKS.
    title        what its items are called on the card and the score page.
    most         the most items that the benchmark takes.
    has_options  whether a row has options and `answer` is the letters of the right ones; if not, `answer` is a reference text.
    metric       one of evaluation.benchmark.METRICS: "accuracy" (right or wrong, for tasks with options; 0 or 100) or "judge"
                 (the scored dimensions of taxonomy.py; 20-100).
    prompt       name of the prompt in evaluation/prompts; with options, "<prompt>_likelihood" is its form for likelihoods.
    parts        modality -> (name, title) of the part of the weighted total that its items count for.
    """

    name: str
    title: str
    most: int
    has_options: bool
    metric: str
    prompt: str
    parts: Mapping[str, tuple[str, str]]


# Most items: the paper's 500 multiple choice questions and 100 reports. Parts: the paper's three tasks.
BENCHMARK_TASKS = {
    task.name: task
    for task in (
        BenchmarkTask(
            name="multiple_choice",
            title="multiple choice",
            most=500,
            has_options=True,
            metric="accuracy",
            prompt="multiple_choice",
            parts={
                "text": ("text_mcq", "Text multiple choice"),
                "image_text": ("image_mcq", "Image-text multiple choice"),
            },
        ),
        BenchmarkTask(
            name="report",
            title="diagnostic reports",
            most=100,
            has_options=False,
            metric="judge",
            prompt="report",
            parts=dict.fromkeys(MODALITIES, ("report", "Report score (P3, 20-100)")),
        ),
    )
}
"""Every task of SpineBench by name: the split, the card, the harness and the total all read this table."""


def find_benchmark_task(name: str) -> BenchmarkTask:
    """Return the entry of the task ``name``. Raises ValueError naming the table and the missing entry."""
    if name not in BENCHMARK_TASKS:
        raise ValueError(
            f"task {name!r} has no entry in BENCHMARK_TASKS of dataset_builders/schema.py; it has {', '.join(BENCHMARK_TASKS)}"
        )
    return BENCHMARK_TASKS[name]


COLUMNS = {
    "id": "Stable id: task, then a hash of what it was made from. `python -m dataset_builders trace ID` prints its lineage.",
    "task": f"What is asked: {', '.join(TASKS)}.",
    "language": "Language of question and answer: en or zh.",
    "modality": "text, or image_text where at least one image is shown.",
    "messages": "The conversation, user first: role and content parts; an image part stands for the next entry of `images`.",
    "images": "The images, embedded, in the order of the image parts.",
    "question": "The question or report prompt, without options.",
    "options": "Option texts without letters, in the order A, B, C …; empty where the task has none.",
    "answer": "multiple_choice: the right option's letter. report: the reference report. Else null; in SpineBench a reference.",
    "rubric": "report: scored dimension and what a full score needs, a line each; empty for other tasks.",
    "context": "Paragraphs of the source that the row was made from, or image labels as sentences; empty for bank questions.",
    "evidence": "Spans of `context` that the row rests on: paragraph (from 0), start and end in characters.",
    "checks": "Criteria that the row was held to, id@version, in order (dataset_builders/generate/criteria).",
    "axis": f"Evaluation axis: {', '.join(AXES)}; null where none fits.",
    "levels": "Vertebrae the row is about (C1–C7, T1–T13, L1–L6, S1–S5, Co), head to tail, parsed or from image labels.",
    "discs": "Discs the row is about, upper/lower (L4/L5), head to tail.",
    "specialty": "spine, orthopaedics (not spine) or general (other medicine; stage 1 only).",
    "subfield": "One of the sub-fields of taxonomy.py; null where no term of any was found.",
    "subfield_score": "Score of that sub-field in 0–1; a threshold is the reader's to choose.",
    "image_modality": f"Kind of the first image: {', '.join(IMAGE_MODALITIES)}; null for text rows.",
    "agreement": "0–1 agreement of caption and citing paragraphs (Picture Context Matching); null without a captioned figure.",
    "source_kind": f"Kind of source: {', '.join(SOURCE_KINDS)}.",
    "source_id": "One source document (DOI, PMC id, data set row, case). No id is both in SpineMed train and in SpineBench.",
    "source_title": "Title as the source gives it.",
    "source_doi": "DOI of the source.",
    "source_url": "Address of the source.",
    "source_licence": "SPDX id; LicenseRef-Hospital, LicenseRef-Unknown and LicenseRef-Contested are never published.",
    "source_locator": "Page, section, figure, slice or line the row was made from.",
    "source_sha256": "SHA-256 of the source file, or of the row's own bytes where one file holds many documents.",
    "case_id": "Patient case, pseudonymous; null where the source is not a case.",
    "draft_model": "Who drafted: a served model's name, or rules/<version> for the embedded rule-based generator.",
    "revise_model": "Who revised the draft.",
    "prompt_id": "Versioned prompt or rule.",
    "prompt_sha256": "SHA-256 of that prompt's or rule's text.",
    "generation_id": "Key of the generating call in the build's log.",
    "review_status": f"{', '.join(REVIEW_STATUSES[:3])} (removed rows are not published).",
    "review_group": "Group of clinicians that reviewed the row.",
    "review_verdict": "Their verdict in words.",
    "reviewed_at": "ISO date of the verdict.",
}

_PROVENANCE = (
    "source_kind",
    "source_id",
    "source_title",
    "source_doi",
    "source_url",
    "source_licence",
    "source_locator",
    "source_sha256",
    "case_id",
    "draft_model",
    "revise_model",
    "prompt_id",
    "prompt_sha256",
    "generation_id",
    "review_status",
    "review_group",
    "review_verdict",
    "reviewed_at",
)


@functools.cache
def spinemed_features() -> "Features":
    """Return the columns of spinemed-450k and their types."""
    from datasets import Features, Image, List, Value  # nearly a second to import, and every command imports this module

    return Features(
        {
            **_strings("id", "task", "language", "modality"),
            "messages": List({"role": Value("string"), "content": List({"type": Value("string"), "text": Value("string")})}),
            "images": List(Image()),
            "options": List(Value("string")),
            "answer": Value("string"),
            **_classification_and_provenance(),
        }
    )


@functools.cache
def spinebench_features() -> "Features":
    """Return the columns of spinebench and their types."""
    from datasets import Features, Image, List, Value

    return Features(
        {
            **_strings("id", "task", "language", "modality"),
            "question": Value("string"),
            "images": List(Image()),
            "options": List(Value("string")),
            "answer": Value("string"),
            "rubric": List({"dimension": Value("string"), "criterion": Value("string")}),
            **_classification_and_provenance(),
        }
    )


def _classification_and_provenance() -> dict[str, Any]:
    from datasets import List, Value

    classification = {
        "context": List(Value("string")),
        "evidence": List({"paragraph": Value("int32"), "start": Value("int32"), "end": Value("int32")}),
        "checks": List(Value("string")),
        "axis": Value("string"),
        "levels": List(Value("string")),
        "discs": List(Value("string")),
        "specialty": Value("string"),
        "subfield": Value("string"),
        "subfield_score": Value("float32"),
        "image_modality": Value("string"),
        "agreement": Value("float32"),
    }
    return classification | _strings(*_PROVENANCE)


def _strings(*names: str) -> dict[str, Any]:
    from datasets import Value

    return {name: Value("string") for name in names}
