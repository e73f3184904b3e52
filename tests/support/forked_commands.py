"""Run a command of dataset_builders again and again, to be killed; its imports, which take seconds, are made only once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import IO

from dataset_builders.__main__ import main

# What the forking process writes of a command: its process id, and that it has ended.
ENDED = "ended"


class Forked:
    """A command in a process group of its own."""

    def __init__(self, process: int, told: IO[str]) -> None:
        self._process, self._told, self._ended = process, told, False

    def runs(self) -> bool:
        if not self._ended and select([self._told], [], [], 0)[0]:
            assert self._told.readline() == f"{ENDED}\n"
            self._ended = True
        return not self._ended

    def kill(self) -> bool:
        """Kill it and the processes that it started, and wait for its end; False if it had ended by itself."""
        if not self.runs():
            return False
        killed = True
        try:
            os.killpg(self._process, signal.SIGKILL)
        except ProcessLookupError:  # it ended this moment
            killed = False
        assert self._told.readline() == f"{ENDED}\n"
        self._ended = True
        return killed


@contextmanager
def forked_commands(arguments: list[str], log: Path) -> Iterator[Callable[[], Forked]]:
    """Give a function that starts ``python -m dataset_builders`` with the arguments; what it prints goes to ``log``."""
    command = [sys.executable, "-m", "tests.support.forked_commands", json.dumps(arguments), str(log)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as forking:
        assert forking.stdin and forking.stdout

        def start() -> Forked:
            forking.stdin.write("\n")
            return Forked(int(forking.stdout.readline()), forking.stdout)

        yield start
        forking.stdin.close()


def _fork(arguments: list[str], log: Path) -> None:
    for _ in sys.stdin:
        process = os.fork()
        if process == 0:
            _run(arguments, log)
        os.waitpid(process, 0)
        print(ENDED, flush=True)


def _run(arguments: list[str], log: Path) -> None:
    """Tell the process id once the group exists; from then on print to the log."""
    os.setsid()
    print(os.getpid(), flush=True)
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    sys.argv = ["dataset_builders", *arguments]
    sys.exit(main())


if __name__ == "__main__":
    _fork(json.loads(sys.argv[1]), Path(sys.argv[2]))
