"""Name, measure and time a chat call: its key, its request without images, its tokens, the wait that a server asks for."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

# Rough tokens, to be on the safe side of a rate or a budget: letters a token in English, tokens a Chinese character, an image.
_LETTERS, _PER_CHARACTER, _PER_IMAGE = 3, 1.5, 2_000


def call_key(model: str, prompt_id: str, prompt_sha256: str, payload: Mapping[str, Any]) -> str:
    """Return the SHA-256 of model, prompt version and payload.

    An image counts by its own hash.
    """
    parts = [model, prompt_id, prompt_sha256, without_images(payload)]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def without_images(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload with "sha256:<hex digits of the image's bytes>" in the place of each image's data URL."""
    return {**payload, "messages": [_without_images(message) for message in payload["messages"]]}


def estimate_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """Estimate the tokens of a question, rather too many than too few, to keep to a rate or a budget."""
    tokens = 0.0
    for message in messages:
        content = message.get("content") or ""
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            text = part.get("text", "")
            ascii_count = len(text.encode("ascii", "ignore"))
            tokens += ascii_count / _LETTERS + (len(text) - ascii_count) * _PER_CHARACTER
            tokens += _PER_IMAGE * (part.get("type") == "image_url")
    return int(tokens) + 1


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks to wait (a number or an HTTP date); None if it cannot be read."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError):
        return None


def _without_images(message: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(message.get("content"), list):
        return message
    return {**message, "content": [_hash_image(part) for part in message["content"]]}


def _hash_image(part: Mapping[str, Any]) -> Mapping[str, Any]:
    url = part["image_url"]["url"] if part.get("type") == "image_url" else ""
    if not url.startswith("data:"):
        return part
    digest = hashlib.sha256(base64.b64decode(url.partition(",")[2])).hexdigest()
    return {**part, "image_url": {"url": f"sha256:{digest}"}}
