"""One shard in a process that may die, without the engine around it."""

import os
from functools import partial

import pytest

from dataset_builders.document import Document, Reject
from dataset_builders.engine import shard_runner
from dataset_builders.engine.shard_runner import ShardRunner, Typed, module_of
from dataset_builders.engine.shards import LineWriter, read_rejects, read_shard
from dataset_builders.figures import match_document
from tests.support.steps import die, die_once, split_in_two, stop


@pytest.fixture
def run(tmp_path):
    """Run ``step`` over one shard of records n; the records and rejects it leaves."""

    def run(step, numbers, timeout=60.0):
        source, folder = tmp_path / "0", tmp_path / "1"
        writer = LineWriter(source / "00000.jsonl")
        for n in numbers:
            writer.write({"file": f"{n}.txt", "n": n})
        writer.close()
        ShardRunner(step, source, folder, timeout)(None, 0, 1)
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
