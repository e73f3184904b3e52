"""Measure reading of sources: documents and pages a second and peak memory with 1 and 2 workers; memory over 500 documents.

    python benchmarks/extraction.py [SOURCES]       # default: the embedded sources, made anew; COPIES of either

Prints and writes benchmarks/results/extraction.json (extraction_real.json for a folder of your own) and a plot of the memory
beside it. The step measured is the build's own ("documents", dataset_builders.pipeline). Pages are those of the PDFs that were
read. Peak memory is the largest sum of resident memory over the process tree, sampled ten times a second; pages that processes
share are counted in each. CPU seconds show how much other work on the machine lengthened the seconds, and
whether two workers do more work than one; "machine_speed_up" is what two processes that share nothing reach on this machine,
the upper bound for two workers.
"""

import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pypdfium2

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from common import RESULTS, write_result  # noqa: E402

from dataset_builders.engine.shards import read_records  # noqa: E402
from dataset_builders.engine.steps import read_manifest  # noqa: E402

DOCUMENTS = 500
COPIES = 4  # so that reading takes longer than starting the processes
_RUN = """
import sys
from functools import partial
from pathlib import Path
from dataset_builders.engine.shards import write_records
from dataset_builders.engine.steps import Step, run_step
from dataset_builders.engine.shard_runner import Typed
from dataset_builders.engine.store import ImageStore
from dataset_builders.pseudonyms import load_key, make_key
from dataset_builders.sources.inventory import SourceFile, list_sources, read_source
sources, work, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
key_file = make_key(work)
write_records((source.to_dict() for source in list_sources(sources, load_key(key_file))), work / "files")
read = Typed(SourceFile, partial(read_source, sources=sources, store=ImageStore(work / "images"), key_file=key_file))
run_step(Step("documents", read), work / "files", work / "documents", workers=workers)
"""


def measure(sources: Path, workers: int) -> dict[str, Any]:
    """Measure one run of the documents step in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        began, peak, cpu = time.monotonic(), 0, dict[int, float]()
        process = psutil.Popen(
            [sys.executable, "-c", _RUN, str(sources), name, str(workers)], cwd=REPO, stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            used = {child.pid: _used(child) for child in [process, *_children(process)]}
            peak = max(peak, sum(resident for resident, _ in used.values()))
            cpu |= {pid: seconds for pid, (_, seconds) in used.items() if seconds}
            time.sleep(0.1)
        seconds = time.monotonic() - began
        if process.returncode:
            raise SystemExit(f"reading {sources} with {workers} workers failed with {process.returncode}")
        manifest = read_manifest(work / "documents")
        files = {record["file"] for record in read_records(work / "documents")}
        pages = sum(_pages(sources / file) for file in files if file.lower().endswith(".pdf"))
        return {
            "seconds": round(seconds, 1),
            "cpu_seconds": round(sum(cpu.values()), 1),
            "documents": manifest.records_out,
            "pages": pages,
            "documents_a_second": round(manifest.records_out / seconds, 2),
            "pages_a_second": round(pages / seconds, 2),
            "peak_gib": round(peak / 2**30, 2),
        }


def spin(processes: int) -> float:
    """Measure the seconds that ``processes`` processes take for the same loop each, side by side."""
    began = time.monotonic()
    running = [subprocess.Popen([sys.executable, "-c", "for n in range(60_000_000): n * n"]) for _ in range(processes)]
    for process in running:
        process.wait()
    return time.monotonic() - began


def memory_over(sources: Path) -> list[list[float]]:
    """Measure [documents read, resident MiB] of one process that reads the small files again and again, up to DOCUMENTS."""
    from dataset_builders.sources import declare, list_files, load_declarations, read_declared

    declarations = load_declarations(sources)
    small = [p for p in list_files(sources) if isinstance(p, Path) and p.stat().st_size < 4 << 20 and p.suffix != ".dcm"]
    per_file: dict[Path, int] = {}
    series: list[list[float]] = []
    count = 0
    for path in itertools.cycle(small):
        if per_file.get(path) == 0:
            continue
        per_file[path] = 0
        for _ in itertools.islice(read_declared(path, declare(path, sources, declarations)), 20):
            per_file[path] += 1
            count += 1
            if count % 10 == 0:
                series.append([count, round(psutil.Process().memory_info().rss / 2**20, 1)])
        if count >= DOCUMENTS:
            break
    return series


def plot(series: list[list[float]], path: Path) -> None:
    """Plot resident memory against documents read."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3), layout="constrained")
    axes.plot([x for x, _ in series], [y for _, y in series])
    axes.set(xlabel="documents read by one process", ylabel="resident memory (MiB)", ylim=(0, None))
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _pages(path: Path) -> int:
    with pypdfium2.PdfDocument(path) as document:
        return len(document)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _used(process: psutil.Process) -> tuple[int, float]:
    """Return resident bytes and CPU seconds so far; zeros if the process has just ended."""
    try:
        times = process.cpu_times()
        return process.memory_info().rss, times.user + times.system
    except psutil.NoSuchProcess:
        return 0, 0.0


def main() -> None:
    """Measure, print and write the result."""
    sources = Path(tempfile.mkdtemp()) / "sources"
    if len(sys.argv) > 1:
        name = "extraction_real"
        shutil.copytree(sys.argv[1], sources / "copy_1")
    else:
        from dataset_builders.phantom import make_sources

        name = "extraction"
        make_sources(sources / "copy_1", size="small")
    for number in range(2, COPIES + 1):
        shutil.copytree(sources / "copy_1", sources / f"copy_{number}")
    runs = {f"workers_{workers}": measure(sources, workers) for workers in (1, 2)}
    series = memory_over(sources)
    half = [mib for count, mib in series if count > DOCUMENTS / 2]
    figures = {
        **runs,
        "speed_up": round(runs["workers_2"]["documents_a_second"] / runs["workers_1"]["documents_a_second"], 2),
        "machine_speed_up": round(2 * spin(1) / spin(2), 2),
        "memory": {"growth_mib_over_last_half": round(half[-1] - half[0], 1), "documents_and_mib": series},
    }
    write_result(name, figures, ("datatrove", "pypdfium2", "pdfplumber", "rapidocr", "onnxruntime"))
    plot(series, RESULTS / f"{name}_memory.png")
    shutil.rmtree(sources.parent, ignore_errors=True)


if __name__ == "__main__":
    main()
