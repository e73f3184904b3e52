"""Measure the seconds and peak memory of each part of `make demo`, after installation.

Usage, from the repository root:

    python benchmarks/demo.py                  # the embedded sources
    python benchmarks/demo.py ../shared/sources   # your own; writes results/demo_real.json

Peak memory is the largest sum of resident memory over the whole process tree, sampled ten times a second; pages that
processes share are counted in each, so the figure is too high.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
from common import write_result

PARTS = ("data", "train", "evaluate")


def measure(command: list[str]) -> dict[str, float]:
    """Run ``command``, and measure wall seconds and peak resident GiB of it and all its descendants."""
    began = time.monotonic()
    process = psutil.Popen(command)
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(map(_resident, [process, *_children(process)])))
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    return {"seconds": round(time.monotonic() - began, 1), "peak_gib": round(peak / 2**30, 2)}


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def main() -> None:
    """Clean, run the three parts, and write the figures with the losses and scores that came out."""
    sources = sys.argv[1:2]
    subprocess.run(["make", "--silent", "install", "clean"], check=True)
    parts = {}
    for part in PARTS:
        parts[part] = measure(["make", "--silent", part, *(f"SOURCES={folder}" for folder in sources)])
        print(part, parts[part], flush=True)
    demo = Path("runs/demo")
    figures = {
        **parts,
        "total_seconds": round(sum(part["seconds"] for part in parts.values()), 1),
        "peak_gib": max(part["peak_gib"] for part in parts.values()),
        "loss": {f"stage{n}": json.loads((demo / f"stage{n}/training_summary.json").read_text())["loss"] for n in (1, 2, 3)},
        "scores": {
            name: json.loads((demo / f"scores/{name}/scores.json").read_text())["total"] for name in ("untrained", "stage3")
        },
    }
    packages = ("torch", "transformers", "trl", "datasets", "datatrove")
    write_result("demo_real" if sources else "demo", figures, packages)


if __name__ == "__main__":
    main()
