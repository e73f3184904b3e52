"""Write the forms of replies as JSON Schemas: what a server is asked to keep to, and what replies.py then reads strictly.

Every field is required and no other is allowed, as servers that enforce a schema want it; what may be missing is null.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dataset_builders.item import LETTERS, Item
from dataset_builders.schema import AXES, IMAGE_MODALITIES, SPECIALTIES
from dataset_builders.taxonomy import REPORT_SECTIONS, SCORED_DIMENSIONS, SUBFIELDS

Schema = dict[str, Any]

PATIENT, EVIDENCE = "treatment_patient", "treatment_evidence"
"""The two halves of a report's section "treatment" as models write it: for the patient, and by evidence."""
SECTIONS_OF_DRAFT = tuple(
    part for name in REPORT_SECTIONS for part in ((PATIENT, EVIDENCE) if name == "treatment" else (name,))
)
FIELDS = {
    "multiple_choice": ("figures", "question", "options", "answer", "explanation", "quotes"),
    "open_ended": ("figures", "question", "answer", "quotes"),
    "consultation": ("turns", "quotes"),
    "report": ("figures", "question", "sections", "rubric", "quotes"),
}
"""Task -> the fields of its record besides task, language and axis."""

_TEXT: Schema = {"type": "string"}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}


def item_form(
    task: str, language: str, figures: Sequence[str], sections: Sequence[str], rubric: Sequence[str], *, one_right: bool = True
) -> Schema:
    """Write the form of one item.

    figures            names of the images shown.
    sections, rubric   parts of a report and of its rubric.
    one_right          whether a multiple-choice question has one right option.
    """
    shown: Schema = {"type": "array", "items": {"enum": list(figures)} if figures else _TEXT, "maxItems": len(figures)}
    turn = form({"role": {"enum": ["user", "assistant"]}, "text": _TEXT, "figures": shown})
    parts: Mapping[str, Schema] = {
        "figures": shown,
        "question": _TEXT,
        "options": {"type": "array", "items": _TEXT},
        "answer": {"enum": list(LETTERS)} if task == "multiple_choice" and one_right else _TEXT,
        "explanation": _TEXT,
        "turns": {"type": "array", "items": turn},
        "sections": form(dict.fromkeys(sections, _TEXT)),
        "rubric": form(dict.fromkeys(rubric, _TEXT)),
        "quotes": {"type": "array", "items": _TEXT},
    }
    head: dict[str, Schema] = {"task": {"enum": [task]}, "language": {"enum": [language]}, "axis": {"enum": [*AXES, None]}}
    return form(head | {name: parts[name] for name in FIELDS[task]})


def draft_form(task: str, language: str, figures: Sequence[str]) -> Schema:
    """Write the form of a reply with drafts."""
    item = item_form(task, language, figures, SECTIONS_OF_DRAFT, tuple(SCORED_DIMENSIONS))
    return form({"items": {"type": "array", "items": item}})


def verdict_form(item: Item, record: Mapping[str, Any], criteria: Sequence[str]) -> Schema:
    """Write the form of a reviser's reply about ``item``, whose form for models is ``record``."""
    figures = [f"F{number}" for number in range(1, len(dict.fromkeys(item.images)) + 1)]
    corrected = item_form(
        item.task,
        item.language,
        figures,
        tuple(record.get("sections", ())),
        tuple(record.get("rubric", ())),
        one_right=len(item.answer or "") == 1,
    )
    verdict = form({"met": {"type": ["boolean", "null"]}, "why": _TEXT})
    return form(
        {
            "reasoning": _TEXT,
            "criteria": form(dict.fromkeys(criteria, verdict)),
            "verdict": {"enum": ["accept", "correct", "reject"]},
            "reason": _TEXT,
            "item": {"anyOf": [corrected, {"type": "null"}]},
        }
    )


def form(properties: Mapping[str, Schema]) -> Schema:
    """Write the form of an object that has exactly these fields."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


FORMS: Mapping[str, Schema | None] = {
    **dict.fromkeys(FIELDS),  # depend on images and language: draft_form
    "verdict": None,  # depends on the item: verdict_form
    "subfield": form(
        {"specialty": {"enum": list(SPECIALTIES)}, "subfield": {"enum": [*SUBFIELDS, None]}, "confidence": _SHARE}
    ),
    "image_use": form({"kind": {"enum": [*IMAGE_MODALITIES, None]}, "no_use": {"type": ["string", "null"]}}),
    "agreement": form({"agreement": _SHARE}),
}
"""The forms that a prompt may name, with the schema of those that depend on nothing."""
