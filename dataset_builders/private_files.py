"""Write what only its owner may read: folders of mode 0700, files of mode 0600, whatever the umask."""

import os
from pathlib import Path
from typing import BinaryIO


def make_private_folder(folder: Path) -> None:
    """Create ``folder`` with its parents and take it from everybody but its owner (0700), also if it was there before."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def open_private_file(path: Path, mode: str) -> BinaryIO:
    """Open a file in a binary mode ("wb", "ab", "r+b"); it is its owner's alone (0600), also if it was there before."""
    descriptor = os.open(path, {"wb": os.O_WRONLY | os.O_CREAT | os.O_TRUNC, "ab": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
                                "r+b": os.O_RDWR}[mode], 0o600)  # fmt: skip
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, mode)  # type: ignore[return-value]


def write_private(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 into a file of mode 0600."""
    with open_private_file(path, "wb") as file:
        file.write(text.encode())
