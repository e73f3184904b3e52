"""Compute SpineBench's report score P3: ten dimensions scored 1-5, averaged in five sections, on a scale of 20-100.

The paper prints P3 = 20 * sum_i(mean_j s_ij) over five sections as a number of 0-100; taken literally that reaches 500.
The reading that fits every published number, used here, is 20 * the *mean* of the five section means: 100 if every score
is 5, and never below 20.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import evaluate

_DESCRIPTION = """\
P3 = 20 * mean over sections of (mean of the section's dimension scores), from dimension scores of 1-5. Floor 20, top 100.
"""

_INPUTS = """\
Args:
    predictions (list of dict): for each report, dimension name to score (1-5); every dimension, no other.
    sections (dict, optional): dimension name to section name. Default: the ten dimensions of SpineBench in five sections; which
        dimension belongs to which section is not published, so the grouping is this project's.
Returns:
    report_score (mean of the rows' P3), scores (P3 of each row), sections and dimensions (mean score 1-5 of each), n.
Raises:
    ValueError: no rows, or a missing, unknown, non-numeric or out-of-range score, naming row and dimension.
"""

# Self-contained copy of dataset_builders.taxonomy.SCORED_DIMENSIONS; a test holds the two equal.
SECTION_OF_DIMENSION = {
    "imaging_report": "imaging",
    "diagnosis": "diagnosis",
    "patient_guidance": "treatment",
    "evidence_based_treatment": "treatment",
    "technical_feasibility": "treatment",
    "risk_prognosis": "risk",
    "coverage": "reasoning",
    "relevance": "reasoning",
    "granularity": "reasoning",
    "interpretability": "reasoning",
}
LOWEST, HIGHEST = 1.0, 5.0


def score_reports(predictions: Sequence[Mapping[str, float]], sections: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Compute the P3 of each report and their mean; see the module's card for arguments, result and errors."""
    sections = SECTION_OF_DIMENSION if sections is None else sections
    if not sections:
        raise ValueError("report_score: sections is empty; map at least one dimension to its section")
    if not len(predictions):
        raise ValueError("report_score: no reports to score")
    rows = [_checked(row, number, sections) for number, row in enumerate(predictions)]
    names = list(dict.fromkeys(sections.values()))
    section_scores = [
        {name: _mean([row[dimension] for dimension, section in sections.items() if section == name]) for name in names}
        for row in rows
    ]
    scores = [20 * _mean(list(row.values())) for row in section_scores]
    return {
        "report_score": _mean(scores),
        "scores": scores,
        "sections": {name: _mean([row[name] for row in section_scores]) for name in names},
        "dimensions": {dimension: _mean([row[dimension] for row in rows]) for dimension in sections},
        "n": len(rows),
    }


class ReportScore(evaluate.Metric):
    """The evaluate module around ``score_reports``."""

    def _info(self) -> evaluate.MetricInfo:
        scores = datasets.List({"dimension": datasets.Value("string"), "score": datasets.Value("float64")})
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": scores}),
        )

    def add(self, *, prediction: Mapping[str, float], **kwargs: Any) -> None:
        """Add one report's dimension scores."""
        super().add(prediction=_pairs(prediction), **kwargs)

    def add_batch(self, *, predictions: Sequence[Mapping[str, float]], **kwargs: Any) -> None:
        """Add several reports' dimension scores."""
        super().add_batch(predictions=[_pairs(row) for row in predictions], **kwargs)

    def _compute(self, predictions: list[list[dict[str, Any]]], sections: Mapping[str, str] | None = None) -> dict[str, Any]:
        return score_reports([{pair["dimension"]: pair["score"] for pair in row} for row in predictions], sections)


def _pairs(row: Mapping[str, float]) -> list[dict[str, Any]]:
    """Turn a mapping into pairs, one column type for any set of dimensions, because Arrow has no open mapping."""
    return [{"dimension": dimension, "score": score} for dimension, score in row.items()]


def _checked(row: Mapping[str, float], number: int, sections: Mapping[str, str]) -> dict[str, float]:
    for dimension in row:
        if dimension not in sections:
            raise ValueError(f"report_score: row {number}: unknown dimension {dimension!r}; known are {', '.join(sections)}")
    for dimension in sections:
        score = row.get(dimension)
        if score is None:
            raise ValueError(f"report_score: row {number}: no score for {dimension!r}; every dimension needs one of 1-5")
        if isinstance(score, (bool, str)) or math.isnan(score) or not LOWEST <= score <= HIGHEST:
            raise ValueError(f"report_score: row {number}: {dimension!r} is {score!r}; scores are numbers of 1-5")
    return {dimension: float(row[dimension]) for dimension in sections}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
