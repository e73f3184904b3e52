"""What every reader shares: what a user declares of a file, and hashing of what was read."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dataset_builders.document import HOSPITAL_LICENCE, UNKNOWN_LICENCE, SourceError
from dataset_builders.source_kinds import HOSPITAL_CASE, find_kind, is_inside_hospital, kind_of_parts, names_hospital

__all__ = ["HOSPITAL_LICENCE", "UNKNOWN_LICENCE", "Declared", "folder_kind", "read_bytes", "sha256_of_file"]


@dataclass(frozen=True, slots=True)
class Declared:
    """What is known of a file before it is opened: from its folder, or from the sources folder's ``sources.yaml``.

    root         the sources folder; nothing outside it is read.
    source_kind  one of source_kinds.KINDS; None is for readers that are called by themselves: the reader decides by content.
    defaced      that no recognisable face is in hospital volumes: removed, or outside the field of view (faces.py).
    answers_from what the first option's number is, 0 or 1, in a question bank whose answers are numbers.
    labels       what the numbers of a label map mean: a name of imaging.label_maps.SCHEMES.
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
    answers_from: int | None = None
    labels: str | None = None

    @property
    def is_private(self) -> bool:
        """Whether the declared kind holds patients' texts and images; False if no kind is declared."""
        return self.source_kind is not None and find_kind(self.source_kind).is_private

    def takes(self, path: Path) -> bool:
        """Tell whether a file that this one names may be read with it: below the root, and no hospital's unless this one is.

        Links are followed, so that none brings a hospital's image into literature.
        """
        place = path.resolve()
        if not place.is_relative_to(self.root.resolve()):
            return False
        return self.is_private or self.source_kind is None or folder_kind(path, self.root) != HOSPITAL_CASE

    def relative(self, path: Path) -> str:
        """Return the file's name in locators and rejects: relative to the sources folder, with forward slashes."""
        return path.relative_to(self.root).as_posix()


def folder_kind(path: Path, root: Path) -> str | None:
    """Return the kind that the folders of ``path`` give it; None if none of them names one.

    A hospital's folder decides wherever it is: below the sources folder ``root``, at it, above it, or where a link leads.
    """
    inside = path.relative_to(root).parent.parts if path.is_relative_to(root) else ()
    above = root.absolute()
    linked, target = root.resolve(), path.resolve()
    led_to = target.relative_to(linked).parent.parts if target.is_relative_to(linked) else ()
    if is_inside_hospital((*above.parts, *linked.parts)) or HOSPITAL_CASE in (kind_of_parts(inside), kind_of_parts(led_to)):
        return HOSPITAL_CASE
    return kind_of_parts(inside) or (kind_of_parts([above.name]) if not names_hospital(above.name) else None)


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
