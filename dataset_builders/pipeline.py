"""The whole build, top to bottom: sources ─▶ documents ─▶ … ─▶ spinemed-450k/ and spinebench/."""

import csv
import dataclasses
import functools
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from dataset_builders.deidentify import FindsNames, deidentify_document
from dataset_builders.deidentify.pixels import mask_figures
from dataset_builders.deidentify.residual_risk import write_residual_risk
from dataset_builders.document import Companion, Document, Reject
from dataset_builders.engine import execution
from dataset_builders.engine.execution import GlobalStep, Manifest, Record, Step
from dataset_builders.engine.store import ImageStore
from dataset_builders.figures import match_document
from dataset_builders.generate import Generator, load_generator
from dataset_builders.item import Item
from dataset_builders.overlap.deduplicate import deduplicate_documents
from dataset_builders.publish.cards import Counts
from dataset_builders.publish.spinebench import Sampling, build_spinebench, split_items
from dataset_builders.publish.spinemed_450k import build_spinemed
from dataset_builders.review.verdicts import Verdict, apply_verdicts, load_verdicts
from dataset_builders.sources import declare, list_files, load_declarations, read_declared
from dataset_builders.sources.base import sha256_of_file

STEPS = ("files", "documents", "figures", "clean", "distinct", "classified", "drafts", "revised", "reviewed", "split")
COMPANION = "companion"
READING_VERSION = 2  # raised when a reader gives another Document for the same file
CLEANING_VERSION = 3  # raised with every change of what de-identification masks
# A forgotten version must not leave a hospital's text masked by yesterday's rules: their files are hashed, too.
CLEANING_RULES = ("deidentify", "pages")  # packages: all their code and word lists


@dataclass(frozen=True, slots=True)
class Build:
    """What a build made: a manifest a step, and the counts of both data sets."""

    steps: tuple[Manifest, ...]
    spinemed: Counts
    spinebench: Counts

    @property
    def unread(self) -> int:
        """Files and rows that no reader could take, and records whose step crashed, died or timed out."""
        read = sum(count for reason, count in self.steps[0].dropped.items() if reason != COMPANION)
        return read + sum(step.dropped.get(reason, 0) for step in self.steps[1:] for reason in execution.CRASHES)


def build(
    sources: Path,
    work: Path,
    output: Path,
    *,
    generator: str = "rules",
    reviews: Path | None = None,
    ner: Path | None = None,
    executor: str = "local",
    workers: int = 1,
    timeout: float = execution.TIMEOUT,
    sampling: Sampling | None = None,
) -> Build:
    """Build ``output/spinemed-450k`` and ``output/spinebench`` from the files below ``sources``.

    Every step leaves its folder in ``work``; run again after a kill, it goes on where it stopped and ends with the same
    bytes. ``ner`` is the folder of a name model that masks hospital text beside the rules (presidio.load_name_model).
    Raises FileNotFoundError where ``sources`` is no folder or ``ner`` holds no model.
    """
    if not sources.is_dir():
        raise FileNotFoundError(f"--sources {sources}: not a folder")
    sampling = sampling or Sampling()
    cleaning = {"rules": _cleaning_digest()} | ({"ner": _name_model_digest(ner)} if ner else {})
    store = ImageStore(work / "images")
    writer = load_generator(generator)
    reviewed = load_verdicts(reviews) if reviews else {}

    folder = {name: step_folder(work, name) for name in STEPS}
    list_sources(sources, folder["files"])
    run = partial(execution.run_step, executor=executor, workers=workers, timeout=timeout)
    run_global = execution.run_global_step

    steps = (
        run(Step("documents", partial(read_source, sources, store), READING_VERSION), folder["files"], folder["documents"]),
        run(Step("figures", match_figures), folder["documents"], folder["figures"]),
        run(Step("clean", partial(clean, store, ner=ner), CLEANING_VERSION, cleaning), folder["figures"], folder["clean"]),
        run_global(
            GlobalStep("distinct", partial(deduplicate_documents, image_of=store.get), version=2),
            folder["clean"],
            folder["distinct"],
        ),
        run(
            Step("classified", partial(classify, writer, store), version=3, settings={"labels": writer.labels}),
            folder["distinct"],
            folder["classified"],
        ),
        run(
            Step("drafts", partial(draft, writer, store), settings={"generator": writer.name}),
            folder["classified"],
            folder["drafts"],
        ),
        run(
            Step("revised", partial(revise, writer, store), settings={"generator": writer.name}),
            folder["drafts"],
            folder["revised"],
        ),
        run(
            Step("reviewed", partial(review, reviewed), settings={"verdicts": len(reviewed), "file": _digest(reviews)}),
            folder["revised"],
            folder["reviewed"],
        ),
        run_global(
            GlobalStep(
                "split", partial(split_items, image_of=store.get, sampling=sampling), version=2, settings=asdict(sampling)
            ),
            folder["reviewed"],
            folder["split"],
        ),
    )

    facts = {"steps": [asdict(step) for step in steps]}
    spinemed = build_spinemed(partial(read_split, folder["split"], "train"), store, output / "spinemed-450k", facts)
    spinebench = build_spinebench(read_split(folder["split"], "benchmark"), store, output / "spinebench", facts)
    gather_rejects(work, folder)
    write_inventory(work, folder["documents"])
    write_residual_risk(work, folder["documents"], folder["clean"], sources, store)
    return Build(steps, spinemed, spinebench)


def step_folder(work: Path, name: str) -> Path:
    """Where the step ``name`` of STEPS leaves its records."""
    return work / f"{STEPS.index(name)}_{name}"


def list_sources(sources: Path, folder: Path) -> None:
    """The build's input: a record a file with its hash; links that lead outside become records that end as Rejects."""
    records = []
    for entry in tqdm(list(list_files(sources)), desc=f"{'files':<12}", unit=" files"):
        if isinstance(entry, Reject):
            records.append({"file": entry.file, "reject": entry.to_dict()})
        else:
            records.append({"file": entry.relative_to(sources).as_posix(), "sha256": sha256_of_file(entry)})
    declarations = load_declarations(sources)
    execution.write_records(({**record, "declarations": declarations} for record in records), folder)


def read_source(sources: Path, store: ImageStore, record: Record) -> Iterator[Record | Reject]:
    """One file's documents, their pictures kept in the store."""
    if "reject" in record:
        yield Reject(**record["reject"])
        return
    path = sources / record["file"]
    for result in read_declared(path, declare(path, sources, record["declarations"])):
        if isinstance(result, Reject):
            yield result
        elif isinstance(result, Companion):
            yield Reject(result.file, COMPANION, f"read with {result.of}", result.of)
        else:
            for figure in result.figures:
                if figure.image:
                    store.put(figure.image)
            yield dataclasses.replace(result, file=record["file"]).to_dict()


def match_figures(record: Record) -> Iterator[Record]:
    """Picture Context Matching where the reader could not do it, and the agreement score of every figure."""
    yield match_document(Document.from_dict(record)).to_dict()


def clean(store: ImageStore, record: Record, ner: Path | None = None) -> Iterator[Record | Reject]:
    """De-identified hospital cases: writing in pictures masked, text in strict mode and with the name model of ``ner``."""
    document, rejects = mask_figures(Document.from_dict(record), store.get, store.put)
    yield from rejects
    yield deidentify_document(document, _name_model(ner) if ner else None).to_dict()


@functools.cache
def _name_model(folder: Path) -> FindsNames:
    """Once a worker; imported here because Presidio takes seconds to import and most builds have no such model."""
    from dataset_builders.deidentify.presidio import load_name_model

    return load_name_model(folder)


def _cleaning_digest() -> str:
    files = (path for name in CLEANING_RULES for path in sorted(Path(__file__).with_name(name).rglob("*.[py][ya]*")))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files if "__pycache__" not in path.parts)).hexdigest()


def _name_model_digest(folder: Path) -> str:
    """Of its weights; raises FileNotFoundError where there are none."""
    _name_model(folder)
    return " ".join(sha256_of_file(path) for path in sorted(folder.glob("*.safetensors")))


def classify(writer: Generator, store: ImageStore, record: Record) -> Iterator[Record | Reject]:
    """Sub-field, levels and picture kinds; pictures that show nothing diagnostic leave."""
    document, rejects = writer.classify(Document.from_dict(record), store.get)
    yield from rejects
    yield document.to_dict()


def draft(writer: Generator, store: ImageStore, record: Record) -> Iterator[Record | Reject]:
    """First generation stage."""
    yield from _to_records(writer.draft(Document.from_dict(record), store.get))


def revise(writer: Generator, store: ImageStore, record: Record) -> Iterator[Record | Reject]:
    """Second generation stage."""
    yield from _to_records([writer.revise(Item.from_dict(record), store.get)])


def review(verdicts: dict[str, Verdict], record: Record) -> Iterator[Record | Reject]:
    """Clinicians' verdicts, where there are any."""
    yield from _to_records([apply_verdicts(Item.from_dict(record), verdicts)])


def read_split(folder: Path, split: str) -> Iterator[Item]:
    """Items of one side of the split."""
    for record in execution.read_records(folder):
        if record.pop("split") == split:
            yield Item.from_dict(record)


def gather_rejects(work: Path, folders: dict[str, Path]) -> None:
    """``work/rejects/<step>.jsonl``: one line for everything that left the build, companions apart."""
    rejects = work / "rejects"
    rejects.mkdir(exist_ok=True)
    for name in STEPS[1:]:
        lines = [
            json.dumps(reject.to_dict(), ensure_ascii=False)
            for reject in execution.read_rejects(folders[name])
            if reject.reason != COMPANION
        ]
        (rejects / f"{name}.jsonl").write_text("".join(line + "\n" for line in sorted(lines)), encoding="utf-8")


def write_inventory(work: Path, documents: Path) -> None:
    """``work/inventory.csv``: what became of every file, with counts of documents, figures and tables."""
    counts: dict[str, Counter[str]] = {}
    companions: dict[str, str] = {}
    rejected: dict[str, str] = {}
    read: dict[str, str] = {}
    for reject in execution.read_rejects(documents):
        row = counts.setdefault(reject.file, Counter())
        if reject.reason == COMPANION:
            companions.setdefault(reject.file, reject.where)
        else:
            row["rejects"] += 1
            rejected.setdefault(reject.file, f"{reject.reason}: {reject.detail}")
    for record in execution.read_records(documents):
        row = counts.setdefault(record["file"], Counter())
        row["documents"] += 1
        row["figures"] += len(record["figures"])
        row["tables"] += record["markdown"].count("\n|---") + record["markdown"].count("\n| ---")
        read[record["file"]] = "read"
    lost = rejected.keys() - read.keys()
    parts = {name: f"part of {of}, which was left out" if of in lost else f"read with {of}" for name, of in companions.items()}
    outcome = parts | rejected | read
    with (work / "inventory.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "outcome", "documents", "figures", "tables", "rejects"])
        for name, row in sorted(counts.items()):
            table.writerow([name, outcome[name], row["documents"], row["figures"], row["tables"], row["rejects"]])


def _to_records(results: Iterable[Item | Reject]) -> Iterator[Record | Reject]:
    for result in results:
        yield result if isinstance(result, Reject) else result.to_dict()


def _digest(path: Path | None) -> str | None:
    return sha256_of_file(path) if path else None
