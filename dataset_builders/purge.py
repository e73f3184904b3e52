"""Delete from a work folder what shows who a hospital's patients are: originals, and records before they were masked.

    deleted   0_files/ 1_documents/ 2_figures/    paths and unmasked texts
              images/ that no later step shows    originals of masked images
              residual_risk_images_WITH_IDENTITY/ inventory.csv
    left      the masked records and images of later steps, rejects, the residual-risk report, the key of names, the releases

The folder of sources is not touched: it is not ours to delete. A build in the folder afterwards reads the sources again.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builders.deidentify.residual_risk import IMAGES
from dataset_builders.engine.shards import read_records
from dataset_builders.engine.steps import read_manifest
from dataset_builders.pipeline import STEPS, step_folder
from dataset_builders.pseudonyms import KEY_FILE

UNMASKED = ("files", "documents", "figures")
"""Steps before "clean": their records hold texts as they came."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What was deleted and what is left, each as name and number of files, by name."""

    deleted: Mapping[str, int]
    left: Mapping[str, int]


def purge(work: Path) -> Purged:
    """Delete originals and unmasked records from the work folder of a finished build.

    Raises FileNotFoundError if ``work`` holds no build, or one that has not come to its end: its unmasked records are then all
    that there is, so finish the build first or delete the whole folder.
    """
    for step in STEPS[STEPS.index("clean") :]:
        if not (step_folder(work, step) / "manifest.json").is_file():
            raise FileNotFoundError(f"{work}: step {step} has not finished; finish the build, or delete the whole folder")
        read_manifest(step_folder(work, step))
    shown = {image for step in STEPS[STEPS.index("clean") :] for image in _images(step_folder(work, step))}
    deleted: dict[str, int] = {}
    for name in (*(step_folder(work, step).name for step in UNMASKED), IMAGES):
        if (work / name).is_dir():
            deleted[name] = _count(work / name)
            shutil.rmtree(work / name)
    originals = [path for path in (work / "images").glob("*/*.bin") if path.stem not in shown]
    for path in (*originals, *(path for path in [work / "inventory.csv"] if path.is_file())):
        path.unlink()
    deleted |= {"images that no later step shows": len(originals)}
    return Purged(deleted, {path.name: _count(path) for path in sorted(work.iterdir())})


def describe_purge(purged: Purged, work: Path) -> str:
    """Describe for people what was deleted and what is left, with what it still says."""
    lines = [f"deleted from {work}:", *(f"  {name}: {count:,} files" for name, count in purged.deleted.items())]
    lines += ["left:", *(f"  {name}: {count:,} files{_about(name)}" for name, count in purged.left.items())]
    return "\n".join([*lines, "the folder of sources is as it was; masked texts may still hold what masking missed"])


def _about(name: str) -> str:
    notes = {
        "images": " (masked or public)", "rejects": " (types, rows and reasons)",
        KEY_FILE: " (without it no rebuild gives these ids)",
        step_folder(Path(), "clean").name: " (masked texts)",
    }  # fmt: skip
    return notes.get(name, "")


def _count(path: Path) -> int:
    return sum(inner.is_file() for inner in path.rglob("*")) if path.is_dir() else 1


def _images(folder: Path) -> Iterator[str]:
    """Every image that a step's records show; the original of a masked one is only named, so it does not count."""
    for record in read_records(folder):
        shown: Sequence[Any] = [*record.get("figures", ()), *record.get("messages", ())]
        for part in shown:
            yield from [part["image_sha256"]] if part.get("image_sha256") else part.get("images", ())
