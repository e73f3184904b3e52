"""Take stock of the sources folder: which files there are, what each holds, and what became of every one of them."""

import csv
import dataclasses
import io
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
from dataset_builders.private_files import write_private
from dataset_builders.pseudonyms import PROCESS_KEY, load_key
from dataset_builders.source_kinds import find_kind
from dataset_builders.sources import declare, list_files, load_declarations, read_declared
from dataset_builders.sources.base import sha256_of_file
from dataset_builders.sources.hospital import name_file

COLUMNS = ("file", "outcome", "documents", "figures", "tables", "rejects", "answers")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the sources folder: the input of a build's first step.

    file           path below the sources folder.
    name           what a hospital's file is called in every later record, reject and log (hospital.name_file); "" for others.
    sha256         of its bytes; "" if ``reject`` says why it is not read.
    declarations   the entries of sources.yaml, so that a changed one reads the file again.
    """

    file: str
    sha256: str = ""
    declarations: tuple[dict[str, Any], ...] = ()
    reject: Reject | None = None
    name: str = ""

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        reject = Reject(**record["reject"]) if record["reject"] else None
        return cls(record["file"], record["sha256"], tuple(record["declarations"]), reject, record["name"])


def list_sources(sources: Path, key: bytes = PROCESS_KEY) -> Iterator[SourceFile]:
    """List and hash every file below ``sources``, in a fixed order; a link that leads outside is listed with its Reject.

    key   what hospital files are named with (pseudonyms.load_key).
    """
    declarations = load_declarations(sources)
    for entry in tqdm(list(list_files(sources)), desc=f"{'files':<12}", unit=" files"):
        file = entry.file if isinstance(entry, Reject) else entry.relative_to(sources).as_posix()
        name = name_file(file, key) if declare(sources / file, sources, declarations).is_private else ""
        if isinstance(entry, Reject):
            yield SourceFile(file, reject=dataclasses.replace(entry, file=name or file), name=name)
        else:
            yield SourceFile(file, sha256_of_file(entry), tuple(declarations), name=name)


def read_source(
    source: SourceFile, sources: Path, store: ImageStore, ocr: OcrSettings = BUNDLED, key_file: Path | None = None
) -> Iterator[Document | Reject]:
    """Read one file's documents, page images as ``ocr`` says, and keep their images in ``store``.

    key_file   key of hospital names (pseudonyms.make_key); without it names hold within this process only.

    A file that is read as a part of another is a Reject COMPANION.
    """
    if source.reject:
        yield source.reject
        return
    path = sources / source.file
    key = load_key(key_file) if key_file else PROCESS_KEY
    for result in read_declared(path, declare(path, sources, list(source.declarations)), ocr, key):
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
            yield dataclasses.replace(result, file=source.name or source.file, known=known)


def source_paths(files: Path, sources: Path) -> dict[str, Path]:
    """Return where each file is, by the name that records and rejects have for it; ``files``: folder of the step "files"."""
    return {record["name"] or record["file"]: sources / record["file"] for record in read_records(files)}


def write_inventory(documents: Path, path: Path, files: Path | None = None) -> None:
    """Write what became of every file as CSV (COLUMNS), from the folder of the step "documents".

    files   folder of the step "files": hospital files then stand under their paths, not their keyed names. Only the owner may
            read the CSV.
    """
    paths: dict[str, str] = {record["name"]: record["file"] for record in read_records(files)} if files else {}
    counts: dict[str, Counter[str]] = {}
    companions: dict[str, str] = {}
    rejected: dict[str, str] = {}
    read: dict[str, str] = {}
    answers: dict[str, Counter[str]] = {}
    for reject in read_rejects(documents):
        name = paths.get(reject.file, reject.file)
        row = counts.setdefault(name, Counter())
        if reject.reason == COMPANION:
            companions.setdefault(name, paths.get(reject.where, reject.where))
        else:
            row["rejects"] += 1
            rejected.setdefault(name, f"{reject.reason}: {reject.detail}")
    for record in read_records(documents):
        name = paths.get(record["file"]) or str(record["file"])
        row = counts.setdefault(name, Counter())
        row["documents"] += 1
        row["figures"] += len(record["figures"])
        if (exchange := record["exchange"]) and exchange["read_as"]:
            answers.setdefault(name, Counter())[exchange["read_as"]] += 1
        row["tables"] += record["markdown"].count("\n|---") + record["markdown"].count("\n| ---")
        read[name] = "read"
    lost = rejected.keys() - read.keys()
    parts = {name: f"part of {of}, which was left out" if of in lost else f"read with {of}" for name, of in companions.items()}
    outcome = parts | rejected | read
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for name, row in sorted(counts.items()):
        keys = "; ".join(f"{kind}: {count}" for kind, count in sorted(answers.get(name, Counter()).items()))
        table.writerow([name, outcome[name], row["documents"], row["figures"], row["tables"], row["rejects"], keys])
    write_private(path, text.getvalue())
