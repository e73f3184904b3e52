"""Ask any OpenAI-compatible model, each question once: one row a call serves as cache, log, cost record and resume point.

    client = load_chat_clients("models.yaml")["judge"]
    reply = client.complete([{"role": "user", "content": "…"}], prompt_id="judge@1", prompt_sha256=digest)

The row's key is the SHA-256 of model, prompt version and payload, in a SQLite file (WAL) that threads and processes may
share. A call whose row says "ok" is answered from the row; a killed run therefore continues where it stopped.

**Private calls** (``private=True``: hospital text or images) are refused with ``UntrustedEndpoint`` before a socket is
opened unless the endpoint's host is a loopback address, "localhost", or literally listed under ``trusted_hosts``. Names are
never resolved to decide. Such calls ignore proxies from the environment, and no call follows redirects. The row of a private
call holds neither request nor reply, only counts, unless the configuration declares the log itself to lie inside the
hospital (``log_inside_hospital: true``); without that declaration private calls are not cached and a resumed run asks again.
Errors never quote a payload or a server's words.
"""

import base64
import hashlib
import ipaddress
import json
import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import openai
import yaml

MAX_ATTEMPTS = 6
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 120.0
"""A server that asks for a longer wait (Retry-After) ends the call: it is run again later from where it stopped."""

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_TABLE = """
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY, status TEXT NOT NULL, model TEXT NOT NULL, served_model TEXT, host TEXT NOT NULL,
    private INTEGER NOT NULL, prompt_id TEXT NOT NULL, prompt_sha256 TEXT NOT NULL, request TEXT, reply TEXT,
    finish_reason TEXT, input_tokens INTEGER, output_tokens INTEGER, cost REAL, attempts INTEGER NOT NULL,
    seconds REAL NOT NULL, error TEXT, finished_at TEXT NOT NULL
)"""
_COLUMNS = (
    "key", "status", "model", "served_model", "host", "private", "prompt_id", "prompt_sha256", "request", "reply",
    "finish_reason", "input_tokens", "output_tokens", "cost", "attempts", "seconds", "error", "finished_at",
)  # fmt: skip


class ChatError(Exception):
    """A call without a usable reply. ``reason`` is a slug to count by ("http_400", "timeout", "empty_reply")."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.reason, self.detail)


class UntrustedEndpoint(ChatError):
    """A private call to an endpoint that is not trusted; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model behind an address.

    api_key_env      name of the environment variable that holds the key; None if the server needs none.
    price_input, price_output   US dollars per million tokens; a call's cost is computed from them.
    options          more fields of the request (temperature, seed, reasoning_effort …), as the server understands them.
    """

    base_url: str
    model: str
    api_key_env: str | None = None
    price_input: float = 0.0
    price_output: float = 0.0
    max_output_tokens: int = 8192
    timeout_s: float = 300.0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. ``key`` is the row's key; ``model`` the name the server says it serves; ``cost`` in US dollars."""

    key: str
    text: str
    model: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    cost: float
    cached: bool


class ChatClient:
    """One model with its log. It can be pickled (no connection is), and ``complete`` may be called from many threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        log: str | Path,
        *,
        trusted_hosts: Sequence[str] = (),
        log_inside_hospital: bool = False,
        max_attempts: int = MAX_ATTEMPTS,
    ):
        self.endpoint = endpoint
        self.log = Path(log)
        self.trusted_hosts = tuple(host.lower() for host in trusted_hosts)
        self.log_inside_hospital = log_inside_hospital
        self.max_attempts = max_attempts
        self._local = threading.local()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.endpoint, self.log, self.trusted_hosts, self.log_inside_hospital, self.max_attempts)

    @property
    def host(self) -> str:
        """The host that calls go to, as the connecting library parses it from the address."""
        return openai.OpenAI(base_url=self.endpoint.base_url, api_key="none").base_url.host

    def complete(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        prompt_id: str,
        prompt_sha256: str,
        private: bool = False,
        json_reply: bool = False,
        attempt: int = 0,
    ) -> Reply:
        """Return the model's answer to ``messages``, from the log if it is there.

        ``messages`` have OpenAI's form, with images as ``image_part`` makes them.

        json_reply   asks for a JSON object (``response_format``).
        attempt      0, 1, …: ask the same question again, with a row of its own, if an earlier answer could not be used.

        Retries 408, 409, 425, 429, 5xx, time-outs, lost connections and replies that are not a chat completion, at most
        ``max_attempts`` times, waiting as long as Retry-After says. Raises UntrustedEndpoint for a private call to an
        endpoint that is not trusted, and ChatError if no attempt gives a usable reply.
        """
        client = self._connect(private)  # refuses before anything else happens; opens no socket
        payload: dict[str, Any] = {
            "messages": list(messages),
            "max_tokens": self.endpoint.max_output_tokens,
            **self.endpoint.options,
        }
        if json_reply:
            payload["response_format"] = {"type": "json_object"}
        key = call_key(self.endpoint.model, prompt_id, prompt_sha256, payload, attempt)
        if row := self._stored(key):
            return _to_reply(row, cached=True)
        started = time.monotonic()
        row = {
            "key": key, "model": self.endpoint.model, "host": client.base_url.host, "private": int(private),
            "prompt_id": prompt_id, "prompt_sha256": prompt_sha256,
        }  # fmt: skip
        keep = not private or self.log_inside_hospital
        try:
            completion, attempts = self._ask(client, payload, key)
        except ChatError as error:
            self._store(
                {**row, "status": "error", "error": error.reason, "attempts": self.max_attempts, "seconds": _since(started)}
            )
            raise
        row |= {
            "status": "ok" if keep else "not_kept",
            "served_model": completion.model or self.endpoint.model,
            "request": json.dumps(payload, ensure_ascii=False, sort_keys=True) if keep else None,
            "reply": completion.choices[0].message.content if keep else None,
            "finish_reason": completion.choices[0].finish_reason or "",
            **self._count(completion.usage),
            "attempts": attempts,
            "seconds": _since(started),
        }
        self._store(row)
        # Another process may have been first: what the log holds is the answer, so that every reader sees the same.
        stored = self._stored(key) if keep else None
        return _to_reply(stored or {**row, "reply": completion.choices[0].message.content}, cached=False)

    def spent(self) -> dict[str, float]:
        """Return the US dollars spent so far by prompt id, from the log."""
        with self._database() as database:
            query = "SELECT prompt_id, SUM(cost) FROM calls GROUP BY prompt_id ORDER BY prompt_id"
            return {name: cost or 0.0 for name, cost in database.execute(query)}

    def _connect(self, private: bool) -> openai.OpenAI:
        name = "private" if private else "public"
        client: openai.OpenAI | None = getattr(self._local, name, None)
        if client is None:
            key = os.environ.get(self.endpoint.api_key_env, "") if self.endpoint.api_key_env else "none"
            if not key:
                raise ChatError("no_api_key", f"the environment variable {self.endpoint.api_key_env} is not set")
            client = openai.OpenAI(
                base_url=self.endpoint.base_url,
                api_key=key,
                max_retries=0,
                timeout=self.endpoint.timeout_s,
                http_client=openai.DefaultHttpx2Client(trust_env=not private, follow_redirects=False),
            )
            setattr(self._local, name, client)
        # The host is asked of the client that would connect, not read from the text a second time.
        host = client.base_url.host
        if private and not is_trusted(host, self.trusted_hosts):
            raise UntrustedEndpoint(
                "untrusted_endpoint",
                f"hospital data may not go to {host}: it is neither loopback nor listed under trusted_hosts",
            )
        return client

    def _ask(self, client: openai.OpenAI, payload: dict[str, Any], key: str) -> tuple[Any, int]:
        error = ChatError("no_attempt", "max_attempts must be at least 1")
        for attempt in range(1, self.max_attempts + 1):
            wait: float | None = None
            try:
                completion = client.chat.completions.create(model=self.endpoint.model, **payload)
                if _is_completion(completion):
                    return completion, attempt
                error = ChatError("empty_reply", f"{self.endpoint.model} sent no text")
            except openai.APIStatusError as problem:
                error = ChatError(f"http_{problem.status_code}", f"{self.endpoint.model} answered {problem.status_code}")
                if problem.status_code not in _RETRIED:
                    raise error from None
                wait = retry_after(problem.response.headers.get("retry-after"), datetime.now(UTC))
            except openai.APITimeoutError:
                error = ChatError("timeout", f"{self.endpoint.model} took more than {self.endpoint.timeout_s:g} s")
            except openai.APIConnectionError:
                error = ChatError("connection", f"no connection to {client.base_url.host}")
            except (openai.APIError, ValueError):
                error = ChatError("bad_reply", f"{self.endpoint.model} sent no chat completion")
            if wait is not None and wait > LONGEST_WAIT_S:
                raise ChatError(error.reason, f"{self.endpoint.model} asks to wait {wait:.0f} s; run again later") from None
            if attempt < self.max_attempts:
                # Spread by the key: callers that were refused together do not come back together.
                spread = 0.5 + random.Random(f"{key}{attempt}").random()
                time.sleep(max(wait or 0.0, min(FIRST_WAIT_S * 2 ** (attempt - 1), LONGEST_WAIT_S) * spread))
        raise error from None

    def _count(self, usage: Any) -> dict[str, float | int]:
        tokens_in = getattr(usage, "prompt_tokens", None) or 0
        tokens_out = getattr(usage, "completion_tokens", None) or 0
        cost = (tokens_in * self.endpoint.price_input + tokens_out * self.endpoint.price_output) / 1e6
        return {"input_tokens": tokens_in, "output_tokens": tokens_out, "cost": cost}

    def _stored(self, key: str) -> dict[str, Any] | None:
        with self._database() as database:
            found = database.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM calls WHERE key = ? AND status = 'ok'", (key,)
            ).fetchone()
        return dict(zip(_COLUMNS, found, strict=True)) if found else None

    def _store(self, row: Mapping[str, Any]) -> None:
        values = [row.get(column) for column in _COLUMNS[:-1]] + [datetime.now(UTC).isoformat(timespec="seconds")]
        updates = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS[1:])
        with self._database() as database:
            database.execute(
                f"INSERT INTO calls ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
                f"ON CONFLICT(key) DO UPDATE SET {updates} WHERE calls.status != 'ok'",
                values,
            )

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # It may hold patients' texts: its owner's alone, and SQLite gives the files beside it the same mode.
        self.log.touch(mode=0o600)
        self.log.chmod(0o600)
        with closing(sqlite3.connect(self.log, timeout=60)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(_TABLE)
            with database:
                yield database


def load_chat_clients(path: str | Path) -> dict[str, "ChatClient"]:
    """Read the clients of a models.yaml by role (see models.example.yaml); "draft.hospital" is a role for one source class.

    The log lies beside the file unless its path is absolute. Raises ValueError naming the entry and what it lacks.
    """
    path = Path(path)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    known = {"log", "log_inside_hospital", "trusted_hosts", "endpoints", "roles"}
    if not isinstance(config, dict) or set(config) - known or not {"log", "endpoints", "roles"} <= set(config):
        raise ValueError(
            f"{path}: needs log, endpoints and roles, may have trusted_hosts and log_inside_hospital, nothing else"
        )
    endpoints = {name: _read_endpoint(path, name, entry) for name, entry in config["endpoints"].items()}

    clients: dict[str, ChatClient] = {}
    for role, chosen in _flat_roles(config["roles"]):
        if chosen not in endpoints:
            raise ValueError(f"{path}: role {role} names the endpoint {chosen!r}, which is not under endpoints")
        clients[role] = ChatClient(
            endpoints[chosen],
            path.parent / config["log"],
            trusted_hosts=config.get("trusted_hosts") or (),
            log_inside_hospital=config.get("log_inside_hospital") is True,
        )
    return clients


def is_trusted(host: str, trusted_hosts: Sequence[str] = ()) -> bool:
    """Return whether hospital data may go to ``host``: loopback, "localhost", or literally one of ``trusted_hosts``."""
    host = host.lower()
    if host == "localhost" or host in {trusted.lower() for trusted in trusted_hosts}:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def call_key(model: str, prompt_id: str, prompt_sha256: str, payload: Mapping[str, Any], attempt: int = 0) -> str:
    """Return the SHA-256 of model, prompt version and payload (and of ``attempt`` if it is not the first)."""
    parts = [model, prompt_id, prompt_sha256, payload, *([attempt] if attempt else [])]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def image_part(image: bytes) -> dict[str, Any]:
    """Return ``image`` as a content part (data URL). Raises ValueError for anything but PNG and JPEG."""
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        media_type = "image/png"
    elif image.startswith(b"\xff\xd8\xff"):
        media_type = "image/jpeg"
    else:
        raise ValueError("an image that is neither PNG nor JPEG")
    return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{base64.b64encode(image).decode()}"}}


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


def _rebuild(endpoint: Endpoint, log: Path, hosts: Sequence[str], inside: bool, max_attempts: int) -> ChatClient:
    return ChatClient(endpoint, log, trusted_hosts=hosts, log_inside_hospital=inside, max_attempts=max_attempts)


def _read_endpoint(path: Path, name: str, entry: Any) -> Endpoint:
    known = {item.name for item in fields(Endpoint)}
    if not isinstance(entry, dict) or not {"base_url", "model"} <= set(entry) or set(entry) - known:
        raise ValueError(f"{path}: endpoint {name!r} needs base_url and model and may have {sorted(known)}")
    return Endpoint(**entry)


def _flat_roles(roles: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for role, chosen in roles.items():
        if isinstance(chosen, dict):
            yield from ((f"{role}.{source_class}", name) for source_class, name in chosen.items())
        else:
            yield role, chosen


def _is_completion(completion: Any) -> bool:
    choices = getattr(completion, "choices", None)
    content = getattr(getattr(choices[0], "message", None), "content", None) if choices else None
    return isinstance(content, str) and bool(content.strip())


def _to_reply(row: Mapping[str, Any], *, cached: bool) -> Reply:
    return Reply(
        row["key"], row["reply"], row["served_model"], row["finish_reason"],
        row["input_tokens"], row["output_tokens"], row["cost"], cached,
    )  # fmt: skip


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
