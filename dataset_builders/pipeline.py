"""Run the whole build, top to bottom: sources ─▶ documents ─▶ … ─▶ spinemed-450k/ and spinebench/."""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dataset_builders.deidentify.clean import clean_document, name_model
from dataset_builders.deidentify.known_masks import KnownMasks
from dataset_builders.deidentify.residual_risk import write_residual_risk
from dataset_builders.document import COMPANION, Document
from dataset_builders.engine.shard_runner import Typed
from dataset_builders.engine.shards import gather_rejects, write_records
from dataset_builders.engine.steps import CRASHES, TIMEOUT, GlobalStep, Manifest, Step, run_steps
from dataset_builders.engine.store import ImageStore
from dataset_builders.figures import match_document
from dataset_builders.generate import load_generator
from dataset_builders.item import Item
from dataset_builders.overlap.deduplicate import deduplicate_documents
from dataset_builders.pages.ocr import BUNDLED, OcrSettings
from dataset_builders.private_files import make_private_folder
from dataset_builders.pseudonyms import fingerprint, load_key, make_key
from dataset_builders.publish.cards import Counts
from dataset_builders.publish.quality import write_quality
from dataset_builders.publish.release import hash_data_set
from dataset_builders.publish.sampling import Sampling
from dataset_builders.publish.spinebench import build_spinebench, read_split, split_items
from dataset_builders.publish.spinemed_450k import build_spinemed
from dataset_builders.review.reasons import load_reasons
from dataset_builders.review.verdicts import load_verdicts, review_items
from dataset_builders.sources.base import sha256_of_file
from dataset_builders.sources.inventory import SourceFile, list_sources, read_source, source_paths, write_inventory

STEPS = ("files", "documents", "figures", "clean", "distinct", "classified", "drafts", "revised", "reviewed", "split")


@dataclass(frozen=True, slots=True)
class Build:
    """What a build made: the manifest of each step, and the counts of both data sets."""

    steps: tuple[Manifest, ...]
    spinemed: Counts
    spinebench: Counts

    @property
    def unread(self) -> int:
        """Count the files and rows that no reader could take, and the records whose step crashed, died or timed out."""
        read = sum(count for reason, count in self.steps[0].dropped.items() if reason != COMPANION)
        return read + sum(step.dropped.get(reason, 0) for step in self.steps[1:] for reason in CRASHES)


def build(
    sources: Path,
    work: Path,
    output: Path,
    *,
    generator: str = "rules",
    max_calls: int | None = None,
    max_cost: float | None = None,
    ocr: OcrSettings = BUNDLED,
    reviews: Path | None = None,
    ner: Path | None = None,
    dates: str = "year",
    other_language: str = "refuse",
    executor: str = "local",
    workers: int = 1,
    timeout: float = TIMEOUT,
    sampling: Sampling | None = None,
) -> Build:
    """Build ``output/spinemed-450k`` and ``output/spinebench`` from the files below ``sources``.

    Every step leaves its folder in ``work``. Run again after a kill, the build goes on where it stopped and ends with the same
    bytes. Run again after a change, it repeats the steps whose input, code or settings changed, and logs why.
    ``work`` is readable by its owner only and holds the key of hospital names (pseudonyms.py): a build in another work folder
    names hospital cases alike only if that file is copied there first.
    ``max_calls`` and ``max_cost`` (US dollars) limit what models of ``generator`` may be asked in this run.
    ``ocr`` says which engine reads page images (ocr.load_settings).
    ``ner`` is the folder of a name model that masks hospital text beside the rules (presidio.load_name_model).
    ``dates`` says what stays of a hospital text's dates: "year" (Safe Harbor), or "shift" (shift_dates says the risk).
    ``other_language`` says what becomes of hospital texts that are neither English nor Chinese: "refuse" or "mask".
    Raises FileNotFoundError if ``sources`` is no folder or ``ner`` holds no model, ValueError if a verdict of ``reviews`` does
    not fit (verdicts.review_items), and StopRun if a step stopped itself: a limit is reached, or models cannot be asked.
    """
    if not sources.is_dir():
        raise FileNotFoundError(f"--sources {sources}: not a folder")
    sampling = sampling or Sampling()
    make_private_folder(work)
    key_file = make_key(work)
    key = load_key(key_file)
    store = ImageStore(work / "images")
    writer = load_generator(generator, max_calls, max_cost)
    verdicts = load_verdicts(reviews, load_reasons()) if reviews else {}
    read = partial(read_source, sources=sources, store=store, ocr=ocr, key_file=key_file)
    masks = KnownMasks.of_todays_code(store, work / "masks")
    clean = partial(clean_document, masks=masks, ner=ner, dates=dates, other_language=other_language)
    masking = {"dates": dates, "other_language": other_language}
    classify, draft, revise = (partial(stage, image_of=store.get) for stage in (writer.classify, writer.draft, writer.revise))
    review = partial(review_items, verdicts=verdicts)
    deduplicate = partial(deduplicate_documents, image_of=store.get)
    split = partial(split_items, image_of=store.get, sampling=sampling)

    def asks(step: str) -> tuple[tuple[str, ...], dict[str, Any], int]:
        return writer.code[step], writer.settings[step], writer.at_once[step]

    steps = (
        Step("documents", Typed(SourceFile, read), ("sources.inventory",), {"ocr": ocr.identity, "key": fingerprint(key)}),
        Step("figures", Typed(Document, match_document), ("figures",)),
        Step("clean", Typed(Document, clean), ("deidentify.clean",), {**masking, **_hash_name_model(ner)}),
        GlobalStep("distinct", deduplicate, ("overlap.deduplicate",)),
        Step("classified", Typed(Document, classify), *asks("classified")),
        Step("drafts", Typed(Document, draft), *asks("drafts")),
        Step("revised", Typed(Item, revise), *asks("revised")),
        GlobalStep("reviewed", review, ("review.verdicts",), {"verdicts": sha256_of_file(reviews) if reviews else None}),
        GlobalStep("split", split, ("publish.spinebench",), asdict(sampling)),
    )
    folders = {name: step_folder(work, name) for name in STEPS}
    write_records((source.to_dict() for source in list_sources(sources, key)), folders["files"])
    manifests = run_steps(steps, folders["files"], folders, executor=executor, workers=workers, timeout=timeout)

    facts = {"steps": [{**asdict(manifest), "version": manifest.version} for manifest in manifests]}
    train, benchmark = (partial(read_split, folders["split"], side) for side in ("train", "benchmark"))
    spinemed = build_spinemed(train, store, output / "spinemed-450k", facts)
    spinebench = build_spinebench(benchmark(), store, output / "spinebench", facts)
    write_quality(work, folders)
    gather_rejects(folders, work / "rejects", leave_out=COMPANION)
    write_inventory(folders["documents"], work / "inventory.csv", folders["files"])
    data_sets = {name: hash_data_set(output / name) for name in ("spinemed-450k", "spinebench")}
    paths = source_paths(folders["files"], sources)
    write_residual_risk(work, folders["documents"], folders["clean"], paths, store, data_sets)
    return Build(manifests, spinemed, spinebench)


def step_folder(work: Path, name: str) -> Path:
    """Return the folder in which the step ``name`` of STEPS leaves its records."""
    return work / f"{STEPS.index(name)}_{name}"


def _hash_name_model(folder: Path | None) -> dict[str, Any]:
    """Return the settings of the step "clean". Raises FileNotFoundError if ``folder`` holds no model."""
    if folder is None:
        return {}
    name_model(folder)
    return {"ner": " ".join(sha256_of_file(path) for path in sorted(folder.glob("*.safetensors")))}
