"""Compute intervals, and compare two models on the same items."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from scipy.stats import binomtest


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the two ends of its interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Model b minus model a: mean difference with a paired bootstrap interval, and the share of resamples at or below 0."""

    difference: float
    low: float
    high: float
    share_not_above: float


@dataclass(frozen=True, slots=True)
class McNemar:
    """Counts of discordant pairs, and the exact two-sided p-value of the hypothesis that they split evenly."""

    only_a: int
    only_b: int
    p_value: float


def wilson(correct: int, n: int, confidence_level: float = 0.95) -> Interval:
    """Compute the Wilson score interval of a proportion (Wilson 1927), 0-1. Raises ValueError for n < 1."""
    interval = binomtest(correct, n).proportion_ci(confidence_level, method="wilson")
    return Interval(correct / n, float(interval.low), float(interval.high))


def bootstrap_mean(
    values: Sequence[float], confidence_level: float = 0.95, n_resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Compute a seeded percentile bootstrap interval of a mean. Raises ValueError without values."""
    means = _resampled_means({"": numpy.asarray(values, dtype=float)}, n_resamples, seed)
    low, high = _percentiles(means, confidence_level)
    return Interval(math.fsum(values) / len(values), low, high)


def paired_bootstrap(
    a: Sequence[float],
    b: Sequence[float],
    strata: Sequence[str] | None = None,
    confidence_level: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> Difference:
    """Compare two models' scores of the same items, item by item; ``strata`` (the tasks) keep their numbers of items.

    With the tasks as strata the mean difference is the difference of Score_total. Raises ValueError for unequal lengths.
    """
    if len(a) != len(b) or (strata is not None and len(strata) != len(a)):
        raise ValueError(f"paired_bootstrap: {len(a)} scores of a, {len(b)} of b; give both models' scores of the same items")
    differences = numpy.asarray(b, dtype=float) - numpy.asarray(a, dtype=float)
    labels = numpy.asarray(strata if strata is not None else [""] * len(a))
    groups = {str(label): differences[labels == label] for label in sorted(set(labels.tolist()))}
    means = _resampled_means(groups, n_resamples, seed)
    low, high = _percentiles(means, confidence_level)
    return Difference(float(differences.mean()), low, high, float((means <= 0).mean()))


def mcnemar(a: Sequence[bool], b: Sequence[bool]) -> McNemar:
    """Compute the exact McNemar test on two models' right and wrong answers to the same items.

    p is 1 without discordant pairs. Raises ValueError for unequal lengths.
    """
    if len(a) != len(b):
        raise ValueError(f"mcnemar: {len(a)} answers of a, {len(b)} of b; give both models' answers to the same items")
    only_a = sum(one and not other for one, other in zip(a, b))
    only_b = sum(other and not one for one, other in zip(a, b))
    p_value = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return McNemar(only_a, only_b, p_value)


def _resampled_means(groups: Mapping[str, "numpy.ndarray[Any, Any]"], n_resamples: int, seed: int) -> "numpy.ndarray[Any, Any]":
    total = sum(len(values) for values in groups.values())
    if total == 0:
        raise ValueError("bootstrap: no values to resample")
    rng = numpy.random.default_rng(seed)
    sums = numpy.zeros(n_resamples)
    for values in groups.values():
        block = max(1, 8_000_000 // len(values))
        for start in range(0, n_resamples, block):
            shape = (min(block, n_resamples - start), len(values))
            sums[start : start + block] += values[rng.integers(0, len(values), shape)].sum(axis=1)
    return sums / total


def _percentiles(values: "numpy.ndarray[Any, Any]", confidence_level: float) -> tuple[float, float]:
    tail = 50 * (1 - confidence_level)
    low, high = numpy.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
