"""Python processes for tests: forked from one that has imported all where a run of many tests has started it, else fresh."""

import os
import socket
import subprocess
import sys
from pathlib import Path

SUPPORT = Path(__file__).parent
SOCKET = "SPINEMED_PRELOADED"  # environment variable; also in forked_python.py, which imports nothing of ours


def start_server(folder: Path) -> subprocess.Popen:
    """Start the server of preloaded.py for this process and all that it starts; it ends with its standard input."""
    program = folder / "python"
    program.write_text(f"#!{sys.executable} -SE\n{(SUPPORT / 'forked_python.py').read_text()}")
    program.chmod(0o700)
    address = folder / "socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen(64)
        command = [sys.executable, str(SUPPORT / "preloaded.py"), str(listening.fileno())]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listening.fileno()])
    os.environ[SOCKET] = str(address)
    return server


def python() -> str:
    """The program to run instead of ``sys.executable``, whose imports take seconds; if no server runs, ``sys.executable``."""
    address = os.environ.get(SOCKET)
    return str(Path(address).with_name("python")) if address else sys.executable
