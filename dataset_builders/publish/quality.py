"""Write work/quality.html: what of a build's items can be guessed without their images, and what left the build and why.

    Guessed without the image   a row a rule: items, chance, three guesses with 95 % intervals, before and after items left
    Left by rule and reason     a row a rule and reason, of every step from the drafts on

All is computed from the records and rejects of the steps, so any number of workers and any kill give the same page. It names
rules and counts, never a document or a word of one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from dataset_builders.deidentify.measure import wilson
from dataset_builders.engine.shards import read_records, read_rejects
from dataset_builders.item import Item
from dataset_builders.private_files import write_private
from dataset_builders.publish.guesses import ALLOWED, GUESSES, RuleGuesses, measure_guesses, needs_image
from dataset_builders.publish.sampling import group_items

PAGE = "quality.html"
STEPS = ("drafts", "revised", "reviewed", "split")
"""Steps that make, check, review and choose items: what leaves there is on the page."""
DUPLICATE, GUESSABLE = "duplicate_item", "guessable_without_image"
"""Reasons of the split's Rejects: another item asks the same; a rule can be guessed (guesses.py)."""


@dataclass(frozen=True, slots=True)
class GuessedRule:
    """A rule's guesses among all its items and among those that stayed (None if none did), and how many left, by reason."""

    rule: str
    before: RuleGuesses
    after: RuleGuesses | None
    left: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Quality:
    """What the page shows.

    rules   rules of multiple-choice items that show an image, by name.
    lost    (step, rule, reason) -> items; rule "" where a Reject is of no item (a passage that a model could not draft).
    items   step -> items that came out of it.
    """

    rules: tuple[GuessedRule, ...]
    lost: Mapping[tuple[str, str, str], int]
    items: Mapping[str, int]


def write_quality(work: Path, folders: Mapping[str, Path]) -> Quality:
    """Write the page of a finished build into ``work`` and return what it shows. ``folders`` are those of STEPS, by step."""
    quality = measure_quality(folders)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    page = environment.get_template(PAGE).render(quality=quality, guesses=GUESSES, allowed=ALLOWED, interval=_interval)
    write_private(work / PAGE, page)
    return quality


def measure_quality(folders: Mapping[str, Path]) -> Quality:
    """Count and measure, from the folders of STEPS."""
    rule_of = {record["id"]: record["generation"]["prompt_id"] for record in read_records(folders["drafts"])}
    lost: Counter[tuple[str, str, str]] = Counter()
    left: dict[str, str] = {}
    duplicates = set()
    for step in STEPS:
        for reject in read_rejects(folders[step]):
            lost[step, rule_of.get(reject.where, ""), reject.reason] += 1
            if step == "split" and reject.reason == GUESSABLE:
                left[reject.where] = reject.detail.rpartition(": ")[2]
            elif step == "split" and reject.reason == DUPLICATE:
                duplicates.add(reject.where)
    items = [item for item in _read_items(folders["reviewed"]) if item.id not in duplicates]
    groups = group_items(items)
    shown = [item for item in items if needs_image(item)]
    before = measure_guesses(shown, groups)
    after = measure_guesses((item for item in shown if item.id not in left), groups)
    why = {rule: Counter(left[i.id] for i in shown if i.id in left and i.generation.prompt_id == rule) for rule in before}
    rules = tuple(GuessedRule(rule, measured, after.get(rule), why[rule]) for rule, measured in before.items())
    counts = {step: sum(1 for _ in read_records(folders[step])) for step in STEPS}
    return Quality(rules, dict(sorted(lost.items())), counts)


def _read_items(folder: Path) -> Iterator[Item]:
    return (Item.from_dict(record) for record in read_records(folder))


def _interval(measured: RuleGuesses, guess: str) -> tuple[float, float, float]:
    """Share of right guesses and its interval; a draw between options counts as the nearest whole number of items."""
    low, high = wilson(round(measured.right[guess]), measured.items)
    return measured.right[guess] / measured.items, low, high
