"""Processes that tests start do what a fresh interpreter does, also where they are forked."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import fresh_python, kill, start

SAYS = "import os, sys; print(sys.argv[1:], os.getcwd(), os.environ['WORD'], sys.stdin.read()); sys.exit(3)"
STARTS = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'input()'], stdin=-1).pid, flush=True); input()"


@pytest.mark.parametrize("how", ["-c", "-m", "script"])
def test_arguments_folder_environment_input_and_status_are_those_of_a_fresh_interpreter(how, tmp_path):
    (tmp_path / "says.py").write_text(SAYS)
    arguments = {"-c": ["-c", SAYS], "-m": ["-m", "says"], "script": [str(tmp_path / "says.py")]}[how]
    options = {"cwd": tmp_path, "env": {**os.environ, "WORD": "disc"}, "input": "bulge", "text": True, "capture_output": True}
    forked, fresh = (subprocess.run([python, *arguments, "L4/L5"], **options) for python in (sys.executable, fresh_python()))
    assert (forked.returncode, forked.stdout, forked.stderr) == (fresh.returncode, fresh.stdout, fresh.stderr)
    assert forked.returncode == 3 and forked.stdout == f"['L4/L5'] {tmp_path} disc bulge\n"


def test_an_error_is_shown_and_a_signal_is_the_status():
    failed = subprocess.run([sys.executable, "-c", "raise ValueError('no level')"], capture_output=True, text=True)
    assert failed.returncode == 1 and failed.stderr.endswith("ValueError: no level\n")
    ended = subprocess.run([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"])
    assert ended.returncode == -15


def test_a_kill_ends_what_the_process_started_too():
    process = start(["-c", STARTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    assert kill(process)
    until = time.monotonic() + 20
    while _runs(child) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _runs(child)
    ended = start(["-c", ""])
    ended.wait()
    assert not kill(ended)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
