"""The chat client against a real loopback server: retries, the log as cache and resume, and what hospital text may reach."""

import hashlib
import json
import logging
import pickle
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from modeling import chat_client
from modeling.chat_client import (
    Budget,
    BudgetSpent,
    ChatClient,
    ChatError,
    Endpoint,
    UntrustedEndpoint,
    image_part,
    is_trusted,
    load_chat_clients,
    retry_after,
)
from tests.support.sockets import opened

SECRET = "Zebulon Quartermain, ward 7"
ASK = {"prompt_id": "draft@1", "prompt_sha256": "0" * 64}


class Server(ThreadingHTTPServer):
    """Answers /v1/chat/completions with ``script``'s next entry: (status, headers, body) or a text to complete with."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list = []
        self.requests: list[dict] = []
        self.lock, self.under_way, self.most = threading.Lock(), 0, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Server = self.server
        with server.lock:
            server.under_way += 1
            server.most = max(server.most, server.under_way)
        self.answer(server)
        with server.lock:
            server.under_way -= 1

    def answer(self, server: Server) -> None:
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
    rates = {
        name: options.pop(name) for name in ("requests_per_second", "tokens_per_minute", "max_in_flight") if name in options
    }
    endpoint = Endpoint(url, "model-7b", price_input=2.0, price_output=10.0, max_output_tokens=200, **rates)
    return ChatClient(endpoint, tmp_path / "log.sqlite", **options)


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


@pytest.mark.parametrize("change", [{"prompt_id": "draft@2"}, {"prompt_sha256": "1" * 64}, {"schema": {"type": "object"}}])
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
    opened.clear()
    with pytest.raises(UntrustedEndpoint) as caught:
        client.complete(say(SECRET), private=True, **ASK)
    assert opened == []
    assert SECRET not in str(caught.value)
    assert not (tmp_path / "log.sqlite").exists()


def test_the_socket_watcher_sees_a_call_that_is_made(server, tmp_path):
    opened.clear()
    make_client(server.url, tmp_path).complete(say("x"), **ASK)
    assert "socket.connect" in dict(opened)


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


FORM = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def test_a_schema_is_asked_for_and_is_part_of_the_key(server, tmp_path):
    client = make_client(server.url, tmp_path)
    client.complete(say("x"), schema=FORM, **ASK)
    assert server.requests[0]["response_format"]["json_schema"]["schema"] == FORM
    assert not client.complete(say("x"), schema={**FORM, "title": "t"}, **ASK).cached
    assert client.complete(say("x"), schema=FORM, **ASK).cached


@pytest.mark.parametrize("status", [400, 422, 501])
def test_a_format_that_the_server_refuses_is_remembered_and_logged(server, tmp_path, caplog, status):
    refused = (status, {}, json.dumps({"error": {"message": f"unknown field {SECRET}"}}))
    server.script = [refused, refused, "plain"]
    assert make_client(server.url, tmp_path).complete(say("x"), schema=FORM, **ASK).text == "plain"
    formats = [request.get("response_format", {}).get("type") for request in server.requests]
    assert formats == ["json_schema", "json_object", None]
    assert caplog.text.count("does not take the response format") == 2 and SECRET not in caplog.text
    again = make_client(server.url, tmp_path)
    assert again.complete(say("x"), schema=FORM, **ASK).cached, "the key is that of the question, not of the format"
    again.complete(say("y"), schema=FORM, **ASK)
    assert "response_format" not in server.requests[-1] and len(server.requests) == 4


def test_a_question_that_is_refused_in_every_format_blames_no_format(server, tmp_path):
    server.script = [(400, {}, "{}")] * 3
    client = make_client(server.url, tmp_path)
    with pytest.raises(ChatError, match="http_400"):
        client.complete(say("too long"), schema=FORM, **ASK)
    client.complete(say("y"), schema=FORM, **ASK)
    assert server.requests[-1]["response_format"]["type"] == "json_schema"


def test_the_log_holds_an_image_by_its_hash(server, tmp_path):
    image = b"\x89PNG\r\n\x1a\n" + SECRET.encode()
    content = [{"type": "text", "text": "look"}, image_part(image)]
    client = make_client(server.url, tmp_path)
    client.complete([{"role": "user", "content": content}], **ASK)
    (row,) = rows(tmp_path)
    assert f"sha256:{hashlib.sha256(image).hexdigest()}" in row["request"] and "base64" not in row["request"]
    assert server.requests[0]["messages"][0]["content"][1] == image_part(image)
    other = [content[0], image_part(image + b".")]
    assert not client.complete([{"role": "user", "content": other}], **ASK).cached


def test_a_budget_of_calls_counts_retries_over_all_clients_of_a_run(server, tmp_path, waits):
    server.script = [(500, {}, "no")]
    budget = Budget("run 1", max_calls=3)
    make_client(server.url, tmp_path, budget=budget).complete(say("a"), **ASK)
    other = pickle.loads(pickle.dumps(make_client(server.url, tmp_path, budget=budget)))
    other.complete(say("b"), **ASK)
    with pytest.raises(BudgetSpent, match="3 requests were sent for"):
        other.complete(say("c"), **ASK)
    assert other.complete(say("a"), **ASK).cached, "what the log holds costs nothing"
    assert len(server.requests) == 3
    make_client(server.url, tmp_path, budget=Budget("run 2", max_calls=1)).complete(say("c"), **ASK)


def test_a_budget_of_cost_is_never_exceeded_even_by_requests_side_by_side(server, tmp_path):
    one = (1000 * 2.0 + 200 * 10.0) / 1e6  # what the server counts; 200 is the most it may write
    client = make_client(server.url, tmp_path, budget=Budget("run", max_cost=5.5 * one))

    def ask(number):
        try:
            return client.complete(say(f"{'long ' * 600}{number}"), **ASK)
        except BudgetSpent as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(ask, range(12)))
    spent = sum(client.spent().values())
    assert spent <= 5.5 * one and len(server.requests) == 5
    assert all("is spent in 5 requests, and the next may cost up to" in str(o) for o in outcomes if isinstance(o, BudgetSpent))


def test_requests_keep_to_the_rate_over_all_clients_of_a_log(server, tmp_path):
    clients = [make_client(server.url, tmp_path, requests_per_second=20) for _ in range(2)]
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: clients[number % 2].complete(say(str(number)), **ASK), range(9)))
    assert time.monotonic() - started >= 8 / 20


def test_tokens_keep_to_the_rate_by_what_the_server_counted(server, tmp_path, waits):
    client = make_client(server.url, tmp_path, tokens_per_minute=12_000)
    client.complete(say("short"), **ASK)  # the server counts 1,200 tokens: six seconds of the rate
    client.complete(say("short too"), **ASK)
    assert 5.0 < sum(waits) <= 6.0


def test_no_more_requests_are_under_way_than_the_endpoint_takes(server, tmp_path):
    client = make_client(server.url, tmp_path, max_in_flight=3)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda number: client.complete(say(str(number)), **ASK), range(24)))
    assert 1 < server.most <= 3


def test_asynchronous_workers_send_no_hospital_text_to_an_untrusted_host(tmp_path):
    client = make_client("http://10.0.0.5/v1", tmp_path)
    opened.clear()

    def ask(number):
        with pytest.raises(UntrustedEndpoint):
            client.complete(say(f"{SECRET} {number}"), private=True, **ASK)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(64)))
    assert opened == []


def test_roles_of_one_endpoint_share_its_client(repo):
    clients = load_chat_clients(repo / "models.example.yaml")
    assert clients["draft.external"] is clients["revise.external"] is not clients["draft.hospital"]


def test_the_log_is_its_owners_alone(server, tmp_path):
    (tmp_path / "log.sqlite").touch(mode=0o644)
    make_client("http://127.0.0.1:9/v1", tmp_path).spent()
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.glob("log.sqlite*")}
    assert modes == {0o600}
