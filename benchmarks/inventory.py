"""List what happens to every file of a sources folder: read (by which reader, with what result) or left out (and why).

    python benchmarks/inventory.py SOURCES

Runs the build's reading step alone (dataset_builders.pipeline, "documents") and writes benchmarks/results/inventory.md: a table
by file, with more than FOLD similar files of a folder in one line. It holds names, counts and reasons, no text of the sources.
"""

import argparse
import csv
import importlib.metadata
import os
import platform
import sys
import tempfile
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path, PurePosixPath

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from common import RESULTS  # noqa: E402

from dataset_builders.document import COMPANION  # noqa: E402
from dataset_builders.engine.shard_runner import Typed  # noqa: E402
from dataset_builders.engine.shards import read_rejects, write_records  # noqa: E402
from dataset_builders.engine.steps import Step, run_step  # noqa: E402
from dataset_builders.engine.store import ImageStore  # noqa: E402
from dataset_builders.pseudonyms import load_key, make_key  # noqa: E402
from dataset_builders.sources import READERS  # noqa: E402
from dataset_builders.sources.inventory import SourceFile, list_sources, read_source, source_paths, write_inventory  # noqa: E402

FOLD = 3
COUNTS = ("documents", "figures", "tables")


def take_inventory(sources: Path, work: Path, workers: int) -> list[dict[str, str]]:
    """Return the rows of the build's inventory.csv, each with its reader, the number of parts left out, and why."""
    key_file = make_key(work)
    write_records((source.to_dict() for source in list_sources(sources, load_key(key_file))), work / "files")
    read = partial(read_source, sources=sources, store=ImageStore(work / "images"), key_file=key_file)
    step = Step("documents", Typed(SourceFile, read))
    run_step(step, work / "files", work / "documents", workers=workers)
    write_inventory(work / "documents", work / "inventory.csv", work / "files")
    paths = {name: path.relative_to(sources).as_posix() for name, path in source_paths(work / "files", sources).items()}
    left_out: dict[str, Counter[str]] = defaultdict(Counter)
    for reject in read_rejects(work / "documents"):
        if reject.reason != COMPANION:
            left_out[paths.get(reject.file, reject.file)][reject.reason] += 1
    with (work / "inventory.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["reader"] = _reader(sources / row["file"])
        row["left out"] = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out[row["file"]].items()))
    return rows


def to_markdown(rows: list[dict[str, str]]) -> str:
    """Format a table; more than FOLD files of the same folder, suffix, reader, outcome and parts left out share a line."""
    alike: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        path = PurePosixPath(row["file"])
        alike[path.parent.as_posix(), path.suffix, row["reader"], row["outcome"], row["left out"]].append(row)
    lines = ["| file | reader | outcome | documents | figures | tables | left out |", "|---|---|---|--:|--:|--:|---|"]
    for (folder, suffix, *_), group in alike.items():
        folded = (
            [(f"{folder}/*{suffix} ({len(group)} files)", group)] if len(group) > FOLD else [(r["file"], [r]) for r in group]
        )
        lines += [_line(name, members) for name, members in folded]
    return "\n".join([*lines, _line(f"{len(rows)} files", rows, total=True)]) + "\n"


def _line(name: str, rows: list[dict[str, str]], total: bool = False) -> str:
    counts = [f"{sum(int(row[column]) for row in rows):,}" for column in COUNTS]
    reader, outcome, left_out = ("", "", "") if total else (rows[0]["reader"], rows[0]["outcome"], rows[0]["left out"])
    return "| " + " | ".join([name, reader, outcome.replace("|", "\\|"), *counts, left_out]) + " |"


def _reader(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        head = file.read(4096)
    return next((reader.__name__.rpartition(".")[2] for reader in READERS if head and reader.accepts(path, head)), "")


def main() -> None:
    """Read the sources, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        rows = take_inventory(arguments.sources.absolute(), Path(work), os.cpu_count() or 1)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("pypdfium2", "pdfplumber", "rapidocr"))
    text = (
        "`python benchmarks/inventory.py SOURCES` "
        f"on {platform.system()} {platform.machine()}, Python {platform.python_version()}, {versions}.\n\n"
        "*left out* counts the rows, pages or files that gave no document; each is in the build's "
        "`work/rejects/documents.jsonl` with its reason in words.\n\n" + to_markdown(rows)
    )
    (RESULTS / "inventory.md").write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
