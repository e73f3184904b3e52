"""The catalogue of real upstream data sets (catalogue.yaml), by id."""

import fnmatch
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import yaml

from dataset_builders.document import Provenance
from dataset_builders.licences import UNKNOWN, check_licence
from dataset_builders.source_kinds import find_kind
from dataset_builders.sources.base import Declared


@dataclass(frozen=True, slots=True)
class Download:
    """One file of an entry: where it is, and "md5:…" or "sha256:…" where its publisher states one."""

    address: str
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class FileLicence:
    """The licence of those files of an entry whose name, or a folder's above them, has the form ``name`` ("sub-gl*")."""

    name: str
    licence: str
    why: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One upstream data set, as catalogue.yaml explains its fields."""

    id: str
    kind: str
    title: str
    licence: str
    url: str
    doi: str | None = None
    note: str | None = None
    files: tuple[Download, ...] = ()
    by_hand: str | None = None
    declare: tuple[str, ...] = ()
    licences: tuple[FileLicence, ...] = ()

    def licence_of(self, path: PurePath) -> str:
        """Return the SPDX id of one file: of the first of ``licences`` whose form fits, else that of the data set."""
        found = (rule.licence for rule in self.licences for part in path.parts if fnmatch.fnmatchcase(part, rule.name))
        return next(found, self.licence)


@functools.cache
def load_catalogue() -> dict[str, Entry]:
    """Load every entry by its id. Raises TypeError naming an unknown or missing field, UnknownKind naming an unknown kind."""
    text = Path(__file__).with_name("catalogue.yaml").read_text(encoding="utf-8")
    return {record["id"]: _entry(**record) for record in yaml.safe_load(text)}


def _entry(
    files: Sequence[Mapping[str, str]] = (),
    declare: Sequence[str] = (),
    licences: Sequence[Mapping[str, str]] = (),
    **fields: str,
) -> Entry:
    find_kind(fields["kind"])
    return Entry(
        **fields,
        files=tuple(Download(**file) for file in files),
        declare=tuple(declare),
        licences=tuple(FileLicence(**rule) for rule in licences),
    )


def describe(
    entry: Entry | None, declared: Declared, source_id: str, locator: str, sha256: str, default_kind: str
) -> Provenance:
    """Return the provenance of one row: what is declared of its file first, then what the catalogue knows, else unknown.

    A file that is declared to be another source shares only the entry's columns; nothing else of the entry applies.
    """
    if entry and declared.id not in (None, entry.id):
        entry = None
    return Provenance(
        source_kind=declared.source_kind or (entry.kind if entry else default_kind),
        source_id=source_id,
        source_licence=check_licence(declared.licence).spdx if declared.licence else entry.licence if entry else UNKNOWN,
        source_locator=locator,
        source_sha256=sha256,
        source_title=declared.title or (entry.title if entry else None),
        source_doi=declared.doi or (entry.doi if entry else None),
        source_url=declared.url or (entry.url if entry else None),
        case_id=declared.case_id,
    )
