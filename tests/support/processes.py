"""Python processes for tests: forked from one that has imported all where a run of many tests has started it, else fresh."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

SUPPORT = Path(__file__).parent
SOCKET = "SPINEMED_PRELOADED"  # environment variable; also in forked_python.py, which imports nothing of ours


def start_server(folder: Path) -> tuple[subprocess.Popen, str]:
    """Start the server of preloaded.py, which ends with its standard input; return it and the program that forks from it.

    In a process that it forked ``sys.executable`` is that program, for all that is started from there.
    """
    program = folder / "python"
    client = shlex.join([sys.executable, "-SE", str(SUPPORT / "forked_python.py")])
    program.write_text(f'#!/bin/sh\nexec {client} "$@"\n')
    program.chmod(0o700)
    address = folder / "socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen(64)
        command = [sys.executable, str(SUPPORT / "preloaded.py"), str(listening.fileno())]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listening.fileno()])
    os.environ[SOCKET] = str(address)
    return server, str(program)


def fresh_python() -> str:
    """The interpreter itself, for tests of what is decided as it starts or imports: hash seed, environment, memory."""
    return str(Path(sys.prefix) / "bin" / "python")


def start(arguments: list[str], **options: Any) -> subprocess.Popen:
    """Start Python with the arguments, to be killed; options are those of subprocess.Popen."""
    return subprocess.Popen([sys.executable, *arguments], start_new_session=True, **options)


def kill(process: subprocess.Popen) -> bool:
    """Kill what ``start`` gave and the processes that it started, and wait for its end; False if it had ended by itself."""
    if SOCKET in os.environ:
        process.send_signal(signal.SIGUSR2)  # forked_python.py does it
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait() in (-signal.SIGKILL, -signal.SIGUSR2)
