"""Run steps over folders of records, on datatrove's executors; the only module that knows the engine.

A step's folder, whatever ran it:

    <name>/00000.jsonl …      records, one file a shard
    <name>/rejects/00000.jsonl …   what left the build here, with file and reason
    <name>/manifest.json      what went in (by hash), the step's version, counts in and out, drops by reason

A step is a pure function ``record -> iterable of records and Rejects``. A killed run continues at the shards that were
not finished; a finished step is run again only when its input, version or settings changed.
"""

import hashlib
import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dataset_builders.document import Reject

Record = dict[str, Any]
# More shards than a workstation has cores, so that slow files spread; fixed, because resuming counts on it.
SHARDS = 16


@dataclass(frozen=True, slots=True)
class Step:
    """One arrow of the build.

    run       record -> records and Rejects; must be picklable (a module-level function or a partial of one).
    version   raised by hand whenever the same input gives another output: it invalidates finished runs.
    settings  what else the output depends on, for the manifest (JSON-ready).
    """

    name: str
    run: Callable[[Record], Iterable[Record | Reject]]
    version: int = 1
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GlobalStep:
    """An arrow that must see every record at once (duplicates, splits). ``run`` may read the records several times."""

    name: str
    run: Callable[[Callable[[], Iterator[Record]]], Iterable[Record | Reject]]
    version: int = 1
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a finished step says of itself (manifest.json)."""

    step: str
    version: int
    settings: dict[str, Any]
    input_sha256: str
    output_sha256: str
    records_in: int
    records_out: int
    dropped: dict[str, int]


def run_step(step: Step, source: Path, folder: Path, *, executor: str = "local", workers: int = 1) -> Manifest:
    """Run ``step`` over the shards in ``source`` into ``folder``; returns at once where that is already done.

    executor is "local", "slurm" or "ray"; workers processes at a time. Raises RuntimeError naming the shards that the
    engine left unfinished.
    """
    identity = _identity(step, source)
    if done := _finished(folder, identity):
        return done
    _begin(folder, identity)
    task = partial(_run_shard, step.run, source, folder)
    with _progress(step.name, folder):
        _engine(task, folder / "engine", executor, workers).run()
    missing = [rank for rank in range(SHARDS) if not (folder / f"{rank:05d}.jsonl").exists()]
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

    outputs = [_LineWriter(folder / f"{rank:05d}.jsonl") for rank in range(SHARDS)]
    rejects = _LineWriter(folder / "rejects" / "00000.jsonl")
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
    writers = [_LineWriter(folder / f"{rank:05d}.jsonl") for rank in range(SHARDS)]
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


def read_manifest(folder: Path) -> Manifest:
    """Raises FileNotFoundError where the step has not finished."""
    return Manifest(**json.loads((folder / "manifest.json").read_text(encoding="utf-8")))


def read_shard(path: Path) -> Iterator[Record]:
    """One record a line."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


class _LineWriter:
    """A JSON-lines file that appears under its name only when closed, so a name means a whole file."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._partial = path.with_suffix(".partial")
        self._file = self._partial.open("w", encoding="utf-8")

    def write(self, record: Record) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")

    def close(self) -> None:
        self._file.close()
        self._partial.replace(self._path)


def _run_shard(
    run: Callable[[Record], Iterable[Record | Reject]], source: Path, folder: Path, _data: Any, rank: int, _world_size: int
) -> None:
    """One shard, in a worker process. A record whose step crashes is that record's reject."""
    output = _LineWriter(folder / f"{rank:05d}.jsonl")
    rejects = _LineWriter(folder / "rejects" / f"{rank:05d}.jsonl")
    for record in read_shard(source / f"{rank:05d}.jsonl"):
        try:
            for result in run(record):
                if isinstance(result, Reject):
                    rejects.write(result.to_dict())
                else:
                    output.write(result)
        except Exception as error:  # the message of a foreign exception may quote a patient's text: only its type is kept
            rejects.write(Reject(_name_of(record), "step_crashed", type(error).__name__).to_dict())
    rejects.close()
    output.close()


def _name_of(record: Record) -> str:
    return record.get("file") or record.get("provenance", {}).get("source_id", "")


def _identity(step: Step | GlobalStep, source: Path) -> dict[str, Any]:
    return {"step": step.name, "version": step.version, "settings": step.settings, "input_sha256": _hash_shards(source)}


def _hash_shards(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("[0-9]*.jsonl")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _finished(folder: Path, identity: dict[str, Any]) -> Manifest | None:
    """The manifest of an earlier run of the same step, version and settings on the same input."""
    if not (folder / "manifest.json").exists():
        return None
    manifest = read_manifest(folder)
    same = {key: asdict(manifest)[key] for key in identity} == identity
    return manifest if same and _hash_shards(folder) == manifest.output_sha256 else None


def _begin(folder: Path, identity: dict[str, Any]) -> None:
    """Keep the finished shards of a killed run of the same identity; clear those of any other."""
    begun = folder / "begun.json"
    if folder.exists() and not (begun.exists() and json.loads(begun.read_text(encoding="utf-8")) == identity):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    begun.write_text(json.dumps(identity), encoding="utf-8")
    (folder / "manifest.json").unlink(missing_ok=True)
    for rank in range(SHARDS):  # the engine's mark and the shard must agree, whichever was lost
        mark = folder / "engine" / "completions" / f"{rank:05d}"
        if not (folder / f"{rank:05d}.jsonl").exists():
            mark.unlink(missing_ok=True)


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


def _engine(task: Callable[..., None], logs: Path, executor: str, workers: int) -> Any:
    """A datatrove executor over SHARDS tasks."""
    # loguru prints the values of variables in tracebacks unless told not to: patients' text must not reach a log.
    os.environ["LOGURU_DIAGNOSE"] = "NO"
    os.environ.setdefault("LOGURU_LEVEL", "WARNING")
    if executor == "local":
        from datatrove.executor import LocalPipelineExecutor

        class QuietLocalExecutor(LocalPipelineExecutor):
            """datatrove prints the log of local rank 0 to the console; the log files say the same."""

            def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> Any:
                return super()._run_for_rank(rank, local_rank + 1, node_rank)

        return QuietLocalExecutor([task], tasks=SHARDS, workers=workers, logging_dir=str(logs))
    if executor == "slurm":
        from datatrove.executor import SlurmPipelineExecutor

        return SlurmPipelineExecutor(
            [task], tasks=SHARDS, workers=workers, time="24:00:00", partition="cpu", logging_dir=str(logs), job_name="spinemed"
        )
    if executor == "ray":
        from datatrove.executor import RayPipelineExecutor

        return RayPipelineExecutor([task], tasks=SHARDS, workers=workers, logging_dir=str(logs))
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
