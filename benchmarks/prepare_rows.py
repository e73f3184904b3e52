"""Measure what a stage does before its first step, on two sizes of data, and extrapolate to 450,000 rows with 33,000 images.

    python benchmarks/prepare_rows.py

Each size is prepared twice, each time in a process of its own: the first start reads the Parquet file, counts the tokens of
every row and fills packs; the second finds the counts in the cache of `datasets`. Time and memory are taken to grow in
proportion to the rows between the two sizes. One process counts; a recipe's `dataset_num_proc` divides that part. Rows are our
own sentences of lengths like the data set's, with drawn images. Writes benchmarks/results/prepare_rows.json.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

ROWS, IMAGES = 450_000, 33_000
SIZES = (4_500, 18_000)
MAX_LENGTH = 16_384
IMAGE_PIXELS = 512


def main() -> None:
    """Prepare both sizes twice, print and write the figures."""
    if len(sys.argv) > 1:
        print(json.dumps(_prepare(Path(sys.argv[1]))))
        return
    from common import write_result

    measured = {}
    for rows in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), rows)
            measured[rows] = [_start(Path(folder)) for _ in ("first", "second")]
            print(rows, measured[rows])
    small, large = (measured[rows] for rows in SIZES)
    figures = {
        name: {
            "measured": {str(rows): measured[rows][number] for rows in SIZES},
            f"extrapolated to {ROWS} rows": _extrapolate(small[number], large[number]),
        }
        for number, name in enumerate(("first start", "second start"))
    }
    write_result("prepare_rows", figures, ("torch", "transformers", "datasets"))


def _write(folder: Path, count: int) -> None:
    """Write a tiny model and ``count`` rows, with as many images a row as the whole data set has."""
    from training_rows import image, row, text, write_rows, write_tiny

    rng = np.random.default_rng(0)
    words = np.clip(rng.lognormal(5.6, 0.9, count), 30, 8_000).astype(int)
    shows = rng.random(count) < IMAGES / ROWS
    rows = [
        row(
            f"row:{number}",
            [(f"Case {number}: what is seen? {text(length // 2, rng)}", text(length // 2, rng))],
            [image(IMAGE_PIXELS, IMAGE_PIXELS, rng)] * int(shown),
        )
        for number, (length, shown) in enumerate(zip(words, shows))
    ]
    write_rows(folder / "rows", rows)
    write_tiny(folder / "tiny", max_pixels=IMAGE_PIXELS**2)


def _start(folder: Path) -> dict[str, float]:
    environment = {**os.environ, "HF_HOME": str(folder / "cache"), "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, str(folder)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _prepare(folder: Path) -> dict[str, float]:
    from modeling.curriculum import parse_sources, prepare_stage
    from modeling.spinegpt import load_processor

    processor = load_processor(folder / "tiny")
    begun, memory = time.process_time(), _peak_mib()
    data = prepare_stage(parse_sources([{"dataset": str(folder / "rows")}]), processor, max_length=MAX_LENGTH, packing=True)
    assert not data.dropped, data.dropped_by_reason
    return {
        "seconds": round(time.process_time() - begun, 2),
        "mib_over_imports": round(_peak_mib() - memory),
        "packs": len(data.units),
        "tokens": sum(data.tokens),
    }


def _peak_mib() -> float:
    """Of this program alone: what getrusage tells begins with the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def _extrapolate(small: dict[str, float], large: dict[str, float]) -> dict[str, float]:
    def at_full(name: str) -> float:
        slope = (large[name] - small[name]) / (SIZES[1] - SIZES[0])
        return large[name] + slope * (ROWS - SIZES[1])

    return {"minutes": round(at_full("seconds") / 60, 1), "gib_over_imports": round(at_full("mib_over_imports") / 1024, 2)}


if __name__ == "__main__":
    main()
