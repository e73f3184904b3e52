"""The stage-1 sets by their own columns: one Document a row, its question and answer with the reasoning as given.

    medical-o1-reasoning-SFT   Question, Complex_CoT, Response
    Medical-R1-Distill-Data    question, reasoning (reasoning_content), response (content)
    MedThoughts-8K             question, options, answer_idx, ds_think, ds_answer
    PubMedVision               image, conversations (or Original_Caption), modality, body_part; images below the file's folder

PubMedVision's Chinese conversations stand in columns of their own; a row with several becomes a Document for each.
"""

import functools
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataset_builders.document import Companion, Document, Exchange, Figure, Reject
from dataset_builders.language import detect_language
from dataset_builders.sources.base import Declared
from dataset_builders.sources.catalogue import describe, load_catalogue
from dataset_builders.sources.markup import IMAGE_SUFFIXES, as_png_or_jpeg
from dataset_builders.sources.rows import BadRow, Row, columns_beside, first_columns, read_rows

_TEXT_SETS = {
    "medical-o1-reasoning-sft": ("Question", "Complex_CoT", "Response"),
    "medical-r1-distill-data": ("question", "reasoning (reasoning_content)", "response (content)"),
    "medthoughts-8k": ("question", "ds_think", "ds_answer"),
}
_CONVERSATIONS = ("conversations", "Alignment_VQA_conversations", "Instruction-Tuning_VQA_conversations")
# PubMedVision's modality names, where one of ours is meant.
_MODALITIES = {
    "Computed Tomography": "ct",
    "Magnetic Resonance Imaging": "mri",
    "X-Ray": "radiograph",
    "Digital Photography": "photograph",
}


def accepts(path: Path, head: bytes) -> bool:
    """Accept a table with the columns of one of the sets, or an image below a PubMedVision file that names it."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return _table_showing(path) is not None
    return _recognise(first_columns(path, head)) is not None


def read(path: Path, declared: Declared) -> Iterator[Document | Companion | Reject]:
    """Yield every row's Documents; a Reject if question or answer is missing. Raises SourceError as rows.read_rows does."""
    name = declared.relative(path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        table = _table_showing(path)
        yield Companion(name, declared.relative(table) if table else "")
        return
    for row in read_rows(path):
        if isinstance(row, BadRow):
            yield Reject(name, row.reason, row.detail, row.where)
        elif (data_set := _recognise(frozenset(row.values))) is None:
            yield Reject(name, "unknown_columns", f"the columns {sorted(row.values)[:8]} are not of this set", row.where)
        elif data_set == "pubmedvision":
            yield from _read_images_row(row, path, declared)
        else:
            yield _read_text_row(row, data_set, path, declared)


def _recognise(columns: frozenset[str]) -> str | None:
    for data_set, needed in _TEXT_SETS.items():
        if set(needed) <= columns:
            return data_set
    if "image" in columns and (columns & set(_CONVERSATIONS) or "Original_Caption" in columns):
        return "pubmedvision"
    return None


def _read_text_row(row: Row, data_set: str, path: Path, declared: Declared) -> Document | Reject:
    question, reasoning, answer = (str(row.values.get(column) or "").strip() for column in _TEXT_SETS[data_set])
    if not question or not answer:
        missing = "no_question" if not question else "no_answer"
        return Reject(declared.relative(path), missing, "the row needs a question and an answer", row.where)
    if data_set == "medthoughts-8k" and row.values.get("options"):
        options = row.values["options"]
        if isinstance(options, dict):
            options = "\n".join(f"{letter}. {text}" for letter, text in options.items())
        question = f"{question}\n{options}"
    row_id = row.values.get("question_id") or row.values.get("id") or f"{row.number}-{row.sha256[:8]}"
    return _document(row, data_set, str(row_id), path, declared, Exchange(question, answer, (), reasoning or None))


def _read_images_row(row: Row, path: Path, declared: Declared) -> Iterator[Document | Reject]:
    """An image row's conversations, or its caption where it has none; names of missing images become Rejects."""
    images = row.values["image"] if isinstance(row.values["image"], list) else [row.values["image"]]
    caption = " ".join(str(row.values.get("Original_Caption") or "").split())
    figures = []
    for image in images:
        data = _read_image(path.parent, str(image), declared)
        modality = _MODALITIES.get(str(row.values.get("modality")))
        figures.append(Figure("", caption, locator=Path(str(image)).name, image_modality=modality, image=data))
        if data is None:
            yield Reject(declared.relative(path), "image_missing", f"{image} is not below this folder", f"{row.where} {image}")
    row_id = str(row.values.get("id") or f"{row.number}-{row.sha256[:8]}")
    exchanges = [e for column in _CONVERSATIONS for e in _pairs(row.values.get(column))]
    if not exchanges and not caption:
        yield Reject(declared.relative(path), "no_answer", "the row has neither conversation nor caption", row.where)
    for number, exchange in enumerate(exchanges, 1):
        suffix = f"/{number}" if len(exchanges) > 1 else ""
        yield _document(row, "pubmedvision", row_id + suffix, path, declared, exchange, tuple(figures))
    if not exchanges and caption:
        yield _document(row, "pubmedvision", row_id, path, declared, None, tuple(figures), caption)


def _pairs(conversation: Any) -> list[Exchange]:
    """Question and answer of every two turns ({"from": "human" | "gpt", "value": …}); image marks are left out."""
    turns = [turn for turn in conversation or [] if isinstance(turn, dict)]
    pairs = []
    for question, answer in itertools.pairwise(turns):
        if question.get("from") in ("human", "user") and answer.get("from") in ("gpt", "assistant"):
            text = re.sub(r"<image>\s*", "", str(question.get("value") or "")).strip()
            if text and (reply := str(answer.get("value") or "").strip()):
                pairs.append(Exchange(text, reply))
    return pairs


def _document(
    row: Row,
    data_set: str,
    row_id: str,
    path: Path,
    declared: Declared,
    exchange: Exchange | None,
    figures: tuple[Figure, ...] = (),
    text: str = "",
) -> Document:
    if exchange:
        text = "\n\n".join(part for part in (exchange.question, exchange.reasoning, exchange.answer) if part)
    provenance = describe(
        load_catalogue()[data_set],
        declared,
        f"{declared.id or data_set}:{row_id}",
        f"{declared.relative(path)} {row.where}",
        row.sha256,
        "general_medical",
    )
    return Document(provenance, detect_language(text), text, figures, exchange, known=columns_beside(row.values))


def _read_image(folder: Path, name: str, declared: Declared) -> bytes | None:
    """The image at the relative path ``name`` below ``folder``; None where it is missing, elsewhere or no image."""
    path = folder / name
    inside = path.resolve().is_relative_to(folder.resolve()) and declared.takes(path)
    return as_png_or_jpeg(path.read_bytes()) if inside and path.is_file() else None


def _table_showing(image: Path) -> Path | None:
    """The PubMedVision file one or two folders above an image that names it."""
    for folder in image.parents[:3]:
        if table := _images_of(folder).get(image.relative_to(folder).as_posix()):
            return table
    return None


@functools.lru_cache(maxsize=8)
def _images_of(folder: Path) -> dict[str, Path]:
    """Every image that a PubMedVision file of the folder names, by its path relative to the folder."""
    shown: dict[str, Path] = {}
    for path in sorted(p for p in folder.glob("*.json*") if p.is_file()):
        if _recognise(first_columns(path, b"{")) != "pubmedvision":
            continue
        for row in read_rows(path):
            if isinstance(row, Row):
                names = row.values.get("image")
                shown.update({str(name): path for name in (names if isinstance(names, list) else [names])})
    return shown
