"""Run recipes under DeepSpeed, or scripts, again and again, on CPU ranks forked from one process, which imports all once.

Accelerate starts DeepSpeed only beside an accelerator's backend; told that gloo is one, all else is the real engine, but for
DeepSpeed's own reduction between CPU ranks: it compiles for a minute at its first use, and gloo does the same. For tests only.
The recipe's ``use_cpu`` must be false: with it accelerate leaves DeepSpeed out.
"""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TIMEOUT = 300  # seconds that a rank may take

Launch = Callable[..., str]


@contextmanager
def forked_ranks(logs: Path) -> Iterator[Launch]:
    """Give a function that runs a script with its arguments, on two ranks unless told otherwise, and returns what they print.

    It raises AssertionError with their errors if one fails. With ``joined=False`` accelerate is left as it is.
    """
    command = [sys.executable, "-m", "tests.support.forked_ranks"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "DS_ACCELERATOR": "cpu"}
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as forking:
        assert forking.stdin and forking.stdout

        def launch(arguments: Sequence[str], ranks: int = 2, joined: bool = True) -> str:
            print(json.dumps([arguments, ranks, joined, str(logs)]), file=forking.stdin, flush=True)
            status = forking.stdout.readline()
            assert status == "0\n", f"{status}{(logs / 'stderr').read_text(errors='replace')[-6000:]}"
            return (logs / "stdout").read_text(encoding="utf-8")

        yield launch
        forking.stdin.close()


def _fork(arguments: list[str], ranks: int, joined: bool, logs: Path) -> int:
    """Return 0, or the status of the first rank that failed; the others are ended then."""
    for name in ("stdout", "stderr"):
        (logs / name).write_text("")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running, failed = set(), 0
    for rank in range(ranks):
        process = os.fork()
        if process == 0:
            _run(arguments, rank, ranks, joined, port, logs)
        running.add(process)
    while running:
        process, status = os.wait()
        running.remove(process)
        if status and not failed:
            failed = os.waitstatus_to_exitcode(status)
            for other in running:
                os.kill(other, signal.SIGKILL)
    return failed


def _run(arguments: list[str], rank: int, ranks: int, joined: bool, port: int, logs: Path) -> None:
    """Run the recipe in this forked process, as torchrun would, and end it."""
    status = 1
    try:
        signal.alarm(TIMEOUT)
        for name, number in (("stdout", 1), ("stderr", 2)):
            with (logs / name).open("a") as file:
                os.dup2(file.fileno(), number)
        if ranks > 1:
            _tell(rank, ranks, port)
        if ranks > 1 and joined:
            _join()
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        # gloo's threads now and then abort a process that takes its interpreter down ("terminate called without an active
        # exception") after all is written; only a recipe that returned gives 0.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _tell(rank: int, ranks: int, port: int) -> None:
    """Set what torchrun sets."""
    os.environ |= {
        **{name: str(rank) for name in ("RANK", "LOCAL_RANK")},
        **{name: str(ranks) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE")},
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def _join() -> None:
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    PartialState._prepare_backend = lambda self, *args, **kwargs: ("gloo", DistributedType.MULTI_CPU)


if __name__ == "__main__":
    import deepspeed.ops
    import deepspeed.runtime.zero.muon.muon_optimizer
    import torch

    import evaluation.while_training  # noqa: F401
    import modeling.stage  # noqa: F401

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")  # what else writes to the standard output goes to the standard error
    os.dup2(2, 1)
    for line in sys.stdin:
        *recipe, folder = json.loads(line)
        print(_fork(*recipe, Path(folder)), file=answers, flush=True)
