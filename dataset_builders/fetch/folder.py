"""Manage the folder that a fetch fills: staging in ``.fetch``, the manifest, and what is there already.

The manifest holds one line for each outcome, appended when all its files are in place; if several lines have the same id, the
last counts. A line that a killed process left half written is dropped.
"""

import dataclasses
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dataset_builders.sources.base import sha256_of_file

HIDDEN = ".fetch"  # sources.list_files passes hidden folders over


@dataclass(frozen=True, slots=True)
class Kept:
    """One file in the folder: its relative path, with forward slashes, its address, and what was fetched."""

    file: str
    address: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one article or one file of a catalogue entry.

    status  "kept"; "already_here": kept by an earlier fetch, intact; "left_out"; "by_hand": cannot be fetched, ``detail``
            says what to do; "failed".
    reason  a slug to count by, "" if nothing is missing. An article that is kept without images has "images_failed"
            (the next fetch tries again) or "images_missing" (the publisher's archive does not hold them).
    """

    id: str
    status: str
    reason: str = ""
    detail: str = ""
    title: str | None = None
    licence: str | None = None
    doi: str | None = None
    files: tuple[Kept, ...] = ()

    @property
    def failed(self) -> bool:
        """Tell whether something requested is missing that a later attempt may get."""
        return self.status in ("failed", "by_hand") or self.reason == "images_failed"

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Outcome":
        """Make the outcome from one line of the manifest."""
        known = {field.name: record[field.name] for field in dataclasses.fields(cls) if field.name != "files"}
        return cls(**known, files=tuple(Kept(**kept) for kept in record["files"]))


class FetchFolder:
    """An open folder; see ``open_folder``."""

    def __init__(self, root: Path):
        self.root = root
        self._manifest = root / HIDDEN / "manifest.jsonl"
        self._last = {outcome.id: outcome for outcome in self._load()}

    def last(self, id: str) -> Outcome | None:
        """Return the latest outcome of ``id``, None if there is none."""
        return self._last.get(id)

    def is_intact(self, outcome: Outcome) -> bool:
        """Tell whether every file of the outcome is there with its recorded size and SHA-256."""
        for kept in outcome.files:
            path = self.root / kept.file
            if not path.is_file() or path.stat().st_size != kept.bytes or sha256_of_file(path) != kept.sha256:
                return False
        return bool(outcome.files)

    def record(self, outcome: Outcome) -> None:
        """Append the outcome to the manifest."""
        line = dataclasses.asdict(outcome) | {"time": datetime.now(UTC).isoformat(timespec="seconds")}
        with self._manifest.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._last[outcome.id] = outcome

    @contextmanager
    def stage(self, name: str) -> Iterator[Path]:
        """Give an empty hidden folder on the same file system; it is deleted afterwards with all that is left in it."""
        folder = self.root / HIDDEN / "staged" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def partial(self, name: str) -> Path:
        """Return where a download lies until it is whole; it is kept between runs, so that the download can go on."""
        return self.root / HIDDEN / "partial" / name

    def place(self, staged: Path, folder: str, addresses: Mapping[str, str], default: str) -> tuple[Kept, ...]:
        """Move every file of a staged folder into ``folder`` (below the root), replacing what is there.

        addresses  path in the stage -> the address that the file comes from; ``default`` for files not listed.
        """
        kept = []
        for path in sorted(path for path in staged.rglob("*") if path.is_file()):
            name = path.relative_to(staged).as_posix()
            target = self.root / folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            kept.append(Kept(f"{folder}/{name}", addresses.get(name, default), sha256_of_file(path), path.stat().st_size))
            path.replace(target)
        return tuple(kept)

    def _load(self) -> Iterator[Outcome]:
        if not self._manifest.exists():
            return
        data = self._manifest.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            os.truncate(self._manifest, whole)
        for number, line in enumerate(data[:whole].decode("utf-8").split("\n")[:-1], 1):
            try:
                yield Outcome.from_dict(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{self._manifest} line {number} is no record of a fetch ({error!r}); delete the line, and what it "
                    "names is fetched again"
                ) from error


@contextmanager
def open_folder(root: Path) -> Iterator[FetchFolder]:
    """Open the folder, locked against a second fetch. Raises ValueError if another process is fetching into it."""
    (root / HIDDEN).mkdir(parents=True, exist_ok=True)
    with (root / HIDDEN / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"another fetch is writing to {root}; wait for it to end") from error
        yield FetchFolder(root)
