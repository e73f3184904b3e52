"""One shard in a process that may die, without the engine around it."""

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from dataset_builders.document import Document, Reject
from dataset_builders.engine import shard_runner
from dataset_builders.engine.shard_runner import ShardRunner, StopRun, Typed, module_of
from dataset_builders.engine.shards import LineWriter, read_rejects, read_shard
from dataset_builders.figures import match_document
from tests.support.steps import die, die_once, split_in_two, stop


@pytest.fixture
def run(tmp_path):
    """Run ``step`` over one shard of records n; the records and rejects it leaves."""

    def run(step, numbers, timeout=60.0, at_once=1):
        source, folder = tmp_path / "0", tmp_path / "1"
        writer = LineWriter(source / "00000.jsonl")
        for n in numbers:
            writer.write({"file": f"{n}.txt", "n": n})
        writer.close()
        ShardRunner(step, source, folder, timeout, at_once)(None, 0, 1)
        return list(read_shard(folder / "00000.jsonl")), list(read_rejects(folder))

    return run


def test_records_keep_their_order_and_rejects_lie_apart(run):
    records, rejects = run(split_in_two, range(1, 12))
    assert [(record["n"], record["half"]) for record in records] == [
        (n, half) for n in (1, 2, 3, 4, 5, 6, 8, 9, 11) for half in (1, 2)
    ]
    assert rejects == [Reject("7.txt", "step_crashed", "ValueError"), Reject("10.txt", "round_number", "ends in zero")]


def test_a_shard_without_records_is_a_file_without_lines(run):
    assert run(split_in_two, ()) == ([], [])


def test_what_a_dying_record_had_written_is_cut_off_and_the_shard_goes_on(run, tmp_path):
    records, rejects = run(die, (4, 5, 6, 7, 17, 22, 38, 39), timeout=1.0)
    assert [(record["n"], record["part"]) for record in records] == [(n, part) for n in (4, 7, 39) for part in (1, 2)]
    assert rejects == [
        Reject("5.txt", "worker_died", "SIGSEGV"),
        Reject("6.txt", "worker_died", "exit status 0"),
        Reject("17.txt", "timed_out", "took longer than 1 s; raise --timeout if it should not"),
        Reject("22.txt", "worker_died", "out of memory"),
        Reject("38.txt", "worker_died", "SIGKILL"),
    ]
    assert not list(tmp_path.rglob("*.partial"))


def test_a_record_is_tried_again_in_a_fresh_process_before_it_is_rejected(run, tmp_path):
    records, rejects = run(partial(die_once, tmp_path / "marker"), range(6, 9))
    assert (tmp_path / "marker").exists() and [record["n"] for record in records] == [6, 7, 8] and not rejects


def peak_memory(record):
    yield {"bytes": shard_runner._peak_memory()}


HELD = []


def leak(size, record):
    HELD.append(b"x" * size)
    yield {"process": os.getpid(), "held": len(HELD)}


@pytest.mark.parametrize(("size", "least", "processes"), [(16 << 20, 4, 2), (16 << 20, 50, 1), (1 << 10, 4, 1)])
def test_a_process_that_has_grown_is_replaced_after_a_least_number_of_records(run, monkeypatch, size, least, processes):
    (before,), _ = run(peak_memory, range(1))
    monkeypatch.setattr(shard_runner, "MEMORY", before["bytes"] + (200 << 20))
    monkeypatch.setattr(shard_runner, "RECORDS", least)
    records, rejects = run(partial(leak, size), range(24))
    assert len(records) == 24 and not rejects
    assert len({record["process"] for record in records}) == processes
    assert (max(record["held"] for record in records) < 24) == (processes > 1)


def half_surrogate(record):
    yield {**record, "text": "\ud800" if record["n"] == 3 else "fine"}


def test_a_result_that_cannot_be_written_is_that_records_reject(run):
    records, rejects = run(half_surrogate, range(6))
    assert [record["n"] for record in records] == [0, 1, 2, 4, 5]
    assert rejects == [Reject("3.txt", "step_crashed", "UnicodeEncodeError")]


def test_a_signal_that_ends_the_whole_run_blames_no_record(run, tmp_path):
    with pytest.raises(RuntimeError, match="shard 0: stopped by SIGTERM; run again to go on"):
        run(partial(stop, tmp_path / "marker"), range(18, 24))
    assert not (tmp_path / "1" / "00000.jsonl").exists()
    records, rejects = run(partial(stop, tmp_path / "marker"), range(18, 24))
    assert len(records) == 6 and not rejects


def test_a_source_that_is_not_there_ends_the_shard_with_the_files_name(tmp_path):
    with pytest.raises(RuntimeError, match=r"shard 3: FileNotFoundError: .*00003\.jsonl.*; put that right, then run again"):
        ShardRunner(split_in_two, tmp_path / "0", tmp_path / "1", 60.0)(None, 3, 16)


def test_the_module_of_a_step_is_that_of_the_function_inside_its_partials(tmp_path):
    assert module_of(partial(partial(die_once, tmp_path))) == "tests.support.steps"
    assert module_of(Typed(Document, partial(match_document))) == "dataset_builders.figures"


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path):
    path = tmp_path / "sub" / "00000.jsonl"
    writer = LineWriter(path, "one")
    writer.write({"text": "椎"})
    assert writer.flush() == len('{"text":"椎"}\n'.encode())
    assert [found.name for found in path.parent.iterdir()] == ["00000.one.partial"]
    writer.close()
    assert path.read_text(encoding="utf-8") == '{"text":"椎"}\n' and list(read_shard(path)) == [{"text": "椎"}]
    assert list(path.parent.iterdir()) == [path]


def test_another_process_goes_on_at_the_byte_it_is_told(tmp_path):
    path = tmp_path / "00000.jsonl"
    first = LineWriter(path, "one")
    first.write({"n": 1})
    keep = first.flush()
    first.write({"n": 2, "of": "the process that died"})
    first.flush()
    second = LineWriter(path, "one", keep)
    second.write({"n": 3})
    second.close()
    assert list(read_shard(path)) == [{"n": 1}, {"n": 3}]


def wait_backwards(record):
    time.sleep(0.05 * (8 - record["n"] % 8))
    yield {"n": record["n"], "thread": threading.current_thread().name}
    if record["n"] == 5:
        yield Reject("5.txt", "five", "")
    if record["n"] == 6:
        raise ValueError(record["n"])


def test_records_that_wait_side_by_side_are_written_in_their_order(run):
    started = time.monotonic()
    records, rejects = run(wait_backwards, range(1, 25), at_once=8)
    assert [record["n"] for record in records] == list(range(1, 25)), "what a record wrote before it crashed stays"
    assert rejects == [Reject("5.txt", "five", ""), Reject("6.txt", "step_crashed", "ValueError")]
    assert len({record["thread"] for record in records}) > 1 and time.monotonic() - started < 24 * 0.2


def hang_at_nine(record):
    time.sleep(60 if record["n"] == 9 else 0.01)
    yield record


def test_a_record_that_takes_too_long_is_the_only_reject_of_those_side_by_side(run):
    records, rejects = run(hang_at_nine, range(1, 20), timeout=1.0, at_once=4)
    assert [record["n"] for record in records] == [n for n in range(1, 20) if n != 9]
    assert [(reject.file, reject.reason) for reject in rejects] == [("9.txt", "timed_out")]


def spend(folder, record):
    if record["n"] == 5:
        raise StopRun("max_calls: 4 requests were sent")
    time.sleep(0.3)
    (folder / f"asked {record['n']}").touch()
    yield record


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_step_that_stops_itself_makes_no_reject_and_lets_what_is_under_way_end(run, tmp_path, at_once):
    with pytest.raises(RuntimeError, match="shard 0: max_calls: 4 requests were sent"):
        run(partial(spend, tmp_path), range(1, 40), at_once=at_once)
    assert (tmp_path / "1" / shard_runner.STOPPED / "00000").read_text() == "max_calls: 4 requests were sent"
    assert not (tmp_path / "1" / "00000.jsonl").exists()
    asked = len(list(tmp_path.glob("asked *")))
    assert 4 <= asked < 12


def note_and_wait(folder, record):
    (folder / str(os.getpid())).touch()
    time.sleep(60)
    yield record


def test_the_process_of_records_ends_with_the_one_that_started_it(tmp_path):
    writer = LineWriter(tmp_path / "0" / "00000.jsonl")
    writer.write({"n": 1})
    writer.close()
    (tmp_path / "seen").mkdir()
    engine = os.fork()
    if engine == 0:
        ShardRunner(partial(note_and_wait, tmp_path / "seen"), tmp_path / "0", tmp_path / "1", 60.0)(None, 0, 1)
        os._exit(0)
    wait_until(lambda: list((tmp_path / "seen").iterdir()))
    (child,) = [int(path.name) for path in (tmp_path / "seen").iterdir()]
    os.kill(engine, signal.SIGKILL)
    os.waitpid(engine, 0)
    wait_until(lambda: not is_running(child))


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def wait_until(holds, seconds=20.0):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it does not come true"
        time.sleep(0.02)
