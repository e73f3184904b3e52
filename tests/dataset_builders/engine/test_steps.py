import json
import resource
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from dataset_builders.document import Reject
from dataset_builders.engine.shard_runner import StopRun
from dataset_builders.engine.shards import SHARDS, read_records, read_rejects, write_records
from dataset_builders.engine.steps import CRASHES, GlobalStep, Step, read_manifest, run_global_step, run_step
from tests.support.processes import kill, start
from tests.support.steps import content, die, die_once, split_in_two, stop, stop_until


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
    assert run(code=("figures",)) and not run(code=("figures",))
    assert run(code=("figures",), settings={"size": 3})
    write_records(({"file": f"{n}.txt", "n": n} for n in range(61)), source)
    assert run(code=("figures",), settings={"size": 3})


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
from dataset_builders.engine.steps import Step, run_step
def slow(record):
    time.sleep(0.05)
    yield {**record, "done": True}
if __name__ == "__main__":
    run_step(Step("slow", slow), Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_step_killed_half_way_goes_on_and_ends_with_the_same_bytes(source, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    command = [str(script), str(source)]
    subprocess.run([sys.executable, *command, str(tmp_path / "undisturbed")], check=True, capture_output=True)

    process = start([*command, str(tmp_path / "killed")], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "killed").glob("[0-9]*.jsonl"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert kill(process)
    (tmp_path / "killed" / "engine" / "completions" / "00000").unlink(missing_ok=True)  # as a kill before the mark would
    finished = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("[0-9]*.jsonl")}
    assert 5 <= len(finished) < SHARDS
    subprocess.run([sys.executable, *command, str(tmp_path / "killed")], check=True, capture_output=True)
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("[0-9]*.jsonl")}
    assert finished.items() <= again.items(), "finished shards were made again"
    assert content(tmp_path / "killed") == content(tmp_path / "undisturbed")
    assert json.loads((tmp_path / "killed" / "manifest.json").read_text())["records_out"] == 60


def test_what_kills_or_holds_up_a_worker_is_that_records_reject_and_nothing_else(died):
    rejects = {reject.file: (reject.reason, reject.detail) for reject in read_rejects(died)}
    assert {file: reason for file, (reason, _) in rejects.items()} == {
        "5.txt": "worker_died",
        "6.txt": "worker_died",
        "22.txt": "worker_died",
        "38.txt": "worker_died",
        "17.txt": "timed_out",
    }
    assert rejects["5.txt"][1] == "SIGSEGV" and rejects["22.txt"][1] == "out of memory" and "1 s" in rejects["17.txt"][1]
    kept = sorted((record["n"], record["part"]) for record in read_records(died))
    assert kept == [(n, part) for n in range(60) if f"{n}.txt" not in rejects for part in (1, 2)]
    assert set(read_manifest(died).dropped) <= set(CRASHES)
    assert not list(died.rglob("*.partial"))


@pytest.mark.parametrize("workers", [2, 3])
def test_deaths_do_not_change_the_bytes_with_the_number_of_workers(died, source, tmp_path, workers):
    run_step(Step("die", die), source, tmp_path / "1", workers=workers, timeout=1.0)
    assert content(tmp_path / "1") == content(died) and not list((tmp_path / "1").rglob("*.partial"))


def test_a_record_is_tried_again_in_a_fresh_process_before_it_is_rejected(source, tmp_path):
    manifest = run_step(Step("die", partial(die_once, tmp_path / "marker")), source, tmp_path / "1")
    assert (tmp_path / "marker").exists() and manifest.records_out == 60 and not manifest.dropped


def fill_the_disk(record):
    if record["n"] == 20:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield record


def test_a_disk_that_cannot_be_written_stops_the_step_and_rejects_nothing(source, tmp_path):
    with pytest.raises(RuntimeError, match="did not finish"):
        run_step(Step("full", fill_the_disk), source, tmp_path / "1")
    assert not (tmp_path / "1" / "manifest.json").exists() and not list(read_rejects(tmp_path / "1"))


def test_a_run_that_is_stopped_blames_no_record(source, tmp_path):
    step = Step("stop", partial(stop, tmp_path / "marker"))
    with pytest.raises(RuntimeError, match="did not finish"):
        run_step(step, source, tmp_path / "1")
    assert run_step(step, source, tmp_path / "1").records_out == 60


def test_a_step_that_stops_itself_says_what_is_left_and_goes_on_when_run_again(source, tmp_path):
    step = Step("halves", partial(stop_until, tmp_path / "marker"), at_once=4)
    with pytest.raises(
        StopRun, match=r"step halves stopped: max_calls: 9 requests were sent\. \d+ of 60 records are finished, \d+ "
    ):
        run_step(step, source, tmp_path / "1")
    (tmp_path / "marker").touch()
    assert run_step(step, source, tmp_path / "1").records_out == 60
    assert [record["n"] for record in read_records(tmp_path / "1")] == [
        n for rank in range(SHARDS) for n in range(rank, 60, SHARDS)
    ]
