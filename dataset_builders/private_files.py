"""Write what only its owner may read: folders of mode 0700, files of mode 0600, whatever the umask."""

import os
from pathlib import Path


def make_private_folder(folder: Path) -> None:
    """Create ``folder`` with its parents and take it from everybody but its owner (0700), also if it was there before."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def open_private(path: str | os.PathLike[str], flags: int) -> int:
    """Open a file that is created with mode 0600; the ``opener`` of ``open``."""
    return os.open(path, flags, 0o600)


def write_private(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 into a file of mode 0600, which also a file that was there before gets."""
    with open(path, "w", encoding="utf-8", newline="", opener=open_private) as file:
        file.write(text)
    path.chmod(0o600)
