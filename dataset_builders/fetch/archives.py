"""Unpack archives of data sets, whole or not at all; refuse names that lead outside, links and devices."""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from dataset_builders.fetch.client import BadBody, FetchError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")


def unpack(archive: Path, folder: Path, name: str) -> None:
    """Unpack ``archive``, whose file name is ``name``, into the empty ``folder``.

    Raises BadBody if the archive is not whole, and FetchError with the reason "unsafe_archive" or "no_space".
    """
    try:
        if name.endswith(".zip"):
            _unpack_zip(archive, folder, name)
        else:
            _unpack_tar(archive, folder, name)
    except (zipfile.BadZipFile, tarfile.ReadError, zlib.error, EOFError) as error:
        raise BadBody(f"{name} is not whole: {error}") from error
    except tarfile.FilterError as error:
        raise FetchError("unsafe_archive", f"{name}: {error}") from error


def _unpack_zip(archive: Path, folder: Path, name: str) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        for member in members:
            path = PurePosixPath(member.filename)
            if path.is_absolute() or ".." in path.parts or "\\" in member.filename or stat.S_ISLNK(member.external_attr >> 16):
                raise FetchError("unsafe_archive", f"{name}: the member {member.filename!r} leads outside, or is a link")
        _check_space(folder, name, (member.file_size for member in members))
        for member in members:
            opened.extract(member, folder)


def _unpack_tar(archive: Path, folder: Path, name: str) -> None:
    with tarfile.open(archive) as opened:
        members = opened.getmembers()
        if special := next((member for member in members if not (member.isfile() or member.isdir())), None):
            raise FetchError("unsafe_archive", f"{name}: the member {special.name!r} is a link or a device")
        _check_space(folder, name, (member.size for member in members))
        opened.extractall(folder, filter="data")


def _check_space(folder: Path, name: str, sizes: Iterable[int]) -> None:
    needed, free = sum(sizes), shutil.disk_usage(folder).free
    if needed > free:
        raise FetchError("no_space", f"{name} unpacks to {needed:,} bytes; {free:,} are free below {folder}")
