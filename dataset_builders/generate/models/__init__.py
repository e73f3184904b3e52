"""Drafting and revising by models, one role a stage and a class of source (models.example.yaml).

    external   textbooks, guidelines, consensus, articles, case reports: a call a passage, English and Chinese
    open_data  labelled imaging: a call a case
    hospital   de-identified cases: a call a case, private: only to a trusted endpoint (modeling.chat_client)

Question banks and stage-1 sets are ready-made questions, and a class without a model is written by the embedded rules.
What a document says is data: it is delimited, and a reply is only ever read as strict JSON (replies.py).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dataset_builders.document import Document, Figure, Reject
from dataset_builders.generate.checks import revise_by_rules
from dataset_builders.generate.items import hash_of, rules_version
from dataset_builders.generate.models.ask import CLASS_OF_KIND, PROMPTS, Prompt, ask, content_of, delimit, load_prompt
from dataset_builders.generate.models.label import ROLES, classify_by_models, labels_version
from dataset_builders.generate.models.replies import BadReply, read_items, read_object, to_item, to_record
from dataset_builders.generate.rules import draft as draft_by_rules
from dataset_builders.generate.rules.naming import state_finding
from dataset_builders.generate.rules.passages import sections
from dataset_builders.item import Generation, Item
from dataset_builders.source_kinds import MODEL_CLASSES
from modeling.chat_client import ChatClient, is_trusted, load_chat_clients

PASSAGE_CHARACTERS = 6_000
"""A call's share of a long text: about 1,500 English tokens, whole sections where they fit."""
MAX_PASSAGES = 200
MAX_PICTURES = 4
ITEMS_A_CALL = {"external": 6, "open_data": 2, "hospital": 5}

_TASKS = {
    "external": ("multiple_choice", "open_ended"),
    "open_data": ("consultation",),
    "hospital": ("multiple_choice", "consultation", "report"),
}


@dataclass(frozen=True, slots=True)
class Models:
    """A generator (see generate.Generator) that asks a model for each stage and class of source. Pickles."""

    clients: Mapping[str, ChatClient]

    @property
    def name(self) -> str:
        """Models, prompts and rules in one hash, with the models' names before it."""
        models = {role: client.endpoint.model for role, client in self.clients.items() if role.startswith(("draft", "revise"))}
        prompts = {path.name: load_prompt(path.stem).sha256 for path in sorted(PROMPTS.glob("*.md"))}
        return f"{'+'.join(sorted(set(models.values())))}+{hash_of([models, prompts, rules_version()])[:12]}"

    @property
    def labels(self) -> str:
        """The embedded classifier's version and, where roles name any, the labelling models."""
        return labels_version(self.clients)

    @property
    def code(self) -> Mapping[str, tuple[str, ...]]:
        return {"classified": ("generate.models.label",), "drafts": ("generate.models",), "revised": ("generate.models",)}

    def classify(self, document: Document, image_of: Callable[[str], bytes]) -> Iterator[Document | Reject]:
        """The document with sub-field, levels, image kinds and agreement, after its useless images as Rejects (label.py)."""
        labelled, rejects = classify_by_models(self.clients, document, image_of)
        yield from rejects
        yield labelled

    def draft(self, document: Document, image_of: Callable[[str], bytes]) -> Iterator[Item | Reject]:
        """Items of one document; a passage whose replies stay unusable is a Reject with "draft_<reason>"."""
        source_class = CLASS_OF_KIND.get(document.provenance.source_kind)
        client = self.clients.get(f"draft.{source_class}")
        if source_class is None or client is None or document.exchange is not None:
            yield from draft_by_rules(document)
            return
        prompt = load_prompt(f"draft_{source_class}@1")
        for place, text, figures in _passages(document, source_class):
            yield from _draft_passage(client, prompt, source_class, document, place, text, figures, image_of)

    def revise(self, item: Item, image_of: Callable[[str], bytes]) -> Item | Reject:
        """The model's verdict on a draft, then the rules' checks on whatever it let through."""
        source_class = CLASS_OF_KIND.get(item.provenance.source_kind)
        client = self.clients.get(f"revise.{source_class}")
        if client is None or source_class is None:
            return revise_by_rules(item, image_of)
        revised = _revise(client, item, private=source_class == "hospital", image_of=image_of)
        return revised if isinstance(revised, Reject) else revise_by_rules(revised, image_of)


def load_models(path: Path) -> Models:
    """The generator of a models.yaml.

    Raises ValueError if no role of a build is given, if a role names no class of source or an unknown one, or if a hospital
    role's endpoint is not trusted.
    """
    clients = load_chat_clients(path)
    for role in ROLES:
        if role in clients:
            raise ValueError(f"{path}: roles.{role} must name an endpoint a class of source, as roles.draft does")
    if not any(role.startswith(("draft.", *(f"{role}." for role in ROLES))) for role in clients):
        raise ValueError(f"{path}: roles.draft must name an endpoint for external, open_data or hospital")
    for role in clients:
        name, _, source_class = role.partition(".")
        known = MODEL_CLASSES if name in ROLES else tuple(ITEMS_A_CALL)
        if name in ("draft", "revise", *ROLES) and source_class and source_class not in known:
            raise ValueError(
                f"{path}: roles.{name} has no class of source {source_class!r}; it may name {', '.join(known)} "
                "(MODEL_CLASSES of dataset_builders/source_kinds.py)"
            )
    for role, client in clients.items():
        host = client.host
        if role.endswith(".hospital") and not is_trusted(host, client.trusted_hosts):
            raise ValueError(
                f"{path}: role {role} would send hospital cases to {host}; list it under trusted_hosts if it is inside"
            )
    return Models(clients)


def _draft_passage(
    client: ChatClient,
    prompt: Prompt,
    source_class: str,
    document: Document,
    place: str,
    text: str,
    figures: Sequence[Figure],
    image_of: Callable[[str], bytes],
) -> Iterator[Item | Reject]:
    where = place or document.provenance.source_locator
    try:
        content = content_of(delimit("source", text), figures, image_of)
    except (FileNotFoundError, ValueError) as error:
        yield Reject(document.id, "draft_no_picture", str(error), where)
        return
    system = prompt.text.format(most=ITEMS_A_CALL[source_class])
    answered = ask(client, prompt, system, content, read_items, private=source_class == "hospital")
    if isinstance(answered, str):
        yield Reject(document.id, f"draft_{answered.partition(':')[0]}", answered, where)
        return
    records, reply = answered
    generation = Generation(reply.model, prompt.id, prompt.sha256, reply.key)
    for number, record in enumerate(records):
        try:
            yield to_item(
                record, document, generation, figures,
                tasks=_TASKS[source_class], context=(text,), locator=place, part=str(number),
            )  # fmt: skip
        except BadReply as error:
            yield Reject(document.id, "draft_invalid_item", f"item {number + 1} of call {reply.key[:12]}: {error}", where)


def _revise(client: ChatClient, item: Item, *, private: bool, image_of: Callable[[str], bytes]) -> Item | Reject:
    prompt = load_prompt("revise@1")
    record = to_record(item)
    figures = [Figure("", "", image_sha256=sha256) for sha256 in dict.fromkeys(item.images)]
    text = (
        f"{delimit('item', json.dumps(record, ensure_ascii=False, indent=1))}\n{delimit('source', chr(10).join(item.context))}"
    )
    try:
        content = content_of(text, figures, image_of)
    except (FileNotFoundError, ValueError) as error:
        return Reject(item.provenance.source_id, "revise_images_exist", str(error), item.id)
    answered = ask(client, prompt, prompt.text.format(), content, _read_verdict, private=private)
    if isinstance(answered, str):
        return Reject(item.provenance.source_id, f"revise_{answered.partition(':')[0]}", answered, item.id)
    verdict, reply = answered
    if verdict["verdict"] == "reject":
        return Reject(item.provenance.source_id, "revise_by_model", str(verdict.get("reason", ""))[:300], item.id)
    signed = replace(item.generation, revise_model=reply.model, checks=(prompt.id,))
    if verdict["verdict"] == "accept":
        return replace(item, generation=signed)
    return _corrected(item, verdict["item"], signed, figures)


def _corrected(item: Item, record: object, signed: Generation, figures: Sequence[Figure]) -> Item | Reject:
    bare = Document(item.provenance, item.language)
    try:
        new = to_item(record, bare, signed, figures, tasks=(item.task,))
    except BadReply as error:
        return Reject(item.provenance.source_id, "revise_bad_correction", str(error), item.id)
    if new.language != item.language or new.images != item.images:
        return Reject(item.provenance.source_id, "revise_bad_correction", "language or pictures changed", item.id)
    return replace(
        item, messages=new.messages, options=new.options, answer=new.answer, rubric=new.rubric, axis=new.axis,
        levels=new.levels, discs=new.discs, generation=signed,
    )  # fmt: skip


def _read_verdict(text: str) -> dict[str, object]:
    value = read_object(text)
    if value.get("verdict") not in ("accept", "reject", "correct") or ("item" in value) != (value["verdict"] == "correct"):
        raise BadReply("verdict is not accept, reject, or correct with an item")
    return value


def _passages(document: Document, source_class: str) -> Iterator[tuple[str, str, list[Figure]]]:
    """(place, text, pictures) of every call."""
    pictures = [figure for figure in document.figures if figure.image_sha256]
    if source_class == "open_data":
        labelled = sorted(pictures, key=lambda figure: (-len(figure.findings), -len(figure.levels)))[:MAX_PICTURES]
        if labelled:
            lines = [
                f"F{n}: levels {', '.join(f.levels) or 'none'}; discs {', '.join(f.discs) or 'none'}"
                for n, f in enumerate(labelled, 1)
            ]
            stated = [state_finding(finding, "en") for finding in document.findings]
            yield "", "\n".join([*lines, f"findings: {'; '.join(stated) or 'none labelled'}"]), labelled
        return
    if source_class == "hospital":
        yield "", document.markdown[: 4 * PASSAGE_CHARACTERS], pictures[:MAX_PICTURES]
        return
    for number, (place, text) in enumerate(_cut(document)):
        if number == MAX_PASSAGES:
            return
        cited = [figure for figure in pictures if any(paragraph[:60] in text for paragraph in figure.context if paragraph)]
        yield place, text, cited[:MAX_PICTURES]


def _cut(document: Document) -> Iterator[tuple[str, str]]:
    """Whole sections joined to passages of at most PASSAGE_CHARACTERS; a longer section is cut between paragraphs."""
    place, text = "", ""
    for section in sections(document.markdown):
        for number, paragraph in enumerate(section.paragraphs):
            block = f"# {section.title}\n{paragraph}" if number == 0 and section.title else paragraph
            if text and len(text) + len(block) > PASSAGE_CHARACTERS:
                yield place, text
                place, text = "", ""
            place = place or (f"section {section.title}" if section.title else "")
            text = f"{text}\n\n{block}".strip()[:PASSAGE_CHARACTERS]
    if text:
        yield place, text
