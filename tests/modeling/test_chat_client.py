"""The chat client against a real loopback server: retries, the log as cache and resume, and what hospital text may reach."""

import json
import logging
import pickle
import sqlite3
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from modeling import chat_client
from modeling.chat_client import (
    ChatClient,
    ChatError,
    Endpoint,
    UntrustedEndpoint,
    image_part,
    is_trusted,
    load_chat_clients,
    retry_after,
)

SECRET = "Zebulon Quartermain, ward 7"
ASK = {"prompt_id": "draft@1", "prompt_sha256": "0" * 64}

_opened: list[str] = []
sys.addaudithook(
    lambda event, _: _opened.append(event) if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto") else None
)


class Server(ThreadingHTTPServer):
    """Answers /v1/chat/completions with ``script``'s next entry: (status, headers, body) or a text to complete with."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list = []
        self.requests: list[dict] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.requests.append(body)
        entry = server.script.pop(0) if server.script else f"answer {len(server.requests)}"
        status, headers, payload = entry if isinstance(entry, tuple) else (200, {}, completion(entry))
        data = payload.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def completion(text: str | None) -> str:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
    return json.dumps(
        {"id": "c1", "object": "chat.completion", "created": 1, "model": "served-7b", "choices": [choice], "usage": usage}
    )


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """Seconds the client would have slept."""
    slept: list[float] = []
    monkeypatch.setattr(chat_client.time, "sleep", slept.append)
    return slept


def make_client(url: str, tmp_path, **options) -> ChatClient:
    return ChatClient(Endpoint(url, "model-7b", price_input=2.0, price_output=10.0), tmp_path / "log.sqlite", **options)


def say(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def rows(tmp_path) -> list[dict]:
    with sqlite3.connect(tmp_path / "log.sqlite") as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM calls ORDER BY key")]


def test_a_call_is_answered_once_and_then_from_its_row(server, tmp_path):
    first = make_client(server.url, tmp_path).complete(say("hello"), **ASK)
    again = make_client(server.url, tmp_path).complete(say("hello"), **ASK)
    assert (first.text, first.cached, again.text, again.cached) == ("answer 1", False, "answer 1", True)
    assert len(server.requests) == 1
    assert first.cost == pytest.approx((1000 * 2.0 + 200 * 10.0) / 1e6)
    (row,) = rows(tmp_path)
    assert (row["served_model"], row["input_tokens"], row["status"], row["attempts"]) == ("served-7b", 1000, "ok", 1)
    assert make_client(server.url, tmp_path).spent() == {"draft@1": pytest.approx(first.cost)}


@pytest.mark.parametrize(
    "change", [{"prompt_id": "draft@2"}, {"prompt_sha256": "1" * 64}, {"schema": {"type": "object"}}]
)
def test_prompt_version_and_payload_make_another_call(server, tmp_path, change):
    client = make_client(server.url, tmp_path)
    client.complete(say("hello"), **ASK)
    assert not client.complete(say("hello"), **{**ASK, **change}).cached
    assert len(server.requests) == 2


def test_a_429_waits_as_long_as_the_server_asks(server, tmp_path, waits):
    server.script = [(429, {"Retry-After": "7"}, "{}"), (503, {}, "busy"), "done"]
    assert make_client(server.url, tmp_path).complete(say("x"), **ASK).text == "done"
    assert waits[0] == 7.0 and 0 < waits[1] <= 3.0
    assert rows(tmp_path)[0]["attempts"] == 3


def test_malformed_and_empty_replies_are_asked_again(server, tmp_path, waits):
    server.script = [
        (200, {}, '{"choices": [{"mess'),
        (200, {"Content-Type": "text/html"}, "<html>"),
        (200, {}, completion(None)),
        (200, {}, "[]"),
        "fine",
    ]
    assert make_client(server.url, tmp_path).complete(say("x"), **ASK).text == "fine"
    assert len(waits) == 4


def test_retries_end_and_the_error_is_a_row_that_is_tried_again_later(server, tmp_path, waits):
    server.script = [(500, {}, "no")] * 2
    client = make_client(server.url, tmp_path, max_attempts=2)
    with pytest.raises(ChatError) as caught:
        client.complete(say("x"), **ASK)
    assert caught.value.reason == "http_500" and len(server.requests) == 2 and len(waits) == 1
    assert [(row["status"], row["error"]) for row in rows(tmp_path)] == [("error", "http_500")]
    assert client.complete(say("x"), **ASK).text == "answer 3"
    assert [row["status"] for row in rows(tmp_path)] == ["ok"]


def test_a_bad_request_is_not_repeated(server, tmp_path, waits):
    server.script = [(400, {}, json.dumps({"error": {"message": f"cannot parse {SECRET}"}}))]
    with pytest.raises(ChatError, match="http_400") as caught:
        make_client(server.url, tmp_path).complete(say("x"), **ASK)
    assert len(server.requests) == 1 and not waits
    assert SECRET not in str(caught.value)


def test_a_wait_beyond_the_limit_ends_the_call(server, tmp_path, waits):
    server.script = [(429, {"Retry-After": "86400"}, "{}")]
    with pytest.raises(ChatError, match="86400 s; run again later"):
        make_client(server.url, tmp_path).complete(say("x"), **ASK)
    assert not waits


def test_no_connection_is_named_without_the_payload(tmp_path, waits):
    with pytest.raises(ChatError, match=r"connection: no connection to 127\.0\.0\.1") as caught:
        make_client("http://127.0.0.1:9/v1", tmp_path, max_attempts=2).complete(say(SECRET), private=True, **ASK)
    assert SECRET not in repr(caught.value) and caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1",
        "http://127.0.0.1@api.example.com/v1",
        "http://127.0.0.1\\@api.example.com/v1",
        "http://127.0.0.1.example.com/v1",
        "http://10.0.0.5/v1",
        "http://127.1/v1",
        "http://localhost.example.com/v1",
    ],
)
def test_a_private_call_to_an_untrusted_host_opens_no_socket(url, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    client = make_client(url, tmp_path)
    _opened.clear()
    with pytest.raises(UntrustedEndpoint) as caught:
        client.complete(say(SECRET), private=True, **ASK)
    assert _opened == []
    assert SECRET not in str(caught.value)
    assert not (tmp_path / "log.sqlite").exists()


def test_the_socket_watcher_sees_a_call_that_is_made(server, tmp_path):
    _opened.clear()
    make_client(server.url, tmp_path).complete(say("x"), **ASK)
    assert "socket.connect" in _opened


def test_trust_is_by_literal_host():
    assert is_trusted("127.0.0.1") and is_trusted("127.8.8.8") and is_trusted("::1") and is_trusted("localhost")
    assert is_trusted("GPU1.hospital.org", ["gpu1.hospital.org"])
    assert not is_trusted("gpu1.hospital.org") and not is_trusted("evil-gpu1.hospital.org", ["gpu1.hospital.org"])
    assert not is_trusted("192.168.1.4") and not is_trusted("0.0.0.0")


def test_a_private_call_ignores_proxies_and_follows_no_redirect(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    client = make_client(server.url, tmp_path)
    assert client.complete(say("x"), private=True, **ASK).text == "answer 1"
    server.script = [(307, {"Location": "http://203.0.113.9/v1/chat/completions"}, "")]
    with pytest.raises(ChatError, match="http_307"):
        client.complete(say("y"), private=True, **ASK)


def test_a_private_call_leaves_no_text_behind(server, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    server.script = [f"about {SECRET}"]
    client = make_client(server.url, tmp_path)
    assert client.complete(say(SECRET), private=True, **ASK).text == f"about {SECRET}"
    (row,) = rows(tmp_path)
    assert (row["status"], row["request"], row["reply"], row["output_tokens"]) == ("not_kept", None, None, 200)
    for path in tmp_path.iterdir():
        assert SECRET.encode() not in path.read_bytes()
    assert SECRET not in caplog.text
    assert not client.complete(say(SECRET), private=True, **ASK).cached  # nothing to answer from


def test_a_log_inside_the_hospital_keeps_private_calls(server, tmp_path):
    client = make_client(server.url, tmp_path, log_inside_hospital=True)
    client.complete(say(SECRET), private=True, **ASK)
    assert client.complete(say(SECRET), private=True, **ASK).cached
    assert SECRET in rows(tmp_path)[0]["request"]


def test_threads_share_the_log_and_no_call_is_lost(server, tmp_path):
    client = make_client(server.url, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda number: client.complete(say(f"question {number % 20}"), **ASK), range(40)))
    stored = {row["key"]: row["reply"] for row in rows(tmp_path)}
    assert len(stored) == 20
    assert all(stored[reply.key] == reply.text for reply in replies)


def test_a_client_travels_to_a_worker_without_its_connection(server, tmp_path):
    client = make_client(server.url, tmp_path, trusted_hosts=["a.b"])
    client.complete(say("x"), **ASK)
    copy = pickle.loads(pickle.dumps(client))
    assert copy.complete(say("x"), **ASK).cached and copy.trusted_hosts == ("a.b",)
    error = pickle.loads(pickle.dumps(ChatError("timeout", "slow")))
    assert (error.reason, error.detail) == ("timeout", "slow")


def test_retry_after_is_read_as_seconds_or_date():
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert retry_after("2.5", now) == 2.5
    assert retry_after("Thu, 01 Jan 2026 12:00:30 GMT", now) == 30
    assert retry_after("Thu, 01 Jan 2026 11:00:00 GMT", now) == 0
    assert retry_after("soon", now) is None and retry_after(None, now) is None


def test_images_are_data_urls_and_nothing_else_is_a_image():
    assert image_part(b"\x89PNG\r\n\x1a\n...")["image_url"]["url"].startswith("data:image/png;base64,")
    assert image_part(b"\xff\xd8\xff...")["image_url"]["url"].startswith("data:image/jpeg;base64,")
    with pytest.raises(ValueError, match="neither PNG nor JPEG"):
        image_part(b"<svg/>")


def test_the_example_configuration_loads(repo, monkeypatch):
    clients = load_chat_clients(repo / "models.example.yaml")
    roles = {"draft.external", "draft.hospital", "revise.open_data", "filter.external", "classifier.hospital", "judge"}
    assert roles <= set(clients)
    assert clients["draft.hospital"].host == "127.0.0.1"
    monkeypatch.delenv("FRONTIER_API_KEY", raising=False)
    with pytest.raises(ChatError, match="FRONTIER_API_KEY is not set"):
        clients["judge"].complete(say("x"), **ASK)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("log: a.sqlite\nendpoints: {}\n", "needs log, endpoints and roles"),
        ("log: a\nendpoints: {m: {model: x}}\nroles: {judge: m}\n", "endpoint 'm' needs base_url and model"),
        ("log: a\nendpoints: {m: {base_url: u, model: x, key: s}}\nroles: {judge: m}\n", "endpoint 'm'"),
        ("log: a\nendpoints: {}\nroles: {judge: m}\n", "role judge names the endpoint 'm'"),
    ],
)
def test_a_wrong_configuration_names_file_and_entry(tmp_path, text, complaint):
    (tmp_path / "models.yaml").write_text(text)
    with pytest.raises(ValueError, match=complaint) as caught:
        load_chat_clients(tmp_path / "models.yaml")
    assert "models.yaml" in str(caught.value)


def test_the_log_is_its_owners_alone(server, tmp_path):
    (tmp_path / "log.sqlite").touch(mode=0o644)
    make_client("http://127.0.0.1:9/v1", tmp_path).spent()
    if True:
        modes = {path.stat().st_mode & 0o777 for path in tmp_path.glob("log.sqlite*")}
    assert modes == {0o600}
