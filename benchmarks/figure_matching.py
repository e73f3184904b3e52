"""Measure Picture Context Matching: figure↔caption and figure↔paragraph on JATS articles whose ``<xref>``s are the truth.

    python benchmarks/figure_matching.py [--gold DIR] [--show]         (default: SPINEMED_GOLD, ../shared/gold)

Every article is written in each Markdown dialect, as it is and with the damage that OCR and page layout do (seeded), and
matched again from that Markdown alone. A pair is right if image and whole text agree (NFKD, letters and digits); F1 is
over all pairs of all articles. Results go to benchmarks/results/figure_matching.json.
"""

import argparse
import os
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from common import letters_and_digits, write_result

from dataset_builders.document import Document
from dataset_builders.figures import match_figures
from dataset_builders.sources import jats
from dataset_builders.sources.base import Declared

REPO = Path(__file__).resolve().parents[1]
SEED = 450


@dataclass(frozen=True)
class Dialect:
    """How an extractor writes an image at an address, a caption, and text that cites figures."""

    image: Callable[[str], str]
    caption: Callable[[str], str] = "{}".format
    text: Callable[[str], str] = "{}".format
    before_caption: str = "\n\n"


def centred(text: str) -> str:
    """Return a line set apart as PP-StructureV3 does."""
    return f'<div style="text-align: center;">{text}</div>'


def linked(text: str) -> str:
    """Turn figure numbers into links to their page, as Marker does."""
    return re.sub(r"\b(figs?\.?|figures?) (\d+)", r"\1 [\2](#page-3-0)", text, flags=re.IGNORECASE)


DIALECTS = {
    "pp_structure": Dialect(lambda name: centred(f'<img src="imgs/{name}.jpg" alt="Image" width="72%" />'), centred),
    "pp_structure_plain": Dialect(lambda name: f"![](imgs/{name}.jpg)"),
    "mineru": Dialect(lambda name: f"![](images/{name}.jpg)", before_caption="  \n"),
    "marker": Dialect(lambda name: f"![](_page_3_{name}.jpeg)", '<span id="page-3-0"></span>{}'.format, linked),
    "own": Dialect(lambda name: f"![{name.split('-')[0].replace('_', ' ')}]({name})"),
}


@dataclass
class Rendered:
    """Markdown of an article, and its true pairs (image name, normalised text)."""

    markdown: str
    captions: set[tuple[str, str]] = field(default_factory=set)
    paragraphs: set[tuple[str, str]] = field(default_factory=set)


def render(document: Document, dialect: Dialect, damaged: bool) -> Rendered:
    """Write the article in a dialect, whole or as a bad scan of it: each kind of damage by chance, from one seed."""
    chance = random.Random(f"{SEED} {document.id}")
    captions_first = damaged and chance.random() < 0.5
    heads = Furniture(document.provenance.source_title or "", chance) if damaged else None
    figures = {f"{figure.label}. {figure.caption}": figure for figure in document.figures}
    citing = {paragraph for figure in document.figures for paragraph in figure.context}
    blocks = [b for b in document.markdown.split("\n\n") if not re.fullmatch(r"!\[[^\]]*\]\([^)]*\)", b)]
    rendered = Rendered("")
    out: list[str] = []
    rest: list[str] = []  # of a paragraph that a figure interrupts
    for position, block in enumerate(blocks):
        if (figure := figures.get(block)) is None:
            parts = [dialect.text(damage_citations(block, damaged))]
            if heads and block in citing and chance.random() < 0.3:
                parts = heads.cut(parts[0])
            interrupted = len(parts) > 1 and position + 1 < len(blocks) and blocks[position + 1] in figures
            out += parts[:1] if interrupted else parts
            rest = parts[1:] if interrupted else rest
            continue
        shown = damage_citations(f"{figure.locator}. {figure.caption}", damaged)
        parts = heads.cut(shown) if heads and chance.random() < 0.2 else [shown]
        captions = [dialect.caption(part) for part in parts]
        names = [f"{figure.label.replace(' ', '_')}-{n}" for n in range(chance.choice((1, 1, 2, 3)) if damaged else 1)]
        images = [dialect.image(name) for name in names]
        if len(images) > 1:
            images = [line for n, image in enumerate(images) for line in (image, dialect.caption(f"({'abc'[n]})"))]
        if captions_first:
            out += [*captions, *images]
        else:
            out += [*images[:-1], images[-1] + dialect.before_caption + captions[0], *captions[1:]]
        out, rest = out + rest, []
        rendered.captions |= {(name, letters_and_digits(shown)) for name in names}
        rendered.paragraphs |= {
            (name, letters_and_digits(damage_citations(text, damaged))) for name in names for text in figure.context
        }
    rendered.markdown = "\n\n".join(out)
    return rendered


@dataclass
class Furniture:
    """What stands between two pages: a running head and a page number, in one of the ways in which extractors leave them."""

    title: str
    chance: random.Random
    page: int = 0

    def cut(self, text: str) -> list[str]:
        """Cut ``text`` in two halves with the page break between them; short texts stay whole."""
        words = text.split(" ")
        if len(words) < 8:
            return [text]
        self.page += 1
        where = self.chance.randrange(4, len(words) - 3)
        head = " ".join(self.title.split()[:6])
        between = self.chance.choice(
            (
                ["---"],
                [f"{self.page}"],
                [head, f"{self.page}"],
                [f"{self.page} {head}"],
                [head],
                ["---", f"Author et al. {self.page}"],
            )
        )
        return [" ".join(words[:where]), *between, " ".join(words[where:])]


def damage_citations(text: str, damaged: bool) -> str:
    """Change labels as OCR misreads them; the same text is always damaged in the same way."""
    if not damaged:
        return text
    chance = random.Random(f"{SEED} {text}")

    def misread(match: re.Match[str]) -> str:
        word, plural = match[1], match[2]
        forms = (
            match[0],
            f"{word[:3]}{plural} . ",
            f"{word[:3].upper()}{plural.upper()}.",
            f"{word}{plural}",
            f"{word[:3]}{plural}.",
        )
        return chance.choice(forms)

    return re.sub(r"\b(Fig(?:ure)?)(s?)\.? (?=\d)", misread, text, flags=re.IGNORECASE)


def f1(true: int, predicted: int, hits: int) -> dict[str, float | int]:
    """Compute precision, recall and their harmonic mean."""
    precision, recall = hits / predicted if predicted else 0.0, hits / true if true else 0.0
    mean = 2 * precision * recall / (precision + recall) if hits else 0.0
    return {"precision": round(precision, 4), "recall": round(recall, 4), "f1": round(mean, 4), "pairs": true}


def measure(documents: list[Document], dialect: Dialect, damaged: bool, show: bool) -> dict[str, dict[str, float | int]]:
    """Match the pairs of all documents in one dialect, and count them together."""
    counts = {"caption": [0, 0, 0], "paragraph": [0, 0, 0]}
    for document in documents:
        rendered = render(document, dialect, damaged)
        matches = [
            (re.sub(r"^.*?(Figure_[^/]*?-\d).*$", r"\1", match.image), match) for match in match_figures(rendered.markdown)
        ]
        captions = {(name, letters_and_digits(match.caption)) for name, match in matches if match.caption}
        paragraphs = {(name, letters_and_digits(text)) for name, match in matches for text in match.context}
        for key, true, found in (("caption", rendered.captions, captions), ("paragraph", rendered.paragraphs, paragraphs)):
            counts[key] = [a + b for a, b in zip(counts[key], (len(true), len(found), len(true & found)))]
            if show:
                for sign, pairs in (("missed", true - found), ("false", found - true)):
                    for name, text in sorted(pairs):
                        print(f"  {document.id} {key} {sign} {name}: {text[:70]} … {text[-40:]}")
    return {key: f1(*numbers) for key, numbers in counts.items()}


def read_articles(folder: Path) -> Iterator[Document]:
    """Read every JATS article of the folder."""
    for path in sorted(folder.iterdir()):
        yield from (d for d in jats.read(path, Declared(root=folder)) if isinstance(d, Document))


def main() -> None:
    """Measure all dialects, whole and damaged, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gold", type=Path, default=Path(os.environ.get("SPINEMED_GOLD", REPO.parent / "shared" / "gold")))
    parser.add_argument("--show", action="store_true", help="print every wrong pair")
    arguments = parser.parse_args()
    documents = list(read_articles(arguments.gold / "jats"))
    results = {}
    for state, damaged in (("whole", False), ("damaged", True)):
        for name, dialect in DIALECTS.items():
            results[f"{name}, {state}"] = scores = measure(documents, dialect, damaged, arguments.show)
            print(f"{name:20} {state:8} " + "  ".join(f"figure↔{key} F1 {score['f1']:.4f}" for key, score in scores.items()))
    write_result("figure_matching", {"articles": len(documents), "seed": SEED, "scores": results})


if __name__ == "__main__":
    main()
