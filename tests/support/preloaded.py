"""Python processes that need import nothing: they are forked from one that has imported all, once a run of many tests.

    a test, or multiprocessing ── arguments, folder, environment, open files ──▶  server  ── fork ──▶  the process
    (forked_python.py)         ◀── its end ──────────────────────────────────────

In each ``sys.executable`` is forked_python.py, so that what it starts is forked, too. Tests of what is decided as an
interpreter starts or imports (its hash seed, variables that libraries read then, memory) take ``processes.fresh_python()``.
"""

import atexit
import ctypes
import fcntl
import gc
import importlib
import json
import multiprocessing
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
import types
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path

import forked_python

PR_SET_PDEATHSIG = 1
ROOT = Path(__file__).resolve().parents[2]
READ_BY_IMPORTS = {
    "DS_ACCELERATOR": "cpu", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"
}  # fmt: skip
OURS = ("dataset_builders", "evaluation", "modeling")
# Nothing that imports matplotlib, which notebooks tell beforehand how to show its figures.
MODULES = (
    "accelerate.commands.launch",
    "dataset_builders.fetch",
    "dataset_builders.pipeline",
    "dataset_builders.publish",
    "datasets",
    "deepspeed.runtime.zero.muon.muon_optimizer",  # imports torch._inductor: three seconds of each rank
    "deepspeed.runtime.zero.stage3",
    "evaluate",
    "evaluation.report_page",
    "evaluation.run",
    "evaluation.while_training",
    "modeling.grpo",
    "modeling.plan",
    "modeling.serve",
    "modeling.stage",
    "nbformat",
    "openai",
    "openpyxl",
    "pandas",
    "presidio_analyzer",
    "pytest",
    "scipy.interpolate",
    "scipy.ndimage",
    "scipy.spatial",
    "scipy.stats",
    "torch.distributed.run",
)


def serve(listening: socket.socket) -> list[str]:
    """Fork a process for each that asks, until the standard input ends; return, in such a process only, its arguments."""
    os.environ |= READ_BY_IMPORTS
    for name in MODULES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # else collections in the processes would copy the memory that they share
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    waiting = selectors.DefaultSelector()
    waiting.register(listening, selectors.EVENT_READ)
    waiting.register(sys.stdin.fileno(), selectors.EVENT_READ)
    running: dict[int, tuple[socket.socket, int]] = {}  # process -> who asked, and the file that tells its end
    while True:
        for key, _ in waiting.select():
            if key.fileobj is listening:
                asking, _ = listening.accept()
                try:
                    size, files, _, _ = socket.recv_fds(asking, 4, 253)
                    asked = json.loads(forked_python.read(asking, int.from_bytes(size, "big")))
                except (OSError, ValueError):  # who asked was killed meanwhile
                    asking.close()
                    continue
                process = os.fork()
                if process == 0:
                    opened = [listening, waiting, asking, *(file for file, _ in running.values())]
                    return _become(*asked, files, opened, [end for _, end in running.values()])
                with suppress(OSError):  # it does so itself, if it is the sooner
                    os.setpgid(process, process)
                for file in files:
                    os.close(file)
                running[process] = (asking, os.pidfd_open(process))
                with suppress(OSError):
                    asking.sendall(process.to_bytes(4, "big"))
                for file in running[process]:
                    waiting.register(file, selectors.EVENT_READ, process)
            elif key.data is None:  # the end of the standard input: of the test run
                for process in running:
                    with suppress(ProcessLookupError):
                        os.killpg(process, signal.SIGKILL)
                os._exit(0)
            elif key.data in running:
                asking, end = running[key.data]
                if key.fileobj is asking:  # who asked was killed, so its process is, and what that started
                    waiting.unregister(asking)
                    with suppress(ProcessLookupError):
                        os.killpg(key.data, signal.SIGKILL)
                    continue
                del running[key.data]
                status = os.waitstatus_to_exitcode(os.waitpid(key.data, 0)[1])
                with suppress(OSError):
                    asking.sendall(status.to_bytes(4, "big", signed=True))
                waiting.unregister(end)
                with suppress(KeyError):
                    waiting.unregister(asking)
                asking.close()
                os.close(end)


def _become(
    arguments: list[str], folder: str, environment: dict[str, str], mask: int, numbers: list[int], files: list[int],
    opened: list, ends: list[int],
) -> list[str]:  # fmt: skip
    """Be the process that was asked for, up to its arguments."""
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # if the server is killed
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for file in opened:
        file.close()
    for end in ends:
        os.close(end)
    above = [fcntl.fcntl(file, fcntl.F_DUPFD, max(*numbers, *files) + 1) for file in files]
    for file in files:
        os.close(file)
    for file, number in zip(above, numbers, strict=True):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, 1, closefd=False) for number, mode in enumerate("rww"))
    os.umask(mask)
    os.chdir(folder)
    before = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ.clear()
    os.environ.update(environment)
    sys.executable = str(Path(environment["SPINEMED_PRELOADED"]).with_name("python"))
    multiprocessing.set_executable(sys.executable)
    installed = [entry for entry in sys.path if entry not in (*before, str(ROOT), str(Path(__file__).parent))]
    added = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
    first = {"-c": "", "-m": folder}.get(arguments[0], str(Path(arguments[0]).resolve().parent))
    sys.path[:] = [first, *added, *installed]
    del sys.modules["forked_python"]
    for package in OURS:
        found = PathFinder.find_spec(package)
        if found and found.origin != sys.modules[package].__file__:  # a copy of the code, say
            for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
                del sys.modules[name]
            break
    return arguments


def run(arguments: list[str]) -> None:
    """Run what the arguments of Python's command line say, and end this process."""
    status = 0
    try:
        if arguments[0] == "-c":
            sys.argv = ["-c", *arguments[2:]]
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(arguments[1], "<string>", "exec"), main.__dict__)
        elif arguments[0] == "-m":
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = arguments
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if status and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    with suppress(BaseException):
        threading._shutdown()
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status & 0xFF)


if __name__ == "__main__":
    sys.path.insert(1, str(ROOT))
    run(serve(socket.socket(fileno=int(sys.argv[1]))))
