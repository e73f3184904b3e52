"""Run steps over folders of records, on datatrove's executors; the only module that knows the engine.

A step's folder, whatever ran it:

    <name>/00000.jsonl …      records, one file a shard
    <name>/rejects/00000.jsonl …   what left the build here, with file and reason
    <name>/manifest.json      what went in (by hash), the step's code, counts in and out, drops by reason

A step is a pure function ``record -> iterable of records and Rejects``. A killed run continues at the shards that were
not finished; a finished step is run again only if its input, its code or its settings changed, and says which.
"""

import hashlib
import json
import multiprocessing
import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor, SlurmPipelineExecutor
from tqdm import tqdm

from dataset_builders.document import Reject
from dataset_builders.engine.code import Code, trace_code
from dataset_builders.engine.ray_workers import run_ranks
from dataset_builders.engine.shard_runner import LineWriter, Record, Run, ShardRunner, read_shard

# More shards than a workstation has cores, so that slow files spread; fixed, because resuming counts on it.
SHARDS = 16
# Seconds a record may take: a scanned book of 700 pages at 5 s a page of OCR.
TIMEOUT = 3600.0
# GiB that Slurm and Ray are asked for, for each worker and its one core: the step that reads sources takes 1.3
# (benchmarks/extraction.py).
WORKER_MEMORY = 4
# How many changed files, libraries or settings the line names that says why a step is run again.
NAMED = 3
# Reasons for which a record left because of the step, not because of what it holds.
CRASHES = ("step_crashed", "worker_died", "timed_out")


@dataclass(frozen=True, slots=True)
class Step:
    """One arrow of the build.

    run       record -> records and Rejects; must be picklable (a module-level function or a partial of one). ``Typed`` makes
              one of a function of Documents or Items.
    code      modules and packages of dataset_builders that ``run`` calls ("figures", "generate.rules"); the engine follows
              their imports (code.trace_code).
    settings  what else the output depends on, for the manifest (JSON-ready).
    """

    name: str
    run: Run
    code: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GlobalStep:
    """An arrow that must see every record at once (duplicates, splits). ``run`` may read the records several times.

    A record carries its shard as "_shard", and must be given back with it.
    """

    name: str
    run: Callable[[Callable[[], Iterator[Record]]], Iterable[Record | Reject]]
    code: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a finished step says of itself (manifest.json).

    code, libraries   as in code.Code: path -> SHA-256, distribution -> version.
    """

    step: str
    code: dict[str, str]
    libraries: dict[str, str]
    settings: dict[str, Any]
    input_sha256: str
    output_sha256: str
    records_in: int
    records_out: int
    dropped: dict[str, int]

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that change whenever the step's code or a library does."""
        return Code(self.code, self.libraries).version


def run_steps(
    steps: Iterable[Step | GlobalStep],
    source: Path,
    folders: Mapping[str, Path],
    *,
    executor: str,
    workers: int,
    timeout: float,
) -> tuple[Manifest, ...]:
    """Run one step after the other, each on what the one before left, from ``source`` on; ``folders`` by the steps' names."""
    manifests = []
    for step in steps:
        if isinstance(step, Step):
            manifest = run_step(step, source, folders[step.name], executor=executor, workers=workers, timeout=timeout)
        else:
            manifest = run_global_step(step, source, folders[step.name])
        manifests.append(manifest)
        source = folders[step.name]
    return tuple(manifests)


def run_step(
    step: Step, source: Path, folder: Path, *, executor: str = "local", workers: int = 1, timeout: float = TIMEOUT
) -> Manifest:
    """Run ``step`` over the shards in ``source`` into ``folder``; return at once if that is already done.

    executor   "local": processes of this machine.
               "slurm": a job array; returns when its jobs have left the queue. Partition, time, account, memory: sbatch's
               own environment variables (SBATCH_PARTITION, SBATCH_TIMELIMIT, SBATCH_ACCOUNT, SBATCH_MEM_PER_CPU).
               "ray": workers on the cluster of RAY_ADDRESS, else on one started on this machine (extra [ray]).
               Slurm and Ray need ``source``, ``folder``, the working directory and whatever the step reads on a file system
               that all nodes see, and this package installed on each. Both load the step from ``engine/executor.pik`` in an
               interpreter with one core, WORKER_MEMORY and this process's environment variables.
    workers    shards at a time.
    timeout    seconds a record may take before it is a Reject.

    Bytes do not depend on executor or workers. Raises RuntimeError naming the shards that the engine left unfinished,
    or what the Ray cluster lacks where it gives no worker.
    """
    identity = _identity(step, source)
    if done := _finished(folder, identity):
        return done
    _begin(folder, identity)
    with _progress(step.name, folder):
        _engine(ShardRunner(step.run, source, folder, timeout), folder / "engine", executor, workers).run()
    missing = _missing(folder)
    if missing:
        raise RuntimeError(
            f"step {step.name}: shards {missing} did not finish; see {folder / 'engine' / 'logs'}, then run again"
        )
    return _finish(folder, identity, source)


def run_global_step(step: GlobalStep, source: Path, folder: Path) -> Manifest:
    """Run ``step`` over all records of ``source`` in one process; shards keep the number they came in with."""
    identity = _identity(step, source)
    if done := _finished(folder, identity):
        return done
    _begin(folder, identity)

    def read() -> Iterator[Record]:
        for rank in range(SHARDS):
            for record in read_shard(source / f"{rank:05d}.jsonl"):
                yield {**record, "_shard": rank}

    outputs = [LineWriter(folder / f"{rank:05d}.jsonl") for rank in range(SHARDS)]
    rejects = LineWriter(folder / "rejects" / "00000.jsonl")
    for result in tqdm(step.run(read), desc=f"{step.name:<12}", unit=" records"):
        if isinstance(result, Reject):
            rejects.write(result.to_dict())
        else:
            outputs[result.pop("_shard")].write(result)
    for writer in (*outputs, rejects):
        writer.close()
    return _finish(folder, identity, source)


def write_records(records: Iterable[Record], folder: Path) -> None:
    """Deal records round-robin into the shards of a new ``folder``: the input of a build's first step."""
    folder.mkdir(parents=True, exist_ok=True)
    writers = [LineWriter(folder / f"{rank:05d}.jsonl") for rank in range(SHARDS)]
    for number, record in enumerate(records):
        writers[number % SHARDS].write(record)
    for writer in writers:
        writer.close()


def read_records(folder: Path) -> Iterator[Record]:
    """Every record of a finished step, in shard order."""
    for path in sorted(folder.glob("[0-9]*.jsonl")):
        yield from read_shard(path)


def read_rejects(folder: Path) -> Iterator[Reject]:
    """Everything that left the build at this step."""
    for path in sorted((folder / "rejects").glob("*.jsonl")):
        for record in read_shard(path):
            yield Reject(**record)


def gather_rejects(folders: Mapping[str, Path], target: Path, leave_out: str) -> None:
    """Write ``target/<step>.jsonl``: one sorted line for each Reject of a step, but those with the reason ``leave_out``."""
    target.mkdir(exist_ok=True)
    for name, folder in folders.items():
        if (folder / "rejects").is_dir():
            rejects = (reject for reject in read_rejects(folder) if reject.reason != leave_out)
            lines = sorted(json.dumps(reject.to_dict(), ensure_ascii=False) + "\n" for reject in rejects)
            (target / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read what a finished step says of itself.

    Raises FileNotFoundError if the step has not finished, ValueError if the manifest has other fields than today's.
    """
    path = folder / "manifest.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(fields, dict) or set(fields) != set(Manifest.__dataclass_fields__):
        raise ValueError(f"{path}: written by another version of this program; build again into the same --work")
    return Manifest(**fields)


def _identity(step: Step | GlobalStep, source: Path) -> dict[str, Any]:
    code = trace_code(step.code)
    return {
        "step": step.name,
        "code": code.files,
        "libraries": code.libraries,
        "settings": step.settings,
        "input_sha256": _hash_shards(source),
    }


def _hash_shards(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("[0-9]*.jsonl")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _finished(folder: Path, identity: dict[str, Any]) -> Manifest | None:
    """The manifest of an earlier run of the same step on the same input; if there is another, say why it is run again."""
    if not (folder / "manifest.json").exists():
        return None
    try:
        manifest = read_manifest(folder)
    except ValueError:
        change = "its manifest is of another version of this program"
    else:
        change = _describe_change(asdict(manifest), identity)
        if not change and _hash_shards(folder) == manifest.output_sha256:
            return manifest
    tqdm.write(f"{identity['step']:<12} is run again: {change or 'its records were changed or lost'}", file=sys.stderr)
    return None


def _describe_change(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between a manifest and the identity of a run, in words; "" if nothing does."""
    changes = []
    if before["input_sha256"] != now["input_sha256"]:
        changes.append("its input changed")
    for kind in ("code", "libraries", "settings"):
        names = sorted(name for name in before[kind].keys() | now[kind].keys() if before[kind].get(name) != now[kind].get(name))
        if names:
            changes.append(
                f"{kind}: {', '.join(names[:NAMED])}{f' and {len(names) - NAMED} more' if len(names) > NAMED else ''}"
            )
    return "; ".join(changes)


def _begin(folder: Path, identity: dict[str, Any]) -> None:
    """Keep the finished shards of a killed run of the same identity; clear those of any other."""
    begun = folder / "begun.json"
    if folder.exists() and not (begun.exists() and json.loads(begun.read_text(encoding="utf-8")) == identity):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    begun.write_text(json.dumps(identity), encoding="utf-8")
    (folder / "manifest.json").unlink(missing_ok=True)
    for unfinished in folder.glob("**/*.partial"):
        unfinished.unlink()
    marks = folder / "engine" / "completions"
    marks.mkdir(parents=True, exist_ok=True)
    for rank in range(SHARDS):  # a kill may fall between a shard and the engine's mark of it: the shard decides
        if (folder / f"{rank:05d}.jsonl").exists():
            (marks / f"{rank:05d}").touch()
        else:
            (marks / f"{rank:05d}").unlink(missing_ok=True)


def _finish(folder: Path, identity: dict[str, Any], source: Path) -> Manifest:
    dropped = Counter(reject.reason for reject in read_rejects(folder))
    manifest = Manifest(
        **identity,
        output_sha256=_hash_shards(folder),
        records_in=sum(1 for _ in read_records(source)),
        records_out=sum(1 for _ in read_records(folder)),
        dropped=dict(sorted(dropped.items())),
    )
    partial_path = folder / "manifest.partial"
    partial_path.write_text(json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial_path.replace(folder / "manifest.json")
    (folder / "begun.json").unlink(missing_ok=True)
    return manifest


def _missing(folder: Path) -> list[int]:
    return [rank for rank in range(SHARDS) if not (folder / f"{rank:05d}.jsonl").exists()]


class _LocalExecutor(LocalPipelineExecutor):
    """Each process takes shard after shard, so that it forks its ShardRunner's child once."""

    def run(self) -> None:
        runner = self.pipeline[0]
        context = multiprocessing.get_context("forkserver")
        # What the step's module imports is imported once, in the server that all processes are forked from.
        context.set_forkserver_preload(["__main__", runner.module])
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
            self._run_for_rank(rank, local_rank=1)  # that of rank 0 goes to the console; the log files say the same


class _SlurmExecutor(SlurmPipelineExecutor):
    """Returns only when the jobs are over; partition and quality of service are the cluster's, or SBATCH_…'s."""

    def run(self) -> None:
        super().run()
        if "SLURM_ARRAY_TASK_ID" not in os.environ:
            self._wait()

    def get_sbatch_args(self, max_array: int = 1) -> dict[str, Any]:
        return {k: v for k, v in super().get_sbatch_args(max_array).items() if k not in ("partition", "qos")}

    def launch_merge_stats(self) -> None:
        """No job for it: the manifest counts."""

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
    """The local executor's shards, on a cluster's nodes."""

    def run(self) -> None:
        run_ranks(
            partial(self._run_for_rank, local_rank=1),
            self.get_incomplete_ranks(),
            Path(self.logging_dir.resolve_paths("")),
            workers=self.workers,
            memory_gib=WORKER_MEMORY,
        )


def _engine(runner: ShardRunner, logs: Path, executor: str, workers: int) -> Any:
    """A datatrove executor over SHARDS tasks."""
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


@contextmanager
def _progress(name: str, folder: Path) -> Iterator[None]:
    """A bar that counts finished shards while the engine runs in other processes."""
    stop = threading.Event()
    with tqdm(total=SHARDS, desc=f"{name:<12}", unit=" shards") as bar:

        def watch() -> None:
            while not stop.wait(0.5):
                bar.update(len(list(folder.glob("[0-9]*.jsonl"))) - bar.n)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()
            bar.update(len(list(folder.glob("[0-9]*.jsonl"))) - bar.n)
