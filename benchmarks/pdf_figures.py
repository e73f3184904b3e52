"""Compare the figures of the article PDFs, end to end, with hand-checked lists.

    python benchmarks/pdf_figures.py [--sources DIR] [--gold DIR]      (defaults: SPINEMED_SOURCES, SPINEMED_GOLD)

Per file: numbered figures found on their page with an image that covers the true place (found / true, false ones),
captions whole, figure-to-paragraph precision, recall and F1 over (figure, paragraph) pairs, reading-order probes right.
Text is compared in one normal form: NFKD, lower case, letters and digits only.
"""

import argparse
import io
import json
import os
import re
import time
from pathlib import Path
from typing import Any

from common import letters_and_digits
from PIL import Image

from dataset_builders.document import Document, Figure
from dataset_builders.sources import read

_ASPECT_TOLERANCE = 0.25  # of the crop's shape against the true box: margins and panel letters differ


def normal(text: str) -> str:
    """Reduce text to lower-case letters and digits (NFKD), without footnote marks and page comments."""
    text = re.sub(r"<!--.*?-->", "", text)
    return letters_and_digits(text)


def has_image(figure: Figure, truth: dict[str, Any]) -> bool:
    """Return whether the crop has the true box's shape: the same ratio of sides, and at least 100 pixels an inch."""
    if figure.image is None:
        return False
    with Image.open(io.BytesIO(figure.image)) as image:
        width, height = image.size
    shapes = [truth["bbox"], truth.get("bbox_object") or truth["bbox"]]
    ratios = [(x1 - x0) / (y1 - y0) for x0, y0, x1, y1 in shapes]
    x0, _, x1, _ = truth["bbox"]
    sharp = width >= (x1 - x0) * 100 / 72
    return sharp and any(abs(width / height / ratio - 1) < _ASPECT_TOLERANCE for ratio in ratios)


def score(document: Document, truth: dict[str, Any]) -> dict[str, Any]:
    """Compare one document with its truth: counts, and what was wrong in words."""
    last_page = max(truth.get("scope_pages", [1, 10_000]))
    numbered = {
        re.sub(r"\D+", "", figure.label): figure for figure in document.figures if figure.label and figure.page <= last_page
    }
    wrong: list[str] = []
    found = whole = hits = predicted = expected = 0
    for item in truth["figures"]:
        figure = numbered.get(item["number"])
        starts = [[start, *item.get("cited_by_alternatives", {}).get(start, [])] for start in item["cited_by"]]
        expected += len(starts)
        if figure is None:
            wrong.append(f"figure {item['number']} missing")
            continue
        predicted += len(figure.context)
        if figure.page == item["page"] and has_image(figure, item):
            found += 1
        else:
            wrong.append(f"figure {item['number']}: page {figure.page} or image")
        if normal(figure.caption) == normal(item["caption"]):
            whole += 1
        else:
            wrong.append(f"figure {item['number']} caption: {figure.caption[-60:]!r}")
        contexts = [normal(paragraph) for paragraph in figure.context]
        for options in starts:
            if any(context.startswith(normal(option)) for context in contexts for option in options):
                hits += 1
            else:
                wrong.append(
                    f"figure {item['number']} paragraph: {options[0][:40]!r} not in {[c[:40] for c in figure.context]}"
                )
    extra = set(numbered) - {item["number"] for item in truth["figures"]}
    predicted += sum(len(numbered[number].context) for number in extra)
    text = normal(document.markdown)
    probes = 0
    for probe in truth["reading_order_probes"]:
        joined = normal(probe["a"]) + normal(probe["b"])
        if joined in text:
            probes += 1
        else:
            wrong.append(f"probe: {probe['a']!r} / {probe['b']!r}")
    tables = len(re.findall(r"^(?:Table|TABLE) [\dA-Z].*\n\n\|", document.markdown, re.MULTILINE))
    return {
        "figures": len(truth["figures"]),
        "found": found,
        "false": len(extra),
        "captions": whole,
        "pairs": expected,
        "predicted": predicted,
        "hits": hits,
        "probes": len(truth["reading_order_probes"]),
        "probes_right": probes,
        "tables": len(truth["tables"]),
        "tables_with_cells": tables,
        "wrong": wrong,
    }


def main() -> None:
    """Print a line a file, what was wrong, and the totals."""
    here = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=Path, default=os.environ.get("SPINEMED_SOURCES", here.parent / "shared" / "sources"))
    parser.add_argument("--gold", type=Path, default=os.environ.get("SPINEMED_GOLD", here.parent / "shared" / "gold"))
    arguments = parser.parse_args()
    total: dict[str, float] = {}
    print(f"{'file':46} found false captions   P     R     F1   probes  tables seconds")
    for path in sorted((Path(arguments.gold) / "articles").glob("*.json")):
        truth = json.loads(path.read_text(encoding="utf-8"))
        pdf = next(Path(arguments.sources).rglob(truth["pdf"]))
        start = time.perf_counter()
        (document,) = read(pdf)
        result = score(document, truth) | {"seconds": time.perf_counter() - start}
        print(_row(path.stem, result))
        for line in result.pop("wrong"):
            print(f"    {line}")
        for key, value in result.items():
            total[key] = total.get(key, 0) + value
    print(_row("all", total))


def _row(name: str, counts: dict[str, Any]) -> str:
    precision = counts["hits"] / counts["predicted"] if counts["predicted"] else 1.0
    recall = counts["hits"] / counts["pairs"] if counts["pairs"] else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return (
        f"{name:46} {counts['found']}/{counts['figures']}  {counts['false']:3}   {counts['captions']}/{counts['figures']}   "
        f"{precision:.3f} {recall:.3f} {f1:.3f}   {counts['probes_right']}/{counts['probes']}   "
        f"{counts['tables_with_cells']}/{counts['tables']}  {counts['seconds']:5.1f}"
    )


if __name__ == "__main__":
    main()
