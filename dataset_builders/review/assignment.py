"""Deal items to reviewers: each item to one, a planned share of each rule's items to two from different groups, blind.

The same items, reviewers and seed give the same plan. A case stays together, since who has read it once answers faster, and
reviewers get equal numbers. Who checks a correction or decides between two reviewers is settled here, too (``checker_of``).
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dataset_builders.item import Item
from dataset_builders.schema import LANGUAGES

TOGETHER = 6
"""Most items of one case that are dealt as a block."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A reviewer by pseudonym; ``languages`` are those of the items they can judge."""

    pseudonym: str
    group: str
    languages: tuple[str, ...] = LANGUAGES


def make_reviewers(count: int, groups: int) -> tuple[Reviewer, ...]:
    """Return ``count`` reviewers R01, R02 … in ``groups`` groups A, B … of equal size, give or take one.

    Raises ValueError if there are more groups than reviewers or than letters.
    """
    if not 1 <= groups <= min(count, 26):
        raise ValueError(f"--groups {groups}: give 1 to {min(count, 26)} for {count} reviewers")
    return tuple(Reviewer(f"R{number + 1:02d}", chr(ord("A") + number % groups)) for number in range(count))


def choose_items(items: Iterable[Item], count: int, seed: int) -> list[Item]:
    """Choose ``count`` items (all, if there are fewer), evenly from every rule or prompt and language, in a fixed order."""
    strata: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        strata[item.generation.prompt_id, item.language].append(item)
    for stratum in strata.values():
        stratum.sort(key=lambda item: _order(seed, "choose", item.id))
    ranked = [(rank, key, item) for key, stratum in strata.items() for rank, item in enumerate(stratum)]
    ranked.sort(key=lambda entry: entry[:2])
    return [item for _, _, item in ranked[:count]]


def assign(items: Sequence[Item], reviewers: Sequence[Reviewer], overlap: float, seed: int) -> dict[str, tuple[str, ...]]:
    """Return the raters of each item by id, in the order in which each reviewer is to see them.

    overlap   share of each rule's items that a second reviewer from another group rates, too (rounded up).

    Raises ValueError if ``overlap`` is no share, needs a second group, or nobody reads an item's language.
    """
    if not 0 <= overlap <= 1:
        raise ValueError(f"--overlap {overlap}: give a share of 0 to 1")
    if overlap and len({reviewer.group for reviewer in reviewers}) < 2:
        raise ValueError(f"--overlap {overlap}: rating twice needs reviewers of two groups; give --groups 2 or --overlap 0")
    twice = _choose_twice(items, overlap, seed)
    load: Counter[str] = Counter()
    raters: dict[str, tuple[str, ...]] = {}
    for block in _blocks(items, seed):
        first = _least_loaded(reviewers, load, block, seed)
        load[first.pseudonym] += len(block)
        doubled = [item for item in block if item.id in twice]
        others = [reviewer for reviewer in reviewers if reviewer.group != first.group]
        second = _least_loaded(others, load, doubled, seed) if doubled else None
        for item in block:
            both = (first, second) if second and item.id in twice else (first,)
            raters[item.id] = tuple(reviewer.pseudonym for reviewer in both)
        load[second.pseudonym if second else ""] += len(doubled)
    return raters


def checker_of(item: Item, raters: Sequence[str], reviewers: Mapping[str, Reviewer], seed: int) -> str | None:
    """Return who takes a second look at an item, or decides between its raters: somebody else, of another group if possible.

    None if nobody else reads its language.
    """
    groups = {reviewers[name].group for name in raters}
    others = [reviewer for name, reviewer in reviewers.items() if name not in raters and item.language in reviewer.languages]
    if not others:
        return None
    return min(others, key=lambda one: (one.group in groups, _order(seed, item.id, one.pseudonym))).pseudonym


def _choose_twice(items: Sequence[Item], overlap: float, seed: int) -> set[str]:
    by_rule: dict[str, list[str]] = defaultdict(list)
    for item in items:
        by_rule[item.generation.prompt_id].append(item.id)
    return {
        id
        for ids in by_rule.values()
        for id in sorted(ids, key=lambda id: _order(seed, "twice", id))[: math.ceil(overlap * len(ids))]
    }


def _blocks(items: Sequence[Item], seed: int) -> list[list[Item]]:
    """Cut the items into blocks of one case and language, in a random order."""
    cases: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        cases[item.provenance.case_id or item.provenance.source_id, item.language].append(item)
    blocks = [case[start : start + TOGETHER] for case in cases.values() for start in range(0, len(case), TOGETHER)]
    return sorted(blocks, key=lambda block: _order(seed, "block", block[0].id))


def _least_loaded(reviewers: Sequence[Reviewer], load: Counter[str], block: Sequence[Item], seed: int) -> Reviewer:
    language = block[0].language
    able = [reviewer for reviewer in reviewers if language in reviewer.languages]
    if not able:
        raise ValueError(f"{block[0].id}: no reviewer (or, to rate it twice, none of a second group) reads {language!r}")
    return min(able, key=lambda one: (load[one.pseudonym], _order(seed, block[0].id, one.pseudonym)))


def _order(seed: int, *words: str) -> str:
    return hashlib.sha256("\0".join((str(seed), *words)).encode()).hexdigest()
