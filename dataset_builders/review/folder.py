"""Make and open the folder of one review. It holds its own copy of the items, so a later build does not change what is judged.

    work/review/plan.json        data set version, seed, overlap, reviewers, raters of each item
    work/review/items.jsonl      the items, with the captions and the other slices of their source
    work/review/tokens.csv       pseudonym, group and token of each reviewer, to be handed out; may be deleted afterwards
    work/review/tokens.json      SHA-256 of each token
    work/review/decisions.jsonl  the log (decisions.py)
    work/review/sessions.json    who is logged in (sessions.py)
    work/review/scaled/          images as they are shown (images.py)

All of it is its owner's alone (0700, 0600).
"""

import csv
import hashlib
import io
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dataset_builders.document import Document
from dataset_builders.item import Item
from dataset_builders.private_files import make_private_folder, open_private_file, write_private
from dataset_builders.review.assignment import Reviewer, assign, checker_of
from dataset_builders.review.corrections import hash_item
from dataset_builders.review.decisions import Decision
from dataset_builders.review.workflow import Standing, Task, standings, tasks_of
from dataset_builders.source_kinds import find_kind

LOG = "decisions.jsonl"
MOST_SLICES = 400
"""Most slices of one source that the page scrolls through."""


@dataclass(frozen=True, slots=True)
class Slice:
    """An image of an item's source: SHA-256, place and caption."""

    sha256: str
    locator: str
    caption: str


@dataclass(frozen=True, slots=True)
class Study:
    """An opened review folder.

    slices     item -> images of its source: those it shows, and, of a volume, the others.
    hashes     item -> corrections.hash_item.
    checkers, adjudicators   item -> who looks again, and who decides after that; None if nobody is left.
    """

    folder: Path
    data_set: str
    seed: int
    reviewers: Mapping[str, Reviewer]
    items: Mapping[str, Item]
    raters: Mapping[str, tuple[str, ...]]
    slices: Mapping[str, tuple[Slice, ...]]
    hashes: Mapping[str, str] = field(init=False)
    checkers: Mapping[str, str | None] = field(init=False)
    adjudicators: Mapping[str, str | None] = field(init=False)

    def __post_init__(self) -> None:
        hashes = {id: hash_item(item) for id, item in self.items.items()}
        checkers = {id: self._checker(id, self.raters[id]) for id in self.raters}
        adjudicators = {id: self._checker(id, (*self.raters[id], name)) if name else None for id, name in checkers.items()}
        for name, value in (("hashes", hashes), ("checkers", checkers), ("adjudicators", adjudicators)):
            object.__setattr__(self, name, value)

    @property
    def log(self) -> Path:
        return self.folder / LOG

    @property
    def private_items(self) -> int:
        """Count the items of hospital cases."""
        return sum(is_private(item) for item in self.items.values())

    def standings(self, decisions: Iterable[Decision]) -> dict[str, Standing]:
        return standings(self.raters, self.checkers, decisions)

    def tasks_of(self, reviewer: str, found: Mapping[str, Standing]) -> list[Task]:
        return tasks_of(reviewer, self.raters, self.checkers, self.adjudicators, found)

    def _checker(self, id: str, involved: Sequence[str]) -> str | None:
        return checker_of(self.items[id], involved, self.reviewers, self.seed)


def is_private(item: Item) -> bool:
    """Tell whether an item is of a hospital case."""
    return find_kind(item.provenance.source_kind).is_private


def create_study(
    folder: Path,
    items: Sequence[Item],
    slices: Mapping[str, Sequence[Slice]],
    reviewers: Sequence[Reviewer],
    *,
    data_set: str,
    overlap: float,
    seed: int,
) -> None:
    """Plan a review of ``items`` in ``folder``, and make a token for each reviewer.

    data_set   version of the data set: what the manifest of the step calls its output.

    Raises ValueError if there is a review in the folder, or nothing to review; and as assignment.assign.
    """
    if (folder / "plan.json").exists():
        raise ValueError(f"{folder} holds a review: go on with it, or give another --folder")
    if not items:
        raise ValueError("nothing to review: the build has no item of this choice")
    raters = assign(items, reviewers, overlap, seed)
    make_private_folder(folder)
    with io.TextIOWrapper(open_private_file(folder / "items.jsonl", "wb"), encoding="utf-8") as file:
        for item in items:
            record = {"item": item.to_dict(), "slices": [asdict(image) for image in slices.get(item.id, ())]}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    _write_tokens(folder, reviewers, {reviewer.pseudonym: secrets.token_urlsafe(12) for reviewer in reviewers})
    plan = {
        "data_set": data_set,
        "seed": seed,
        "overlap": overlap,
        "reviewers": [asdict(reviewer) for reviewer in reviewers],
        "raters": raters,
    }
    write_private(folder / "plan.json", json.dumps(plan, ensure_ascii=False, indent=1) + "\n")  # last: now there is a review


def open_study(folder: Path) -> Study:
    """Open a review folder. Raises FileNotFoundError if there is no review in it."""
    if not (folder / "plan.json").exists():
        raise FileNotFoundError(f"{folder}: no review here; make one with: python -m dataset_builders review plan")
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    records: list[dict[str, Any]] = []
    with (folder / "items.jsonl").open(encoding="utf-8") as lines:
        records.extend(json.loads(line) for line in lines)
    items = [Item.from_dict(record["item"]) for record in records]
    reviewers = [Reviewer(**{**one, "languages": tuple(one["languages"])}) for one in plan["reviewers"]]
    return Study(
        folder,
        plan["data_set"],
        plan["seed"],
        {reviewer.pseudonym: reviewer for reviewer in reviewers},
        {item.id: item for item in items},
        {id: tuple(names) for id, names in plan["raters"].items()},
        {item.id: tuple(Slice(**image) for image in record["slices"]) for item, record in zip(items, records)},
    )


def slices_of(items: Iterable[Item], documents: Iterable[Document]) -> dict[str, tuple[Slice, ...]]:
    """Return the images of each item's source: those that the item shows, and, if they are slices of a volume, all of it."""
    by_source: dict[str, list[Item]] = {}
    for item in items:
        if item.images:
            by_source.setdefault(item.provenance.source_id, []).append(item)
    found: dict[str, tuple[Slice, ...]] = {}
    for document in documents:
        for item in by_source.get(document.provenance.source_id, ()):
            figures = [figure for figure in document.figures if figure.image_sha256]
            if any(figure.label for figure in figures if figure.image_sha256 in item.images):
                figures = [figure for figure in figures if figure.image_sha256 in item.images]
            found[item.id] = tuple(
                Slice(figure.image_sha256 or "", figure.locator or figure.label, figure.caption)
                for figure in figures[:MOST_SLICES]
            )
    return found


def renew_token(folder: Path, pseudonym: str) -> str:
    """Make a new token for a reviewer who lost theirs; the old one no longer works. Raises KeyError for an unknown one."""
    tokens = read_tokens(folder)
    if pseudonym not in tokens:
        raise KeyError(f"{pseudonym}: no reviewer of {folder}; there are {', '.join(tokens)}")
    token = secrets.token_urlsafe(12)
    write_private(folder / "tokens.json", json.dumps(tokens | {pseudonym: hash_token(token)}, indent=1) + "\n")
    return token


def read_tokens(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each reviewer's token."""
    return dict(json.loads((folder / "tokens.json").read_text(encoding="utf-8")))


def hash_token(token: str) -> str:
    """Return the SHA-256 of a token or session, which is what is kept of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _write_tokens(folder: Path, reviewers: Sequence[Reviewer], tokens: Mapping[str, str]) -> None:
    hashes = {name: hash_token(token) for name, token in tokens.items()}
    write_private(folder / "tokens.json", json.dumps(hashes, indent=1) + "\n")
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(("pseudonym", "group", "token"))
    writer.writerows((one.pseudonym, one.group, tokens[one.pseudonym]) for one in reviewers)
    write_private(folder / "tokens.csv", table.getvalue())
