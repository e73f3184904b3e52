"""Scores of a run, by hand on a few items."""

import pytest

from dataset_builders.schema import AXES
from evaluation.report_score.report_score import SECTION_OF_DIMENSION
from evaluation.scores import named_levels, score_run
from evaluation.statistics import wilson
from tests.support.benchmark_items import make_benchmark, make_item


def chosen(name, choice, text="", **more):
    return {"id": name, "task": "multiple_choice", "text": text, "choice": choice, **more}


def reported(name, text="A narrow disc at L4/L5."):
    return {"id": name, "task": "report", "text": text, "truncated": False}


def judged(name, score=3, error=None):
    return {"id": name, "error": error, "scores": None if error else dict.fromkeys(SECTION_OF_DIMENSION, score)}


def five():
    return make_benchmark(
        make_item("right"),
        make_item("wrong"),
        make_item("seen", images=[b"png"], language="zh"),
        make_item("silent", images=[b"png"]),
        make_item("report", "report"),
    )


ANSWERS = [
    chosen("right", "C"),
    chosen("wrong", "B"),
    chosen("seen", "C"),
    chosen("silent", None, text="Perhaps L4/L5 or L5/S1.", truncated=True),
    reported("report"),
]


def test_the_total_weighs_the_three_tasks_by_their_items():
    scores = score_run(five(), ANSWERS, [judged("report", 4)], {"seed": 0})
    assert {task: (part["score"], part["n"], part["weight"]) for task, part in scores["tasks"].items()} == {
        "text_mcq": (50.0, 2, pytest.approx(0.4)),
        "image_mcq": (50.0, 2, pytest.approx(0.4)),
        "report": (pytest.approx(80.0), 1, pytest.approx(0.2)),
    }
    assert scores["total"]["score"] == pytest.approx(0.4 * 50 + 0.4 * 50 + 0.2 * 80)
    assert scores["complete"] is True and scores["seed"] == 0
    assert scores["items"]["right"] == {"task": "text_mcq", "score": 100.0}
    assert scores["items"]["silent"] == {"task": "image_mcq", "score": 0.0}
    assert scores["items"]["report"] == {"task": "report", "score": pytest.approx(80.0)}


def test_multiple_choice_has_wilsons_interval():
    part = score_run(five(), ANSWERS, [judged("report")], {})["tasks"]["text_mcq"]
    interval = wilson(1, 2)
    assert (part["low"], part["high"]) == (pytest.approx(100 * interval.low), pytest.approx(100 * interval.high))


def test_what_was_not_parsed_or_was_cut_short_is_counted():
    tasks = score_run(five(), ANSWERS, [judged("report")], {})["tasks"]
    assert [(tasks[task]["n_unparsed"], tasks[task]["n_truncated"]) for task in ("text_mcq", "image_mcq")] == [(0, 0), (1, 1)]


def test_a_report_whose_judge_failed_has_no_score_and_the_run_is_not_complete():
    benchmark = make_benchmark(*five().items, make_item("second", "report"))
    judgements = [judged("report", 5), judged("second", error="timed out")]
    scores = score_run(benchmark, [*ANSWERS, reported("second")], judgements, {})
    assert scores["complete"] is False and scores["items"]["second"]["score"] is None
    part = scores["tasks"]["report"]
    assert (part["score"], part["n"], part["n_failed"]) == (pytest.approx(100.0), 2, 1)
    assert part["sections"]["imaging"] == 5 and part["dimensions"]["diagnosis"] == 5
    none = score_run(five(), ANSWERS, [judged("report", error="timed out")], {})
    part = none["tasks"]["report"]
    assert [part[name] for name in ("score", "low", "high", "sections", "dimensions")] == [None] * 5
    assert none["total"]["score"] == pytest.approx(50)  # of the tasks that have scores


def test_a_run_in_which_nothing_has_a_score_is_an_error():
    with pytest.raises(ValueError, match="no item of made-up has a score: the judge failed on every report"):
        score_run(make_benchmark(make_item("r", "report")), [reported("r")], [judged("r", error="timed out")], {})


def test_several_letters_are_right_only_together():
    benchmark = make_benchmark(*(make_item(name, answer="CA") for name in ("both", "one")))
    scores = score_run(benchmark, [chosen("both", "AC"), chosen("one", "C")], [], {})
    assert [scores["items"][name]["score"] for name in ("both", "one")] == [100.0, 0.0]


def test_levels_are_those_of_the_chosen_option_or_else_of_the_text():
    levels = score_run(five(), ANSWERS, [judged("report")], {})["levels"]
    assert levels["n"] == 5
    assert levels["exact_match"] == pytest.approx(3 / 5)  # right, seen and report; silent names one disc too many
    unnamed = make_benchmark(make_item("m", options=("Yes", "No"), answer="A"))
    assert score_run(unnamed, [chosen("m", "B")], [], {})["levels"] == {
        "n": 0,
        "exact_match": None,
        "precision": None,
        "recall": None,
        "f1": None,
        "off_by_one": None,
    }


def test_parts_by_axis_and_language_count_their_own_items():
    scores = score_run(five(), ANSWERS, [judged("report", 2)], {})
    chinese, english = scores["by_language"]["zh"], scores["by_language"]["en"]
    assert (chinese["multiple_choice"]["score"], chinese["multiple_choice"]["n"], chinese["report"]["n"]) == (100.0, 1, 0)
    assert chinese["report"]["score"] is None and chinese["levels"]["n"] == 1
    assert (english["multiple_choice"]["n"], english["report"]["score"]) == (3, pytest.approx(40.0))
    assert set(scores["by_axis"]) == set(AXES)
    assert scores["by_axis"]["level_identification"]["multiple_choice"]["n"] == 4
    assert scores["by_axis"]["surgical_planning"]["multiple_choice"] == {"score": None, "low": None, "high": None, "n": 0}


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("A bulge at L4/L5.", ["L4/L5"]),
        ("L4/L5 and a fracture of T12", ["T12", "L4/L5"]),
        ("腰4/5椎间盘突出", ["L4/L5"]),
        ("No level.", []),
    ],
)
def test_a_disc_stands_for_itself_and_not_for_its_two_vertebrae(text, levels):
    assert named_levels(text) == levels
