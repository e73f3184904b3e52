"""Run the shards of a step with datatrove's executors: this machine, Slurm, Ray. No other module imports datatrove."""

import multiprocessing
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor, SlurmPipelineExecutor

from dataset_builders.engine.ray_workers import run_ranks
from dataset_builders.engine.shard_runner import Run, ShardRunner, module_of
from dataset_builders.engine.shards import SHARDS

# GiB that Slurm and Ray are asked for, for each worker and its one core: the step that reads sources takes 1.3
# (benchmarks/extraction.py).
WORKER_MEMORY = 4


def preload(runs: Iterable[Run]) -> None:
    """Import the modules of the steps' functions once, in the server that forks the processes of local steps.

    Has no effect once the server has started: call it with the functions of all steps before the first step runs.
    """
    modules = dict.fromkeys(module_of(run) for run in runs)
    multiprocessing.get_context("forkserver").set_forkserver_preload(["__main__", *modules])


class _LocalExecutor(LocalPipelineExecutor):
    """Each process takes shard after shard, so that it forks its ShardRunner's child once."""

    def run(self) -> None:
        context = multiprocessing.get_context("forkserver")
        ranks = context.SimpleQueue()
        incomplete = self.get_incomplete_ranks()
        for rank in (*incomplete, *[None] * self.workers):
            ranks.put(rank)
        processes = [
            context.Process(target=self._take_shards, args=(ranks,), daemon=True)
            for _ in range(min(self.workers, len(incomplete)))
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()

    def _take_shards(self, ranks: Any) -> None:
        build = multiprocessing.parent_process()
        while (rank := ranks.get()) is not None and build is not None and build.is_alive():
            self._run_for_rank(rank, local_rank=1)  # local rank 0 would also log to the console; the log files say the same


class _SlurmExecutor(SlurmPipelineExecutor):
    """Waits until the jobs are over; partition and quality of service are the cluster's defaults, or set by SBATCH_…."""

    def run(self) -> None:
        super().run()
        if "SLURM_ARRAY_TASK_ID" not in os.environ:
            self._wait()

    def get_sbatch_args(self, max_array: int = 1) -> dict[str, Any]:
        return {k: v for k, v in super().get_sbatch_args(max_array).items() if k not in ("partition", "qos")}

    def launch_merge_stats(self) -> None:
        """Start no job: the manifest holds the counts."""

    def _wait(self) -> None:
        pause, failures = 1.0, 0
        while self.get_incomplete_ranks():
            queue = subprocess.run(
                ["squeue", "--noheader", f"--jobs={self.job_id}"], capture_output=True, text=True, check=False
            )
            failures = failures + 1 if queue.returncode else 0
            over = not queue.stdout.strip() if not queue.returncode else "invalid job id" in queue.stderr.lower()
            if failures > 20 and not over:
                raise RuntimeError(f"squeue does not answer for job {self.job_id}: {queue.stderr.strip()}")
            time.sleep(pause)
            pause = min(2 * pause, 30.0)
            if over:  # the pause above is for shared file systems that show new files late
                return


class _RayExecutor(LocalPipelineExecutor):
    """Runs on a cluster's nodes the shards that the local executor would run here."""

    def run(self) -> None:
        run_ranks(
            partial(self._run_for_rank, local_rank=1),
            self.get_incomplete_ranks(),
            Path(self.logging_dir.resolve_paths("")),
            workers=self.workers,
            memory_gib=WORKER_MEMORY,
        )


def make_executor(runner: ShardRunner, logs: Path, executor: str, workers: int) -> Any:
    """Make a datatrove executor ("local", "slurm" or "ray"); its ``run()`` ends when every shard is done or has failed.

    Raises ValueError if ``executor`` is another name.
    """
    # loguru prints the values of variables in tracebacks unless told not to: patients' text must not reach a log.
    os.environ["LOGURU_DIAGNOSE"] = "NO"
    os.environ.setdefault("LOGURU_LEVEL", "WARNING")
    common: dict[str, Any] = {"tasks": SHARDS, "workers": workers, "logging_dir": str(logs.absolute())}
    if executor == "local":
        return _LocalExecutor([runner], **common)
    if executor == "slurm":
        path = f"export LOGURU_DIAGNOSE=NO PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"
        return _SlurmExecutor([runner], **common, time="24:00:00", partition="", job_name="spinemed",
                              mem_per_cpu_gb=WORKER_MEMORY, env_command=path)  # fmt: skip
    if executor == "ray":
        return _RayExecutor([runner], **common)
    raise ValueError(f"--executor {executor!r}: choose local, slurm or ray")
