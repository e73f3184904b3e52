"""Revise drafts by models: a verdict on each, then the checks of checks.py on whatever it let through."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from dataset_builders.document import Document, Figure, Reject
from dataset_builders.generate.checks import check_item
from dataset_builders.generate.models.ask import CLASS_OF_KIND, ask, content_of, delimit, load_prompt
from dataset_builders.generate.models.replies import BadReply, Passage, read_object, to_item, to_record
from dataset_builders.item import Generation, Item
from dataset_builders.source_kinds import find_kind
from modeling.chat_client import ChatClient

REASON_CHARACTERS = 300
"""A model's reason for a rejection, cut to this length."""


def revise_by_models(clients: Mapping[str, ChatClient], item: Item, image_of: Callable[[str], bytes]) -> Item | Reject:
    """Let the model for the item's class of source accept, correct or reject it; check and sign what is left.

    image_of   gives an image's encoded bytes by SHA-256; raises FileNotFoundError.

    Without a model for that class the item is only checked. The reason of a Reject is "revise_by_model",
    "revise_bad_correction", "revise_<reason>" of a failed call, or "revise_<check>".
    """
    source_class = CLASS_OF_KIND.get(item.provenance.source_kind)
    client = clients.get(f"revise.{source_class}")
    if client is None or source_class is None:
        return check_item(item, image_of)
    revised = _ask_verdict(client, item, image_of, private=find_kind(item.provenance.source_kind).is_private)
    return revised if isinstance(revised, Reject) else check_item(revised, image_of)


def _ask_verdict(client: ChatClient, item: Item, image_of: Callable[[str], bytes], *, private: bool) -> Item | Reject:
    prompt = load_prompt("revise@1")
    written = delimit("item", json.dumps(to_record(item), ensure_ascii=False, indent=1))
    figures = [Figure("", "", image_sha256=sha256) for sha256 in dict.fromkeys(item.images)]
    try:
        content = content_of(f"{written}\n{delimit('source', chr(10).join(item.context))}", figures, image_of)
    except (FileNotFoundError, ValueError) as error:
        return Reject(item.provenance.source_id, "revise_images_exist", str(error), item.id)
    answered = ask(client, prompt, prompt.text.format(), content, _read_verdict, private=private)
    if isinstance(answered, str):
        return Reject(item.provenance.source_id, f"revise_{answered.partition(':')[0]}", answered, item.id)
    verdict, reply = answered
    if verdict["verdict"] == "reject":
        reason = str(verdict.get("reason", ""))[:REASON_CHARACTERS]
        return Reject(item.provenance.source_id, "revise_by_model", reason, item.id)
    signed = replace(item.generation, revise_model=reply.model, checks=(prompt.id,))
    if verdict["verdict"] == "accept":
        return replace(item, generation=signed)
    return _correct(item, verdict["item"], signed, figures)


def _correct(item: Item, record: object, signed: Generation, figures: list[Figure]) -> Item | Reject:
    """The item with the model's words; its id, provenance and context stay."""
    try:
        new = to_item(record, Passage(Document(item.provenance, item.language), "", figures), signed, (item.task,))
    except BadReply as error:
        return Reject(item.provenance.source_id, "revise_bad_correction", str(error), item.id)
    if new.language != item.language or new.images != item.images:
        return Reject(item.provenance.source_id, "revise_bad_correction", "language or images changed", item.id)
    return replace(
        item, messages=new.messages, options=new.options, answer=new.answer, rubric=new.rubric, axis=new.axis,
        levels=new.levels, discs=new.discs, generation=signed,
    )  # fmt: skip


def _read_verdict(text: str) -> dict[str, object]:
    value = read_object(text)
    if value.get("verdict") not in ("accept", "reject", "correct") or ("item" in value) != (value["verdict"] == "correct"):
        raise BadReply("verdict is not accept, reject, or correct with an item")
    return value
