import evaluate
import numpy
import pytest


@pytest.fixture
def metric(repo, monkeypatch):
    monkeypatch.chdir(repo)
    return evaluate.load("evaluation/weighted_total_score")


def test_total_weighs_tasks_by_their_items(metric):
    result = metric.compute(
        scores=[1, 0, 1, 1, 0, 60.0, 80.0], tasks=["text_mcq"] * 3 + ["image_mcq"] * 2 + ["report"] * 2, n_resamples=200
    )
    assert result["scores"] == pytest.approx({"text_mcq": 200 / 3, "image_mcq": 50.0, "report": 70.0})
    assert result["weights"] == pytest.approx({"text_mcq": 3 / 7, "image_mcq": 2 / 7, "report": 2 / 7})
    assert result["total"] == pytest.approx((200 + 100 + 140) / 7)
    assert result["total_low"] < result["total"] < result["total_high"]


def test_fractions_and_percentages_are_the_same_scores(metric):
    tasks = ["text_mcq", "text_mcq", "image_mcq", "report"]
    one = metric.compute(scores=[1, 0, 1, 90], tasks=tasks, n_resamples=50)
    other = metric.compute(scores=[100, 0, 100, 90], tasks=tasks, n_resamples=50)
    assert one == other


def test_interval_is_seeded_and_narrows_with_items(metric):
    rng = numpy.random.default_rng(3)
    few, many = (list(rng.integers(0, 2, n)) for n in (30, 3000))
    first = metric.compute(scores=few, tasks=["text_mcq"] * 30, seed=1)
    again = metric.compute(scores=few, tasks=["text_mcq"] * 30, seed=1)
    wide = metric.compute(scores=many, tasks=["text_mcq"] * 3000, n_resamples=2000)
    assert first == again
    assert wide["total_high"] - wide["total_low"] < (first["total_high"] - first["total_low"]) / 5


def test_resampling_keeps_to_the_tasks(metric):
    # each task is constant, so no stratified resample can move the total; an unstratified one would
    result = metric.compute(
        scores=[1] * 20 + [0] * 20 + [50] * 20, tasks=["text_mcq"] * 20 + ["image_mcq"] * 20 + ["report"] * 20
    )
    assert result["total_low"] == result["total_high"] == pytest.approx(50.0)


def test_task_without_items_has_no_score_and_no_weight(metric):
    result = metric.compute(scores=[1, 0], tasks=["text_mcq", "text_mcq"], n_resamples=50)
    assert result["scores"] == {"text_mcq": 50.0, "image_mcq": None, "report": None}
    assert result["weights"]["report"] == 0


@pytest.mark.parametrize(
    ("scores", "tasks", "message"),
    [
        ([1, 1], ["text_mcq", "essay"], "row 1.*essay"),
        ([1, 101], ["text_mcq", "report"], "row 1.*101"),
        ([1, float("nan")], ["text_mcq", "report"], "row 1"),
        ([100, 1], ["text_mcq", "image_mcq"], "row 1.*beside"),
        ([1, 4.5], ["text_mcq", "report"], "row 1.*4.5"),
    ],
)
def test_bad_items_name_the_row(metric, scores, tasks, message):
    with pytest.raises(ValueError, match=message):
        metric.compute(scores=scores, tasks=tasks)
