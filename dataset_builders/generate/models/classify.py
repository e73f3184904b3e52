"""Label documents by models: sub-field and use of images (role ``classifier``), agreement of caption and context (``filter``).

Both roles name an endpoint a class of source (models.example.yaml); a class left out keeps the embedded answers: the
weighted terms of classify/, the lexical agreement of figures/. An answer is held to the taxonomy; if a model gives none
that can be used, the embedded one stands with its score, and a Reject says so ("classifier_<reason>",
"filter_<reason>"): the document itself stays.

    classifier   a call a document   sub-field, with the model's own confidence as ``subfield_score``
                 a call an image      kind and use, if no metadata gave the kind
    filter       a call a figure     ``agreement`` of the image's caption with the paragraphs that cite it

A score is a column to choose by, never a filter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from dataset_builders.classify import (
    NO_USE,
    classify_document,
    document_text,
    relevant_figures,
    why_irrelevant,
)
from dataset_builders.document import Document, Figure, Reject
from dataset_builders.generate.models.ask import Answer, Question, ask, content_of, delimit
from dataset_builders.generate.models.forms import FORMS
from dataset_builders.generate.models.prompts import load_prompts
from dataset_builders.generate.models.replies import BadReply, read_object
from dataset_builders.schema import IMAGE_MODALITIES, SPECIALTIES
from dataset_builders.source_kinds import UnknownKind, find_kind
from dataset_builders.taxonomy import SUBFIELDS
from modeling.chat_client import ChatClient

T = TypeVar("T")

ROLES = ("classifier", "filter")
TEXT_CHARACTERS = 6_000
"""A document's share of a call: title, abstract and introduction say what it is about."""


@dataclass(frozen=True, slots=True)
class _Asker:
    """One role's model and what its calls share."""

    role: str
    client: ChatClient
    private: bool

    def ask(self, name: str, content: list[dict[str, Any]], read: Callable[[str], T], **values: str) -> Answer[T] | str:
        prompt = load_prompts().named(name)
        question = Question(
            self.client, prompt, prompt.fill(**values), content, FORMS[prompt.schema] or {"type": "object"}, self.private
        )
        return ask(question, read)


def classify_by_models(
    clients: Mapping[str, ChatClient], document: Document, image_of: Callable[[str], bytes]
) -> tuple[Document, list[Reject]]:
    """Label a document by the embedded rules and, over them, by the models for its class of source.

    image_of   gives an image's encoded bytes by SHA-256; raises FileNotFoundError.

    Returns the document without images that are of no use, and a Reject for each of those and for each unusable answer. A
    source kind without an entry in source_kinds.KINDS keeps the embedded labels, with a Reject "unknown_source_kind".
    """
    try:
        kind = find_kind(document.provenance.source_kind)
    except UnknownKind as error:
        labelled, left = relevant_figures(classify_document(document, image_of))
        return labelled, [Reject(document.id, "unknown_source_kind", str(error)), *left]
    source_class = kind.model_class
    askers = {
        role: _Asker(role, clients[f"{role}.{source_class}"], kind.is_private)
        for role in ROLES
        if f"{role}.{source_class}" in clients
    }
    labelled, rejects = classify_document(document, image_of), list[Reject]()
    uses: dict[Figure, str] = {}
    if asker := askers.get("classifier"):
        if document.subfield is None:
            labelled = _collect(_ask_subfield(asker, labelled), labelled, rejects)
        figures = []
        for before, figure in zip(document.figures, labelled.figures, strict=True):
            answer = _ask_image(asker, labelled, figure, image_of) if before.image_modality is None else None
            if isinstance(answer, Reject):
                rejects.append(answer)
            elif answer:
                figure, uses[answer[0]] = answer
            figures.append(figure)
        labelled = replace(labelled, figures=tuple(figures))
    kept, left = relevant_figures(labelled, lambda figure: uses[figure] if figure in uses else why_irrelevant(figure))
    if asker := askers.get("filter"):
        agreed = [(figure, _ask_agreement(asker, kept, figure, image_of)) for figure in kept.figures]
        kept = replace(kept, figures=tuple(_collect(answer, figure, rejects) for figure, answer in agreed))
    return kept, [*rejects, *left]


def _ask_subfield(asker: _Asker, document: Document) -> Document | Reject:
    text = document_text(document)[:TEXT_CHARACTERS]
    if not text.strip():
        return document
    content = content_of(delimit("source", text), (), _no_image)
    answered = asker.ask("classify_text", content, _read_subfield, subfields=_subfield_lines())
    if isinstance(answered, str):
        return _unusable(asker, document, answered)
    specialty, subfield, confidence = answered.value
    return replace(document, specialty=specialty, subfield=subfield, subfield_score=confidence if subfield else None)


def _ask_image(
    asker: _Asker, document: Document, figure: Figure, image_of: Callable[[str], bytes]
) -> tuple[Figure, str] | Reject | None:
    """The figure with its kind, and why it is of no use; None if there is no image to show."""
    if not figure.image_sha256:
        return None
    try:
        content = content_of("One image.", [figure], image_of)
    except (FileNotFoundError, ValueError) as error:
        return _unusable(asker, document, f"no_image: {error}", figure)
    answered = asker.ask("classify_image", content, _read_image, kinds=", ".join(IMAGE_MODALITIES))
    if isinstance(answered, str):
        return _unusable(asker, document, answered, figure)
    kind, use = answered.value
    return replace(figure, image_modality=kind or figure.image_modality), use


def _ask_agreement(asker: _Asker, document: Document, figure: Figure, image_of: Callable[[str], bytes]) -> Figure | Reject:
    """The figure with the model's agreement; as it is if caption, context or image is missing."""
    if not (figure.caption and figure.context and figure.image_sha256):
        return figure
    text = delimit("context", "\n\n".join(figure.context)[:TEXT_CHARACTERS])
    try:
        content = content_of(text, [figure], image_of)
    except (FileNotFoundError, ValueError) as error:
        return _unusable(asker, document, f"no_image: {error}", figure)
    answered = asker.ask("filter_context", content, _read_agreement)
    if isinstance(answered, str):
        return _unusable(asker, document, answered, figure)
    return replace(figure, agreement=answered.value)


def _read_subfield(text: str) -> tuple[str, str | None, float]:
    value = read_object(text)
    if set(value) != {"specialty", "subfield", "confidence"}:
        raise BadReply("needs specialty, subfield and confidence, nothing else")
    specialty, subfield = value["specialty"], value["subfield"]
    if not isinstance(specialty, str) or specialty not in SPECIALTIES:
        raise BadReply(f"specialty is none of {', '.join(SPECIALTIES)}")
    if subfield is not None and not (isinstance(subfield, str) and subfield in SUBFIELDS):
        raise BadReply("subfield is none of the list, nor null")
    if subfield is not None and SUBFIELDS[subfield].specialty != specialty:
        raise BadReply("subfield is not one of that specialty")
    return specialty, subfield, _read_share(value["confidence"])


def _read_image(text: str) -> tuple[str | None, str]:
    value = read_object(text)
    if set(value) != {"kind", "no_use"}:
        raise BadReply("needs kind and no_use, nothing else")
    kind, use = value["kind"], value["no_use"] or ""
    if kind is not None and not (isinstance(kind, str) and kind in IMAGE_MODALITIES):
        raise BadReply("kind is none of the list, nor null")
    if not isinstance(use, str) or use not in ("", *NO_USE):
        raise BadReply("no_use is none of the list, nor null")
    return kind, use


def _read_agreement(text: str) -> float:
    value = read_object(text)
    if set(value) != {"agreement"}:
        raise BadReply("needs the one key 'agreement'")
    return _read_share(value["agreement"])


def _read_share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BadReply("a score is no number from 0 to 1")
    return round(float(value), 4)


def _collect(answer: T | Reject, embedded: T, rejects: list[Reject]) -> T:
    """The answer; if it is a Reject, that is kept and the embedded label stands."""
    if isinstance(answer, Reject):
        rejects.append(answer)
        return embedded
    return answer


def _unusable(asker: _Asker, document: Document, problem: str, figure: Figure | None = None) -> Reject:
    where = " ".join(filter(None, (figure.label, figure.locator))) if figure else ""
    slug = problem.partition(":")[0]
    return Reject(document.id, f"{asker.role}_{slug}", f"{problem}; the embedded answer stands", where)


def _subfield_lines() -> str:
    fields = SUBFIELDS.values()
    return "\n".join(f"- {field.name} ({field.specialty}): {field.en} / {field.zh}. {field.definition}" for field in fields)


def _no_image(sha256: str) -> bytes:
    raise FileNotFoundError(sha256)
