"""Run shards on the nodes of a Ray cluster.

    run_ranks, in the build ── a rank ──▶ a Ray actor a worker ── a rank a line ──▶ an interpreter of its own
                            ◀── over ──                        ◀── a line ────────

datatrove's own Ray executor forks Ray's process; because of Ray's threads and SIGTERM handler, the fork never ends. It also
waits for ever for resources that the cluster does not have. Here the actor only passes ranks to a separate interpreter, which
is safe to fork and loads the same pickled run as a Slurm job.
"""

import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dill

# Seconds to wait for the first worker: long enough for an autoscaler to start a node.
PATIENCE = 300.0

logger = logging.getLogger(__name__)


def run_ranks(run: Callable[[int], Any], ranks: list[int], folder: Path, *, workers: int, memory_gib: int) -> None:
    """Call ``run(rank)`` for every rank on up to ``workers`` workers of one core and ``memory_gib`` GiB each.

    run       loaded by dill from ``folder/executor.pik`` in the worker's interpreter, which has this process's working
              directory and its environment variables on top of the node's, as under Slurm.
    folder    on a file system that all nodes see; ``logs/ray_<id>.log`` keeps what a worker writes to stderr.

    If a node is lost, its rank goes to another worker. A worker stops after a rank fails, so ranks may be left over; the
    caller must check for them. Raises RuntimeError, naming what the cluster has, if no worker starts within PATIENCE
    seconds, and ValueError if Ray is not installed.
    """
    _connect()
    import ray

    (folder / "logs").mkdir(parents=True, exist_ok=True)
    (folder / "executor.pik").write_bytes(dill.dumps(_RankReader(run)))
    actor_class: Any = ray.remote(num_cpus=1, memory=memory_gib << 30)(_Worker)
    actors = [actor_class.remote(folder, Path.cwd(), dict(os.environ)) for _ in range(min(workers, len(ranks)))]
    left = list(reversed(ranks))
    starting = {actor.start.remote(): actor for actor in actors}
    running: dict[Any, tuple[Any, int]] = {}
    idle: list[Any] = []
    try:
        while running or (left and starting):
            over, _ = ray.wait([*starting, *running], timeout=PATIENCE)
            if not over and not running:
                raise RuntimeError(
                    f"the Ray cluster gave no worker of 1 CPU and {memory_gib} GiB in {PATIENCE:g} s; it has "
                    f"{_room(ray.cluster_resources())}, of which {_room(ray.available_resources())} are free; "
                    "add a node or wait until one is free, then run again"
                )
            for reference in over:
                actor, rank = running.pop(reference) if reference in running else (starting.pop(reference), None)
                try:
                    ray.get(reference)
                except ray.exceptions.RayActorError:
                    logger.warning("a Ray worker was lost")
                    if rank is not None:
                        left.append(rank)
                except ray.exceptions.RayTaskError as error:
                    logger.error("a Ray worker ended: %s", error.cause)
                else:
                    idle.append(actor)
            while left and idle:
                actor, rank = idle.pop(), left.pop()
                running[actor.run.remote(rank)] = actor, rank
    finally:
        for actor in actors:
            ray.kill(actor)


def _connect() -> None:
    """Connect to the cluster of RAY_ADDRESS; if it is not set, start one on this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anyone
    try:
        import ray
    except ImportError as error:
        raise ValueError("--executor ray: Ray is not installed; pip install 'spinemed[ray]'") from error
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False)


class _Worker:
    """The Ray actor."""

    def __init__(self, folder: Path, directory: Path, environment: dict[str, str]):
        self._log = folder / "logs" / f"ray_{uuid.uuid4().hex}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "datatrove.tools.launch_pickled_pipeline", str(folder / "executor.pik")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=directory,
                env=os.environ | environment,
            )

    def start(self) -> None:
        """Wait until the interpreter can take a rank."""
        self._answer()

    def run(self, rank: int) -> None:
        """Run a rank and wait for it. Raises RuntimeError if the interpreter ends first."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{rank}\n".encode())
        self._process.stdin.flush()
        self._answer()

    def _answer(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError(f"exit status {self._process.wait()}; see {self._log}")


@dataclass(frozen=True, slots=True)
class _RankReader:
    """What the interpreter runs: reads one rank per line, writes one line at the start and one after each rank."""

    run_rank: Callable[[int], Any]

    def run(self) -> None:
        with os.fdopen(os.dup(1), "w") as answers:
            os.dup2(2, 1)  # what a step prints is no answer
            print("ready", file=answers, flush=True)
            for line in sys.stdin:
                self.run_rank(int(line))
                print("over", file=answers, flush=True)


def _room(resources: dict[str, float]) -> str:
    return f"{resources.get('CPU', 0):g} CPUs and {resources.get('memory', 0) / 2**30:.1f} GiB"
