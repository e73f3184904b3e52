"""Measure classification: accuracy, macro F1 and confusion on hand-labelled texts and images of real sources; texts a second.

    python benchmarks/classification.py         # SPINEMED_SOURCES says where the sources are

Prints and writes benchmarks/results/classification.json and an image of the confusion of sub-fields beside it. The labels
and how they were given: benchmarks/data/classification.md. Rules were changed while looking only at the development half;
the held-out half is every source whose hash is odd; the unseen texts were drawn and labelled after the rules were finished.
An answer is right if it is the label, or the second label that was thought acceptable; ``first_label`` counts the first
label alone. Intervals are Wilson's, 95 %.
"""

import csv
import hashlib
import os
import re
import statistics
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib
import numpy as np
from scipy.stats import binomtest

matplotlib.use("Agg")
from matplotlib import pyplot

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from common import RESULTS, write_result  # noqa: E402

from dataset_builders.classify import (  # noqa: E402
    classify_document,
    classify_image,
    classify_text,
    document_text,
    relevant_figures,
)
from dataset_builders.document import Document, Figure  # noqa: E402
from dataset_builders.sources import declare, load_declarations, read_declared  # noqa: E402
from dataset_builders.taxonomy import SUBFIELDS  # noqa: E402

LABELS = Path(__file__).parent / "data"
NONE = "none"  # no sub-field; an image of no kind
HALVES = ("development", "held_out")
UNSEEN = "unseen"
ROUNDS = 3  # timed passes, of which the median counts


@dataclass(frozen=True, slots=True)
class Labelled:
    """One judged text or image: the right answer (``label``, or ``second``) and the classifier's answer."""

    file: str
    note: str
    half: str
    language: str
    label: str
    second: str
    answer: str
    relevant: bool = True
    kept: bool = True

    @property
    def right(self) -> bool:
        return self.answer in (self.label, self.second)


def main() -> None:
    """Measure, print and write the result."""
    sources = Path(os.environ.get("SPINEMED_SOURCES", REPO.parent / "shared" / "sources"))
    documents = read_documents(sources, {row["file"] for name in ("texts", "images") for row in read_rows(name)})
    texts, texts_missing = judge_texts(documents)
    images, images_missing = judge_images(documents)
    bare, _ = judge_images(documents, captions=False)
    figures = {
        "texts": {half: score_texts([text for text in texts if text.half == half]) for half in (*HALVES, UNSEEN)},
        "texts_not_found": texts_missing,
        "images": {half: score_images([image for image in images if image.half == half]) for half in HALVES},
        "images_not_found": images_missing,
        "images_without_captions": {half: score_images([image for image in bare if image.half == half]) for half in HALVES},
        "speed": speed([document_text(document) for _, document in documents if len(document.markdown) < 5000]),
    }
    write_result("classification", figures, ("numpy", "scipy", "matplotlib"))
    plot_confusion([text for text in texts if text.half == "held_out"], RESULTS / "classification.png")


def read_rows(name: str) -> list[dict[str, str]]:
    """Read the labels of "texts" or "images"."""
    with (LABELS / f"classification_{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_documents(sources: Path, files: Collection[str]) -> list[tuple[str, Document]]:
    """Read (file, document) of those ``files`` that are below ``sources``."""
    declarations = load_declarations(sources)
    return [
        (name, document)
        for name in sorted(files)
        if (sources / name).exists()
        for document in read_declared(sources / name, declare(sources / name, sources, declarations))
        if isinstance(document, Document)
    ]


def judge_texts(documents: Sequence[tuple[str, Document]]) -> tuple[list[Labelled], int]:
    """Classify every labelled text, and count those that were not found under their hash."""
    wanted = {(row["file"], row["sha256"]): row for row in read_rows("texts")}
    files = {file for file, _ in documents}
    judged = []
    for file, document in documents:
        for unit, text in _units(document):
            if row := wanted.get((file, hash_of(text))):
                del wanted[file, row["sha256"]]
                found = classify_document(document).subfield if unit == "document" else classify_text(text).subfield
                half = UNSEEN if row["round"] == "2" else half_of(document)
                judged.append(Labelled(file, row["note"], half, row["language"], row["label"], row["second"], found or NONE))
    return judged, sum(file in files for file, _ in wanted)


def judge_images(documents: Sequence[tuple[str, Document]], *, captions: bool = True) -> tuple[list[Labelled], int]:
    """Classify every labelled image; without ``captions``, from the pixels alone."""
    wanted = {(row["file"], row["locator"], row["image_sha256"], row["caption_sha256"]): row for row in read_rows("images")}
    files = {file for file, _ in documents}
    judged = []
    for file, document in documents:
        rows = [wanted.pop(_key(file, figure), None) for figure in document.figures]
        if not any(rows):
            continue
        shown = document.figures if captions else tuple(replace(figure, caption="") for figure in document.figures)
        classified = classify_document(replace(document, figures=shown))
        for figure, row in zip(classified.figures, rows, strict=True):
            if row and (captions or figure.image):
                judged.append(_judge_image(file, classified, figure, row))
    return judged, sum(file in files for file, *_ in wanted)


def score_texts(texts: Sequence[Labelled]) -> dict:
    """Compute accuracy (of all, by language, and of telling the field from the rest), macro F1 and the wrong answers."""
    return {
        "accuracy": share([text.right for text in texts]),
        "first_label": share([text.answer == text.label for text in texts]),
        "macro_f1": macro_f1(texts),
        "by_language": {
            language: share([text.right for text in texts if text.language == language])
            for language in sorted({text.language for text in texts})
        },
        "of_the_field": share([text.right for text in texts if text.label != NONE]),
        "none_of_it": share([text.right for text in texts if text.label == NONE]),
        "confused": confused(texts),
    }


def score_images(images: Sequence[Labelled]) -> dict:
    """Compute the accuracy of the kind and of relevance, macro F1 of the kind, and the wrong answers.

    An image counts as left out if it leaves the build, and also if it stays with a document of orthopaedics.
    """
    return {
        "kind": share([image.right for image in images]),
        "kind_macro_f1": macro_f1(images),
        "relevance": share([image.relevant == image.kept for image in images]),
        "useful_kept": share([image.kept for image in images if image.relevant]),
        "useless_left_out": share([not image.kept for image in images if not image.relevant]),
        "confused": confused(images),
    }


def share(right: Sequence[bool]) -> dict | None:
    """Return the share of right answers with its Wilson interval; None if there are none."""
    if not right:
        return None
    interval = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    return {
        "share": round(sum(right) / len(right), 4),
        "low": round(float(interval.low), 4),
        "high": round(float(interval.high), 4),
        "n": len(right),
    }


def macro_f1(items: Sequence[Labelled]) -> float:
    """Average F1 over the labels that occur, counting a right second label as if it were the first."""
    truth = [item.answer if item.right else item.label for item in items]
    scores = []
    for name in sorted(set(truth)):
        hit = sum(item.answer == name == true for item, true in zip(items, truth))
        scores.append(2 * hit / (sum(item.answer == name for item in items) + truth.count(name)))
    return round(statistics.mean(scores), 4)


def confused(items: Sequence[Labelled]) -> dict[str, int]:
    """Count how often each label got each wrong answer, the commonest first."""
    pairs = Counter(f"{item.label} as {item.answer}" for item in items if not item.right)
    return dict(sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0])))


def plot_confusion(texts: Sequence[Labelled], path: Path) -> None:
    """Plot labels by answers as a heat map; a right second label counts on the diagonal."""
    names = [*SUBFIELDS, NONE]
    counts = np.zeros((len(names), len(names)), dtype=int)
    for text in texts:
        counts[names.index(text.answer if text.right else text.label), names.index(text.answer)] += 1
    figure, axes = pyplot.subplots(figsize=(10, 9))
    axes.imshow(counts, cmap="Blues", vmax=10)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="answer", ylabel="label", title=f"Sub-fields of {len(texts)} held-out texts")
    for row, column in zip(*counts.nonzero()):
        axes.text(column, row, counts[row, column], ha="center", va="center", color="white" if counts[row, column] > 5 else "k")
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def speed(texts: Sequence[str]) -> dict:
    """Measure texts a second of processor time on one core, as the median of ROUNDS passes."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for text in texts:
            classify_text(text)
        seconds.append(time.process_time() - start)
    return {
        "texts_per_second": round(len(texts) / statistics.median(seconds)),
        "mean_characters": round(statistics.mean(map(len, texts))),
    }


def hash_of(text: str) -> str:
    """Return the SHA-256 of the text after unifying compatibility forms and white space."""
    return hashlib.sha256(re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().encode()).hexdigest()


def half_of(document: Document) -> str:
    """Return the half that a document belongs to, by its source's hash: all texts and images of a source are in one half."""
    return HALVES[int(hashlib.sha256(document.id.encode()).hexdigest()[:8], 16) % 2]


def _units(document: Document) -> Iterator[tuple[str, str]]:
    yield "document", document_text(document)
    for paragraph in document.markdown.split("\n\n"):
        yield "paragraph", paragraph


def _key(file: str, figure: Figure) -> tuple[str, str, str, str]:
    return file, figure.locator, figure.image_sha256 or "", hash_of(figure.caption) if figure.caption else ""


def _judge_image(file: str, classified: Document, figure: Figure, row: dict[str, str]) -> Labelled:
    kind = classify_image(figure.caption, figure.image).image_modality or NONE
    stays = relevant_figures(replace(classified, figures=(figure,)))[0]
    return Labelled(
        file, row["note"], half_of(classified), classified.language, row["label"], row["second"], kind,
        relevant=row["relevant"] == "yes", kept=bool(stays.figures) and stays.specialty != "orthopaedics",
    )  # fmt: skip


if __name__ == "__main__":
    main()
