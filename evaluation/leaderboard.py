"""The score table of several runs, as Markdown and as JSON rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.records import read_json
from evaluation.scores import SCORES

Runs = Sequence[tuple[str, Mapping[str, Any]]]
"""(name, content of scores.json) of each run; the name is its folder's."""

_MEASURES = (
    ("Text multiple choice", ("tasks", "text_mcq"), "score", 1.0, "%"),
    ("Image-text multiple choice", ("tasks", "image_mcq"), "score", 1.0, "%"),
    ("Report score (P3, 20-100)", ("tasks", "report"), "score", 1.0, ""),
    ("**Weighted total**", ("total",), "score", 1.0, ""),
    ("Level-exact F1", ("levels",), "f1", 100.0, "%"),
    ("Level-exact precision", ("levels",), "precision", 100.0, "%"),
    ("Level-exact recall", ("levels",), "recall", 100.0, "%"),
    ("Level sets exactly right", ("levels",), "exact_match", 100.0, "%"),
    ("One level off", ("levels",), "off_by_one", 100.0, "%"),
)


def load_runs(folders: Sequence[Path]) -> list[tuple[str, dict[str, Any]]]:
    """Scores of finished runs. Raises FileNotFoundError naming a folder without scores."""
    runs = []
    for folder in folders:
        path = folder / SCORES
        if not path.exists():
            raise FileNotFoundError(f"{path}: no scores; finish the run with `python -m evaluation run --output {folder} …`")
        runs.append((folder.name, read_json(path)))
    return runs


def table(runs: Runs) -> list[dict[str, Any]]:
    """One row a measure: ``measure``, ``unit`` and, for each run, estimate, low, high and n (None where there is none)."""
    rows = []
    for title, path, name, scale, unit in _MEASURES:
        cells = []
        for _, scores in runs:
            value: Any = scores
            for key in path:
                value = value[key]
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


def notes(runs: Runs) -> list[str]:
    """What a reader must know before comparing the columns; every line is true of these runs."""
    said = [
        f"{name}: model {scores['model']['id']} ({scores['model']['version']}), multiple choice by {scores['scoring']}, "
        f"judge {scores['judge']['id']}, benchmark {scores['benchmark']['fingerprint'][:12]}"
        + ("" if scores["images"] else ", **without pictures**")
        for name, scores in runs
    ]
    for name, scores in runs:
        tasks = scores["tasks"]
        unparsed = tasks["text_mcq"]["n_unparsed"] + tasks["image_mcq"]["n_unparsed"]
        if unparsed:
            said.append(f"{name}: {unparsed} multiple choice answers named no option; they count as wrong")
        if tasks["report"]["n_failed"]:
            said.append(f"{name}: the judge failed on {tasks['report']['n_failed']} reports; they are in no score")
        truncated = sum(task["n_truncated"] for task in tasks.values())
        if truncated:
            said.append(f"{name}: {truncated} answers were cut off at the limit of {scores['max_new_tokens']} tokens")
    for key, what in (("scoring", "ways of scoring multiple choice"), ("judge", "judges"), ("images", "uses of pictures")):
        if any(scores[key] != runs[0][1][key] for _, scores in runs):
            said.append(f"**The columns differ in their {what}: they are not comparable there.**")
    if any(scores["benchmark"]["fingerprint"] != runs[0][1]["benchmark"]["fingerprint"] for _, scores in runs):
        said.append("**The columns were measured on different benchmarks: they are not comparable.**")
    return said


def format_markdown(runs: Runs) -> str:
    """The table with 95% intervals, and its notes."""
    names = [name for name, _ in runs]
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for row in table(runs):
        lines.append(f"| {row['measure']} | {' | '.join(format_cell(cell) for cell in row['cells'])} |")
    return "\n".join([*lines, "", "95% intervals in brackets.", *(f"- {note}" for note in notes(runs))])


def format_cell(cell: Mapping[str, Any]) -> str:
    """ "44.6 (35.1-54.3), n 87"; an en dash where there is no value."""
    if cell["estimate"] is None:
        return "–"
    text = f"{cell['estimate']:.1f}"
    if cell["low"] is not None:
        text += f" ({cell['low']:.1f}–{cell['high']:.1f})"
    return text + (f", n {cell['n']}" if cell["n"] is not None else "")


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale
