"""Keep images on disk by content: ``<folder>/ab/abcdef….bin``, written once, shared by every step."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ImageStore:
    """A content-addressed folder of encoded images. Several processes may write at once: a file appears whole or not at all."""

    folder: Path

    def path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / f"{sha256}.bin"

    def put(self, image: bytes) -> str:
        """Store the encoded ``image``; return its SHA-256."""
        sha256 = hashlib.sha256(image).hexdigest()
        path = self.path(sha256)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}")
            partial.touch(mode=0o600)  # it may show a patient
            partial.write_bytes(image)
            partial.replace(path)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return the encoded image. Raises FileNotFoundError if the store does not hold it."""
        return self.path(sha256).read_bytes()
