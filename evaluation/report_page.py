"""Write the report as one HTML file that needs no network: scores, losses, counts and example rows with provenance.

Texts of data sets and models are untrusted: Jinja escapes all of them, and images are re-encoded.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from dataset_builders.taxonomy import LETTERS
from evaluation.leaderboard import Runs, notes, table
from evaluation.page_data import COUNTED, Counts, Example, Stage, choose_examples, count, load_rows, read_stage
from evaluation.records import PREDICTIONS, read_lines

TINY = 100_000_000
"""A model of fewer parameters than this proves the machinery, not medicine; the page says so."""

_TEMPLATES = Path(__file__).parent / "templates"
_WIDTH, _HEIGHT = 340, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 12, 30


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set on the page."""

    name: str
    counts: Counts
    examples: Sequence[Example]


def write_page(
    output: Path,
    runs: Runs,
    folders: Sequence[Path],
    title: str = "SpineMed report",
    data: str | None = None,
    benchmark: str | None = None,
    training: Sequence[Path] = (),
) -> None:
    """Write the page. ``folders`` are the runs' folders, in the same order, for the answers beside the example items."""
    data_sets = []
    for name in (data, benchmark):
        if name:
            rows = load_rows(name)
            data_sets.append(DataSet(Path(name).name, count(rows), choose_examples(rows)))
    stages = [read_stage(folder) for folder in training]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["label"] = lambda text: str(text).replace("_", " ")
    page = environment.get_template("report.html").render(
        title=title,
        runs=runs,
        score_rows=_score_rows(runs),
        notes=[note.replace("**", "") for note in notes(runs)],
        tiny=[name for name, scores in runs if (scores["model"]["parameters"] or math.inf) < TINY],
        breakdowns=_breakdowns(runs),
        stages=[(stage, loss_curve(stage)) for stage in stages],
        loss_names=list(dict.fromkeys(name for stage in stages for name in stage.losses)),
        data_sets=data_sets,
        counted=_counted(data_sets),
        answers=_answers(runs, folders),
        letters=LETTERS,
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page, encoding="utf-8")


def loss_curve(stage: Stage) -> dict[str, Any]:
    """Compute a stage's loss curve for an SVG of 340 × 210: the line, the ticks of both axes and the last point."""
    if not stage.points:
        return {}
    steps = [step for step, _ in stage.points]
    losses = [loss for _, loss in stage.points]
    low, high = 0.0, max([*losses, *stage.losses.values()]) * 1.05
    first, last = min(0, *steps), max(steps)

    def x(step: float) -> float:
        return round(_LEFT + (step - first) / max(1, last - first) * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(loss: float) -> float:
        return round(_TOP + (high - loss) / (high - low) * (_HEIGHT - _TOP - _BOTTOM), 1)

    unit = 10 ** math.floor(math.log10(high)) / 2
    unit *= next(factor for factor in (1, 2, 4, 10) if high / (unit * factor) <= 5)
    return {
        "line": " ".join(f"{x(step)},{y(loss)}" for step, loss in stage.points),
        "y_ticks": [(y(unit * place), f"{unit * place:g}") for place in range(int(high / unit) + 1)],
        "x_ticks": [(x(step), str(step)) for step in sorted({first, (first + last) // 2, last})],
        "marks": [(name, y(loss), f"{loss:.3f}") for name, loss in stage.losses.items()],
        "last": (x(steps[-1]), y(losses[-1]), f"{losses[-1]:.3f}"),
        "width": _WIDTH,
        "height": _HEIGHT,
        "left": _LEFT,
        "right": _WIDTH - _RIGHT,
        "bottom": _HEIGHT - _BOTTOM,
    }


def _score_rows(runs: Runs) -> list[dict[str, Any]]:
    """Return the leaderboard's rows with bars: positions in percent of a scale of 0-100."""
    rows = []
    for row in table(runs):
        cells = [{**cell, "has_interval": cell["estimate"] is not None and cell["low"] is not None} for cell in row["cells"]]
        rows.append({**row, "measure": row["measure"].replace("**", ""), "is_total": "**" in row["measure"], "cells": cells})
    return rows


def _breakdowns(runs: Runs) -> list[dict[str, Any]]:
    """Return multiple choice accuracy by axis and by language, for those that have items."""
    rows = []
    for title, key in (("axis", "by_axis"), ("language", "by_language")):
        for value in runs[0][1][key]:
            cells = [scores[key].get(value, {}).get("multiple_choice") for _, scores in runs]
            if any(cell and cell["n"] for cell in cells):
                rows.append({"title": title, "value": value, "cells": cells})
    return rows


def _counted(data_sets: Sequence[DataSet]) -> list[dict[str, Any]]:
    """Return the values of each counted column, with every data set's rows and their share of that data set."""
    tables = []
    for column, title in COUNTED.items():
        totals: dict[str, int] = {}
        for data_set in data_sets:
            for value, number in data_set.counts.by[column]:
                totals[value] = totals.get(value, 0) + number
        values = sorted(totals, key=lambda value: (value == "(none)", -totals[value], value))
        by_set = [dict(data_set.counts.by[column]) for data_set in data_sets]
        rows = [
            (
                value,
                [
                    (by.get(value, 0), 100 * by.get(value, 0) / max(1, data_set.counts.rows))
                    for by, data_set in zip(by_set, data_sets)
                ],
            )
            for value in values
        ]
        tables.append({"title": title, "rows": rows})
    return tables


def _answers(runs: Runs, folders: Sequence[Path]) -> Mapping[str, list[tuple[str, str]]]:
    """Return benchmark item id -> what each run answered, for the example items."""
    answers: dict[str, list[tuple[str, str]]] = {}
    for (name, _), folder in zip(runs, folders):
        for record in read_lines(folder / PREDICTIONS):
            said = record.get("choice") or record["text"] or "(no answer)"
            answers.setdefault(record["id"], []).append((name, said))
    return answers
