"""Name hospital cases so that a name says nothing: HMAC-SHA256 (RFC 2104) of what it stands for, under a secret key.

A plain hash of a hospital number, a file name or a UID confirms a guess, because all of them can be tried. The key is made
once for a work folder and stays in it, so a rebuild there gives the same names and another work folder gives others:

    work/pseudonym.key    64 hex digits, mode 0600

Copying the file into a new work folder before the build gives that build the same names.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from dataset_builders.private_files import make_private_folder, write_private

KEY_FILE = "pseudonym.key"
_KEY_BYTES = 32

PROCESS_KEY = secrets.token_bytes(_KEY_BYTES)
"""Stands in if no key is given: names then hold within one process."""


def make_key(work: Path) -> Path:
    """Return the key file of a work folder; create it with a new secret if there is none."""
    path = work / KEY_FILE
    if not path.exists():
        make_private_folder(work)
        write_private(path, secrets.token_bytes(_KEY_BYTES).hex() + "\n")
    path.chmod(0o600)
    return path


def load_key(path: Path) -> bytes:
    """Read a key file. Raises FileNotFoundError if there is none, ValueError, naming it, if it holds no 64 hex digits."""
    text = path.read_text(encoding="ascii", errors="replace").strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError(f"{path}: holds no {2 * _KEY_BYTES} hex digits; copy the file again, or delete it for a new key")
    return key


def pseudonym(key: bytes, kind: str, value: str, digits: int = 16) -> str:
    """Return the name that ``value`` has under ``key``, as hex digits (64 at most).

    kind   what the value is ("case", "file"): equal values of different kinds have names that nothing links.
    """
    message = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:digits]


def fingerprint(key: bytes) -> str:
    """Return what tells whether a step ran under the same key; the key cannot be found from it."""
    return pseudonym(key, "key", "", 16)
