"""Measure the criteria: how many broken items the code rejects by a named criterion, and how many good ones it loses.

    python benchmarks/criteria.py               # items of our own (data/criteria_items.yaml), broken in every way
    python benchmarks/criteria.py --show        # and names the breaks that pass

Prints and writes benchmarks/results/criteria.json. No model is asked: a reviser that accepts everything adds nothing, so
what is measured is the code alone. "left_out" are the ways that the code was not tuned on (criteria_breaks_left_out.py),
"developed" and "second" those that it was developed with; the second set was left out at first: 555 of 602 (92.2%) then.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

import criteria_breaks  # noqa: E402
import criteria_breaks_left_out  # noqa: E402
import criteria_breaks_second  # noqa: E402
from common import write_result  # noqa: E402
from criteria_editing import load_good_items  # noqa: E402

from dataset_builders.document import Reject  # noqa: E402
from dataset_builders.generate.checks import check_item  # noqa: E402
from dataset_builders.item import Item  # noqa: E402

Way = Callable[[Item], Item | None]


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--show", action="store_true", help="name the breaks that pass")
    shown = parser.parse_args().show
    good = load_good_items()
    figures = {"left_out": measure(good, criteria_breaks_left_out.BREAKS, shown=shown)}
    figures["developed"] = measure(good, criteria_breaks.BREAKS, shown=shown)
    figures["second"] = measure(good, criteria_breaks_second.BREAKS, shown=shown)
    write_result("criteria", {**figures, "good": count_lost(good)})


def measure(items: Sequence[Item], ways: Mapping[str, Way], *, shown: bool = False) -> dict:
    """Break every item in every way that applies, and count what is rejected: in all, by language, way and criterion."""
    outcomes = [
        (way, item, check_item(broken)) for way, edit in ways.items() for item in items if (broken := edit(item)) is not None
    ]
    if shown:
        for way, item, outcome in outcomes:
            if isinstance(outcome, Item):
                print(f"passes: {way}, {item.id}, {item.language}", file=sys.stderr)
    rejected = [(way, item, outcome) for way, item, outcome in outcomes if isinstance(outcome, Reject)]
    tried = Counter(way for way, _, _ in outcomes)
    caught = Counter(way for way, _, _ in rejected)
    return {
        "ways": len(tried),
        "breaks": len(outcomes),
        "rejected": len(rejected),
        "share": round(len(rejected) / len(outcomes), 4),
        "by_language": {language: _share([o for o in outcomes if o[1].language == language]) for language in ("en", "zh")},
        "by_way": {way: f"{caught[way]}/{count}" for way, count in tried.items()},
        "by_criterion": dict(Counter(outcome.reason.removeprefix("revise_") for _, _, outcome in rejected).most_common()),
    }


def count_lost(items: Sequence[Item]) -> dict:
    """Count the good items that the criteria reject."""
    lost = Counter(outcome.reason for item in items if isinstance(outcome := check_item(item), Reject))
    return {"items": len(items), "lost": sum(lost.values()), "by_criterion": dict(lost)}


def _share(outcomes: Sequence[tuple[str, Item, Item | Reject]]) -> float:
    return round(sum(isinstance(outcome, Reject) for _, _, outcome in outcomes) / len(outcomes), 4)


if __name__ == "__main__":
    main()
