import os
import signal
import subprocess
import sys
import threading

import pytest

from dataset_builders.review import decisions as module
from dataset_builders.review.decisions import Decision, DecisionLog, effective, read_decisions


def decision(key, **changes):
    fields = {
        "time": "2026-01-31T10:00:00+00:00",
        "reviewer": "R01",
        "group": "A",
        "item": "a",
        "item_sha256": "0",
        "data_set": "1",
    }
    return Decision(key=key, **{**fields, "stage": "first", "verdict": "accept", **changes})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "decisions.jsonl"


def test_a_decision_is_read_back_with_its_number(path):
    log = DecisionLog(path)
    written = [log.append(decision("k1")), log.append(decision("k2", verdict="remove", reasons=("other",), comment="x"))]
    assert read_decisions(path) == written == log.decisions and [one.number for one in written] == [1, 2]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_decision_is_on_the_disk_before_it_is_acknowledged(path, monkeypatch):
    log = DecisionLog(path)
    synced = []
    monkeypatch.setattr(module.os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    log.append(decision("k1"))
    assert synced == [path.stat().st_size] and synced[0] > 0


def test_the_same_key_is_written_once(path):
    log = DecisionLog(path)
    assert log.append(decision("k1")) == log.append(decision("k1"))
    assert len(path.read_text().splitlines()) == 1


def test_what_a_killed_server_had_begun_to_write_is_set_aside(path):
    DecisionLog(path).append(decision("k1"))
    with path.open("ab") as file:
        file.write(b'{"key":"k2","ti')
    assert [one.key for one in read_decisions(path)] == ["k1"]
    log = DecisionLog(path)
    log.append(decision("k3"))
    assert [one.key for one in read_decisions(path)] == ["k1", "k3"]
    assert path.with_suffix(".torn").read_bytes() == b'{"key":"k2","ti\n'


def test_if_the_disk_is_full_the_log_stays_as_it_was(path, monkeypatch):
    log = DecisionLog(path)
    log.append(decision("k1"))
    before, write = path.read_bytes(), os.write

    def half(descriptor, data):
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:10])

    monkeypatch.setattr(module.os, "write", half)
    with pytest.raises(OSError, match="No space"):
        log.append(decision("k2"))
    monkeypatch.undo()
    assert path.read_bytes() == before and [one.key for one in log.decisions] == ["k1"]
    assert log.append(decision("k3")).number == 2


def test_a_second_process_is_refused(path):
    log = DecisionLog(path)
    code = (
        f"from dataset_builders.review.decisions import DecisionLog; from pathlib import Path; DecisionLog(Path({str(path)!r}))"
    )
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert second.returncode and "open in another process" in second.stderr
    log.close()
    DecisionLog(path)


def test_threads_lose_nothing(path):
    log = DecisionLog(path)
    threads = [
        threading.Thread(target=lambda n=n: [log.append(decision(f"k{n}-{i}", item=f"{n}")) for i in range(10)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_decisions(path)) == 40


def test_no_acknowledged_decision_is_lost_by_a_kill(path):
    """A process appends and acknowledges on its output until it is killed."""
    code = (
        "import sys; from pathlib import Path; from dataset_builders.review.decisions import *\n"
        f"log = DecisionLog(Path({str(path)!r}))\n"
        "for n in range(10**6):\n"
        "    log.append(Decision(f'k{n}', 't', 'R01', 'A', 'a', '0', '1', 'first', 'accept', comment='x' * 5000))\n"
        "    print(n, flush=True)"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    acknowledged = [writer.stdout.readline() for _ in range(30)]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += writer.stdout.read().split()
    writer.wait()
    log = DecisionLog(path)
    assert len(log.decisions) >= int(acknowledged[-1]) + 1
    assert [one.key for one in log.decisions] == [f"k{n}" for n in range(len(log.decisions))]


@pytest.mark.parametrize(
    "damage", [lambda lines: [lines[1]], lambda lines: [lines[0][:30], lines[1]], lambda lines: ["[]", lines[1]]]
)
def test_a_log_that_somebody_changed_is_named(path, damage):
    log = DecisionLog(path)
    log.extend([decision("k1"), decision("k2")])
    path.write_text("".join(line + "\n" for line in damage(path.read_text().splitlines())))
    with pytest.raises(ValueError, match=r"decisions.jsonl line 1"):
        read_decisions(path)


def test_a_later_decision_of_the_same_reviewer_holds_and_an_undone_one_does_not(path):
    log = DecisionLog(path)
    log.extend([decision("k1"), decision("k2", verdict="remove"), decision("k3", reviewer="R02")])
    assert [one.key for one in effective(log.decisions)] == ["k2", "k3"]
    log.append(decision("k4", verdict="undo", undoes=2))
    assert [one.key for one in effective(log.decisions)] == ["k1", "k3"]
