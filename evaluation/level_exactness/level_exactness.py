"""Level exactness: are the vertebral levels an answer names exactly the reference's?

A level counts only if it is the same level: L4/L5 for L5/S1 is wrong. Being one level off is counted separately, because that
error leads to surgery at the wrong level.
"""

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy
from scipy.stats import binomtest

_DESCRIPTION = """\
Exact match, micro precision, recall and F1 of predicted against reference level sets (vertebrae "L4" and discs "L4/L5"), and
how often a missed level was answered one level off.
"""

_INPUTS = """\
Args:
    predictions (list of list of str): canonical levels each answer names: C1-C7, T1-T13, L1-L6, S1-S5, Co, discs upper/lower.
    references (list of list of str): the right levels.
    confidence_level (float): 0.95.
    n_resamples (int): 10,000 bootstrap resamples of items, for the interval of F1.
    seed (int): 0.
Returns:
    exact_match with exact_match_low/high (Wilson); precision, recall, f1 (micro; None if undefined) with f1_low/high
    (percentile bootstrap over items); off_by_one: share of all reference levels that were missed while a wrong neighbour
    was named; by_level: for each reference level n, n_found, n_off_by_one, off_by_one; n, n_reference, n_predicted, n_correct.
Raises:
    ValueError: no items, or a name that is not a canonical level, naming the row.
"""

VERTEBRAE = (
    *(f"C{number}" for number in range(1, 8)),
    *(f"T{number}" for number in range(1, 14)),
    *(f"L{number}" for number in range(1, 7)),
    *(f"S{number}" for number in range(1, 6)),
    "Co",
)
_TRANSITIONAL = {"T13", "L6"}  # most spines lack them, so T12 meets L1 and L5 meets S1 as well


def _below(vertebra: str) -> tuple[str, ...]:
    rest = VERTEBRAE[VERTEBRAE.index(vertebra) + 1 :][:2]
    return rest if rest and rest[0] in _TRANSITIONAL else rest[:1]


# Every pair of neighbours; C1/C2 is a motion segment without a disc. As dataset_builders.levels.DISCS; a test holds them equal.
DISCS = tuple(f"{upper}/{lower}" for upper in VERTEBRAE for lower in _below(upper))
LEVELS = VERTEBRAE + DISCS


def are_neighbours(one: str, other: str) -> bool:
    """Return whether two levels of one kind touch: adjacent vertebrae, or discs with a vertebra between them."""
    if "/" in one and "/" in other:
        return one.split("/")[1] == other.split("/")[0] or one.split("/")[0] == other.split("/")[1]
    return "/" not in one and "/" not in other and (other in _below(one) or one in _below(other))


def score_levels(
    predictions: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
    confidence_level: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Score the exactness of level sets; see the module's card for arguments, result and errors."""
    if not len(predictions):
        raise ValueError("level_exactness: no items to score")
    if len(predictions) != len(references):
        raise ValueError(f"level_exactness: {len(predictions)} predictions but {len(references)} references")
    pairs = [
        (_checked(predicted, row, "prediction"), _checked(reference, row, "reference"))
        for row, (predicted, reference) in enumerate(zip(predictions, references))
    ]
    exact = sum(predicted == reference for predicted, reference in pairs)
    interval = binomtest(exact, len(pairs)).proportion_ci(confidence_level, method="wilson")
    counts = numpy.array([(len(p & r), len(p), len(r)) for p, r in pairs], dtype=float)
    correct, predicted_total, reference_total = (int(value) for value in counts.sum(axis=0))
    low, high = _f1_interval(counts, confidence_level, n_resamples, seed)
    by_level = _by_level(pairs)
    off_by_one = sum(level["n_off_by_one"] for level in by_level.values())
    return {
        "exact_match": exact / len(pairs),
        "exact_match_low": float(interval.low),
        "exact_match_high": float(interval.high),
        "precision": _share(correct, predicted_total),
        "recall": _share(correct, reference_total),
        "f1": _share(2 * correct, predicted_total + reference_total),
        "f1_low": low,
        "f1_high": high,
        "off_by_one": _share(off_by_one, reference_total),
        "by_level": by_level,
        "n": len(pairs),
        "n_reference": reference_total,
        "n_predicted": predicted_total,
        "n_correct": correct,
    }


class LevelExactness(evaluate.Metric):
    """The evaluate module around ``score_levels``."""

    def _info(self) -> evaluate.MetricInfo:
        levels = datasets.List(datasets.Value("string"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": levels, "references": levels}),
        )

    def _compute(
        self,
        predictions: list[list[str]],
        references: list[list[str]],
        confidence_level: float = 0.95,
        n_resamples: int = 10_000,
        seed: int = 0,
    ) -> dict[str, Any]:
        return score_levels(predictions, references, confidence_level, n_resamples, seed)


def _checked(levels: Sequence[str], row: int, which: str) -> frozenset[str]:
    for level in levels:
        if level not in LEVELS:
            raise ValueError(
                f"level_exactness: {which} of row {row}: {level!r} is no canonical level; give C1-C7, T1-T13, L1-L6, S1-S5, Co "
                "or a disc such as L4/L5 (dataset_builders.levels.parse_levels finds them in text)"
            )
    return frozenset(levels)


def _by_level(pairs: Sequence[tuple[frozenset[str], frozenset[str]]]) -> dict[str, dict[str, Any]]:
    result = {}
    for level in LEVELS:
        rows = [(predicted, reference) for predicted, reference in pairs if level in reference]
        if not rows:
            continue
        found = sum(level in predicted for predicted, _ in rows)
        off = sum(
            level not in predicted and any(are_neighbours(level, named) for named in predicted - reference)
            for predicted, reference in rows
        )
        result[level] = {"n": len(rows), "n_found": found, "n_off_by_one": off, "off_by_one": off / len(rows)}
    return result


def _f1_interval(
    counts: "numpy.ndarray[Any, Any]", confidence_level: float, n_resamples: int, seed: int
) -> tuple[float | None, float | None]:
    rng = numpy.random.default_rng(seed)
    block = max(1, 4_000_000 // len(counts))
    parts = []
    for start in range(0, n_resamples, block):
        rows = rng.integers(0, len(counts), (min(block, n_resamples - start), len(counts)))
        parts.append(counts[rows].sum(axis=1))
    sums = numpy.concatenate(parts)
    defined = sums[:, 1] + sums[:, 2] > 0
    if not defined.any():
        return None, None
    f1 = 2 * sums[defined, 0] / (sums[defined, 1] + sums[defined, 2])
    tail = 50 * (1 - confidence_level)
    low, high = numpy.percentile(f1, [tail, 100 - tail])
    return float(low), float(high)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
