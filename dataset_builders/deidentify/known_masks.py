"""Keep what the search for writing found in each image, so that a rebuild reads only the images that it must.

    <folder>/<code>/ab/abcdef….json    {"masked": "0123…", "boxes": [[4, 4, 90, 20]]}    or {"reason": …, "detail": …}

The search is nearly all of a build's time. An entry lies below the version of the code and libraries that searched and is named
by the image's SHA-256: what other rules found, or found in another image, cannot be taken for it.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dataset_builders.deidentify.pixels import Box, mask_image
from dataset_builders.document import SourceError
from dataset_builders.engine.code import ROOT, trace_code
from dataset_builders.engine.store import ImageStore

SEARCH = ("deidentify.pixels",)
"""The module that searches and masks; its imports are followed."""


@dataclass(frozen=True, slots=True)
class KnownMasks:
    """The masks of a build's images. Several processes may write at once: an entry appears whole or not at all.

    store   holds the images as they came, and takes the masked ones.
    """

    store: ImageStore
    folder: Path

    @classmethod
    def of_todays_code(cls, store: ImageStore, folder: Path, root: Path = ROOT) -> Self:
        """Keep entries in the folder below ``folder`` that belongs to the code below ``root`` and the installed libraries."""
        return cls(store, folder / trace_code(SEARCH, root=root).version)

    def mask(self, sha256: str) -> tuple[str, tuple[Box, ...]]:
        """Mask the writing in an image of the store; return the masked image's SHA-256 and the boxes that were filled.

        Raises SourceError as mask_image does, from a kept entry as well.
        """
        path = self.folder / sha256[:2] / f"{sha256}.json"
        entry = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        if entry is None or ("masked" in entry and not self.store.path(entry["masked"]).exists()):
            entry = self._search(sha256)
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_text(json.dumps(entry), encoding="utf-8")
            partial.replace(path)
        if "reason" in entry:
            raise SourceError(entry["reason"], entry["detail"])
        return entry["masked"], tuple((left, top, right, bottom) for left, top, right, bottom in entry["boxes"])

    def _search(self, sha256: str) -> dict[str, Any]:
        try:
            masked, boxes = mask_image(self.store.get(sha256))
        except SourceError as error:
            return {"reason": error.reason, "detail": error.detail}
        return {"masked": self.store.put(masked), "boxes": boxes}
