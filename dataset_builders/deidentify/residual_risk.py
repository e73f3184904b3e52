"""Report the residual risk of a build: what was taken out of hospital documents, by number, and what a human must look at.

    work/residual_risk.html   the page
    work/residual_risk.json   the same numbers
    work/residual_risk_images_WITH_IDENTITY/<n>_before.png  <n>_after.png

Page and JSON name documents by id and hold counts, never an identifier. Images as they came show identity: they lie in a
folder of their own that says so, inside ``work`` (which holds the sources' text as well), and the page refers to them there;
nothing of it is copied into a data set. The page works without the folder. All is computed from the records of the
steps "documents" and "clean" and from their rejects: any number of workers and any kill give the same report.
"""

import hashlib
import io
import json
import math
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import jinja2
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom.pixels import pixel_array

from dataset_builders.deidentify.measure import wilson
from dataset_builders.deidentify.pixels import fill_boxes, render_frames
from dataset_builders.document import Deidentification, Document, Masking
from dataset_builders.engine.shards import read_rejects
from dataset_builders.engine.store import ImageStore
from dataset_builders.private_files import write_private

REASONS = ("burned_in_text", "face_in_volume", "may_show_identity", "undecodable", "broken_image")
"""Rejects of the steps "documents" and "clean" that are about identity in images."""

LEAKED, OF_NOTES = 14, 88
"""Notes that leaked an identifier, of those that held one, in notes that neither rules nor tagger had seen: "left_out" in
benchmarks/results/deidentification.json."""

IMAGES = "residual_risk_images_WITH_IDENTITY"
MAX_IMAGES = 24  # shown on the page: as many as a person looks at in some minutes (ours)
SAMPLE = 20  # texts to read: half an hour's work (ours)
# What makes a document stand out; the numbers are ours.
RARE = 0.02  # share of documents with a category
LOW_KNOWN = 0.7  # share of its Latin words that are known
MANY_CLINICAL = 3  # masked words that look like medicine
_MIN_DOCUMENTS = 8  # fewer have no usual
_FENCE = 1.5  # times the distance between the quartiles, above the upper one (Tukey)
_THUMBNAIL = 480  # pixels
_LINE_PART = 300  # a box's line is this part of the longer side wide, at least one pixel

_TEMPLATES = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Outlier:
    """A document to look at, by id, and why."""

    id: str
    shard: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResidualRisk:
    """The report. ``sample`` holds ids and shards of masked texts to read; ``refused`` counts rejects of REASONS.

    ``expected_leaks`` is how many of the documents in which identifiers were found probably hold another one still, judged by
    LEAKED, and the ends of its 95 % interval. Notes that are unlike the measured ones leak more.
    """

    documents: int
    expected_leaks: tuple[int, int, int]
    identifiers: dict[str, int]
    without_identifiers: int
    tags: dict[str, int]
    images: int
    masked: int
    boxes: int
    refused: dict[str, int]
    outliers: tuple[Outlier, ...]
    sample: tuple[tuple[str, str], ...]


def write_residual_risk(
    work: Path,
    documents: Path,
    clean: Path,
    sources: Mapping[str, Path],
    store: ImageStore,
    data_sets: Mapping[str, str] | None = None,
) -> ResidualRisk:
    """Write the report of a build into ``work`` and return it.

    documents, clean   folders of the steps of these names.
    sources            name of a source file -> where it is; DICOM files are shown from there.
    store              holds the other images as they came.
    data_sets          name of each data set that the build made -> hash of its files, which ties a sign-off to this report.
    """
    cleaned = [(Document.from_dict(record), shard) for record, shard in _read_shards(clean)]
    cleaned = [(document, shard) for document, shard in cleaned if document.deidentification is not None]
    refused = Counter(
        reject.reason for folder in (documents, clean) for reject in read_rejects(folder) if reject.reason in REASONS
    )
    report = summarise(cleaned, refused)
    folder = work / IMAGES
    shutil.rmtree(folder, ignore_errors=True)
    shown = _write_images(cleaned, folder, sources, store)
    numbers = {**asdict(report), "data_sets": dict(data_sets or {})}
    write_private(work / "residual_risk.json", json.dumps(numbers, indent=2, ensure_ascii=False) + "\n")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    page = environment.get_template("residual_risk.html").render(report=report, shown=shown, images=IMAGES)
    write_private(work / "residual_risk.html", page)
    return report


def summarise(cleaned: Sequence[tuple[Document, str]], refused: Counter[str]) -> ResidualRisk:
    """Sum up documents that were de-identified, each with the shard it lies in.

    refused   how often each reason of REASONS stands among the rejects.
    """
    identifiers: Counter[str] = Counter()
    tags: Counter[str] = Counter()
    boxes = []
    for document, _ in cleaned:
        counted = _counted(document)
        identifiers.update(counted.identifiers)
        tags.update(counted.tags)
        boxes += [len(masking.boxes) for masking in counted.maskings]
    by_hash = sorted(cleaned, key=lambda pair: hashlib.sha256(pair[0].id.encode()).digest())
    masked = [(document.id, shard) for document, shard in by_hash if _counted(document).identifiers]
    without = sum(not _counted(document).identifiers for document, _ in cleaned)
    shares = (LEAKED / OF_NOTES, *wilson(LEAKED, OF_NOTES))
    leaks = [math.ceil(share * (len(cleaned) - without)) for share in shares]
    return ResidualRisk(
        documents=len(cleaned),
        expected_leaks=(leaks[0], leaks[1], leaks[2]),
        identifiers=dict(sorted(identifiers.items())),
        without_identifiers=without,
        tags=dict(sorted(tags.items(), key=lambda item: (-item[1], item[0]))),
        images=sum(len(document.figures) for document, _ in cleaned),
        masked=len(boxes),
        boxes=sum(boxes),
        refused=dict(sorted(refused.items())),
        outliers=tuple(sorted(_outliers(cleaned), key=lambda outlier: (-len(outlier.reasons), outlier.id))),
        sample=tuple(masked[:SAMPLE]),
    )


def _outliers(cleaned: Sequence[tuple[Document, str]]) -> Iterable[Outlier]:
    densities = [_density(_counted(document)) for document, _ in cleaned]
    fence = float("inf")
    if len(cleaned) >= _MIN_DOCUMENTS:
        low, _, high = quantiles(densities, n=4)
        fence = high + _FENCE * (high - low)
    having = Counter(category for document, _ in cleaned for category in _counted(document).identifiers)
    rare = {category for category, count in having.items() if count <= RARE * len(cleaned)}
    for (document, shard), density in zip(cleaned, densities):
        counted = _counted(document)
        reasons = []
        if density > fence:
            reasons.append(f"many masks: {sum(counted.identifiers.values())} beside {counted.words} words")
        if found := sorted(rare & set(counted.identifiers)):
            reasons.append(f"unusual categories: {', '.join(found)}")
        if counted.words and counted.known < LOW_KNOWN * counted.words and document.language == "en":
            reasons.append(f"few known words: {counted.known} of {counted.words}; rules and word lists may not fit the text")
        if counted.clinical >= MANY_CLINICAL:
            reasons.append(f"{counted.clinical} masked words look like medicine")
        if counted.other_language:
            reasons.append(f"the text is in another language ({counted.other_language}): rules for it there are none")
        if counted.maskings:
            reasons.append(f"writing masked in {len(counted.maskings)} images")
        if reasons:
            yield Outlier(document.id, shard, tuple(reasons))


def _counted(document: Document) -> Deidentification:
    assert document.deidentification is not None
    return document.deidentification


def _density(counted: Deidentification) -> float:
    return sum(counted.identifiers.values()) / max(1, counted.words)


def _read_shards(folder: Path) -> Iterable[tuple[dict[str, Any], str]]:
    for path in sorted(folder.glob("[0-9]*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line), f"{folder.name}/{path.name}"


def _write_images(
    cleaned: Sequence[tuple[Document, str]], folder: Path, sources: Mapping[str, Path], store: ImageStore
) -> list[dict[str, Any]]:
    """Write thumbnails of masked images before (with the boxes drawn) and after; return their documents and files."""
    all_of = [(document.id, masking) for document, _ in cleaned for masking in _counted(document).maskings]
    all_of.sort(key=lambda pair: hashlib.sha256(f"{pair[0]} {pair[1].image}".encode()).digest())
    shown = []
    for number, (identifier, masking) in enumerate(all_of[:MAX_IMAGES], 1):
        frames = _load(masking, sources, store)
        row: dict[str, Any] = {"id": identifier, "boxes": len(masking.boxes), "number": number, "found": frames is not None}
        if frames is not None:
            folder.mkdir(exist_ok=True)
            _save(frames, masking.boxes, folder / f"{number:02d}_before.png")
            _save(fill_boxes(frames, masking.boxes), (), folder / f"{number:02d}_after.png")
        shown.append(row)
    return shown


def _load(masking: Masking, sources: Mapping[str, Path], store: ImageStore) -> NDArray | None:
    """Load the first frame as it came, shape (1, rows, columns[, 3]); None if the source is no longer there."""
    if (path := store.path(masking.image)).is_file():
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))[None]
    original = sources.get(masking.image)
    if original is None or not original.is_file():
        return None
    dataset = pydicom.dcmread(original)
    pixels = pixel_array(dataset)
    colour = int(dataset.get("SamplesPerPixel", 1)) == 3
    return pixels.reshape(-1, *pixels.shape[-3:])[:1] if colour else pixels.reshape(-1, *pixels.shape[-2:])[:1]


def _save(frames: NDArray, boxes: Sequence[tuple[int, int, int, int]], path: Path) -> None:
    image = next(iter(render_frames(frames))).convert("RGB")
    draw = ImageDraw.Draw(image)
    for box in boxes:
        draw.rectangle(box, outline=(255, 64, 64), width=max(1, max(image.size) // _LINE_PART))
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    image.save(path)
