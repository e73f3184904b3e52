import evaluate
import pytest

from dataset_builders import levels
from evaluation.level_exactness.level_exactness import DISCS, VERTEBRAE, are_neighbours


@pytest.fixture
def metric(repo, monkeypatch):
    monkeypatch.chdir(repo)
    return evaluate.load("evaluation/level_exactness")


def test_sets_are_scored_exactly(metric):
    result = metric.compute(
        predictions=[["L4/L5"], ["L5", "L4"], ["L3"], []],
        references=[["L4/L5"], ["L4", "L5"], ["L4"], ["T12"]],
        n_resamples=500,
    )
    assert result["exact_match"] == 0.5
    assert (result["n_correct"], result["n_predicted"], result["n_reference"]) == (3, 4, 5)
    assert result["precision"] == pytest.approx(3 / 4)
    assert result["recall"] == pytest.approx(3 / 5)
    assert result["f1"] == pytest.approx(2 * 3 / 9)
    assert result["f1_low"] <= result["f1"] <= result["f1_high"]
    assert result["exact_match_low"] < 0.5 < result["exact_match_high"]


def test_one_level_off_is_counted_by_reference_level(metric):
    result = metric.compute(
        predictions=[["L5/S1"], ["L4/L5"], ["L1/L2"], ["L3"]], references=[["L4/L5"], ["L4/L5"], ["L4/L5"], ["L4"]]
    )
    assert result["by_level"]["L4/L5"] == {"n": 3, "n_found": 1, "n_off_by_one": 1, "off_by_one": pytest.approx(1 / 3)}
    assert result["by_level"]["L4"]["off_by_one"] == 1.0
    assert result["off_by_one"] == pytest.approx(2 / 4)


def test_a_right_neighbour_is_not_an_error(metric):
    result = metric.compute(predictions=[["L4"]], references=[["L4", "L5"]])
    assert result["by_level"]["L5"]["n_off_by_one"] == 0


def test_neighbours_across_regions_and_transitional_anatomy():
    assert are_neighbours("C7", "T1")
    assert are_neighbours("T12", "L1")
    assert are_neighbours("T12", "T13")
    assert are_neighbours("L5", "S1")
    assert are_neighbours("L4/L5", "L5/S1")
    assert are_neighbours("T12/L1", "L1/L2")
    assert not are_neighbours("L4", "L4/L5")
    assert not are_neighbours("L3/L4", "L5/S1")
    assert not are_neighbours("L4", "L4")
    assert not are_neighbours("S5", "C1")


def test_names_are_those_of_the_level_parser():
    assert VERTEBRAE == levels.VERTEBRAE
    assert set(DISCS) == set(levels.DISCS)


def test_no_levels_at_all_has_no_f1(metric):
    result = metric.compute(predictions=[[]], references=[[]])
    assert result["exact_match"] == 1.0
    assert result["f1"] is None


def test_unknown_level_names_row_and_value(metric):
    with pytest.raises(ValueError, match=r"reference of row 1.*'L4-5'"):
        metric.compute(predictions=[["L4"], ["L4"]], references=[["L4"], ["L4-5"]])
