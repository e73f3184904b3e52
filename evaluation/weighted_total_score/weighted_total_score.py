"""Compute SpineBench's total: Score_total = sum_k w_k P_k with w_k = N_k / sum_i N_i over text MCQ, image MCQ and reports."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import evaluate
import numpy

_DESCRIPTION = """\
Score_total = sum_k w_k P_k, w_k = N_k / sum_i N_i, over text multiple choice, image-text multiple choice and reports; P_k is
the mean score of task k on 0-100. With a seeded bootstrap interval, stratified by task.
"""

_INPUTS = """\
Args:
    scores (list of float): one per item. Report: P3 on 0-100 (never under 20 by its formula). Multiple choice: right or wrong.
        One scale per call: if no multiple choice score is over 1 they are fractions (0 or 1) and are multiplied by 100;
        otherwise they are on 0-100.
    tasks (list of str): "text_mcq", "image_mcq" or "report" for each item, or a key of ``metrics``.
    confidence_level (float): 0.95.
    n_resamples (int): 10,000 bootstrap resamples.
    seed (int): 0.
    metrics (dict of str to str): task -> "accuracy" (scores as multiple choice) or "judge" (scores as reports); TASKS.
Returns:
    total, total_low, total_high (percentile bootstrap, each task resampled within itself), and by task:
    scores (P_k, None without items), counts (N_k), weights (w_k).
Raises:
    ValueError: no items, an unknown metric, or, naming the row, an unknown task or a score that is missing, out of range or
        of a mixed scale.
"""

# Copy of the parts of dataset_builders.schema.BENCHMARK_TASKS; a test holds the two equal.
TASKS = {"text_mcq": "accuracy", "image_mcq": "accuracy", "report": "judge"}


def total_of_means(means: Mapping[str, float], counts: Mapping[str, int]) -> float:
    """Compute Score_total from each task's mean P_k and number of items N_k."""
    total = sum(counts.values())
    if total <= 0 or min(counts.values()) < 0:
        raise ValueError(f"weighted_total_score: counts {dict(counts)} hold no items")
    return math.fsum(means[task] * count for task, count in counts.items() if count) / total


def score_total(
    scores: Sequence[float],
    tasks: Sequence[str],
    confidence_level: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
    metrics: Mapping[str, str] = TASKS,
) -> dict[str, Any]:
    """Compute total, task scores and interval; see the module's card for scales and errors."""
    if len(scores) != len(tasks):
        raise ValueError(f"weighted_total_score: {len(scores)} scores but {len(tasks)} tasks")
    by_task = _by_task(scores, tasks, metrics)
    counts = {task: len(values) for task, values in by_task.items()}
    means = {task: math.fsum(values) / len(values) for task, values in by_task.items() if len(values)}
    resampled = _bootstrap_totals(by_task, n_resamples, numpy.random.default_rng(seed))
    tail = 50 * (1 - confidence_level)
    low, high = numpy.percentile(resampled, [tail, 100 - tail])
    return {
        "total": total_of_means(means, counts),
        "total_low": float(low),
        "total_high": float(high),
        "scores": {task: means.get(task) for task in metrics},
        "counts": counts,
        "weights": {task: count / len(scores) for task, count in counts.items()},
    }


class WeightedTotalScore(evaluate.Metric):
    """The evaluate module around ``score_total``."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"scores": datasets.Value("float64"), "tasks": datasets.Value("string")}),
        )

    def _compute(
        self,
        scores: list[float],
        tasks: list[str],
        confidence_level: float = 0.95,
        n_resamples: int = 10_000,
        seed: int = 0,
        metrics: Mapping[str, str] = TASKS,
    ) -> dict[str, Any]:
        return score_total(scores, tasks, confidence_level, n_resamples, seed, metrics)


def _by_task(scores: Sequence[float], tasks: Sequence[str], metrics: Mapping[str, str]) -> dict[str, "numpy.ndarray[Any, Any]"]:
    """Group scores by task, on 0-100. Raises ValueError naming the row."""
    if not len(scores):
        raise ValueError("weighted_total_score: no items to score")
    for task, metric in metrics.items():
        if metric not in ("accuracy", "judge"):
            raise ValueError(f"weighted_total_score: metrics[{task!r}] is {metric!r}; known are accuracy and judge")
    for row, (score, task) in enumerate(zip(scores, tasks)):
        if task not in metrics:
            raise ValueError(f"weighted_total_score: row {row}: unknown task {task!r}; known are {', '.join(metrics)}")
        if score is None or not 0 <= score <= 100:
            raise ValueError(f"weighted_total_score: row {row}: score {score!r} of task {task!r} is not a number of 0-100")
    choices = [(row, score) for row, (score, task) in enumerate(zip(scores, tasks)) if metrics[task] == "accuracy"]
    fractions = all(score <= 1 for _, score in choices)
    mixed = [(row, score) for row, score in choices if 0 < score <= 1]
    if not fractions and mixed:
        row, score = mixed[0]
        raise ValueError(
            f"weighted_total_score: row {row}: multiple choice score {score!r} beside others over 1; "
            "give all as 0 or 1, or all on 0-100"
        )
    reports = [(row, score) for row, (score, task) in enumerate(zip(scores, tasks)) if metrics[task] == "judge"]
    if reports and 0 < max(score for _, score in reports) <= 5:
        raise ValueError(
            f"weighted_total_score: row {reports[0][0]}: report scores end at {max(score for _, score in reports)}; "
            "give P3 on 0-100 (evaluation/report_score computes it from scores of 1-5)"
        )
    scale = {"accuracy": 100.0 if fractions else 1.0, "judge": 1.0}
    return {
        name: numpy.array([score for score, task in zip(scores, tasks) if task == name], dtype=float) * scale[metric]
        for name, metric in metrics.items()
    }


def _bootstrap_totals(
    by_task: Mapping[str, "numpy.ndarray[Any, Any]"], n_resamples: int, rng: numpy.random.Generator
) -> "numpy.ndarray[Any, Any]":
    """Compute the totals of ``n_resamples`` resamples.

    Each task is drawn with replacement within itself, so N_k and the weights stay the same.
    """
    sums = numpy.zeros(n_resamples)
    for values in by_task.values():
        # in blocks, so that memory stays bounded (about 8 million indices) for any number of items
        block = max(1, 8_000_000 // max(1, len(values)))
        for start in range(0, n_resamples if len(values) else 0, block):
            shape = (min(block, n_resamples - start), len(values))
            sums[start : start + block] += values[rng.integers(0, len(values), shape)].sum(axis=1)
    return sums / sum(len(values) for values in by_task.values())
