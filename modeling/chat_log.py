"""Keep the calls of a chat client in one SQLite file (WAL): rows that are cache, log and cost at once, and what runs share.

    calls      a row a call, by key
    spending   requests and cost of a run against its budget, over all of its processes
    pace       when an endpoint may be asked again, over all processes
    refusals   response formats that a server does not take

Every process has one connection; its threads take turns. A write is in the file once a method returns, and a process that
is killed loses none (only a power cut may). The file must lie on a local disk: WAL does not work over a network. What was
written last stands in the file <name>-wal beside it: copy both, or by SQLite's own backup.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

COLUMNS = (
    "key", "status", "model", "served_model", "host", "private", "prompt_id", "prompt_sha256", "request", "reply",
    "finish_reason", "input_tokens", "output_tokens", "cost", "attempts", "seconds", "error", "finished_at",
)  # fmt: skip
_TABLES = """
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY, status TEXT NOT NULL, model TEXT NOT NULL, served_model TEXT, host TEXT NOT NULL,
    private INTEGER NOT NULL, prompt_id TEXT NOT NULL, prompt_sha256 TEXT NOT NULL, request TEXT, reply TEXT,
    finish_reason TEXT, input_tokens INTEGER, output_tokens INTEGER, cost REAL, attempts INTEGER NOT NULL,
    seconds REAL NOT NULL, error TEXT, finished_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS spending (
    run TEXT PRIMARY KEY, requests INTEGER NOT NULL, reserved REAL NOT NULL, cost REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS pace (name TEXT PRIMARY KEY, free_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS refusals (
    host TEXT, model TEXT, format TEXT, refused_at TEXT NOT NULL, PRIMARY KEY (host, model, format)
);
"""
_BUSY_S = 60.0


@dataclass(frozen=True, slots=True)
class Budget:
    """What one run may spend, counted over all of its processes; None: no limit.

    run         the name that its requests are counted under; a new run has a new one.
    max_calls   requests that may be sent, retries and repairs among them.
    max_cost    US dollars, by the endpoints' prices. A request is sent only if the most it can cost still fits.
    """

    run: str
    max_calls: int | None = None
    max_cost: float | None = None


class CallLog:
    """The log at ``path``. It may be used from many threads and pickled; each process opens a connection of its own."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._open()

    def __reduce__(self) -> tuple[Any, ...]:
        return CallLog, (self.path,)

    def find(self, key: str) -> dict[str, Any] | None:
        """Return the row of a call that was answered and kept; None if there is none."""
        with self._transaction() as database:
            query = f"SELECT {', '.join(COLUMNS)} FROM calls WHERE key = ? AND status = 'ok'"
            found = database.execute(query, (key,)).fetchone()
        return dict(zip(COLUMNS, found, strict=True)) if found else None

    def store(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """Write a call's row, unless an answer is there already; return the answer that the log now holds, if it keeps one."""
        values = [row.get(column) for column in COLUMNS[:-1]] + [datetime.now(UTC).isoformat(timespec="seconds")]
        updates = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS[1:])
        with self._transaction() as database:
            stored = database.execute(
                f"INSERT INTO calls ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "
                f"ON CONFLICT(key) DO UPDATE SET {updates} WHERE calls.status != 'ok'",
                values,
            ).rowcount
        return self.find(row["key"]) if not stored else dict(row) if row["status"] == "ok" else None

    def cost_by_prompt(self) -> dict[str, float]:
        """Return the US dollars spent so far by prompt id."""
        with self._transaction() as database:
            query = "SELECT prompt_id, SUM(cost) FROM calls GROUP BY prompt_id ORDER BY prompt_id"
            return {name: cost or 0.0 for name, cost in database.execute(query)}

    def reserve(self, budget: Budget, cost: float) -> bool:
        """Count one request against ``budget`` and put aside the most it can cost; return False if it does not fit."""
        calls = float("inf") if budget.max_calls is None else budget.max_calls
        most = float("inf") if budget.max_cost is None else budget.max_cost
        with self._transaction() as database:
            database.execute("INSERT OR IGNORE INTO spending VALUES (?, 0, 0, 0)", (budget.run,))
            fits = "run = ? AND requests < ? AND cost + reserved + ? <= ?"
            change = f"UPDATE spending SET requests = requests + 1, reserved = reserved + ? WHERE {fits}"
            return database.execute(change, (cost, budget.run, calls, cost, most)).rowcount == 1

    def settle(self, budget: Budget, reserved: float, cost: float) -> None:
        """Put what a request did cost in the place of what was put aside for it."""
        with self._transaction() as database:
            change = "UPDATE spending SET reserved = MAX(0, reserved - ?), cost = cost + ? WHERE run = ?"
            database.execute(change, (reserved, cost, budget.run))

    def spent(self, budget: Budget) -> tuple[int, float, float]:
        """Return a run's requests, its cost, and what is put aside for requests under way, in US dollars."""
        with self._transaction() as database:
            query = "SELECT requests, cost, reserved FROM spending WHERE run = ?"
            return database.execute(query, (budget.run,)).fetchone() or (0, 0.0, 0.0)

    def take_turn(self, name: str, seconds: float) -> float:
        """Book the next free ``seconds`` of the endpoint's time; return how many seconds to wait until they begin.

        Negative ``seconds`` give time back. Requests that each book their share keep to the rate, with no bursts.
        """
        now = time.time()
        with self._transaction() as database:
            database.execute("INSERT OR IGNORE INTO pace VALUES (?, ?)", (name, now))
            change = "UPDATE pace SET free_at = MAX(free_at, ?) + ? WHERE name = ? RETURNING free_at"
            (free_at,) = database.execute(change, (now, seconds, name)).fetchone()
        return max(0.0, free_at - seconds - now)

    def refused_formats(self, host: str, model: str) -> frozenset[str]:
        """Return the response formats that this server did not take for this model."""
        with self._transaction() as database:
            found = database.execute("SELECT format FROM refusals WHERE host = ? AND model = ?", (host, model)).fetchall()
        return frozenset(name for (name,) in found)

    def remember_refusal(self, host: str, model: str, name: str) -> None:
        with self._transaction() as database:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            database.execute("INSERT OR IGNORE INTO refusals VALUES (?, ?, ?, ?)", (host, model, name, now))

    def _open(self) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = os.getpid()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._process != os.getpid():  # forked: a connection may not be taken along
            self._open()
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            with self._connection as database:
                yield database

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # It may hold patients' texts: its owner's alone, and SQLite gives the files beside it the same mode.
        self.path.touch(mode=0o600)
        self.path.chmod(0o600)
        connection = sqlite3.connect(self.path, timeout=_BUSY_S, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
        return connection
