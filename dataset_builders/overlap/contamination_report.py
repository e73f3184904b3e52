"""Check a benchmark folder against corpora and write what was found, for people and as data.

<folder>/contamination.md      verdict, counts by corpus and kind, the closest pairs with the words they share
<folder>/contamination.json    the same as data
"""

import difflib
import heapq
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dataset_builders.overlap.corpora import count_rows, read_benchmark, read_corpus
from dataset_builders.overlap.decontaminate import KINDS, SHARED, BenchmarkIndex, Overlap, Sample

CLOSEST = 50  # pairs reported of each corpus and kind
_EXCERPT = 240  # characters
_WITHHELD = "(hospital record: not shown)"
_WORD = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True)
class CorpusCheck:
    """One corpus: rows read, overlaps by kind, benchmark items met, images that could not be compared, closest pairs."""

    path: Path
    rows: int
    kinds: Counter[str]
    items: frozenset[str]
    unread: int
    closest: tuple[Overlap, ...]


@dataclass(frozen=True, slots=True)
class ContaminationReport:
    """What ``check_contamination`` found."""

    benchmark: Path
    items: int
    unread: int
    corpora: tuple[CorpusCheck, ...]

    @property
    def contaminated(self) -> bool:
        """Tell whether anything was found in any corpus."""
        return any(corpus.items for corpus in self.corpora)


@dataclass(order=True, slots=True)
class _Ranked:
    """A pair in a heap; the smallest leaves first: the one with the lower score, or, of equal scores, the one found later."""

    score: float
    place: int
    overlap: Overlap = field(compare=False)


def check_contamination(benchmark: Path, against: Sequence[Path], columns: Sequence[str] = ()) -> ContaminationReport:
    """Look for every item of ``benchmark`` (a SpineBench folder) in each corpus of ``against``.

    columns  names of the columns of words or turns, if a corpus names them unusually (corpora.read_corpus).

    Raises FileNotFoundError and ValueError as ``read_benchmark`` and ``read_corpus`` do.
    """
    items = read_benchmark(benchmark)
    index = BenchmarkIndex(items)
    checks = tuple(_check(index, path, columns) for path in against)
    return ContaminationReport(benchmark, len(items), index.unread["benchmark"], checks)


def write_report(report: ContaminationReport, folder: Path) -> Path:
    """Write contamination.md and contamination.json; returns the former."""
    folder.mkdir(parents=True, exist_ok=True)
    data = _as_data(report)
    (folder / "contamination.json").write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    path = folder / "contamination.md"
    path.write_text(_as_markdown(data), encoding="utf-8")
    return path


def _check(index: BenchmarkIndex, path: Path, columns: Sequence[str]) -> CorpusCheck:
    kinds: Counter[str] = Counter()
    items: set[str] = set()
    closest: dict[str, list[_Ranked]] = {kind: [] for kind in KINDS}
    missing: Counter[str] = Counter()
    read: Counter[str] = Counter()  # not the bar, which counts nothing if TQDM_DISABLE hides it
    before = index.unread["corpus"]

    samples = tqdm(read_corpus(path, columns, missing), desc=path.name, total=count_rows(path), unit=" rows")
    for number, overlap in enumerate(index.find(_counted(samples, read))):
        kinds[overlap.kind] += 1
        items.add(overlap.benchmark.id)
        heapq.heappush(closest[overlap.kind], _Ranked(overlap.score, -number, overlap))
        if len(closest[overlap.kind]) > CLOSEST:
            heapq.heappop(closest[overlap.kind])
    pairs = [ranked.overlap for kind in KINDS for ranked in sorted(closest[kind], reverse=True)]
    unread = missing["corpus"] + index.unread["corpus"] - before
    return CorpusCheck(path, read["rows"], kinds, frozenset(items), unread, tuple(pairs))


def _counted(samples: Iterable[Sample], read: Counter[str]) -> Iterator[Sample]:
    for sample in samples:
        read["rows"] += 1
        yield sample


def _as_data(report: ContaminationReport) -> dict[str, Any]:
    return {
        "benchmark": str(report.benchmark),
        "items": report.items,
        "benchmark_images_unread": report.unread,
        "contaminated": report.contaminated,
        "corpora": [
            {
                "corpus": str(corpus.path),
                "rows": corpus.rows,
                "overlaps": {kind: corpus.kinds[kind] for kind in KINDS},
                "benchmark_items_met": len(corpus.items),
                "images_unread": corpus.unread,
                "closest": [_pair(overlap) for overlap in corpus.closest],
            }
            for corpus in report.corpora
        ],
    }


def _pair(overlap: Overlap) -> dict[str, Any]:
    return {
        "benchmark_id": overlap.benchmark.id,
        "corpus_id": overlap.corpus.id,
        "kind": overlap.kind,
        "score": round(overlap.score, 4),
        "words": _words_shown(overlap.benchmark, overlap.corpus, overlap.kind),
    }


def _words_shown(benchmark: Sample, corpus: Sample, kind: str) -> str:
    """Return the longest run of words that both have; if their kind of overlap is not about words, how the item begins."""
    if not (benchmark.quotable and corpus.quotable):
        return _WITHHELD
    if kind not in ("same_passage", "near_duplicate"):
        return _shorten(benchmark.words)
    words = list(_WORD.finditer(benchmark.words))
    others = [match.group().casefold() for match in _WORD.finditer(corpus.words)]
    run = difflib.SequenceMatcher(None, [match.group().casefold() for match in words], others).find_longest_match()
    return _shorten(benchmark.words[words[run.a].start() : words[run.a + run.size - 1].end()]) if run.size else ""


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else line[:_EXCERPT].rstrip() + "…"


def _as_markdown(data: dict[str, Any]) -> str:
    verdict = "**Contaminated.**" if data["contaminated"] else "**Clean:** nothing of the benchmark was found."
    lines = ["# Contamination check", "", f"{data['items']:,} items of `{data['benchmark']}`. {verdict}", ""]
    if data["benchmark_images_unread"]:
        lines += [f"{data['benchmark_images_unread']:,} images of the benchmark could not be decoded.", ""]
    lines += [
        f"| Corpus | Rows | Items met | {' | '.join(kind.replace('_', ' ') for kind in KINDS)} | Images not compared |",
        f"|---|---:|---:|{'---:|' * len(KINDS)}---:|",
    ]
    for corpus in data["corpora"]:
        counts = " | ".join(f"{count:,}" for count in corpus["overlaps"].values())
        met, unread = corpus["benchmark_items_met"], corpus["images_unread"]
        lines.append(f"| `{corpus['corpus']}` | {corpus['rows']:,} | {met:,} | {counts} | {unread:,} |")
    lines += [
        "",
        f"A pair of an item and a row is counted once, by its surest kind. Same passage: at least {SHARED:.0%} of the item's "
        "n-grams, with every level, side, grade and number of a question. Scores are 1 for what is equal.",
    ]
    for corpus in data["corpora"]:
        if corpus["closest"]:
            lines += ["", f"## Closest pairs in `{corpus['corpus']}`", ""]
            lines += [f"At most {CLOSEST} of each kind.", "", "| Kind | Score | Item | Row | Words |", "|---|---:|---|---|---|"]
            lines += [
                f"| {pair['kind'].replace('_', ' ')} | {pair['score']:.2f} | {_cell(pair['benchmark_id'])} | "
                f"{_cell(pair['corpus_id'])} | {_cell(pair['words'])} |"
                for pair in corpus["closest"]
            ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Escape the words of a row, so that nothing in them ends a column or is read as mark-up."""
    return re.sub(r"([\\|`*_<>\[\]])", r"\\\1", text)
