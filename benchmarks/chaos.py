"""Draft and revise against a server that fails, through a SIGKILL: is every item asked once, and how fast?

    python benchmarks/chaos.py [--documents 1000] [--workers 3]        # writes results/chaos.json

A loopback server that speaks OpenAI's chat completions answers 92% of requests after 20 ms and spoils the rest in equal parts:
429, 500, a body cut in the middle, a body that is no JSON, an answer that takes 2 s. Made documents are drafted (a call for
each task and language: four items a document) and revised by the build's own steps in worker processes. The build's process,
and nothing else, is killed (SIGKILL) once two fifths of the calls were answered; the run then starts again.

    items           drafts and revisions that the steps left, each id once
    repeated        answered requests whose bytes were answered before, by share of all answered
    after_the_kill  requests that reached the server later than two seconds after the kill: workers that lived on
    log             rows with an answer, against the calls that there must be
    calls_per_s     answered requests by the seconds from the first request of each run to its last
    one_core        calls by processor second of the client alone (log, keys and reading included), 64 threads, no faults; and
                    of the library's asynchronous client, which does less: it neither logs nor makes keys
    same_bytes      whether the killed run ends with the bytes of an undisturbed one on a server without faults
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

FAULTS = ("429", "500", "cut", "malformed", "slow")
SHARE = 0.08
ANSWER_S, SLOW_S = 0.02, 2.0
KILL_AT = 0.4
GRACE_S = 2.0


@dataclass(frozen=True)
class Result:
    """What a run through chaos left (see the module)."""

    documents: int
    workers: int
    items: int
    drafts_once: bool
    revisions_once: bool
    requests: int
    faults: dict[str, int]
    answered: int
    repeated: float
    after_the_kill: int
    log: int
    log_expected: int
    calls_per_s: float
    same_bytes: bool


def measure(folder: Path, documents: int, workers: int) -> Result:
    """Run through chaos and without it in ``folder``; see the module for what is counted."""
    write_documents(folder / "documents", documents)
    seen = folder / "requests.jsonl"
    calls = 8 * documents  # four drafts a document, and as many revisions
    with server(seen, SHARE) as url:
        first = _start(folder / "killed", folder / "documents", url, workers)
        while len(_answered(seen)) < KILL_AT * calls:
            if first.poll() is not None:
                raise RuntimeError("the run ended before it could be killed")
            time.sleep(0.05)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        killed_at = time.time()
        time.sleep(2 * GRACE_S)
        late = [line for line in _lines(seen) if line["at"] > killed_at + GRACE_S]
        if _start(folder / "killed", folder / "documents", url, workers).wait():
            raise RuntimeError("the second run failed")
    lines, answered = _lines(seen), _answered(seen)
    times = [line["at"] for line in lines]
    runs = [at for at in times if at < killed_at + GRACE_S], [at for at in times if at >= killed_at + GRACE_S]
    seconds = sum(max(run) - min(run) for run in runs)
    with server(folder / "undisturbed.jsonl", 0.0) as url:
        if _start(folder / "undisturbed", folder / "documents", url, workers).wait():
            raise RuntimeError("the undisturbed run failed")

    drafts = [record["id"] for record in _records(folder / "killed" / "drafts")]
    revised = [record["id"] for record in _records(folder / "killed" / "revised")]
    revised += [reject["where"] for reject in _records(folder / "killed" / "revised" / "rejects")]
    with sqlite3.connect(folder / "killed" / "calls.sqlite") as database:
        (rows,) = database.execute(
            "SELECT COUNT(*) FROM calls WHERE status = 'ok' AND request != '' AND reply != ''"
        ).fetchone()
    return Result(
        documents=documents, workers=workers, items=len(set(drafts)),
        drafts_once=len(drafts) == len(set(drafts)) == 4 * documents,
        revisions_once=sorted(revised) == sorted(drafts),
        requests=len(lines), faults=dict(Counter(line["fault"] for line in lines if line["fault"])),
        answered=len(answered), repeated=round(1 - len(set(answered)) / len(answered), 5), after_the_kill=len(late),
        log=rows, log_expected=calls, calls_per_s=round(len(answered) / seconds, 1),
        same_bytes=_hash(folder / "killed") == _hash(folder / "undisturbed"),
    )  # fmt: skip


def measure_one_core(folder: Path, calls: int = 2000, in_flight: int = 64) -> dict[str, float]:
    """Measure calls by processor second of this process, for our client and for the bare asynchronous one of the library."""
    import openai

    from modeling.chat_client import ChatClient, Endpoint

    form = {"type": "object", "properties": {"criteria": {"required": ["a"]}, "verdict": {}}}
    filler = "The L4/L5 disc bears most of the load of the trunk. " * 150

    def messages(number: int) -> list[dict[str, Any]]:
        content = [{"type": "text", "text": f"In series {number} it was so.\n{filler}"}]
        return [{"role": "system", "content": filler[:4000]}, {"role": "user", "content": content}]

    rates = {}
    with server(folder / "one_core.jsonl", 0.0) as url:
        client = ChatClient(Endpoint(url, "made", max_in_flight=in_flight), folder / "one_core.sqlite")

        def ask(number: int) -> None:
            client.complete(messages(number), prompt_id="p@1", prompt_sha256="0" * 64, schema=form)

        ask(-1)
        used = time.process_time()
        with ThreadPoolExecutor(in_flight) as pool:
            list(pool.map(ask, range(calls)))
        rates["client"] = round(calls / (time.process_time() - used), 1)

        async def ask_all() -> None:
            waiting = iter(range(calls))
            response_format = {"type": "json_schema", "json_schema": {"name": "reply", "schema": form}}

            async def work() -> None:
                for number in waiting:
                    await bare.chat.completions.create(model="made", messages=messages(number), response_format=response_format)

            async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as bare:
                await asyncio.gather(*(work() for _ in range(in_flight)))

        used = time.process_time()
        asyncio.run(ask_all())
        rates["bare_asynchronous"] = round(calls / (time.process_time() - used), 1)
    return rates


def write_documents(folder: Path, count: int) -> None:
    """Write ``count`` articles of one passage each, as the step "classified" leaves them."""
    from dataset_builders.document import Document, Provenance
    from dataset_builders.engine.shards import write_records

    def make(number: int) -> dict[str, Any]:
        provenance = Provenance(
            "article", f"made:{number}", "CC-BY-4.0", "article.xml", "0" * 64, source_title=f"Case {number}"
        )
        text = f"# Discs\n\nIn series {number} the L4/L5 disc herniated in {10 + number % 80} of 100 patients with leg pain."
        return Document(provenance, "en", text, specialty="spine").to_dict()

    write_records(map(make, range(count)), folder)


def run_steps_on(work: Path, documents: Path, url: str, workers: int) -> None:
    """Draft and revise the documents with the model at ``url``: the child that is killed."""
    from dataset_builders.document import Document
    from dataset_builders.engine.shard_runner import Typed
    from dataset_builders.engine.steps import Step, run_steps
    from dataset_builders.generate import load_generator
    from dataset_builders.item import Item

    work.mkdir(parents=True, exist_ok=True)
    config = work / "models.yaml"
    endpoint = f"m: {{base_url: '{url}', model: made, timeout_s: 600, max_in_flight: 64}}"
    config.write_text(
        f"log: calls.sqlite\nendpoints: {{{endpoint}}}\nroles: {{draft: {{external: m}}, revise: {{external: m}}}}\n"
    )
    writer = load_generator(str(config))
    settings = {step: (writer.code[step], writer.settings[step], writer.at_once[step]) for step in ("drafts", "revised")}
    steps = (
        Step("drafts", Typed(Document, partial(writer.draft, image_of=no_image)), *settings["drafts"]),
        Step("revised", Typed(Item, partial(writer.revise, image_of=no_image)), *settings["revised"]),
    )
    folders = {step.name: work / step.name for step in steps}
    run_steps(steps, documents, folders, executor="local", workers=workers, timeout=3600.0)


def no_image(sha256: str) -> bytes:
    """Raise FileNotFoundError: the documents have no images."""
    raise FileNotFoundError(sha256)


class server:
    """A server process at ``url`` while the block runs; it writes a line a request to ``seen``."""

    def __init__(self, seen: Path, share: float):
        self._command = [sys.executable, __file__, "--serve", str(seen), "--share", str(share)]

    def __enter__(self) -> str:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        return f"http://127.0.0.1:{int(self._process.stdout.readline())}/v1"

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()


async def serve(seen: Path, share: float) -> None:
    """Answer until killed; print the port."""
    log = seen.open("a", buffering=1)
    rng = random.Random(7)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                asked = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(asked.split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                arrived = time.time()
                fault = rng.choice(FAULTS) if rng.random() < share else ""
                await asyncio.sleep(SLOW_S if fault == "slow" else ANSWER_S)
                data = _completion(json.loads(body))
                if fault == "malformed":
                    data = data[: len(data) // 2]
                status = {"429": "429 Too Many Requests", "500": "500 Internal Server Error"}.get(fault, "200 OK")
                extra = "retry-after: 0.1\r\n" if fault == "429" else ""
                data = b"{}" if status[0] != "2" else data
                line = {"body": hashlib.sha256(body).hexdigest(), "fault": fault, "at": arrived}
                log.write(json.dumps(line) + "\n")
                head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{extra}content-length: {len(data)}\r\n\r\n"
                writer.write(head.encode())
                writer.write(data[: len(data) // 2] if fault == "cut" else data)
                await writer.drain()
                if fault == "cut":
                    break
        writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


def _completion(request: dict[str, Any]) -> bytes:
    """The body of an answer in the form that the request asks for: it depends on the request alone."""
    fields = request["response_format"]["json_schema"]["schema"]["properties"]
    source = request["messages"][1]["content"][0]["text"]
    text = json.dumps(_verdict(fields) if "verdict" in fields else {"items": [_draft(fields, source)]}, ensure_ascii=False)
    message = {"role": "assistant", "content": text}
    return json.dumps(
        {
            "id": "c", "object": "chat.completion", "created": 1, "model": "made-1",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000},
        }
    ).encode()  # fmt: skip


def _draft(fields: dict[str, Any], source: str) -> dict[str, Any]:
    wanted = fields["items"]["items"]["properties"]
    task, language = wanted["task"]["enum"][0], wanted["language"]["enum"][0]
    quote = next(line for line in source.splitlines() if line.startswith("In series"))
    share = quote.split(" of 100")[0].split()[-1]
    english = language == "en"
    question = (
        "How many of 100 patients with leg pain had a herniated L4/L5 disc?"
        if english
        else "100 例腿痛患者中有多少例 L4/L5 椎间盘突出？"
    )
    said = (
        f"The L4/L5 disc herniated in {share} of 100 patients." if english else f"100 例患者中有 {share} 例 L4/L5 椎间盘突出。"
    )
    record = {
        "task": task,
        "language": language,
        "axis": "pathology_assessment",
        "figures": [],
        "question": question,
        "quotes": [quote],
    }
    if task == "open_ended":
        return {**record, "answer": said}
    return {**record, "options": [share, "5", "95", "98"], "answer": "A", "explanation": said}


def _verdict(fields: dict[str, Any]) -> dict[str, Any]:
    met = {name: {"met": True, "why": "The source says so."} for name in fields["criteria"]["required"]}
    return {"reasoning": "The source gives the number.", "criteria": met, "verdict": "accept", "reason": "", "item": None}


def _start(work: Path, documents: Path, url: str, workers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, "--steps", str(work), str(documents), url, "--workers", str(workers)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _answered(path: Path) -> list[str]:
    """Hashes of the requests that were answered in full."""
    return [line["body"] for line in _lines(path) if line["fault"] in ("", "slow")]


def _records(folder: Path) -> list[dict[str, Any]]:
    return [record for path in sorted(folder.glob("[0-9]*.jsonl")) for record in _lines(path)]


def _hash(work: Path) -> str:
    digest = hashlib.sha256()
    for step in ("drafts", "revised"):
        for path in sorted((work / step).rglob("[0-9]*.jsonl")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Measure, or be one of the processes that a measurement starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--share", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--steps", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve(arguments.serve, arguments.share))
        return
    if arguments.steps:
        work, documents, url = arguments.steps
        run_steps_on(Path(work), Path(documents), url, arguments.workers)
        return
    from common import write_result

    with tempfile.TemporaryDirectory() as folder:
        one_core = measure_one_core(Path(folder))
        result = asdict(measure(Path(folder), arguments.documents, arguments.workers))
    write_result("chaos", {**result, "one_core": one_core}, ("openai", "httpx2"))


if __name__ == "__main__":
    main()
