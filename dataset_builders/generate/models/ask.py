"""Ask a model one question: versioned prompts, delimited material, strict replies, bounded attempts."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dataset_builders.document import Figure
from dataset_builders.generate.models.replies import BadReply
from dataset_builders.source_kinds import KINDS
from modeling.chat_client import ChatClient, ChatError, Reply, UntrustedEndpoint, image_part

PROMPTS = Path(__file__).parent / "prompts"
MAX_REPLIES = 3
"""How often one question is asked before it is given up."""
CLASS_OF_KIND = {kind.name: kind.model_class for kind in KINDS.values() if kind.model_class != "questions"}
"""The class of every source kind that models draft; questions that come ready-made are left as they are."""
# Errors of the configuration: every further call would fail the same way, so the build stops and says so.
_FATAL = ("no_api_key", "http_401", "http_403", "http_404")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A versioned prompt file: its id is the file's name ("draft_external@1")."""

    id: str
    text: str
    sha256: str


@functools.cache
def load_prompt(prompt_id: str) -> Prompt:
    """Read the prompt file of that name. Raises FileNotFoundError."""
    text = (PROMPTS / f"{prompt_id}.md").read_text(encoding="utf-8")
    return Prompt(prompt_id, text, hashlib.sha256(text.encode()).hexdigest())


def delimit(tag: str, text: str) -> str:
    """Put ``text`` between lines that carry a hash of it, so that nothing inside can close them."""
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"<{tag} {mark}>\n{text}\n</{tag} {mark}>"


def ask(
    client: ChatClient, prompt: Prompt, system: str, content: list[dict], read: Callable[[str], T], *, private: bool
) -> tuple[T, Reply] | str:
    """Ask until ``read`` takes a reply; return what it read and the reply, or "<slug>: why" after MAX_REPLIES.

    private   the call may go to trusted endpoints only (modeling.chat_client).

    Raises ChatError if the configuration is at fault, UntrustedEndpoint if a private call would leave.
    """
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}, {"role": "user", "content": content}]
    problem = ""
    for attempt in range(MAX_REPLIES):
        try:
            reply = client.complete(
                messages, prompt_id=prompt.id, prompt_sha256=prompt.sha256, private=private, json_reply=True, attempt=attempt
            )
        except UntrustedEndpoint:
            raise
        except ChatError as error:
            if error.reason in _FATAL:
                raise
            return f"{error.reason}: {error.detail}"
        try:
            return read(reply.text), reply
        except BadReply as error:
            problem = f"bad_reply: {error} (call {reply.key[:12]}, {reply.finish_reason})"
    return problem


def content_of(text: str, figures: Sequence[Figure], image_of: Callable[[str], bytes]) -> list[dict]:
    """Build the parts of a user turn: ``text``, then each image as F1, F2, … with its caption.

    Raises FileNotFoundError if an image is lost, and ValueError if one is neither PNG nor JPEG.
    """
    parts: list[dict] = [{"type": "text", "text": text}]
    for number, figure in enumerate(figures, 1):
        parts.append(
            {"type": "text", "text": f"F{number}" + (f": {delimit('caption', figure.caption)}" if figure.caption else "")}
        )
        parts.append(image_part(image_of(figure.image_sha256 or "")))
    return parts
