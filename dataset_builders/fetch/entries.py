"""Fetch entries of sources/catalogue.yaml by id: their files from the recorded addresses, checked against stated checksums."""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from tqdm import tqdm

from dataset_builders.fetch import archives
from dataset_builders.fetch.client import BadBody, Client, FetchError
from dataset_builders.fetch.folder import FetchFolder, Outcome, open_folder
from dataset_builders.source_kinds import find_kind
from dataset_builders.sources import DECLARATIONS, load_declarations
from dataset_builders.sources.catalogue import Download, Entry, load_catalogue

_FILE_BYTES = 1 << 38  # 256 GiB
_FILE_NAME = re.compile(r"\w[\w.-]{0,150}")


def fetch_entries(
    ids: Sequence[str], output: Path, client: Client, catalogue: Mapping[str, Entry] | None = None
) -> list[Outcome]:
    """Fetch the files of catalogue entries into ``output/{folder of their kind}/{id}`` and unpack archives.

    Returns one outcome for each file; for an entry without addresses one outcome "by_hand" that says what to do. What the
    entry's files do not say about themselves (``declare``) is added to ``output/sources.yaml``. ``catalogue`` is by default
    the project's.

    Raises ValueError if the catalogue lacks an id.
    """
    catalogue = load_catalogue() if catalogue is None else catalogue
    if unknown := [id for id in ids if id not in catalogue]:
        raise ValueError(f"the catalogue has no {', '.join(unknown)}; it has {', '.join(catalogue)}")
    outcomes = []
    with open_folder(output) as folder:
        wanted = [(catalogue[id], download) for id in dict.fromkeys(ids) for download in catalogue[id].files]
        for id in dict.fromkeys(ids):
            if not catalogue[id].files:
                todo = catalogue[id].by_hand or f"no address is recorded; see {catalogue[id].url}"
                outcomes.append(_outcome(catalogue[id], id, "by_hand", "", todo))
        for entry, download in tqdm(wanted, unit=" files", disable=not wanted):
            outcome = _fetch_file(entry, download, folder, client)
            if outcome.status != "already_here":
                folder.record(outcome)
            outcomes.append(outcome)
            if outcome.files and entry.declare:
                _declare(entry, output)
    return outcomes


def list_entries(catalogue: Mapping[str, Entry] | None = None) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield id, kind, licence, DOI ("–" if there is none) and a description of the files of every entry."""
    for entry in (load_catalogue() if catalogue is None else catalogue).values():
        checked = sum(download.checksum is not None for download in entry.files)
        files = f"{len(entry.files)} files, {checked} with a checksum" if entry.files else "by hand"
        yield entry.id, entry.kind, entry.licence, entry.doi or "–", files


def _fetch_file(entry: Entry, download: Download, folder: FetchFolder, client: Client) -> Outcome:
    name = _name_of(download.address)
    id = f"{entry.id}/{name}"
    before = folder.last(id)
    if before and folder.is_intact(before):
        return _outcome(entry, id, "already_here", before.reason, before.detail, before)
    partial, is_archive = folder.partial(f"{entry.id}--{name}"), name.endswith(archives.SUFFIXES)
    with folder.stage(entry.id) as stage:

        def unpack(path: Path) -> None:
            shutil.rmtree(stage)  # what a broken archive left
            stage.mkdir()
            archives.unpack(path, stage, name)

        try:
            client.download(download.address, partial, _FILE_BYTES, download.checksum, unpack if is_archive else _not_empty)
        except FetchError as error:
            return _outcome(entry, id, "failed", error.reason, error.detail)
        if is_archive:
            partial.unlink()
        else:
            partial.replace(stage / name)
        files = folder.place(stage, _folder_of(entry), {}, download.address)
    return Outcome(id, "kept", "", entry.note or "", entry.title, entry.licence, entry.doi, files)


def _folder_of(entry: Entry) -> str:
    return f"{find_kind(entry.kind).folders[0]}/{entry.id}"


def _outcome(entry: Entry, id: str, status: str, reason: str, detail: str, before: Outcome | None = None) -> Outcome:
    return Outcome(id, status, reason, detail, entry.title, entry.licence, entry.doi, before.files if before else ())


def _not_empty(path: Path) -> None:
    if not path.stat().st_size:
        raise BadBody("the file is empty")


def _name_of(address: str) -> str:
    name = unquote(urlsplit(address).path).rsplit("/", 1)[-1]
    if not _FILE_NAME.fullmatch(name):
        raise ValueError(f"catalogue.yaml: the address {address} does not end in a plain file name")
    return name


def _declare(entry: Entry, output: Path) -> None:
    """Add the entry's folder to ``sources.yaml``, unless the user already has an entry for that folder."""
    match = f"{_folder_of(entry)}/*"
    if any(declared["match"] == match for declared in load_declarations(output)):
        return
    values = {"match": match} | {key: getattr(entry, key) for key in entry.declare if getattr(entry, key)}
    path = output / DECLARATIONS
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    text += ("\n" if text and not text.endswith("\n") else "") + yaml.safe_dump([values], allow_unicode=True, sort_keys=False)
    try:
        yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no plain list that can be added to; add by hand: {values}") from error
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
