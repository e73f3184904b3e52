"""Revise drafts by models: a verdict on each criterion, then the checks of checks.py on whatever that let through."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dataset_builders.document import Figure, Reject
from dataset_builders.generate.checks import check_item
from dataset_builders.generate.criteria import reviser_criteria
from dataset_builders.generate.models.ask import CLASS_OF_KIND, Question, ask, content_of, delimit
from dataset_builders.generate.models.forms import verdict_form
from dataset_builders.generate.models.prompts import load_prompts
from dataset_builders.generate.models.replies import BadReply, check_fields, read_object, revised, to_record
from dataset_builders.item import Item, Revision, Verdict
from dataset_builders.source_kinds import find_kind
from modeling.chat_client import ChatClient

REASON_CHARACTERS = 300
"""A model's reason for a rejection, cut to this length."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a reviser said: its reasoning, a verdict on each criterion, accept, correct or reject, and the item if corrected."""

    reasoning: str
    verdicts: tuple[Verdict, ...]
    decision: str
    reason: str
    item: Item | None


def revise_by_models(clients: Mapping[str, ChatClient], item: Item, image_of: Callable[[str], bytes]) -> Item | Reject:
    """Let the model for the item's class of source accept, correct or reject it; check and sign what is left.

    image_of   gives an image's encoded bytes by SHA-256; raises FileNotFoundError.

    Without a model for that class the item is only checked. The reason of a Reject is "revise_by_model", "revise_<reason>" of a
    failed call ("revise_bad_reply"), or "revise_<check>".
    """
    source_class = CLASS_OF_KIND.get(item.provenance.source_kind)
    client = clients.get(f"revise.{source_class}")
    if client is None or source_class is None:
        return check_item(item, image_of)
    answer = _ask_verdict(client, source_class, item, image_of)
    return answer if isinstance(answer, Reject) else check_item(answer, image_of)


def _ask_verdict(client: ChatClient, source_class: str, item: Item, image_of: Callable[[str], bytes]) -> Item | Reject:
    prompt = load_prompts().find("revise", source_class, item.task, item.language)
    criteria = reviser_criteria()
    figures = [Figure("", "", image_sha256=sha256) for sha256 in dict.fromkeys(item.images)]
    source = item.provenance.source_id
    try:
        record = to_record(item)
    except ValueError as error:
        return Reject(source, "revise_not_in_form", str(error), item.id)
    written = delimit("item", json.dumps(record, ensure_ascii=False, indent=1))
    try:
        content = content_of(f"{written}\n{delimit('source', chr(10).join(item.context))}", figures, image_of)
    except (FileNotFoundError, ValueError) as error:
        return Reject(source, "revise_images_exist", str(error), item.id)
    listed = "\n".join(f"- {criterion.id}: {criterion.demand[item.language]}" for criterion in criteria)
    names = [criterion.id for criterion in criteria]
    question = Question(
        client, prompt, prompt.fill(criteria=listed), content, verdict_form(item, record, names),
        find_kind(item.provenance.source_kind).is_private,
    )  # fmt: skip
    answer = ask(question, partial(_read_verdict, item, names))
    if isinstance(answer, str):
        return Reject(source, f"revise_{answer.partition(':')[0]}", answer, item.id)
    read, reply = answer.value, answer.reply
    if read.decision == "reject":
        failed = ", ".join(verdict.criterion for verdict in read.verdicts if verdict.met is False)
        return Reject(source, "revise_by_model", f"{failed}: {read.reason}"[:REASON_CHARACTERS], item.id)
    revision = Revision(prompt.id, prompt.sha256, reply.key, read.decision, read.reason, read.reasoning, read.verdicts)
    signed = replace(item.generation, revise_model=reply.model, checks=(prompt.id,), revision=revision)
    return replace(read.item or item, generation=signed)


def _read_verdict(item: Item, names: list[str], text: str) -> _Reading:
    value = read_object(text)
    check_fields(value, ("reasoning", "criteria", "verdict", "reason", "item"), "it")
    check_fields(value["criteria"], names, "criteria")
    verdicts = tuple(_read_criterion(name, value["criteria"][name]) for name in names)
    decision, reasoning, reason = value["verdict"], value["reasoning"], value["reason"]
    if decision not in ("accept", "correct", "reject"):
        raise BadReply("verdict is not accept, correct or reject")
    if not isinstance(reasoning, str) or not isinstance(reason, str) or not reasoning.strip():
        raise BadReply("reasoning or reason is no text")
    failed = [verdict.criterion for verdict in verdicts if verdict.met is False]
    if decision == "accept" and failed:
        raise BadReply(f"verdict accepts an item that fails {', '.join(failed)}; correct or reject it")
    if decision == "reject" and not failed:
        raise BadReply("verdict rejects an item that fails no criterion; say which it fails")
    if (value["item"] is not None) != (decision == "correct"):
        raise BadReply("item must be the whole corrected item if the verdict is correct, else null")
    corrected = revised(item, value["item"], item.generation) if decision == "correct" else None
    return _Reading(reasoning.strip(), verdicts, decision, reason.strip(), corrected)


def _read_criterion(name: str, value: Any) -> Verdict:
    check_fields(value, ("met", "why"), f"criteria.{name}")
    if not (value["met"] is None or isinstance(value["met"], bool)) or not isinstance(value["why"], str):
        raise BadReply(f"criteria.{name}: met is not true, false or null (does not apply), or why is no text")
    return Verdict(name, value["met"], value["why"].strip())
