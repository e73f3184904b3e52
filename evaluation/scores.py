"""Compute scores.json from predictions and judgements: parts, total, levels, axes and languages, each with an interval."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from dataset_builders.levels import parse_levels
from dataset_builders.schema import AXES, BENCHMARK_TASKS, LANGUAGES
from dataset_builders.taxonomy import LETTERS
from evaluation.benchmark import Benchmark, BenchmarkItem, total_parts
from evaluation.level_exactness.level_exactness import score_levels
from evaluation.report_score.report_score import score_reports
from evaluation.statistics import bootstrap_mean, wilson
from evaluation.weighted_total_score.weighted_total_score import score_total

_PACKAGES = ("spinemed", "torch", "transformers", "datasets", "evaluate")


def score_run(
    benchmark: Benchmark,
    predictions: Sequence[Mapping[str, Any]],
    judgements: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the content of scores.json. Scores are on 0-100, level measures on 0-1; a share without items is None.

    tasks        the parts of the total (schema.BENCHMARK_TASKS), by the metric of their items.
    total        Score_total over the items that have a score. Reports whose judge failed have none: ``n_failed`` counts
                 them, and ``complete`` is false.
    levels       if the right option or the reference report names a level: exactness of the levels that the chosen
                 option, or else the answer's text, names. A disc stands for itself, not for its two vertebrae.
    items        each item's score on 0-100: 0 or 100 for multiple choice, P3 for a report, None if the judge failed.
    """
    by_id = {prediction["id"]: prediction for prediction in predictions}
    by_dimension = {judgement["id"]: judgement["scores"] for judgement in judgements if judgement["error"] is None}
    parts = total_parts()
    judged = {
        name: _judged([item.id for item in benchmark.items if item.part == name and item.id in by_dimension], by_dimension)
        for name, part in parts.items()
        if part.metric == "judge"
    }
    p3 = {name: score for part in judged.values() for name, score in part["by_id"].items()}
    scored = [(item, _item_score(item, by_id[item.id], p3)) for item in benchmark.items]
    counted = [(item, score) for item, score in scored if score is not None]
    if not counted:
        raise ValueError(f"no item of {benchmark.name} has a score: the judge failed on every report")
    metrics = {name: part.metric for name, part in parts.items()}
    total = score_total([score for _, score in counted], [item.part for item, _ in counted], metrics=metrics)
    tasks = {}
    for name, part in parts.items():
        of_part = [item for item in benchmark.items if item.part == name]
        values = [score for item, score in counted if item.part == name]
        tasks[name] = {
            **_interval(part.metric, values),
            "n": len(of_part),
            "weight": total["weights"][name],
            "n_truncated": sum(bool(by_id[item.id].get("truncated")) for item in of_part),
        }
        if part.metric == "judge":
            tasks[name]["n_failed"] = len(of_part) - len(values)
            tasks[name] |= {key: judged[name][key] for key in ("sections", "dimensions")}
        else:
            tasks[name]["n_unparsed"] = sum(by_id[item.id]["choice"] is None for item in of_part)
    return {
        **settings,
        "total": {name: total[key] for name, key in (("score", "total"), ("low", "total_low"), ("high", "total_high"))},
        "complete": len(counted) == len(scored),
        "tasks": tasks,
        "levels": _levels(benchmark.items, by_id),
        "by_axis": {axis: _part([pair for pair in scored if pair[0].row["axis"] == axis], by_id) for axis in AXES},
        "by_language": {code: _part([pair for pair in scored if pair[0].language == code], by_id) for code in LANGUAGES},
        "items": {item.id: {"task": item.part, "score": score} for item, score in scored},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }


def named_levels(text: str) -> list[str]:
    """Find the discs that a text names, and the vertebrae that it names other than as the ends of one of those discs."""
    parsed = parse_levels(text)
    ends = {vertebra for disc in parsed.discs for vertebra in disc.split("/")}
    return [*(vertebra for vertebra in parsed.vertebrae if vertebra not in ends), *parsed.discs]


def _judged(ids: Sequence[str], by_dimension: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Return the P3 of each judged answer of one part (``by_id``), and the part's means by section and by dimension."""
    if not ids:
        return {"by_id": {}, "sections": None, "dimensions": None}
    result = score_reports([by_dimension[name] for name in ids])
    return {"by_id": dict(zip(ids, result["scores"])), "sections": result["sections"], "dimensions": result["dimensions"]}


def _item_score(item: BenchmarkItem, prediction: Mapping[str, Any], p3: Mapping[str, float]) -> float | None:
    if item.rules.metric == "judge":
        return p3.get(item.id)
    return 100.0 if prediction["choice"] == "".join(sorted(item.answer)) else 0.0


def _interval(metric: str, values: Sequence[float]) -> dict[str, float | None]:
    """Return the mean with a Wilson interval for accuracy, a bootstrap interval for a judge's scores."""
    if not values:
        return {"score": None, "low": None, "high": None}
    if metric == "judge":
        mean = bootstrap_mean(values)
        return {"score": mean.estimate, "low": mean.low, "high": mean.high}
    share = wilson(sum(value == 100.0 for value in values), len(values))
    return {"score": 100 * share.estimate, "low": 100 * share.low, "high": 100 * share.high}


def _part(part: Sequence[tuple[BenchmarkItem, float | None]], by_id: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Score every task, and the levels, of some items of the benchmark."""
    by_task = {name: [score for item, score in part if item.task == name and score is not None] for name in BENCHMARK_TASKS}
    return {
        **{name: {**_interval(task.metric, by_task[name]), "n": len(by_task[name])} for name, task in BENCHMARK_TASKS.items()},
        "levels": _levels([item for item, _ in part], by_id),
    }


def _levels(items: Sequence[BenchmarkItem], by_id: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    references, predictions = [], []
    for item in items:
        reference = named_levels(_right_text(item))
        if reference:
            references.append(reference)
            predictions.append(named_levels(_answered_text(item, by_id[item.id])))
    if not references:
        return {"n": 0, "exact_match": None, "precision": None, "recall": None, "f1": None, "off_by_one": None}
    return score_levels(predictions, references, n_resamples=2000)


def _right_text(item: BenchmarkItem) -> str:
    return _option_texts(item, item.answer) if item.rules.has_options else item.answer


def _answered_text(item: BenchmarkItem, prediction: Mapping[str, Any]) -> str:
    choice = prediction.get("choice")
    return _option_texts(item, choice) if choice else prediction["text"]


def _option_texts(item: BenchmarkItem, letters: str) -> str:
    return "\n".join(item.options[LETTERS.index(letter)] for letter in letters)
