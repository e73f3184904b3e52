"""Run steps over folders of records.

A step's folder, whichever executor ran it:

    <name>/00000.jsonl …      records, one file a shard
    <name>/rejects/00000.jsonl …   what left the build here, with file and reason
    <name>/manifest.json      what went in (by hash), the step's code, counts in and out, drops by reason

A step is a pure function ``record -> iterable of records and Rejects``. A killed run continues at the shards that were
not finished; a finished step is run again only if its input, its code or its settings changed, and logs which.
"""

import json
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dataset_builders.document import Reject
from dataset_builders.engine.code import Code, trace_code
from dataset_builders.engine.executors import make_executor, preload
from dataset_builders.engine.shard_runner import STOPPED, Run, ShardRunner, StopRun, module_of
from dataset_builders.engine.shards import SHARDS, LineWriter, Record, hash_shards, read_records, read_rejects, read_shard

# Seconds a record may take: a scanned book of 700 pages at 5 s a page of OCR.
TIMEOUT = 3600.0
# How many changed files, libraries or settings are named when a step is run again.
NAMED = 3
# Reasons for which a record left because of the step, not because of what it holds.
CRASHES = ("step_crashed", "worker_died", "timed_out")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the build that takes one record at a time.

    run       record -> records and Rejects; must be picklable (a module-level function or a partial of one). ``Typed`` makes
              one from a function of Documents or Items.
    code      modules and packages of dataset_builders that ``run`` calls ("figures", "generate.rules"); the engine follows
              their imports (code.trace_code).
    settings  whatever else the output depends on, for the manifest (JSON-ready).
    at_once   records that each worker may have under way at once (shard_runner.ShardRunner); the output does not depend on it.
    """

    name: str
    run: Run
    code: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    at_once: int = 1


@dataclass(frozen=True, slots=True)
class GlobalStep:
    """A step that must see every record at once (duplicates, splits). ``run`` may read the records several times.

    Each record carries its shard as "_shard"; ``run`` must return it unchanged.
    """

    name: str
    run: Callable[[Callable[[], Iterator[Record]]], Iterable[Record | Reject]]
    code: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a finished step records about itself (manifest.json).

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
        """Return twelve hexadecimal digits that change whenever the step's code or a library changes."""
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
    """Run steps in order, each on the output of the one before.

    source    folder of records that the first step reads.
    folders   step name -> the folder that the step fills.

    The other arguments are those of ``run_step``.
    """
    steps = tuple(steps)
    preload(step.run for step in steps if isinstance(step, Step))
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

    executor   "local": processes on this machine.
               "slurm": a job array; returns when its jobs have left the queue. Set partition, time, account and memory by
               sbatch's own environment variables (SBATCH_PARTITION, SBATCH_TIMELIMIT, SBATCH_ACCOUNT, SBATCH_MEM_PER_CPU).
               "ray": workers on the cluster of RAY_ADDRESS, or, if it is not set, on one started on this machine (extra [ray]).
               Slurm and Ray need ``source``, ``folder``, the working directory and whatever the step reads on a file system
               that all nodes see, and this package installed on each. Both load the step from ``engine/executor.pik`` in an
               interpreter with one core, executors.WORKER_MEMORY and this process's environment variables.
    workers    how many shards run at a time.
    timeout    seconds a record may take before it is a Reject.

    The bytes written do not depend on executor or workers. Raises StopRun with what is left if the step stopped itself, else
    RuntimeError naming the shards that the engine left unfinished, or what the Ray cluster has if it starts no worker.
    """
    identity = _identity(step, source)
    if done := _finished(folder, identity):
        return done
    _begin(folder, identity)
    with _progress(step.name, folder):
        runner = ShardRunner(step.run, source, folder, timeout, step.at_once)
        make_executor(runner, folder / "engine", executor, workers).run()
    missing = _missing(folder)
    if missing:
        _raise_if_stopped(step, source, folder, missing)
        raise RuntimeError(
            f"step {step.name}: shards {missing} did not finish; see {folder / 'engine' / 'logs'}, then run again"
        )
    return _finish(folder, identity, source)


def run_global_step(step: GlobalStep, source: Path, folder: Path) -> Manifest:
    """Run ``step`` over all records of ``source`` in one process; each record stays in the shard it came from."""
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


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a finished step.

    Raises FileNotFoundError if the step has not finished, ValueError if the manifest's fields are not today's.
    """
    path = folder / "manifest.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(fields, dict) or set(fields) != set(Manifest.__dataclass_fields__):
        raise ValueError(f"{path}: written by another version of this program; build again into the same --work")
    return Manifest(**fields)


def _identity(step: Step | GlobalStep, source: Path) -> dict[str, Any]:
    code = trace_code(step.code, module_of(step.run))
    return {
        "step": step.name,
        "code": code.files,
        "libraries": code.libraries,
        "settings": step.settings,
        "input_sha256": hash_shards(source),
    }


def _finished(folder: Path, identity: dict[str, Any]) -> Manifest | None:
    """Return the manifest if the same step has finished on the same input; if it is another's, log why the step runs again."""
    if not (folder / "manifest.json").exists():
        return None
    try:
        manifest = read_manifest(folder)
    except ValueError:
        change = "its manifest is of another version of this program"
    else:
        change = _describe_change(asdict(manifest), identity)
        if not change and hash_shards(folder) == manifest.output_sha256:
            return manifest
    tqdm.write(f"{identity['step']:<12} is run again: {change or 'its records were changed or lost'}", file=sys.stderr)
    return None


def _describe_change(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Describe in words how a manifest differs from the identity of a run; "" if it does not."""
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
    shutil.rmtree(folder / STOPPED, ignore_errors=True)
    marks = folder / "engine" / "completions"
    marks.mkdir(parents=True, exist_ok=True)
    for rank in range(SHARDS):  # a kill may fall between writing a shard and marking it complete: the shard itself decides
        if (folder / f"{rank:05d}.jsonl").exists():
            (marks / f"{rank:05d}").touch()
        else:
            (marks / f"{rank:05d}").unlink(missing_ok=True)


def _finish(folder: Path, identity: dict[str, Any], source: Path) -> Manifest:
    dropped = Counter(reject.reason for reject in read_rejects(folder))
    manifest = Manifest(
        **identity,
        output_sha256=hash_shards(folder),
        records_in=sum(1 for _ in read_records(source)),
        records_out=sum(1 for _ in read_records(folder)),
        dropped=dict(sorted(dropped.items())),
    )
    partial_path = folder / "manifest.partial"
    partial_path.write_text(json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial_path.replace(folder / "manifest.json")
    (folder / "begun.json").unlink(missing_ok=True)
    return manifest


def _raise_if_stopped(step: Step, source: Path, folder: Path, missing: list[int]) -> None:
    reasons = Counter(mark.read_text(encoding="utf-8") for mark in sorted((folder / STOPPED).glob("[0-9]*")))
    if not reasons:
        return
    left = sum(1 for rank in missing for _ in read_shard(source / f"{rank:05d}.jsonl"))
    total = sum(1 for _ in read_records(source))
    raise StopRun(
        f"step {step.name} stopped: {reasons.most_common(1)[0][0]}. {total - left:,} of {total:,} records are finished, "
        f"{left:,} are left; run the same command again to go on (what models have answered is in their log)"
    )


def _missing(folder: Path) -> list[int]:
    return [rank for rank in range(SHARDS) if not (folder / f"{rank:05d}.jsonl").exists()]


@contextmanager
def _progress(name: str, folder: Path) -> Iterator[None]:
    """Show a bar that counts finished shards while the engine runs in other processes."""
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
