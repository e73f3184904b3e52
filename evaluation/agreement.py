"""Measure how well the judge agrees with clinicians: correlation and reliability by dimension.

Pearson and Spearman compare the judge with the mean of the clinicians; Krippendorff's alpha (ordinal) takes the judge as one
more rater, and ``clinicians_alpha`` is the clinicians' own, the level a judge can be held to. A statistic is None if it is
not defined: fewer than three reports, or no variance on one side (which is why the paper has none for relevance).
"""

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import krippendorff
import numpy
from scipy.stats import pearsonr, spearmanr

from dataset_builders.taxonomy import SCORED_DIMENSIONS
from evaluation.records import JUDGEMENTS, read_lines

_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Rating:
    """One clinician's scores (1-5) of one report, by dimension."""

    id: str
    rater: str
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of the judge with clinicians on ``n`` reports; None if a statistic is not defined."""

    n: int
    pearson: float | None
    spearman: float | None
    alpha: float | None
    clinicians_alpha: float | None


def agree(
    judged: Mapping[str, Mapping[str, float]], ratings: Sequence[Rating], dimensions: Sequence[str] = tuple(SCORED_DIMENSIONS)
) -> dict[str, Agreement]:
    """Compute the agreement by dimension on the reports that both the judge and clinicians scored.

    Raises ValueError if no report was scored by both, or if a rating lacks a dimension.
    """
    by_report: dict[str, dict[str, Mapping[str, float]]] = defaultdict(dict)
    for rating in ratings:
        for dimension in dimensions:
            if dimension not in rating.scores:
                raise ValueError(f"rating of {rating.id} by {rating.rater}: no score for {dimension}")
        if rating.rater in by_report[rating.id]:
            raise ValueError(f"{rating.id} is rated twice by {rating.rater}")
        by_report[rating.id][rating.rater] = rating.scores
    shared = sorted(set(judged) & set(by_report))
    if not shared:
        raise ValueError("no report was scored by both the judge and a clinician; do the ids match?")
    raters = sorted({rating.rater for rating in ratings})
    result = {}
    for dimension in dimensions:
        judge = [float(judged[report][dimension]) for report in shared]
        clinicians = [
            [float(by_report[report][rater][dimension]) if rater in by_report[report] else math.nan for report in shared]
            for rater in raters
        ]
        means = numpy.nanmean(numpy.array(clinicians), axis=0).tolist()
        varied = len(shared) >= _FEWEST and len(set(judge)) > 1 and len(set(means)) > 1
        result[dimension] = Agreement(
            n=len(shared),
            pearson=float(pearsonr(judge, means).statistic) if varied else None,
            spearman=float(spearmanr(judge, means).statistic) if varied else None,
            alpha=_alpha([judge, *clinicians]),
            clinicians_alpha=_alpha(clinicians),
        )
    return result


def read_ratings(path: Path) -> list[Rating]:
    """Read clinicians' scores from a CSV with the columns id, rater and one for each dimension.

    Raises ValueError naming the column or the line that is wrong.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = {"id", "rater", *SCORED_DIMENSIONS} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{path}: no column {', '.join(sorted(missing))}")
        ratings = []
        for number, row in enumerate(reader, 2):
            scores = {}
            for dimension in SCORED_DIMENSIONS:
                try:
                    scores[dimension] = float(row[dimension])
                except (TypeError, ValueError):
                    scores[dimension] = math.nan
                if not 1 <= scores[dimension] <= 5:
                    raise ValueError(f"{path} line {number}: {dimension} is {row[dimension]!r}; scores are numbers of 1-5")
            ratings.append(Rating(row["id"], row["rater"], scores))
    return ratings


def agreement_of_run(run: Path, clinicians: Path) -> dict[str, Agreement]:
    """Compute the agreement of a run's judge with the clinicians' CSV; failed judgements are left out."""
    judgements = {record["id"]: record["scores"] for record in read_lines(run / JUDGEMENTS) if record["error"] is None}
    return agree(judgements, read_ratings(clinicians))


def format_markdown(agreements: Mapping[str, Agreement]) -> str:
    """Format one row a dimension, with an en dash if a statistic is not defined."""
    lines = ["| dimension | n | Pearson | Spearman | Krippendorff | clinicians alone |", "|---|---|---|---|---|---|"]
    for dimension, found in agreements.items():
        values = (found.pearson, found.spearman, found.alpha, found.clinicians_alpha)
        lines.append(f"| {dimension} | {found.n} | " + " | ".join("–" if v is None else f"{v:.3f}" for v in values) + " |")
    return "\n".join(lines)


def _alpha(raters: Sequence[Sequence[float]]) -> float | None:
    """Compute the ordinal alpha; None if no report has two scores or all scores are the same."""
    matrix = numpy.array(raters, dtype=float)
    pairable = matrix[:, (~numpy.isnan(matrix)).sum(axis=0) > 1]
    values = pairable[~numpy.isnan(pairable)]
    if pairable.shape[1] < _FEWEST or len(set(values.tolist())) < 2:
        return None
    return float(krippendorff.alpha(reliability_data=pairable, level_of_measurement="ordinal"))
