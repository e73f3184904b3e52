"""Write the score table of several runs, as Markdown and as JSON rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.benchmark import total_parts
from evaluation.records import SCORES, read_json
from evaluation.statistics import Difference, McNemar, mcnemar, paired_bootstrap

Runs = Sequence[tuple[str, Mapping[str, Any]]]
"""(name, content of scores.json) of each run; the name is its folder's."""

_UNITS = {"accuracy": "%", "judge": ""}
_MEASURES = (
    ("**Weighted total**", ("total",), "score", 1.0, ""),
    ("Level-exact F1", ("levels",), "f1", 100.0, "%"),
    ("Level-exact precision", ("levels",), "precision", 100.0, "%"),
    ("Level-exact recall", ("levels",), "recall", 100.0, "%"),
    ("Level sets exactly right", ("levels",), "exact_match", 100.0, "%"),
    ("One level off", ("levels",), "off_by_one", 100.0, "%"),
)


def load_runs(folders: Sequence[Path]) -> list[tuple[str, dict[str, Any]]]:
    """Load the scores of finished runs. Raises FileNotFoundError naming a folder without scores."""
    runs = []
    for folder in folders:
        path = folder / SCORES
        if not path.exists():
            raise FileNotFoundError(f"{path}: no scores; finish the run with `python -m evaluation run --output {folder} …`")
        runs.append((folder.name, read_json(path)))
    return runs


def table(runs: Runs) -> list[dict[str, Any]]:
    """Return one row a measure: ``measure``, ``unit`` and, for each run, estimate, low, high and n (None if there is none).

    A part of the total that a run does not know, because the table of benchmark tasks was shorter then, has no value there.
    """
    rows = []
    parts = [(part.title, ("tasks", part.name), "score", 1.0, _UNITS[part.metric]) for part in total_parts().values()]
    for title, path, name, scale, unit in (*parts, *_MEASURES):
        cells = []
        for _, scores in runs:
            value: Any = scores
            for key in path:
                value = value.get(key, {name: None})
            prefix = "" if name == "score" else f"{name}_"
            cells.append(
                {
                    "estimate": _scaled(value[name], scale),
                    "low": _scaled(value.get(f"{prefix}low"), scale),
                    "high": _scaled(value.get(f"{prefix}high"), scale),
                    "n": value.get("n"),
                }
            )
        rows.append({"measure": title, "unit": unit, "cells": cells})
    return rows


def compare(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Difference, McNemar]:
    """Compare run b with run a: difference of the total (paired by item, stratified by task), and McNemar on multiple choice.

    Items that lack a score in one of the runs are left out of both. Raises ValueError for runs of different benchmarks.
    """
    if a["benchmark"]["fingerprint"] != b["benchmark"]["fingerprint"]:
        raise ValueError("the runs were measured on different benchmarks; only answers to the same items can be compared")
    both = [name for name in a["items"] if a["items"][name]["score"] is not None and b["items"][name]["score"] is not None]
    tasks = [a["items"][name]["task"] for name in both]
    scores = [[run["items"][name]["score"] for name in both] for run in (a, b)]
    parts = total_parts()
    if unknown := sorted(set(tasks) - set(parts)):
        raise ValueError(
            f"BENCHMARK_TASKS of dataset_builders/schema.py has no part {', '.join(unknown)}, which the runs scored"
        )
    choices = [place for place, task in enumerate(tasks) if parts[task].metric == "accuracy"]
    right = [[of_run[place] == 100.0 for place in choices] for of_run in scores]
    return paired_bootstrap(scores[0], scores[1], tasks), mcnemar(right[0], right[1])


def notes(runs: Runs) -> list[str]:
    """Return what a reader must know before comparing the columns; every line is true of these runs."""
    said = [
        f"{name}: model {scores['model']['id']} ({scores['model']['version']}), multiple choice by {scores['scoring']}, "
        f"judge {scores['judge']['id']}, benchmark {scores['benchmark']['fingerprint'][:12]}"
        + ("" if scores["images"] else ", **without images**")
        for name, scores in runs
    ]
    for name, scores in runs:
        tasks = scores["tasks"].values()
        unparsed = sum(task.get("n_unparsed", 0) for task in tasks)
        if unparsed:
            said.append(f"{name}: {unparsed} multiple choice answers named no option; they count as wrong")
        failed = sum(task.get("n_failed", 0) for task in tasks)
        if failed:
            said.append(f"{name}: the judge failed on {failed} reports; they are in no score")
        truncated = sum(task["n_truncated"] for task in tasks)
        if truncated:
            said.append(f"{name}: {truncated} answers were cut off at the limit of {scores['max_new_tokens']} tokens")
    for key, what in (("scoring", "ways of scoring multiple choice"), ("judge", "judges"), ("images", "uses of images")):
        if any(scores[key] != runs[0][1][key] for _, scores in runs):
            said.append(f"**The columns differ in their {what}: they are not comparable there.**")
    if any(scores["benchmark"]["fingerprint"] != runs[0][1]["benchmark"]["fingerprint"] for _, scores in runs):
        said.append("**The columns were measured on different benchmarks: they are not comparable.**")
    else:
        said += [_difference(runs[0], run) for run in runs[1:]]
    return said


def format_markdown(runs: Runs) -> str:
    """Format the table with 95% intervals, and its notes."""
    names = [name for name, _ in runs]
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for row in table(runs):
        lines.append(f"| {row['measure']} | {' | '.join(format_cell(cell) for cell in row['cells'])} |")
    return "\n".join([*lines, "", "95% intervals in brackets.", *(f"- {note}" for note in notes(runs))])


def format_cell(cell: Mapping[str, Any]) -> str:
    """Format a cell as "44.6 (35.1-54.3), n 87", or as an en dash if there is no value."""
    if cell["estimate"] is None:
        return "–"
    text = f"{cell['estimate']:.1f}"
    if cell["low"] is not None:
        text += f" ({cell['low']:.1f}–{cell['high']:.1f})"
    return text + (f", n {cell['n']}" if cell["n"] is not None else "")


def _difference(first: tuple[str, Mapping[str, Any]], other: tuple[str, Mapping[str, Any]]) -> str:
    difference, test = compare(first[1], other[1])
    return (
        f"{other[0]} − {first[0]}, item by item: weighted total {difference.difference:+.1f} (95% {difference.low:+.1f} to "
        f"{difference.high:+.1f}); multiple choice right in {other[0]} only {test.only_b}, in {first[0]} only {test.only_a} "
        f"(exact McNemar p = {test.p_value:.3g})"
    )


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale
