"""What every reader shares: what a user declares of a file, and hashing of what was read."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dataset_builders.document import HOSPITAL_LICENCE, UNKNOWN_LICENCE, SourceError
from dataset_builders.source_kinds import find_kind

__all__ = ["HOSPITAL_LICENCE", "UNKNOWN_LICENCE", "Declared", "read_bytes", "sha256_of_file"]


@dataclass(frozen=True, slots=True)
class Declared:
    """What is known of a file before it is opened: from its folder, or from the sources folder's ``sources.yaml``.

    root         the sources folder; nothing outside it is read.
    source_kind  one of source_kinds.KINDS, or None: the reader then decides by content.
    defaced      that no recognisable face is in hospital volumes: removed, or outside the field of view (faces.py).
    licence      an SPDX id or the address of a licence; it overrides what the file says of itself.
    """

    root: Path
    source_kind: str | None = None
    id: str | None = None
    licence: str | None = None
    title: str | None = None
    doi: str | None = None
    url: str | None = None
    case_id: str | None = None
    defaced: bool = False

    @property
    def is_private(self) -> bool:
        """Whether the declared kind holds patients' texts and images; False if no kind is declared."""
        return self.source_kind is not None and find_kind(self.source_kind).is_private

    def relative(self, path: Path) -> str:
        """Return the file's name in locators and rejects: relative to the sources folder, with forward slashes."""
        return path.relative_to(self.root).as_posix()


def sha256_of_file(path: Path) -> str:
    """Return the hex digest of the file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_bytes(path: Path, limit: int = 1 << 30) -> bytes:
    """Read the whole file. Raises SourceError("too_large") above ``limit`` bytes (1 GiB)."""
    size = path.stat().st_size
    if size > limit:
        raise SourceError("too_large", f"{size} bytes, the limit is {limit}; split the file")
    return path.read_bytes()
