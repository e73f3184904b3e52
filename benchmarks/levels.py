"""Measure level parsing: F1 on the hand-labelled development set and on sentences of our own; texts a second on one core.

    python benchmarks/levels.py                 # SPINEMED_GOLD and SPINEMED_SOURCES say where the texts are

Prints and writes benchmarks/results/levels.json. F1 is over names (a name found in a text that has it); exact is the
share of texts whose whole list is right. A trap is a text in which nothing is to be found.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from common import write_result  # noqa: E402

from dataset_builders.levels import parse_levels  # noqa: E402

SENTENCES = Path(__file__).parent / "data" / "level_sentences.txt"
KINDS = ("vertebrae", "discs", "nerve_roots")
ROUNDS = 5  # timed passes, of which the median counts


def main() -> None:
    """Measure, print and write the result."""
    shared = REPO.parent / "shared"
    gold = Path(os.environ.get("SPINEMED_GOLD", shared / "gold")) / "levels" / "dev.jsonl"
    sources = Path(os.environ.get("SPINEMED_SOURCES", shared / "sources"))
    notes = sources / "hospital" / "lumbar_mri_radiologist_notes.jsonl"
    rows = [json.loads(line) for line in gold.read_text(encoding="utf-8").splitlines()]
    figures = {"development_set": score(rows)}
    for language in ("en", "zh"):
        figures[f"development_set_{language}"] = score([row for row in rows if row["language"] == language])
    figures["own_sentences"] = score(load_sentences(SENTENCES))
    figures["speed"] = {"development_set": speed([row["text"] for row in rows])}
    if notes.exists():
        texts = [json.loads(line)["note"] or "" for line in notes.read_text(encoding="utf-8").splitlines()]
        figures["speed"]["radiologist_notes"] = speed([text for text in texts if text.strip()])
    write_result("levels", figures)


def load_sentences(path: Path) -> list[dict]:
    """Load the rows of a file of "text | vertebrae | discs | nerve roots" lines."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    parts = [[part.strip() for part in line.split("|")] for line in lines]
    return [{"text": text} | {kind: names.split() for kind, names in zip(KINDS, rest)} for text, *rest in parts]


def score(rows: list[dict]) -> dict:
    """Count texts and traps in which anything was found, and compute F1, precision, recall and exact matches by kind."""
    parsed = [parse_levels(row["text"]) for row in rows]
    result: dict = {"texts": len(rows)}
    traps = [levels for row, levels in zip(rows, parsed) if not any(row[kind] for kind in KINDS)]
    result["traps"] = len(traps)
    result["traps_with_levels"] = sum(any(getattr(levels, kind) for kind in KINDS) for levels in traps)
    for kind in KINDS:
        pairs = [(set(row[kind]), set(getattr(levels, kind))) for row, levels in zip(rows, parsed)]
        found = sum(len(truth & guess) for truth, guess in pairs)
        guessed, true = sum(len(guess) for _, guess in pairs), sum(len(truth) for truth, _ in pairs)
        result[kind] = {
            "f1": round(2 * found / (guessed + true), 4) if guessed + true else None,
            "precision": round(found / guessed, 4) if guessed else None,
            "recall": round(found / true, 4) if true else None,
            "exact": round(sum(truth == guess for truth, guess in pairs) / len(pairs), 4),
        }
    return result


def speed(texts: list[str]) -> dict:
    """Measure texts a second of processor time on one core, after one unmeasured pass."""
    texts = texts * max(1, 2000 // len(texts))
    for text in texts:
        parse_levels(text)
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for text in texts:
            parse_levels(text)
        seconds.append(time.process_time() - start)
    return {
        "texts_per_second": round(len(texts) / statistics.median(seconds)),
        "slowest_pass": round(len(texts) / max(seconds)),
        "mean_characters": round(statistics.mean(map(len, texts)), 1),
    }


if __name__ == "__main__":
    main()
