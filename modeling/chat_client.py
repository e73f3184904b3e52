"""Ask any OpenAI-compatible model, each question once: one row a call serves as cache, log, cost record and resume point.

    client = load_chat_clients("models.yaml")["judge"]
    reply = client.complete([{"role": "user", "content": "…"}], prompt_id="judge@1", prompt_sha256=digest)

The row's key is the SHA-256 of model, prompt version and payload, in a SQLite file (chat_log.py) that threads and processes
share. A call whose row says "ok" is answered from the row; a killed run therefore continues where it stopped.

``complete`` blocks its thread, and any number of threads may call it: they share one pool of connections, with at most
``max_in_flight`` requests under way. How many calls that makes on one core: ``one_core`` of benchmarks/chaos.py.

**Private calls** (``private=True``: hospital text or images) are refused with ``UntrustedEndpoint`` before a socket is
opened unless the endpoint's host is a loopback address, "localhost", or literally listed under ``trusted_hosts``. Names are
never resolved to decide. Such calls ignore proxies from the environment, and no call follows redirects. The row of a private
call holds neither request nor reply, only counts, unless the configuration declares the log itself to lie inside the
hospital (``log_inside_hospital: true``); without that declaration private calls are not cached and a resumed run asks again.
Errors never quote a payload or a server's words.
"""

import base64
import ipaddress
import json
import logging
import os
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import openai
import yaml

from modeling.chat_log import Budget, CallLog
from modeling.chat_payload import call_key, estimate_tokens, retry_after, without_images

MAX_ATTEMPTS = 6
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 120.0
"""A server that asks for a longer wait (Retry-After) ends the call: it is run again later from where it stopped."""

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
# What servers answer if they do not know a response format. It may also mean that something else is wrong: a format counts as
# refused only once the same question without it was answered.
_MAYBE_REFUSED = frozenset({400, 415, 422, 501})
_FORMATS = ("json_schema", "json_object", "text")

_logger = logging.getLogger(__name__)


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


class BudgetSpent(ChatError):
    """The run's budget does not allow another request; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model behind an address.

    api_key_env      name of the environment variable that holds the key; None if the server needs none.
    price_input, price_output   US dollars per million tokens; a call's cost is computed from them.
    max_in_flight    requests that a process may have under way at once.
    requests_per_second, tokens_per_minute   rates that all processes together keep to; None: no limit. Tokens are those of
                     questions and answers, estimated before a request and put right by what the server counted.
    options          more fields of the request (temperature, seed, reasoning_effort …), as the server understands them.
    """

    base_url: str
    model: str
    api_key_env: str | None = None
    price_input: float = 0.0
    price_output: float = 0.0
    max_output_tokens: int = 8192
    timeout_s: float = 300.0
    max_in_flight: int = 64
    requests_per_second: float | None = None
    tokens_per_minute: float | None = None
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


@dataclass(frozen=True, slots=True)
class _Question:
    """One call as it is sent: where to, the client that would connect, the body, the formats to try, the row's key."""

    client: openai.OpenAI
    payload: dict[str, Any]
    formats: tuple[tuple[str, dict[str, Any] | None], ...]
    key: str
    tokens: int

    @property
    def host(self) -> str:
        return self.client.base_url.host


class ChatClient:
    """One model with its log. It can be pickled (no connection is), and ``complete`` may be called from many threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        log: str | Path | CallLog,
        *,
        trusted_hosts: Sequence[str] = (),
        log_inside_hospital: bool = False,
        max_attempts: int = MAX_ATTEMPTS,
        budget: Budget | None = None,
    ):
        self.endpoint = endpoint
        self.log = log if isinstance(log, CallLog) else CallLog(log)
        self.trusted_hosts = tuple(host.lower() for host in trusted_hosts)
        self.log_inside_hospital = log_inside_hospital
        self.max_attempts = max_attempts
        self.budget = budget
        self._clients: dict[bool, openai.OpenAI] = {}
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(endpoint.max_in_flight)

    def __reduce__(self) -> tuple[Any, ...]:
        settings = (self.trusted_hosts, self.log_inside_hospital, self.max_attempts, self.budget)
        return _rebuild, (self.endpoint, self.log, *settings)

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
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Return the model's answer to ``messages``, from the log if it is there.

        ``messages`` have OpenAI's form, with images as ``image_part`` makes them.

        schema   a JSON Schema that the answer is to follow (``response_format``). A server that refuses it is asked for a
                 JSON object, then for plain text; the log remembers which, for every later call.

        Retries 408, 409, 425, 429, 5xx, time-outs, lost connections and replies that are not a chat completion, at most
        ``max_attempts`` times, waiting as long as Retry-After says. Raises UntrustedEndpoint for a private call to an
        endpoint that is not trusted, BudgetSpent if the run may send no more, and ChatError if no attempt gives a usable reply.
        """
        client = self._connect(private)  # refuses before anything else happens; opens no socket
        payload: dict[str, Any] = {
            "messages": list(messages),
            "max_tokens": self.endpoint.max_output_tokens,
            **self.endpoint.options,
        }
        asked = payload if schema is None else {**payload, "schema": schema}
        key = call_key(self.endpoint.model, prompt_id, prompt_sha256, asked)
        if row := self.log.find(key):
            return _to_reply(row, cached=True)
        question = _Question(client, payload, self._formats(client.base_url.host, schema), key, estimate_tokens(messages))
        started = time.monotonic()
        row = {
            "key": key, "model": self.endpoint.model, "host": question.host, "private": int(private),
            "prompt_id": prompt_id, "prompt_sha256": prompt_sha256,
        }  # fmt: skip
        keep = not private or self.log_inside_hospital
        try:
            with self._free:
                completion, attempts, sent = self._ask(question)
        except BudgetSpent:
            raise
        except ChatError as error:
            self.log.store(
                {**row, "status": "error", "error": error.reason, "attempts": self.max_attempts, "seconds": _since(started)}
            )
            raise
        text = completion.choices[0].message.content
        row |= {
            "status": "ok" if keep else "not_kept",
            "served_model": completion.model or self.endpoint.model,
            "request": json.dumps(without_images(sent), ensure_ascii=False, sort_keys=True) if keep else None,
            "reply": text if keep else None,
            "finish_reason": completion.choices[0].finish_reason or "",
            **self._count(completion.usage),
            "attempts": attempts,
            "seconds": _since(started),
        }
        # Another process may have been first: what the log holds is the answer, so that every reader sees the same.
        stored = self.log.store(row)
        return _to_reply(stored or {**row, "reply": text}, cached=False)

    def spent(self) -> dict[str, float]:
        """Return the US dollars spent so far by prompt id, from the log."""
        return self.log.cost_by_prompt()

    def check_key(self) -> None:
        """Raise ChatError("no_api_key") if the endpoint's key is not set, or is none that a request can carry."""
        name = self.endpoint.api_key_env
        if name is None:
            return
        key = os.environ.get(name, "")
        if not key.strip():
            raise ChatError("no_api_key", f"the environment variable {name} is not set; it must hold the key of {self.host}")
        if not key.isascii() or not key.isprintable() or key != key.strip():
            raise ChatError(
                "no_api_key",
                f"the environment variable {name} holds no readable key: it has characters, spaces or line ends that a request "
                "cannot carry; set it again",
            )

    def _connect(self, private: bool) -> openai.OpenAI:
        with self._lock:
            client = self._clients.get(private)
            if client is None:
                self.check_key()
                limits = httpx2.Limits(
                    max_connections=self.endpoint.max_in_flight, max_keepalive_connections=self.endpoint.max_in_flight
                )
                client = openai.OpenAI(
                    base_url=self.endpoint.base_url,
                    api_key=os.environ[self.endpoint.api_key_env] if self.endpoint.api_key_env else "none",
                    max_retries=0,
                    timeout=self.endpoint.timeout_s,
                    http_client=openai.DefaultHttpx2Client(trust_env=not private, follow_redirects=False, limits=limits),
                )
                self._clients[private] = client
        # The host is asked of the client that would connect, not read from the text a second time.
        host = client.base_url.host
        if private and not is_trusted(host, self.trusted_hosts):
            raise UntrustedEndpoint(
                "untrusted_endpoint",
                f"hospital data may not go to {host}: it is neither loopback nor listed under trusted_hosts",
            )
        return client

    def _formats(self, host: str, schema: Mapping[str, Any] | None) -> tuple[tuple[str, dict[str, Any] | None], ...]:
        """The response formats to try in order, each with its field of the request."""
        if schema is None:
            return (("text", None),)
        form = {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": schema}}
        fields_of: dict[str, dict[str, Any] | None] = {
            "json_schema": form,
            "json_object": {"type": "json_object"},
            "text": None,
        }
        refused = self.log.refused_formats(host, self.endpoint.model)
        return tuple((name, fields_of[name]) for name in _FORMATS if name not in refused)

    def _ask(self, question: _Question) -> tuple[Any, int, dict[str, Any]]:
        """Send the question; return the completion, the number of attempts and what was sent."""
        error = ChatError("no_attempt", "max_attempts must be at least 1")
        formats, refused = list(question.formats), list[str]()
        attempt = 1
        while attempt <= self.max_attempts:
            wait: float | None = None
            sent = question.payload | ({"response_format": formats[0][1]} if formats[0][1] else {})
            try:
                completion = self._send(question, sent)
                if _is_completion(completion):
                    self._remember(question.host, refused)
                    return completion, attempt, sent
                error = ChatError("empty_reply", f"{self.endpoint.model} sent no text")
            except openai.APIStatusError as problem:
                if problem.status_code in _MAYBE_REFUSED and len(formats) > 1:
                    refused.append(formats.pop(0)[0])
                    continue
                error = ChatError(f"http_{problem.status_code}", f"{self.endpoint.model} answered {problem.status_code}")
                if problem.status_code not in _RETRIED:
                    raise error from None
                wait = retry_after(problem.response.headers.get("retry-after"), datetime.now(UTC))
            except openai.APITimeoutError:
                error = ChatError("timeout", f"{self.endpoint.model} took more than {self.endpoint.timeout_s:g} s")
            except openai.APIConnectionError:
                error = ChatError("connection", f"no connection to {question.host}")
            except (openai.APIError, ValueError):
                error = ChatError("bad_reply", f"{self.endpoint.model} sent no chat completion")
            if wait is not None and wait > LONGEST_WAIT_S:
                raise ChatError(error.reason, f"{self.endpoint.model} asks to wait {wait:.0f} s; run again later") from None
            if attempt < self.max_attempts:
                # Spread by the key: callers that were refused together do not come back together.
                spread = 0.5 + random.Random(f"{question.key}{attempt}").random()
                time.sleep(max(wait or 0.0, min(FIRST_WAIT_S * 2 ** (attempt - 1), LONGEST_WAIT_S) * spread))
            attempt += 1
        raise error from None

    def _send(self, question: _Question, sent: dict[str, Any]) -> Any:
        """Send one request, once rate and budget allow it."""
        endpoint = self.endpoint
        most = (question.tokens * endpoint.price_input + endpoint.max_output_tokens * endpoint.price_output) / 1e6
        self._reserve(most)
        cost, name = 0.0, f"{endpoint.base_url} {endpoint.model}"
        try:
            waits = [0.0]
            if endpoint.requests_per_second:
                waits.append(self.log.take_turn(f"{name} requests", 1 / endpoint.requests_per_second))
            if endpoint.tokens_per_minute:
                waits.append(self.log.take_turn(f"{name} tokens", question.tokens * 60 / endpoint.tokens_per_minute))
            if max(waits) > 0:
                time.sleep(max(waits))
            completion = question.client.chat.completions.create(model=endpoint.model, **sent)
            counts = self._count(getattr(completion, "usage", None))
            cost = counts["cost"]
            if endpoint.tokens_per_minute:
                more = counts["input_tokens"] + counts["output_tokens"] - question.tokens
                self.log.take_turn(f"{name} tokens", more * 60 / endpoint.tokens_per_minute)
            return completion
        finally:
            if self.budget:
                self.log.settle(self.budget, most, cost)

    def _reserve(self, most: float) -> None:
        """Count a request against the budget; wait if it may fit once those under way have cost less than they might."""
        if self.budget is None:
            return
        until = time.monotonic() + self.endpoint.timeout_s
        while not self.log.reserve(self.budget, most):
            requests, cost, reserved = self.log.spent(self.budget)
            if self.budget.max_calls is not None and requests >= self.budget.max_calls:
                raise BudgetSpent(
                    "max_calls", f"{requests:,} requests were sent for ${cost:.4f}, as many as --max-calls allows"
                )
            if not reserved or time.monotonic() > until:
                raise BudgetSpent(
                    "max_cost",
                    f"${cost:.4f} of --max-cost ${self.budget.max_cost:.4f} is spent in {requests:,} requests, and the next "
                    f"may cost up to ${most:.4f}",
                )
            time.sleep(0.05)

    def _remember(self, host: str, refused: Sequence[str]) -> None:
        for name in refused:
            self.log.remember_refusal(host, self.endpoint.model, name)
            _logger.warning("%s at %s does not take the response format %s: it is not asked for again", *(
                self.endpoint.model, host, name,
            ))  # fmt: skip

    def _count(self, usage: Any) -> dict[str, Any]:
        tokens_in = getattr(usage, "prompt_tokens", None) or 0
        tokens_out = getattr(usage, "completion_tokens", None) or 0
        cost = (tokens_in * self.endpoint.price_input + tokens_out * self.endpoint.price_output) / 1e6
        return {"input_tokens": tokens_in, "output_tokens": tokens_out, "cost": cost}


def load_chat_clients(path: str | Path, budget: Budget | None = None) -> dict[str, "ChatClient"]:
    """Read the clients of a models.yaml by role (see models.example.yaml); "draft.hospital" is a role for one source class.

    Roles that name the same endpoint share its client, hence its rate. The log lies beside the file unless its path is
    absolute. Raises ValueError naming the entry and what it lacks.
    """
    path = Path(path)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    known = {"log", "log_inside_hospital", "trusted_hosts", "endpoints", "roles"}
    if not isinstance(config, dict) or set(config) - known or not {"log", "endpoints", "roles"} <= set(config):
        raise ValueError(
            f"{path}: needs log, endpoints and roles, may have trusted_hosts and log_inside_hospital, nothing else"
        )
    log = CallLog(path.parent / config["log"])
    clients = {
        name: ChatClient(
            _read_endpoint(path, name, entry),
            log,
            trusted_hosts=config.get("trusted_hosts") or (),
            log_inside_hospital=config.get("log_inside_hospital") is True,
            budget=budget,
        )
        for name, entry in config["endpoints"].items()
    }
    roles = dict(_flat_roles(config["roles"]))
    for role, chosen in roles.items():
        if chosen not in clients:
            raise ValueError(f"{path}: role {role} names the endpoint {chosen!r}, which is not under endpoints")
    return {role: clients[chosen] for role, chosen in roles.items()}


def is_trusted(host: str, trusted_hosts: Sequence[str] = ()) -> bool:
    """Return whether hospital data may go to ``host``: loopback, "localhost", or literally one of ``trusted_hosts``."""
    host = host.lower()
    if host == "localhost" or host in {trusted.lower() for trusted in trusted_hosts}:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def image_part(image: bytes) -> dict[str, Any]:
    """Return ``image`` as a content part (data URL). Raises ValueError for anything but PNG and JPEG."""
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        media_type = "image/png"
    elif image.startswith(b"\xff\xd8\xff"):
        media_type = "image/jpeg"
    else:
        raise ValueError("an image that is neither PNG nor JPEG")
    return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{base64.b64encode(image).decode()}"}}


def _rebuild(
    endpoint: Endpoint, log: CallLog, hosts: Sequence[str], inside: bool, max_attempts: int, budget: Budget | None
) -> ChatClient:
    return ChatClient(endpoint, log, trusted_hosts=hosts, log_inside_hospital=inside, max_attempts=max_attempts, budget=budget)


def _read_endpoint(path: Path, name: str, entry: Any) -> Endpoint:
    known = {item.name for item in fields(Endpoint)}
    if not isinstance(entry, dict) or not {"base_url", "model"} <= set(entry) or set(entry) - known:
        raise ValueError(f"{path}: endpoint {name!r} needs base_url and model and may have {sorted(known)}")
    endpoint = Endpoint(**entry)
    for field_name in ("max_in_flight", "requests_per_second", "tokens_per_minute"):
        value = getattr(endpoint, field_name)
        if value is not None and not (isinstance(value, int | float) and value > 0):
            raise ValueError(f"{path}: endpoint {name!r}: {field_name} must be a number above 0, not {value!r}")
    return endpoint


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
