import math

import numpy
import pytest

from evaluation.statistics import bootstrap_mean, mcnemar, paired_bootstrap, wilson


def test_wilson_by_hand():
    # Wilson's formula for 8 of 10, z = 1.959964
    z = 1.959963984540054
    centre = (0.8 + z * z / 20) / (1 + z * z / 10)
    half = z / (1 + z * z / 10) * math.sqrt(0.8 * 0.2 / 10 + z * z / 400)
    interval = wilson(8, 10)
    assert (interval.low, interval.high) == pytest.approx((centre - half, centre + half))
    assert wilson(10, 10).low < 1 < wilson(10, 10).high + 1e-9


def test_bootstrap_covers_like_the_normal_approximation():
    values = numpy.random.default_rng(1).normal(50, 10, 400)
    interval = bootstrap_mean(values.tolist())
    half = 1.96 * values.std() / 20
    assert interval.low == pytest.approx(values.mean() - half, abs=0.15)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.15)
    assert bootstrap_mean(values.tolist()) == interval


def test_pairing_sees_a_small_even_difference_that_intervals_alone_do_not():
    a = numpy.random.default_rng(2).normal(60, 20, 80)
    b = a + numpy.random.default_rng(3).normal(2, 2, 80)
    found = paired_bootstrap(a.tolist(), b.tolist(), ["text_mcq"] * 40 + ["report"] * 40)
    assert found.low > 0
    assert found.share_not_above == 0
    assert bootstrap_mean(a.tolist()).high > bootstrap_mean(b.tolist()).low


def test_paired_bootstrap_needs_the_same_items():
    with pytest.raises(ValueError, match="same items"):
        paired_bootstrap([1.0], [1.0, 2.0])


def test_mcnemar_is_the_exact_binomial_of_discordant_pairs():
    found = mcnemar([True] * 10 + [False] * 2 + [True] * 5, [False] * 10 + [True] * 2 + [True] * 5)
    assert (found.only_a, found.only_b) == (10, 2)
    assert found.p_value == pytest.approx(2 * sum(math.comb(12, k) for k in range(3)) / 2**12)
    assert mcnemar([True], [True]).p_value == 1.0
