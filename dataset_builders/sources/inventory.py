"""Take stock of the sources folder: which files there are, what each holds, and what became of every one of them."""

import csv
import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

from dataset_builders.document import COMPANION, PATH, Companion, Document, Reject
from dataset_builders.engine.shards import read_records, read_rejects
from dataset_builders.engine.store import ImageStore
from dataset_builders.pages.ocr import BUNDLED, OcrSettings
from dataset_builders.source_kinds import find_kind
from dataset_builders.sources import declare, list_files, load_declarations, read_declared
from dataset_builders.sources.base import sha256_of_file

COLUMNS = ("file", "outcome", "documents", "figures", "tables", "rejects")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the sources folder: the input of a build's first step.

    file           path below the sources folder.
    sha256         of its bytes; "" if ``reject`` says why it is not read.
    declarations   the entries of sources.yaml, so that a changed one reads the file again.
    """

    file: str
    sha256: str = ""
    declarations: tuple[dict[str, Any], ...] = ()
    reject: Reject | None = None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        reject = Reject(**record["reject"]) if record["reject"] else None
        return cls(record["file"], record["sha256"], tuple(record["declarations"]), reject)


def list_sources(sources: Path) -> Iterator[SourceFile]:
    """List and hash every file below ``sources``, in a fixed order; a link that leads outside is listed with its Reject."""
    declarations = tuple(load_declarations(sources))
    for entry in tqdm(list(list_files(sources)), desc=f"{'files':<12}", unit=" files"):
        if isinstance(entry, Reject):
            yield SourceFile(entry.file, reject=entry)
        else:
            yield SourceFile(entry.relative_to(sources).as_posix(), sha256_of_file(entry), declarations)


def read_source(
    source: SourceFile, sources: Path, store: ImageStore, ocr: OcrSettings = BUNDLED
) -> Iterator[Document | Reject]:
    """Read one file's documents, page images as ``ocr`` says, and keep their images in ``store``.

    A file that is read as a part of another is a Reject COMPANION.
    """
    if source.reject:
        yield source.reject
        return
    path = sources / source.file
    for result in read_declared(path, declare(path, sources, list(source.declarations)), ocr):
        if isinstance(result, Reject):
            yield result
        elif isinstance(result, Companion):
            yield Reject(result.file, COMPANION, f"read with {result.of}", result.of)
        else:
            for figure in result.figures:
                if figure.image:
                    store.put(figure.image)
            private = find_kind(result.provenance.source_kind).is_private
            known = (*result.known, (PATH, source.file)) if private else ()
            yield dataclasses.replace(result, file=source.file, known=known)


def write_inventory(documents: Path, path: Path) -> None:
    """Write what became of every file as CSV (COLUMNS), from the folder of the step "documents"."""
    counts: dict[str, Counter[str]] = {}
    companions: dict[str, str] = {}
    rejected: dict[str, str] = {}
    read: dict[str, str] = {}
    for reject in read_rejects(documents):
        row = counts.setdefault(reject.file, Counter())
        if reject.reason == COMPANION:
            companions.setdefault(reject.file, reject.where)
        else:
            row["rejects"] += 1
            rejected.setdefault(reject.file, f"{reject.reason}: {reject.detail}")
    for record in read_records(documents):
        row = counts.setdefault(record["file"], Counter())
        row["documents"] += 1
        row["figures"] += len(record["figures"])
        row["tables"] += record["markdown"].count("\n|---") + record["markdown"].count("\n| ---")
        read[record["file"]] = "read"
    lost = rejected.keys() - read.keys()
    parts = {name: f"part of {of}, which was left out" if of in lost else f"read with {of}" for name, of in companions.items()}
    outcome = parts | rejected | read
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for name, row in sorted(counts.items()):
            table.writerow([name, outcome[name], row["documents"], row["figures"], row["tables"], row["rejects"]])
