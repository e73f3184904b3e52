import evaluate
import pytest

from dataset_builders.taxonomy import SCORED_DIMENSIONS
from evaluation.report_score.report_score import SECTION_OF_DIMENSION


@pytest.fixture
def metric(repo, monkeypatch):
    monkeypatch.chdir(repo)
    return evaluate.load("evaluation/report_score")


def scores(value, **others):
    return {**dict.fromkeys(SCORED_DIMENSIONS, value), **others}


def test_dimensions_and_sections_are_those_of_the_taxonomy():
    assert dict(SCORED_DIMENSIONS) == SECTION_OF_DIMENSION
    assert len(SECTION_OF_DIMENSION) == 10
    assert len(set(SECTION_OF_DIMENSION.values())) == 5


def test_floor_is_20_and_top_is_100(metric):
    result = metric.compute(predictions=[scores(1), scores(5)])
    assert result["scores"] == [20.0, 100.0]
    assert result["report_score"] == 60.0


def test_sections_weigh_the_same_whatever_they_hold(metric):
    # imaging 5; diagnosis 1; treatment (1+1+4)/3 = 2; risk 1; reasoning (1+1+1+5)/4 = 2: 20 * 11/5
    row = scores(1, imaging_report=5, technical_feasibility=4, interpretability=5)
    result = metric.compute(predictions=[row])
    assert result["report_score"] == pytest.approx(44.0)
    assert result["sections"] == {"imaging": 5, "diagnosis": 1, "treatment": 2, "risk": 1, "reasoning": 2}
    assert result["dimensions"]["technical_feasibility"] == 4


def test_sections_can_be_chosen(metric):
    result = metric.compute(predictions=[{"clarity": 2, "safety": 4}], sections={"clarity": "form", "safety": "content"})
    assert result["report_score"] == 60.0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"coverage": None}, "row 1.*'coverage'"),
        ({"diagnosis": 6}, "row 1.*'diagnosis' is 6"),
        ({"diagnosis": 0.5}, "row 1.*'diagnosis' is 0.5"),
        ({"diagnosis": float("nan")}, "row 1.*'diagnosis'"),
        ({"style": 3}, "row 1.*'style'"),
    ],
)
def test_bad_scores_name_row_and_dimension(metric, row, message):
    with pytest.raises(ValueError, match=message):
        metric.compute(predictions=[scores(3), scores(3, **row)])


def test_missing_dimension_is_named(metric):
    row = scores(3)
    del row["relevance"]
    with pytest.raises(ValueError, match=r"row 0.*'relevance'"):
        metric.compute(predictions=[row])
