"""Ask a model one question: delimited material, a reply in a given form, one repair turn, errors that stop the build."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dataset_builders.document import Figure
from dataset_builders.engine.shard_runner import StopRun
from dataset_builders.generate.models.forms import Schema
from dataset_builders.generate.models.prompts import Prompt
from dataset_builders.generate.models.replies import BadReply
from dataset_builders.source_kinds import KINDS
from modeling.chat_client import ChatClient, ChatError, Reply, image_part

CLASS_OF_KIND = {kind.name: kind.model_class for kind in KINDS.values() if kind.model_class != "questions"}
"""The class of every source kind that models draft; questions that come ready-made are left as they are."""

T = TypeVar("T")

# Reasons of the configuration, the budget or the server: every further call would fail the same way, so the build stops, says
# so and goes on when it is run again. Others are the question's own, and a Reject.
_FATAL = frozenset(
    {"no_api_key", "max_calls", "max_cost", "connection"}
    | {f"http_{status}" for status in (401, 402, 403, 404, 429, 502, 503, 504, 529)}
)


@dataclass(frozen=True, slots=True)
class Question:
    """One question to a model.

    system    the prompt, filled in.
    content   parts of the user's turn (``content_of``).
    schema    the form of the reply.
    private   the call may go to trusted endpoints only (modeling.chat_client).
    """

    client: ChatClient
    prompt: Prompt
    system: str
    content: Sequence[dict[str, Any]]
    schema: Schema
    private: bool


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What was read of a reply. ``repaired`` if it is the second one."""

    value: T
    reply: Reply
    repaired: bool = False


def ask(question: Question, read: Callable[[str], T]) -> Answer[T] | str:
    """Ask; if ``read`` does not take the reply, ask once more, quoting its error. Return "<slug>: why" if that fails, too.

    Raises StopRun if the configuration, the budget or the server is at fault, UntrustedEndpoint if a private call would leave.
    """
    reply = _complete(question, ())
    if isinstance(reply, str):
        return reply
    try:
        return Answer(_read(reply, read), reply)
    except BadReply as error:
        complaint = f"Your reply cannot be used: {error}. Send the whole reply again, as one JSON object of the form asked for."
        return ask_again(question, reply, complaint, read)


def ask_again(question: Question, reply: Reply, complaint: str, read: Callable[[str], T]) -> Answer[T] | str:
    """Send a model its reply back with what is wrong about it; return what ``read`` takes of the new one, else why not."""
    turns = ({"role": "assistant", "content": reply.text}, {"role": "user", "content": complaint})
    second = _complete(question, turns)
    if isinstance(second, str):
        return second
    try:
        return Answer(_read(second, read), second, repaired=True)
    except BadReply as error:
        return f"bad_reply: {error} (after a repair turn; call {second.key[:12]}, {second.finish_reason})"


def delimit(tag: str, text: str) -> str:
    """Put ``text`` between lines that carry a hash of it, so that nothing inside can close them."""
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"<{tag} {mark}>\n{text}\n</{tag} {mark}>"


def content_of(text: str, figures: Sequence[Figure], image_of: Callable[[str], bytes]) -> list[dict[str, Any]]:
    """Build the parts of a user turn: ``text``, then each image as F1, F2, … with its caption.

    Raises FileNotFoundError if an image is lost, and ValueError if one is neither PNG nor JPEG.
    """
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}]
    for number, figure in enumerate(figures, 1):
        parts.append(
            {"type": "text", "text": f"F{number}" + (f": {delimit('caption', figure.caption)}" if figure.caption else "")}
        )
        parts.append(image_part(image_of(figure.image_sha256 or "")))
    return parts


def _complete(question: Question, turns: Sequence[dict[str, Any]]) -> Reply | str:
    form = json.dumps(question.schema, ensure_ascii=False, separators=(",", ":"))
    system = f"{question.system}\n\nAnswer with one JSON object of this JSON Schema and nothing else:\n{form}"
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": system},
        {"role": "user", "content": list(question.content)},
        *turns,
    ]
    prompt = question.prompt
    try:
        return question.client.complete(
            messages, prompt_id=prompt.id, prompt_sha256=prompt.sha256, private=question.private, schema=question.schema
        )
    except ChatError as error:
        if error.reason in _FATAL:
            raise StopRun(str(error)) from None
        if error.reason == "untrusted_endpoint":
            raise
        return f"{error.reason}: {error.detail}"


def _read(reply: Reply, read: Callable[[str], T]) -> T:
    try:
        return read(reply.text)
    except BadReply as error:
        if reply.finish_reason == "length":
            raise BadReply(
                f"it was cut off after {reply.output_tokens:,} tokens ({error}); write fewer or shorter items"
            ) from None
        raise
