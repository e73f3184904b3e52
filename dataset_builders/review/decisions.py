"""Keep decisions in an append-only log: one JSON line each, on the disk (fsync) before it is acknowledged.

    review/decisions.jsonl    mode 0600; a line is never changed or removed; an undo is a line, too
    review/decisions.torn     what a killed server had begun to write and nobody was told of

One process at a time writes (flock). A decision has a key made by the sender: sent again after a broken connection, it is
answered with the line that is there already.
"""

import dataclasses
import fcntl
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builders.private_files import open_private_file

VERDICTS = ("accept", "correct", "remove")
UNDO = "undo"
STAGES = ("first", "second_look", "adjudication")


@dataclass(frozen=True, slots=True)
class Decision:
    """What one reviewer decided about one item, or took back.

    number       line of the log, from 1; 0 before it is written.
    key          chosen by the sender; the same key is the same decision.
    time         UTC, ISO 8601.
    reviewer     pseudonym.
    item_sha256, data_set   the version of item and data set that was judged.
    stage        one of STAGES.
    verdict      one of VERDICTS, or "undo" of line ``undoes``.
    corrected    the changed fields (corrections.py) if the verdict is "correct".
    second_look  whether the reviewer wants another one to look.
    seconds      time the item was on the screen.
    source       "page", or the format it was imported from.
    """

    key: str
    time: str
    reviewer: str
    group: str
    item: str
    item_sha256: str
    data_set: str
    stage: str
    verdict: str
    reasons: tuple[str, ...] = ()
    comment: str = ""
    corrected: dict[str, Any] | None = None
    second_look: bool = False
    seconds: float | None = None
    source: str = "page"
    undoes: int | None = None
    number: int = 0

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class DecisionLog:
    """The log, open for writing. Threads may append at once; ``decisions`` is in the order of the lines."""

    def __init__(self, path: Path):
        """Open or create the log. Raises ValueError if another process has it open or a line cannot be read."""
        self._path = path
        self._file = open_private_file(path, "ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise ValueError(f"{path} is open in another process: stop that server or import first") from None
        _fsync_folder(path.parent)
        self._set_torn_line_aside()
        self.decisions = read_decisions(path)
        self._by_key = {decision.key: decision for decision in self.decisions}
        self._lock = threading.Lock()

    def append(self, decision: Decision) -> Decision:
        """Write a decision and return it with its number; if its key is there already, return that line.

        Raises OSError, with the log as it was, if the disk does not take it.
        """
        return self.extend([decision])[0]

    def extend(self, decisions: Iterable[Decision]) -> list[Decision]:
        """Write several decisions, all or none; as ``append`` for each."""
        with self._lock:
            written: list[Decision] = []
            result = []
            keys = dict(self._by_key)
            for decision in decisions:
                if decision.key not in keys:
                    numbered = dataclasses.replace(decision, number=len(self.decisions) + len(written) + 1)
                    written.append(numbered)
                    keys[decision.key] = numbered
                result.append(keys[decision.key])
            self._write(b"".join(_encode(decision) for decision in written))
            self.decisions.extend(written)
            self._by_key = keys
            return result

    def close(self) -> None:
        self._file.close()

    def _write(self, lines: bytes) -> None:
        descriptor = self._file.fileno()  # no buffer: what failed must not be written later
        size = os.fstat(descriptor).st_size
        try:
            while lines:
                lines = lines[os.write(descriptor, lines) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise

    def _set_torn_line_aside(self) -> None:
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with open_private_file(self._path.with_suffix(".torn"), "ab") as file:
                file.write(content[whole:] + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.ftruncate(self._file.fileno(), whole)
            os.fsync(self._file.fileno())


def read_decisions(path: Path) -> list[Decision]:
    """Read a log, also while it is written to: a last line without its end is left out.

    Raises ValueError, naming the line, if one is broken or out of order.
    """
    if not path.exists():
        return []
    decisions: list[Decision] = []
    content = path.read_bytes()
    for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), 1):
        try:
            record = json.loads(line)
            decision = Decision(**{**record, "reasons": tuple(record["reasons"])})
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} line {number}: no decision ({type(error).__name__}); restore the file") from error
        if decision.number != number:
            raise ValueError(f"{path} line {number}: is numbered {decision.number}: lines were removed; restore the file")
        decisions.append(decision)
    return decisions


def effective(decisions: Iterable[Decision]) -> list[Decision]:
    """Return the decisions that hold: not undone, nor replaced by the same reviewer's later one on the same item and stage."""
    decisions = list(decisions)
    undone = {decision.undoes for decision in decisions if decision.verdict == UNDO}
    latest: dict[tuple[str, str, str], Decision] = {}
    for decision in decisions:
        if decision.verdict != UNDO and decision.number not in undone:
            latest[decision.reviewer, decision.item, decision.stage] = decision
    return sorted(latest.values(), key=lambda decision: decision.number)


def _encode(decision: Decision) -> bytes:
    return (json.dumps(decision.to_dict(), ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
