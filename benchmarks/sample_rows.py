"""Draw a sample of a build's last rows, stratified by rule, for a person to read.

    python benchmarks/sample_rows.py WORK SEED N

WORK is a build's work folder (the one that holds 9_split). The rules are taken in
the order of their prompt_id, one random row of each in turn, until N rows are drawn
or none is left. Prints one line a rule: the rule, how many rows it has, and the ids
drawn, in the order drawn.
"""

import argparse
import json
import random
from collections import defaultdict
from pathlib import Path


def rows_by_rule(work: Path) -> dict[str, list[str]]:
    """The ids of the rows left after all gates, by rule, both in sorted order."""
    rules: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted((work / "9_split").glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                rules[row["generation"]["prompt_id"]].append(row["id"])
    return {rule: sorted(rules[rule]) for rule in sorted(rules)}


def draw(rules: dict[str, list[str]], seed: int, count: int) -> dict[str, list[str]]:
    """Up to count ids, drawn round robin over the rules without replacement."""
    generator = random.Random(seed)
    left = {rule: list(ids) for rule, ids in rules.items()}
    drawn: dict[str, list[str]] = {rule: [] for rule in rules}
    taken = 0
    while taken < count and any(left.values()):
        for rule, ids in left.items():
            if ids and taken < count:
                drawn[rule].append(ids.pop(generator.randrange(len(ids))))
                taken += 1
    return drawn


def main() -> None:
    """Print the sample."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int)
    arguments = parser.parse_args()
    rules = rows_by_rule(arguments.work)
    for rule, ids in draw(rules, arguments.seed, arguments.count).items():
        print(rule, len(rules[rule]), *ids)


if __name__ == "__main__":
    main()
