"""Documents that models draft from, and items as models write them."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from dataset_builders.document import Document, Exchange, Figure, Provenance

PNG = b"\x89PNG\r\n\x1a\n image"


CHOICE = {
    "task": "multiple_choice", "language": "en", "axis": "level_identification", "figures": [],
    "question": "At which disc do lumbar herniations occur most often besides the lowest one?",
    "options": ["L2/L3", "L3/L4", "L4/L5", "T12/L1"], "answer": "C", "explanation": "It bears most of the load.",
    "quotes": ["The L4/L5 disc bears most of the load of the trunk and degenerates early"],
}  # fmt: skip


OPEN = {
    "task": "open_ended", "language": "zh", "axis": None, "figures": ["F1"],
    "question": "该图显示了什么？", "answer": "显示腰椎间盘突出。",
    "quotes": ["The L4/L5 disc bears most of the load of the trunk"],
}  # fmt: skip


TALK = [
    {"role": "user", "text": "What do these images show?", "figures": ["F1", "F2"]},
    {"role": "assistant", "text": "L4/L5 carries the label disc herniation.", "figures": []},
    {"role": "user", "text": "And what can be done?", "figures": []},
    {"role": "assistant", "text": "That is decided with your doctor.", "figures": []},
]


CONSULTATION = {"task": "consultation", "language": "en", "axis": "pathology_assessment", "turns": TALK}
CONSULTATION["quotes"] = ["disc herniation at L4/L5"]


def form_of(request: dict) -> dict[str, Any]:
    """The JSON Schema that a request asks the reply to follow."""
    return request["response_format"]["json_schema"]["schema"]


def asked_for(request: dict) -> tuple[str, str]:
    """Task and language of the drafts that a request asks for."""
    fields = form_of(request)["properties"]["items"]["items"]["properties"]
    return fields["task"]["enum"][0], fields["language"]["enum"][0]


def drafts(*records: dict) -> Callable[[dict], str]:
    """An answer with those of the records that the prompt asks for."""
    return lambda request: json.dumps(
        {"items": [record for record in records if (record["task"], record["language"]) == asked_for(request)]}
    )


def verdict(decision: str = "accept", item: dict | None = None, failed: Sequence[str] = (), **changes: Any) -> Callable:
    """An answer of a reviser that finds every criterion met but those in ``failed``."""

    def answer(request: dict) -> str:
        names = form_of(request)["properties"]["criteria"]["required"]
        criteria = {name: {"met": name not in failed, "why": "The source says so."} for name in names}
        reply = {
            "reasoning": "L4/L5 bears the load; hence C.", "criteria": criteria, "verdict": decision, "reason": "as it is",
            "item": item,
        }  # fmt: skip
        return json.dumps({**reply, **changes})

    return answer


def make_document(kind="textbook", markdown="", figures=(), **values) -> Document:
    provenance = Provenance(kind, "book:1", "CC-BY-4.0", "book.pdf", "0" * 64, source_title="Spines")
    markdown = markdown or "# Discs\n\nThe L4/L5 disc bears most of the load of the trunk and degenerates early (Figure 1)."
    return Document(provenance, "en", markdown, figures, specialty="spine", **values)


def make_figures(count=1) -> tuple[Figure, ...]:
    context = ("The L4/L5 disc bears most of the load of the trunk and degenerates early (Figure 1).",)
    return tuple(
        Figure(
            f"Figure {n}",
            "A disc.",
            context,
            image=PNG + b"%d" % n,
            image_modality="mri",
            levels=("L4", "L5"),
            discs=("L4/L5",),
        )
        for n in range(1, count + 1)
    )


def images(document: Document) -> Callable[[str], bytes]:
    return {figure.image_sha256: figure.image for figure in document.figures}.__getitem__


def make_bank() -> Document:
    return make_document("question_bank", exchange=Exchange("Which is the axis?", "B", ("C1", "C2")))
