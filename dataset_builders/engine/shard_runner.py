"""Run a shard's records in a process that may die without taking the shard, or the build, with it.

    ShardRunner, in the engine's process   ── "shard 3, from record 17 on" ──▶   a forked child, which runs the step
                                           ◀── "at record 18", … "finished" ──

The engine's process never runs a step itself, so it is always fit to fork. The child lives from shard to shard (what a
step loads at first use is loaded once), reports its position before every record, and is replaced

- when it dies (a segmentation fault, an exit, no memory left): the first time, the record is tried again in a fresh process,
  so that nothing before it is the cause; the second time, it becomes a Reject, "worker_died";
- when a record takes longer than the time-out: the kernel ends the process (SIGALRM), and the record is a Reject, "timed_out";
- when it has grown, because parsers leak memory.

Whatever the dead process had written of that record is cut off. The child ends with the engine's process, and that with the
build, however they end: nothing goes on working for a build that was killed.

A step that mostly waits, for models, may have many records under way at once, in threads; its records are written in their
order all the same.
"""

import dataclasses
import json
import multiprocessing
import os
import resource
import select
import signal
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NoReturn, Protocol, Self

from dataset_builders.document import Reject
from dataset_builders.engine.shards import LineWriter, Record, encode, read_shard

Run = Callable[[Record], Iterable[Record | Reject]]
_Lines = Callable[[], Iterable[tuple[bool, bytes]]]

# A child is replaced once its peak memory is over MEMORY bytes, but not before it has run RECORDS records: a step whose
# models alone need that much must not load them again for every record.
MEMORY = 1 << 30
RECORDS = 50
OUT_OF_MEMORY = 121  # exit status
STOPPED = "engine/stopped"  # below a step's folder: why a shard was stopped, a file a shard
# Records that are begun before the first of them is written, for each that may be under way: a slow one holds up no other.
AHEAD = 4
# Signals that end a whole run (Ctrl-C, scancel): no verdict on the record in hand.
_STOPPED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRun(Exception):
    """Raised by a step if no record can go on: a key is refused, a budget is spent. The message must quote no record.

    The record is no Reject: what is finished stays, and the same build, run again, goes on from there.
    """


class FlowRecord(Protocol):
    """A record that the build writes to disk and reads back: Document, Item."""

    def to_dict(self) -> Record: ...

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Typed:
    """A step's ``run``, made from a function of typed records that returns one record, or an iterable of records and Rejects.

    Converts from and to the records on disk, so that steps never handle JSON.
    """

    takes: type[FlowRecord]
    function: Callable[[Any], Any]

    def __call__(self, record: Record) -> Iterator[Record | Reject]:
        made = self.function(self.takes.from_dict(record))
        for result in [made] if isinstance(made, (self.takes, Reject)) else made:
            yield result if isinstance(result, Reject) else result.to_dict()


def module_of(run: Callable[..., Any]) -> str:
    """Return the name of the module that defines a step's function, looking inside partials."""
    while isinstance(run, (partial, Typed)):
        run = run.func if isinstance(run, partial) else run.function
    return run.__module__


class ShardRunner:
    """A datatrove step that runs one shard: ``source/<rank>.jsonl`` to ``folder/<rank>.jsonl`` and its rejects.

    run       record -> records and Rejects. If it raises, the record becomes a Reject, "step_crashed", with the exception's
              type alone: the message of a library's exception may quote a patient's text.
    timeout   seconds a record may take.
    at_once   records that may be under way at once, in threads of one process; 1 for a step that computes.

    Raises RuntimeError if the shard cannot go on for a reason other than a record: a full disk, a stopped run, StopRun.
    """

    def __init__(self, run: Run, source: Path, folder: Path, timeout: float, at_once: int = 1):
        self._run = run
        self._source = source.absolute()
        self._folder = folder.absolute()
        self._working_directory = Path.cwd()  # a step may hold relative paths; other machines start elsewhere
        self._timeout = timeout
        self._at_once = at_once
        self._child: tuple[int, Connection] | None = None

    def __call__(self, _data: Any, rank: int, _world_size: int) -> None:
        place = _Place(rank, uuid.uuid4().hex)
        died_at = -1
        while True:
            place = self._advance(place)
            if place.state == "finished":
                return
            if place.state == "stopped":
                mark = self._folder / STOPPED / f"{rank:05d}"
                mark.parent.mkdir(parents=True, exist_ok=True)
                mark.write_text(place.detail, encoding="utf-8")
                raise RuntimeError(f"shard {rank}: {place.detail}")
            if place.state == "failed":
                raise RuntimeError(f"shard {rank}: {place.detail}; put that right, then run again")
            reason, detail = self._bury(place)
            if place.reason:
                raise RuntimeError(f"shard {rank}: no process can be started for its records: {detail}")
            if place.state == "grown":
                place = dataclasses.replace(place, state="running")
            elif reason == "timed_out" or place.record == died_at:
                place = dataclasses.replace(place, reason=reason, detail=detail)
            else:
                died_at = place.record

    def _advance(self, place: "_Place") -> "_Place":
        """Let the child go on at ``place``; return the place where it stops or dies."""
        if self._child is None:
            self._child = self._fork()
        _, connection = self._child
        with suppress(EOFError, ConnectionError):
            connection.send_bytes(json.dumps(dataclasses.asdict(place)).encode())
            while place.state == "running":
                place = _Place(**json.loads(_receive(connection)))
        return place

    def _fork(self) -> tuple[int, Connection]:
        ours, theirs = Pipe()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._serve(theirs)
        theirs.close()
        return pid, ours

    def _bury(self, place: "_Place") -> tuple[str, str]:
        """Wait for the dead child; return the reason and detail of its death."""
        assert self._child is not None
        pid, connection = self._child
        self._child = None
        connection.close()
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            code = os.WEXITSTATUS(status)
            return "worker_died", "out of memory" if code == OUT_OF_MEMORY else f"exit status {code}"
        death = signal.Signals(os.WTERMSIG(status))
        if death == signal.SIGALRM:
            return "timed_out", f"took longer than {self._timeout:g} s; raise --timeout if it should not"
        if death in _STOPPED:
            raise RuntimeError(f"shard {place.rank}: stopped by {death.name}; run again to go on")
        if death == signal.SIGKILL:
            time.sleep(1)  # if the whole run is being killed, this process dies too and blames no record
        return "worker_died", death.name

    def _serve(self, connection: Connection) -> NoReturn:
        """Run in the child: take shard after shard until the other side closes or this process has grown."""
        threading.Thread(target=_end_with_other_side, args=(connection.fileno(),), daemon=True).start()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold patients' text
        with suppress(OSError):  # Linux: if memory runs out, the kernel should kill this process, not the build
            Path("/proc/self/oom_score_adj").write_text("1000")
        records_run = 0
        try:
            os.chdir(self._working_directory)
            while True:
                order = _Place(**json.loads(connection.recv_bytes()))
                with closing(self._run_records(order)) as places:
                    for place in places:
                        records_run += place.state == "running"
                        if place.state == "running" and records_run > RECORDS and _peak_memory() > MEMORY:
                            place = dataclasses.replace(place, state="grown")
                            places.close()
                        connection.send_bytes(json.dumps(dataclasses.asdict(place)).encode())
                        if place.state == "grown":
                            os._exit(0)
        except (EOFError, ConnectionError):
            os._exit(0)
        except StopRun as error:
            stopped = _Place(-1, "", state="stopped", detail=str(error))
            connection.send_bytes(json.dumps(dataclasses.asdict(stopped)).encode())
            os._exit(1)
        except BaseException as error:
            detail = f"{type(error).__name__}{f': {error}' if isinstance(error, OSError) else ''}"
            failed = _Place(-1, "", state="failed", detail=detail)
            connection.send_bytes(json.dumps(dataclasses.asdict(failed)).encode())
            os._exit(1)

    def _run_records(self, start: "_Place") -> Generator["_Place", None, None]:
        """Run the records from ``start`` on; yield the place before each and at the end, with all files flushed."""
        name = f"{start.rank:05d}.jsonl"
        output = LineWriter(self._folder / name, start.token, start.output_bytes)
        rejects = LineWriter(self._folder / "rejects" / name, start.token, start.rejects_bytes)
        numbered = enumerate(read_shard(self._source / name))
        records = ((number, record) for number, record in numbered if number >= start.record)
        if start.reason:
            _, record = next(records)
            rejects.write(Reject(_name_of(record), start.reason, start.detail).to_dict())
        with closing(self._begin(records)) as begun:
            for number, lines in begun:
                yield _Place(start.rank, start.token, number, output.flush(), rejects.flush())
                signal.setitimer(signal.ITIMER_REAL, self._timeout)
                for is_reject, line in lines():
                    (rejects if is_reject else output).write_line(line)
                signal.setitimer(signal.ITIMER_REAL, 0)
        rejects.close()
        output.close()
        yield _Place(start.rank, start.token, state="finished")

    def _begin(self, records: Iterator[tuple[int, Record]]) -> Generator[tuple[int, _Lines], None, None]:
        """Yield each record's number with a function that gives its output (see _lines), in order.

        Once closed, records that are under way are finished: replies that they wait for reach the log.
        """
        if self._at_once == 1:
            for number, record in records:
                yield number, partial(_lines, self._run, record)
            return
        pool = ThreadPoolExecutor(self._at_once)
        begun: deque[tuple[int, Any]] = deque()
        try:
            for number, record in records:
                begun.append((number, pool.submit(_all_lines, self._run, record)))
                if len(begun) >= AHEAD * self._at_once:
                    number, future = begun.popleft()
                    yield number, future.result
            for number, future in begun:
                yield number, future.result
        finally:
            pool.shutdown(cancel_futures=True)


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """A position in a shard, as both sides exchange it: records done, and the bytes of its two files up to there.

    state    "running"; "grown" if the child wants to be replaced; "failed" or "stopped" (StopRun), with detail; "finished".
    reason   tells the child that the record at this place is a Reject, for this reason and detail.
    """

    rank: int
    token: str
    record: int = 0
    output_bytes: int = 0
    rejects_bytes: int = 0
    state: str = "running"
    reason: str = ""
    detail: str = ""


def _lines(run: Run, record: Record) -> Iterator[tuple[bool, bytes]]:
    """Run the step on one record; yield each output encoded, with True if it is a Reject."""
    try:
        for result in run(record):
            if isinstance(result, Reject):
                yield True, encode(result.to_dict())
            else:
                yield False, encode(result)
    except StopRun:
        raise
    except MemoryError:  # who knows what is left of this process
        os._exit(OUT_OF_MEMORY)
    except (Exception, SystemExit) as error:
        yield True, encode(Reject(_name_of(record), "step_crashed", type(error).__name__).to_dict())


def _all_lines(run: Run, record: Record) -> list[tuple[bool, bytes]]:
    return list(_lines(run, record))


def _receive(connection: Connection) -> bytes:
    """Wait for the child's next message; if the build dies meanwhile, end this process, and the child with it."""
    build = multiprocessing.parent_process()
    if build is not None and connection not in wait([connection, build.sentinel]):
        os._exit(1)
    return connection.recv_bytes()


def _end_with_other_side(descriptor: int) -> None:
    """Run in a thread of the child: end the process when the other side of its pipe is gone."""
    poller = select.poll()
    poller.register(descriptor, 0)  # no event but a hang-up
    poller.poll()
    os._exit(1)


def _name_of(record: Record) -> str:
    """Return the name of a record in rejects; a file of the sources that has a ``name`` (a hospital's) goes by that alone."""
    return record.get("name") or record.get("file") or record.get("provenance", {}).get("source_id", "")


def _peak_memory() -> int:
    """Return this process's peak memory in bytes; the kernel counts in KiB on Linux, in bytes on macOS."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
