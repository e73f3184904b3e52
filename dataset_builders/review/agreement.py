"""Measure how far reviewers agree on the items that two of them rated blind: on the verdict, and on each reason.

Krippendorff's alpha (nominal; Krippendorff 2004, chapter 11) and Fleiss' kappa (Fleiss 1971), with percentile intervals of a
bootstrap that draws whole cases, since the items of one case are not independent. A reason is
given or not given. A statistic is None if it is not defined: fewer than FEWEST items, or one value throughout. Rare reasons
have a low alpha even if nearly all verdicts are the same: read it beside the share of agreement.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import krippendorff
import numpy
from statsmodels.stats.inter_rater import fleiss_kappa

from dataset_builders.review.decisions import VERDICTS, Decision

FEWEST = 3
Interval = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on one question.

    items      items rated twice; cases: patients or sources they come from.
    given      share of the ratings with the reason (for the verdict: other than accept).
    same       share of the items on which both say the same.
    """

    items: int
    cases: int
    given: float | None
    same: float | None
    alpha: float | None
    alpha_interval: Interval
    kappa: float | None
    kappa_interval: Interval


def measure_agreement(
    decisions: Iterable[Decision], cases: Mapping[str, str], reasons: Sequence[str], *, draws: int = 1000, seed: int = 0
) -> dict[str, Agreement]:
    """Return the agreement on "verdict", then on each of ``reasons`` that anybody gave.

    decisions  effective decisions (decisions.effective); only the blind first stage counts.
    cases      item -> what is drawn as a whole in the bootstrap.
    """
    by_item: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        if decision.stage == "first":
            by_item[decision.item].append(decision)
    pairs = {item: made for item, made in sorted(by_item.items()) if len(made) == 2}
    drawn_as = [cases[item] for item in pairs]
    verdicts = [[VERDICTS.index(decision.verdict) for decision in made] for made in pairs.values()]
    result = {"verdict": _measure(verdicts, drawn_as, draws, seed)}
    for reason in reasons:
        given = [[int(reason in decision.reasons) for decision in made] for made in pairs.values()]
        if any(map(any, given)):
            result[reason] = _measure(given, drawn_as, draws, seed)
    return result


def alpha_of(ratings: Sequence[Sequence[int]]) -> float | None:
    """Return Krippendorff's nominal alpha of items × raters."""
    if len(ratings) < FEWEST or len({value for pair in ratings for value in pair}) < 2:
        return None
    return float(krippendorff.alpha(value_counts=_table(ratings), level_of_measurement="nominal"))


def kappa_of(ratings: Sequence[Sequence[int]]) -> float | None:
    """Return Fleiss' kappa of items × raters."""
    if len(ratings) < FEWEST or len({value for pair in ratings for value in pair}) < 2:
        return None
    return float(fleiss_kappa(_table(ratings)))


def _table(ratings: Sequence[Sequence[int]]) -> numpy.ndarray:
    """Count the raters for each value: items × values."""
    values = max(value for pair in ratings for value in pair) + 1
    return numpy.array([[pair.count(value) for value in range(values)] for pair in map(list, ratings)])


def _measure(ratings: Sequence[Sequence[int]], cases: Sequence[str], draws: int, seed: int) -> Agreement:
    flat = [value for pair in ratings for value in pair]
    same = sum(len(set(pair)) == 1 for pair in ratings)
    members: dict[str, list[int]] = defaultdict(list)
    for at, case in enumerate(cases):
        members[case].append(at)
    groups = list(members.values())
    alphas, kappas = [], []
    random = numpy.random.default_rng(seed)
    if alpha_of(ratings) is not None and len(groups) > 1:
        for _ in range(draws):
            drawn = [ratings[at] for group in random.integers(len(groups), size=len(groups)) for at in groups[group]]
            alphas.append(alpha_of(drawn))
            kappas.append(kappa_of(drawn))
    return Agreement(
        items=len(ratings),
        cases=len(groups),
        given=sum(value > 0 for value in flat) / len(flat) if flat else None,
        same=same / len(ratings) if ratings else None,
        alpha=alpha_of(ratings),
        alpha_interval=_interval(alphas),
        kappa=kappa_of(ratings),
        kappa_interval=_interval(kappas),
    )


def _interval(values: Sequence[float | None]) -> Interval:
    """Return the 2.5th and 97.5th percentile of the draws in which the statistic is defined; None if that is under half."""
    defined = [value for value in values if value is not None]
    if not defined or len(defined) < len(values) / 2:
        return None
    low, high = numpy.percentile(defined, (2.5, 97.5))
    return float(low), float(high)
