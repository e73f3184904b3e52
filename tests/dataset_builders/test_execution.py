import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataset_builders.document import Reject
from dataset_builders.execution import (
    SHARDS,
    GlobalStep,
    Step,
    read_manifest,
    read_records,
    read_rejects,
    run_global_step,
    run_step,
    write_records,
)


def split_in_two(record):
    if record["n"] % 10 == 0:
        yield Reject(record["file"], "round_number", "ends in zero")
    elif record["n"] % 7 == 0:
        raise ValueError("Jane Doe, born 1950-02-03")
    else:
        yield {**record, "half": 1}
        yield {**record, "half": 2}


@pytest.fixture
def source(tmp_path):
    write_records(({"file": f"{n}.txt", "n": n} for n in range(60)), tmp_path / "0")
    return tmp_path / "0"


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.json*")) if "engine" not in p.parts}


def test_every_record_is_kept_or_counted_by_reason(source, tmp_path):
    manifest = run_step(Step("halves", split_in_two), source, tmp_path / "1")
    assert (manifest.records_in, manifest.records_out) == (60, 2 * (60 - 6 - 8))
    assert manifest.dropped == {"round_number": 6, "step_crashed": 8}
    assert read_manifest(tmp_path / "1") == manifest


def test_a_crash_is_that_records_reject_and_its_message_is_not_kept(source, tmp_path):
    run_step(Step("halves", split_in_two), source, tmp_path / "1")
    crashed = [reject for reject in read_rejects(tmp_path / "1") if reject.reason == "step_crashed"]
    assert {reject.file for reject in crashed} == {f"{n}.txt" for n in range(60) if n % 7 == 0 and n % 10}
    everything = b"".join(p.read_bytes() for p in (tmp_path / "1").rglob("*") if p.is_file())
    assert b"Jane Doe" not in everything


def test_one_and_two_workers_give_the_same_bytes(source, tmp_path):
    run_step(Step("halves", split_in_two), source, tmp_path / "one")
    run_step(Step("halves", split_in_two), source, tmp_path / "two", workers=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_finished_step_is_not_run_again_until_input_version_or_settings_change(source, tmp_path):
    marker = tmp_path / "1" / "marker"

    def run(**changes):
        run_step(Step("halves", split_in_two, **changes), source, tmp_path / "1")
        fresh = not marker.exists()
        marker.touch()
        return fresh

    assert run() and not run()
    assert run(version=2) and not run(version=2)
    assert run(version=2, settings={"size": 3})
    write_records(({"file": f"{n}.txt", "n": n} for n in range(61)), source)
    assert run(version=2, settings={"size": 3})


def test_a_damaged_shard_of_a_finished_step_is_made_again(source, tmp_path):
    run_step(Step("halves", split_in_two), source, tmp_path / "1")
    before = content(tmp_path / "1")
    (tmp_path / "1" / "00003.jsonl").write_text("")
    run_step(Step("halves", split_in_two), source, tmp_path / "1")
    assert content(tmp_path / "1") == before


def test_a_global_step_sees_all_records_and_keeps_their_shards(source, tmp_path):
    def smaller_than_mean(read):
        numbers = [record["n"] for record in read()]
        mean = sum(numbers) / len(numbers)
        for record in read():
            yield record if record["n"] < mean else Reject(record["file"], "too_large")

    manifest = run_global_step(GlobalStep("small", smaller_than_mean), source, tmp_path / "1")
    assert manifest.dropped == {"too_large": 30}
    assert [record["n"] for record in read_records(tmp_path / "1")] == [
        record["n"] for record in read_records(source) if record["n"] < 29.5
    ]


KILLED = """
import sys, time
from pathlib import Path
from dataset_builders.execution import Step, run_step
def slow(record):
    time.sleep(0.05)
    yield {**record, "done": True}
if __name__ == "__main__":
    run_step(Step("slow", slow), Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_step_killed_half_way_goes_on_and_ends_with_the_same_bytes(source, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    command = [sys.executable, str(script), str(source)]
    subprocess.run([*command, str(tmp_path / "undisturbed")], check=True, capture_output=True)

    process = subprocess.Popen([*command, str(tmp_path / "killed")], stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "killed").glob("[0-9]*.jsonl"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("[0-9]*.jsonl")}
    assert 5 <= len(finished) < SHARDS
    subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True)
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("[0-9]*.jsonl")}
    assert finished.items() <= again.items(), "finished shards were made again"
    assert content(tmp_path / "killed") == content(tmp_path / "undisturbed")
    assert json.loads((tmp_path / "killed" / "manifest.json").read_text())["records_out"] == 60
