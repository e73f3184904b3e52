"""A step's records on disk: JSON lines dealt into a fixed number of shards, and its Rejects beside them."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from dataset_builders.document import Reject
from dataset_builders.private_files import open_private_file, write_private

Record = dict[str, Any]

# More shards than a workstation has cores, so that slow files spread; fixed, because resuming counts on it.
SHARDS = 16


def write_records(records: Iterable[Record], folder: Path) -> None:
    """Deal records round-robin into the shards of a new ``folder``, as the input of a build's first step."""
    folder.mkdir(parents=True, exist_ok=True)
    writers = [LineWriter(folder / f"{rank:05d}.jsonl") for rank in range(SHARDS)]
    for number, record in enumerate(records):
        writers[number % SHARDS].write(record)
    for writer in writers:
        writer.close()


def read_records(folder: Path) -> Iterator[Record]:
    """Yield every record of a finished step, in shard order."""
    for path in sorted(folder.glob("[0-9]*.jsonl")):
        yield from read_shard(path)


def read_rejects(folder: Path) -> Iterator[Reject]:
    """Yield the Rejects of a finished step: everything that left the build there."""
    for path in sorted((folder / "rejects").glob("*.jsonl")):
        for record in read_shard(path):
            yield Reject(**record)


def gather_rejects(folders: Mapping[str, Path], target: Path, leave_out: str) -> None:
    """Write ``target/<step>.jsonl``: one line for each Reject of a step, sorted, except those with the reason ``leave_out``."""
    target.mkdir(exist_ok=True)
    for name, folder in folders.items():
        if (folder / "rejects").is_dir():
            rejects = (reject for reject in read_rejects(folder) if reject.reason != leave_out)
            lines = sorted(json.dumps(reject.to_dict(), ensure_ascii=False) + "\n" for reject in rejects)
            write_private(target / f"{name}.jsonl", "".join(lines))


def hash_shards(folder: Path) -> str:
    """Return the SHA-256 of the hashes of a folder's shards."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("[0-9]*.jsonl")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


class LineWriter:
    """A JSON-lines file of mode 0600 that appears under its name only when closed, so a file with its final name is complete.

    Until then it is ``<name>.<token>.partial``, so that overlapping runs (one killed only in part) never share a file.
    The first ``keep`` bytes that an earlier process wrote under the same token stay.
    """

    def __init__(self, path: Path, token: str = "", keep: int = 0):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._partial = path.with_suffix(f".{token}.partial" if token else ".partial")
        self._file: BinaryIO = open_private_file(self._partial, "r+b" if keep else "wb")
        self._file.truncate(keep)
        self._file.seek(keep)

    def write(self, record: Record) -> None:
        self.write_line(encode(record))

    def write_line(self, line: bytes) -> None:
        self._file.write(line)

    def flush(self) -> int:
        """Flush what was written to the system; return its size in bytes from the start of the file."""
        self._file.flush()
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        self._partial.replace(self._path)


def read_shard(path: Path) -> Iterator[Record]:
    """Yield the records of a shard, one for each line."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def encode(record: Record) -> bytes:
    """Encode a record as one line of a shard."""
    return (json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
