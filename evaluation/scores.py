"""From predictions and judgements to scores.json: three tasks, the total, levels, axes and languages, each with an interval."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from dataset_builders.levels import parse_levels
from dataset_builders.schema import AXES, LANGUAGES
from evaluation.benchmark import LETTERS, SCORE_TASKS, Benchmark, BenchmarkItem
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
    """The content of scores.json. Scores are on 0-100, level measures on 0-1; a share without items is None.

    total        Score_total over the items that have a score. Reports whose judge failed have none: ``n_failed`` counts
                 them, and ``complete`` is false.
    levels       where the right option or the reference report names a level: exactness of the levels that the chosen
                 option, or else the answer's text, names. A disc stands for itself, not for its two vertebrae.
    items        each item's score on 0-100: 0 or 100 for multiple choice, P3 for a report, None where the judge failed.
    """
    by_id = {prediction["id"]: prediction for prediction in predictions}
    p3 = _report_scores(judgements)
    scored = [(item, _item_score(item, by_id[item.id], p3["by_id"])) for item in benchmark.items]
    counted = [(item, score) for item, score in scored if score is not None]
    if not counted:
        raise ValueError(f"no item of {benchmark.name} has a score: the judge failed on every report")
    total = score_total([score for _, score in counted], [item.score_task for item, _ in counted])
    tasks = {}
    for task in SCORE_TASKS:
        of_task = [item for item in benchmark.items if item.score_task == task]
        values = [score for item, score in counted if item.score_task == task]
        tasks[task] = {
            **_interval(task, values),
            "n": len(of_task),
            "weight": total["weights"][task],
            "n_truncated": sum(bool(by_id[item.id].get("truncated")) for item in of_task),
        }
        if task == "report":
            tasks[task] |= {"n_failed": len(of_task) - len(values), "sections": p3["sections"], "dimensions": p3["dimensions"]}
        else:
            tasks[task]["n_unparsed"] = sum(by_id[item.id]["choice"] is None for item in of_task)
    return {
        **settings,
        "total": {name: total[key] for name, key in (("score", "total"), ("low", "total_low"), ("high", "total_high"))},
        "complete": len(counted) == len(scored),
        "tasks": tasks,
        "levels": _levels(benchmark.items, by_id),
        "by_axis": {axis: _part([pair for pair in scored if pair[0].row["axis"] == axis], by_id) for axis in AXES},
        "by_language": {code: _part([pair for pair in scored if pair[0].language == code], by_id) for code in LANGUAGES},
        "items": {item.id: {"task": item.score_task, "score": score} for item, score in scored},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }


def named_levels(text: str) -> list[str]:
    """Discs that a text names, and vertebrae that it names other than as the ends of one of those discs."""
    parsed = parse_levels(text)
    ends = {vertebra for disc in parsed.discs for vertebra in disc.split("/")}
    return [*(vertebra for vertebra in parsed.vertebrae if vertebra not in ends), *parsed.discs]


def _report_scores(judgements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    judged = [judgement for judgement in judgements if judgement["error"] is None]
    if not judged:
        return {"by_id": {}, "sections": None, "dimensions": None}
    result = score_reports([judgement["scores"] for judgement in judged])
    by_id = {judgement["id"]: score for judgement, score in zip(judged, result["scores"])}
    return {"by_id": by_id, "sections": result["sections"], "dimensions": result["dimensions"]}


def _item_score(item: BenchmarkItem, prediction: Mapping[str, Any], p3: Mapping[str, float]) -> float | None:
    if item.task == "report":
        return p3.get(item.id)
    return 100.0 if prediction["choice"] == "".join(sorted(item.answer)) else 0.0


def _interval(task: str, values: Sequence[float]) -> dict[str, float | None]:
    """Mean with a Wilson interval for multiple choice, a bootstrap one for reports."""
    if not values:
        return {"score": None, "low": None, "high": None}
    if task == "report":
        mean = bootstrap_mean(values)
        return {"score": mean.estimate, "low": mean.low, "high": mean.high}
    share = wilson(sum(value == 100.0 for value in values), len(values))
    return {"score": 100 * share.estimate, "low": 100 * share.low, "high": 100 * share.high}


def _part(part: Sequence[tuple[BenchmarkItem, float | None]], by_id: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Multiple choice accuracy, report score and levels of a part of the benchmark."""
    choices = [score for item, score in part if item.task == "multiple_choice" and score is not None]
    reports = [score for item, score in part if item.task == "report" and score is not None]
    return {
        "multiple_choice": {**_interval("text_mcq", choices), "n": len(choices)},
        "report": {**_interval("report", reports), "n": len(reports)},
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
    return item.answer if item.task == "report" else _option_texts(item, item.answer)


def _answered_text(item: BenchmarkItem, prediction: Mapping[str, Any]) -> str:
    choice = prediction.get("choice")
    return _option_texts(item, choice) if choice else prediction["text"]


def _option_texts(item: BenchmarkItem, letters: str) -> str:
    return "\n".join(item.options[LETTERS.index(letter)] for letter in letters)
