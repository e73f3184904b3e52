"""Turn files on disk into Documents, with one reader per format, chosen by content.

A reader is a module with two functions:

    accepts(path, head) -> bool       ``head`` is the first 4,096 bytes; true for its companion files too
    read(path, declared) -> iterator of Document, Companion or Reject; raises SourceError for a file it cannot read

The first reader in READERS that accepts a file reads it, so formats with a signature come before looser ones.
"""

import fnmatch
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.document import UNKNOWN_LICENCE, Companion, Document, Reject, SourceError, describe_error
from dataset_builders.pages.ocr import BUNDLED, OcrSettings
from dataset_builders.pseudonyms import PROCESS_KEY
from dataset_builders.source_kinds import HOSPITAL_CASE, KIND_OF_FOLDER, UnknownKind, find_kind, kind_of_parts, names_hospital
from dataset_builders.sources import cnxml, general_medical, image, jats, markdown_book, notes, pdf, question_bank
from dataset_builders.sources.base import Declared, folder_kind
from dataset_builders.sources.hospital import CRASHED, conceal
from dataset_builders.sources.imaging import dicom, nifti, rsna, spark, spider
from dataset_builders.sources.imaging.label_maps import SCHEMES

__all__ = ["KIND_OF_FOLDER", "READERS", "Declared", "declare", "list_files", "load_declarations", "read", "read_declared"]

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

    The folders above the file say of what kind it is; if none does, it is a hospital's, whose ids hold within this process.
    Rows or pages that cannot be read go to ``on_reject`` (by default a logged warning); a file that cannot be read raises
    SourceError with the reason.
    """
    path = Path(path).absolute()
    # Outside a build there is no sources folder: every folder above the file may name its kind.
    above = [folder for folder in path.parent.parts if not names_hospital(folder)]
    kind = folder_kind(path, path.parent) or kind_of_parts(above) or HOSPITAL_CASE
    for result in read_declared(path, Declared(root=path.parent, source_kind=kind), ocr):
        if isinstance(result, Document):
            yield result
        elif isinstance(result, Reject) and not result.where:
            raise SourceError(result.reason, f"{result.file}: {result.detail}")
        elif isinstance(result, Reject):
            on_reject(result)


def read_declared(
    path: Path, declared: Declared, ocr: OcrSettings = BUNDLED, key: bytes = PROCESS_KEY
) -> Iterator[Document | Companion | Reject]:
    """Yield everything that one file gives, its page images read as ``ocr`` says; never raises for what the file holds.

    key   what the names of hospital cases are made with (pseudonyms.load_key). All that is yielded for a hospital's file is
          concealed (hospital.conceal). A document whose kind nothing declares is a hospital's, too.
    """
    results = _read(path, declared, ocr)
    yield from conceal(results, path, declared, key) if declared.is_private else _of_kind(results, path, declared, key)


def _read(path: Path, declared: Declared, ocr: OcrSettings) -> Iterator[Document | Companion | Reject]:
    name = declared.relative(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if not head:
            raise SourceError("empty_file", "the file has no bytes")
        for reader in READERS:
            if reader.accepts(path, head):
                results = reader.read(path, declared, ocr) if reader in PAGE_READERS else reader.read(path, declared)
                for result in results:
                    if isinstance(result, Document):
                        find_kind(result.provenance.source_kind)
                    yield result
                return
        raise SourceError("no_reader", f"no reader takes this format ({path.suffix or 'no suffix'})")
    except SourceError as error:
        yield Reject(name, error.reason, error.detail)
    except UnknownKind as error:
        yield Reject(name, "unknown_source_kind", str(error))
    except Exception as error:  # a parser's crash on a hostile file is that file's reject, not the build's end
        yield Reject(name, CRASHED, describe_error(error))


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

    Raises ValueError naming the entry and its unknown key or source kind, a ``defaced`` that is neither true nor
    false, an ``answers_from`` that is neither 0 nor 1, or ``labels`` of no known scheme.
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
        if entry.get("answers_from") not in (None, 0, 1) or isinstance(entry.get("answers_from"), bool):
            raise ValueError(f"{path} entry {number}: answers_from is 0 or 1, the number of the first option")
        if entry.get("labels") not in (None, *SCHEMES):
            raise ValueError(f"{path} entry {number}: labels is one of {', '.join(SCHEMES)}")
        if "source_kind" in entry:
            try:
                find_kind(entry["source_kind"])
            except UnknownKind as error:
                raise ValueError(f"{path} entry {number}: {error}") from error
    return entries


def declare(path: Path, root: Path, declarations: list[dict[str, Any]]) -> Declared:
    """Return what is known of ``path``: its folder's kind, overlaid with every matching entry of sources.yaml.

    A file below a hospital's folder is a hospital case, whatever else its path or sources.yaml says of kind or licence; so is
    one whose folders name no kind, if sources.yaml does not either. Links count with the place where they lead.
    """
    relative = path.relative_to(root)
    values: dict[str, Any] = {}
    for entry in declarations:
        if fnmatch.fnmatch(relative.as_posix(), entry["match"]):
            values.update({key: value for key, value in entry.items() if key != "match"})
    kind = folder_kind(path, root)
    values["source_kind"] = kind if kind == HOSPITAL_CASE else values.get("source_kind") or kind or HOSPITAL_CASE
    if find_kind(values["source_kind"]).is_private:
        values.pop("licence", None)
    return Declared(root=root, **values)


def _of_kind(
    results: Iterable[Document | Companion | Reject], path: Path, declared: Declared, key: bytes
) -> Iterator[Document | Companion | Reject]:
    """Results with their kind's licence if a document states none; a document that nothing declares is concealed."""
    for result in results:
        if not isinstance(result, Document):
            yield result
            continue
        kind = find_kind(result.provenance.source_kind)
        if declared.source_kind is None or kind.is_private:
            yield from conceal([result], path, declared, key)
        elif result.provenance.source_licence == UNKNOWN_LICENCE and kind.licence != UNKNOWN_LICENCE:
            yield replace(result, provenance=replace(result.provenance, source_licence=kind.licence))
        else:
            yield result
