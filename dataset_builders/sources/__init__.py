"""Turn files on disk into Documents, with one reader per format, chosen by content.

A reader is a module with two functions:

    accepts(path, head) -> bool       ``head`` is the first 4,096 bytes; true for its companion files too
    read(path, declared) -> iterator of Document, Companion or Reject; raises SourceError for a file it cannot read

The first reader in READERS that accepts a file reads it, so formats with a signature come before looser ones.
"""

import fnmatch
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.document import UNKNOWN_LICENCE, Companion, Document, Reject, SourceError
from dataset_builders.pages.ocr import BUNDLED, OcrSettings
from dataset_builders.source_kinds import KIND_OF_FOLDER, UnknownKind, find_kind
from dataset_builders.sources import cnxml, general_medical, image, jats, markdown_book, notes, pdf, question_bank
from dataset_builders.sources.base import Declared
from dataset_builders.sources.imaging import dicom, nifti, rsna, spark, spider

# Labelled DICOM before plain; images last: an image that a table names belongs to that table's reader.
READERS = (pdf, jats, cnxml, spark, rsna, dicom, spider, nifti, general_medical, question_bank, markdown_book, notes, image)
PAGE_READERS = (pdf, markdown_book, image)  # those that read page images: ``read`` takes the OCR settings as well

DECLARATIONS = "sources.yaml"
_HEAD_BYTES = 4096

logger = logging.getLogger(__name__)


def _log_reject(reject: Reject) -> None:
    logger.warning("%s: %s left out: %s %s", reject.file, reject.where, reject.reason, reject.detail)


def read(path: str | Path, on_reject: Callable[[Reject], None] = _log_reject, ocr: OcrSettings = BUNDLED) -> Iterator[Document]:
    """Yield the documents of one file, whatever its format; ``ocr`` says which engine reads page images.

    Rows or pages that cannot be read go to ``on_reject`` (by default a logged warning); a file that cannot be read
    raises SourceError with the reason.
    """
    path = Path(path).absolute()
    for result in read_declared(path, Declared(root=path.parent, source_kind=_kind_of(path.parent.parts)), ocr):
        if isinstance(result, Document):
            yield result
        elif isinstance(result, Reject) and not result.where:
            raise SourceError(result.reason, f"{path}: {result.detail}")
        elif isinstance(result, Reject):
            on_reject(result)


def read_declared(path: Path, declared: Declared, ocr: OcrSettings = BUNDLED) -> Iterator[Document | Companion | Reject]:
    """Yield everything that one file gives, its page images read as ``ocr`` says; never raises for what the file holds."""
    name = declared.relative(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if not head:
            raise SourceError("empty_file", "the file has no bytes")
        for reader in READERS:
            if reader.accepts(path, head):
                results = reader.read(path, declared, ocr) if reader in PAGE_READERS else reader.read(path, declared)
                yield from map(_by_kind, results)
                return
        raise SourceError("no_reader", f"no reader takes this format ({path.suffix or 'no suffix'})")
    except SourceError as error:
        yield Reject(name, error.reason, error.detail)
    except UnknownKind as error:
        yield Reject(name, "unknown_source_kind", str(error))
    except Exception as error:  # a parser's crash on a hostile file is that file's reject, not the build's end
        yield Reject(name, "reader_crashed", f"{type(error).__name__}: {error}")


def list_files(root: Path) -> Iterator[Path | Reject]:
    """List every file below ``root`` in sorted order; links that lead outside it are Rejects, hidden files are skipped."""
    inside = root.resolve()
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files + [f for f in folders if Path(folder, f).is_symlink()]):
            path = Path(folder, name)
            if name.startswith(".") or (name == DECLARATIONS and Path(folder) == root):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                yield Reject(path.relative_to(root).as_posix(), "link_outside", "the link leads outside the sources folder")
            elif path.is_file():
                yield path
            elif path.is_symlink() and not path.exists():
                yield Reject(path.relative_to(root).as_posix(), "broken_link", "the link leads nowhere")


def load_declarations(root: Path) -> list[dict[str, Any]]:
    """Read ``root/sources.yaml``: entries of ``match`` (a glob on the relative path) and any field of Declared.

    Raises ValueError naming the entry and its unknown key or source kind, or a ``defaced`` that is neither true nor false.
    """
    path = root / DECLARATIONS
    if not path.exists():
        return []
    entries = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    known = {"match", *Declared.__dataclass_fields__} - {"root"}
    for number, entry in enumerate(entries, 1):
        if "match" not in entry or set(entry) - known:
            raise ValueError(f"{path} entry {number}: needs 'match' and only {sorted(known)}, has {sorted(entry)}")
        if not isinstance(entry.get("defaced", False), bool):
            raise ValueError(f"{path} entry {number}: defaced is true or false")
        if "source_kind" in entry:
            try:
                find_kind(entry["source_kind"])
            except UnknownKind as error:
                raise ValueError(f"{path} entry {number}: {error}") from error
    return entries


def declare(path: Path, root: Path, declarations: list[dict[str, Any]]) -> Declared:
    """Return what is known of ``path``: its folder's kind, overlaid with every matching entry of sources.yaml."""
    relative = path.relative_to(root)
    values: dict[str, Any] = {}
    if kind := _kind_of(relative.parts):
        values["source_kind"] = kind
    for entry in declarations:
        if fnmatch.fnmatch(relative.as_posix(), entry["match"]):
            values.update({key: value for key, value in entry.items() if key != "match"})
    return Declared(root=root, **values)


def _by_kind(result: Document | Companion | Reject) -> Document | Companion | Reject:
    """``result`` with its kind's licence if a document states none. Raises UnknownKind."""
    if not isinstance(result, Document):
        return result
    kind = find_kind(result.provenance.source_kind)
    if result.provenance.source_licence != UNKNOWN_LICENCE or kind.licence == UNKNOWN_LICENCE:
        return result
    return replace(result, provenance=replace(result.provenance, source_licence=kind.licence))


def _kind_of(parts: tuple[str, ...]) -> str | None:
    return next((KIND_OF_FOLDER[part] for part in reversed(parts) if part in KIND_OF_FOLDER), None)
