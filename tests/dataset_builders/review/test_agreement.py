import numpy
import pytest
from statsmodels.stats.inter_rater import fleiss_kappa

from dataset_builders.review.agreement import alpha_of, kappa_of, measure_agreement
from dataset_builders.review.decisions import Decision

# Two raters, ten units, two values: Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), part A.
ONE, OTHER = (0, 1, 0, 0, 0, 0, 0, 0, 1, 0), (1, 1, 1, 0, 0, 1, 0, 0, 0, 0)


def test_alpha_is_that_of_the_published_example():
    assert alpha_of(list(zip(ONE, OTHER))) == pytest.approx(0.095, abs=5e-4)


def test_kappa_by_hand():
    """6 of 10 the same; 6 of 20 ratings are 1: expected (0.7² + 0.3²) = 0.58; kappa (0.6 - 0.58) / 0.42."""
    assert kappa_of(list(zip(ONE, OTHER))) == pytest.approx(0.02 / 0.42)


def decisions(pairs, reasons=lambda item, rater: ()):
    return [
        Decision(f"{item}{rater}", "t", f"R{rater}", "AB"[rater], str(item), "0", "1", "first", verdict, reasons(item, rater))
        for item, pair in enumerate(pairs)
        for rater, verdict in enumerate(pair)
    ]


PAIRS = [("accept", "accept")] * 6 + [("remove", "remove")] * 3 + [("accept", "correct")]
CASES = {str(item): f"case {item // 2}" for item in range(10)}


def test_the_verdict_and_each_reason_that_was_given_are_measured():
    def reasons(item, rater):
        return ("unsafe_omission", "language")[: 2 - rater] if 6 <= item < 9 else ("other",) if (item, rater) == (9, 1) else ()

    found = measure_agreement(
        decisions(PAIRS, reasons), CASES, ("unsafe_omission", "language", "other", "poor_image"), draws=50
    )
    assert list(found) == ["verdict", "unsafe_omission", "language", "other"]
    verdict = found["verdict"]
    assert (verdict.items, verdict.cases, verdict.same, verdict.given) == (10, 5, 0.9, 7 / 20)
    assert found["unsafe_omission"].alpha == 1.0 and found["language"].alpha < 0
    low, high = verdict.alpha_interval
    assert low <= verdict.alpha <= high and low < high


def test_the_intervals_draw_whole_cases():
    """Ten copies of an item in one case are no ten items: the interval widens."""
    pairs = [pair for pair in PAIRS for _ in range(10)]
    alone = {str(item): str(item) for item in range(100)}
    together = {str(item): str(item // 10) for item in range(100)}

    def width(cases):
        low, high = measure_agreement(decisions(pairs), cases, (), draws=200)["verdict"].alpha_interval
        return high - low

    assert width(together) > 2 * width(alone)


def test_only_blind_ratings_of_two_count():
    made = decisions(PAIRS)
    alone = Decision("x", "t", "R0", "A", "11", "0", "1", "first", "remove")
    later = Decision("y", "t", "R3", "C", "9", "0", "1", "adjudication", "accept")
    assert measure_agreement([*made, alone, later], CASES, (), draws=0) == measure_agreement(made, CASES, (), draws=0)


@pytest.mark.parametrize("pairs", [[], [("accept", "accept")] * 5, [("accept", "remove")] * 2])
def test_what_is_not_defined_is_none(pairs):
    found = measure_agreement(decisions(pairs), CASES, (), draws=10)["verdict"]
    assert (found.alpha, found.kappa, found.alpha_interval) == (None, None, None) and found.items == len(pairs)


def test_kappa_is_that_of_statsmodels_for_three_values():
    table = numpy.array([[2, 0, 0]] * 6 + [[0, 0, 2]] * 3 + [[1, 1, 0]])
    assert measure_agreement(decisions(PAIRS), CASES, (), draws=0)["verdict"].kappa == pytest.approx(fleiss_kappa(table))
