"""Against a server on this machine that answers as an OpenAI-compatible one does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dataset_builders.taxonomy import SCORED_DIMENSIONS
from evaluation.endpoint import CALLS
from evaluation.records import PREDICTIONS
from evaluation.run import RunOptions, run


class Server(ThreadingHTTPServer):
    """Answers "B" to a choice, a short report to a report, and XML to a judge's prompt; keeps what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.judgement = (
            "<judgement>" + "".join(f'<score dimension="{d}" value="3">ok</score>' for d in SCORED_DIMENSIONS) + "</judgement>"
        )

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"object": "list", "data": [{"id": "spine-test", "object": "model", "created": 0, "owned_by": "us"}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(asked)
        text = json.dumps(asked["messages"], ensure_ascii=False)
        said = (
            self.server.judgement
            if "<judgement>" in text
            else "B. L3/L4"
            if "A. L2/L3" in text
            else "Diagnosis: fracture of L1."
        )
        message = {"role": "assistant", "content": said}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        self.answer(
            {"id": "1", "object": "chat.completion", "created": 0, "model": "spine-test", "choices": [choice], "usage": usage}
        )

    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()


def test_served_model_and_judge_score_a_benchmark(server, spinebench, tmp_path):
    options = RunOptions(server.address, str(spinebench), tmp_path, batch_size=4, judge=server.address)
    scores = run(options)
    assert scores["model"]["id"] == "spine-test"
    assert scores["scoring"] == "generate"
    assert scores["judge"] == {"id": "spine-test", "prompt_id": "judge_report@1"}
    assert scores["tasks"]["report"]["score"] == pytest.approx(60.0)
    assert scores["tasks"]["text_mcq"]["n_unparsed"] == 0
    choices = [json.loads(line) for line in (tmp_path / PREDICTIONS).read_text().splitlines()]
    assert {record["choice"] for record in choices if record["task"] == "multiple_choice"} == {"B"}
    imaged = [asked for asked in server.asked if "image_url" in json.dumps(asked)]
    assert len(imaged) == 14
    assert all(asked["temperature"] == 0 for asked in server.asked)
    count = len(server.asked)
    (tmp_path / PREDICTIONS).unlink()
    assert run(options)["total"] == scores["total"]
    assert len(server.asked) == count  # the call log answers
    assert (tmp_path / CALLS).exists()


def test_judge_that_fails_is_counted_and_leaves_the_score_incomplete(server, spinebench, tmp_path):
    server.judgement = "five out of five"
    scores = run(RunOptions(server.address, str(spinebench), tmp_path, batch_size=4, judge=server.address))
    assert scores["tasks"]["report"]["n_failed"] == 4
    assert scores["tasks"]["report"]["score"] is None
    assert scores["complete"] is False
    assert scores["tasks"]["report"]["weight"] == 0


def test_hospital_items_are_refused_before_any_call(spinebench, tmp_path, monkeypatch):
    monkeypatch.setattr("evaluation.benchmark.BenchmarkItem.is_hospital", property(lambda item: True))
    options = RunOptions("http://models.example.org/v1", str(spinebench), tmp_path / "run", model_name="any")
    with pytest.raises(ValueError, match=r"28 items .* hospital"):
        run(options)
    assert not (tmp_path / "run").exists()
