"""Give verdicts to the next build, one JSON line for each item: from a review (review export), or filled in by hand.

    {"id": "…", "review_status": "accepted|corrected|removed", "review_group": "A", "review_verdict": "…",
     "reviewed_at": "2026-01-31", "reasons": ["…"], "corrected": {"answer": "B", …}, "item_sha256": "…", "data_set": "…"}

A correction (corrections.py) never touches provenance or images. Filled in by hand, ``answer`` and ``response`` may stand for
it: the answer and the last reply. With ``item_sha256``, a verdict holds for that very version of the item.
"""

import dataclasses
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builders.document import Reject
from dataset_builders.item import Item, Review
from dataset_builders.private_files import open_private_file
from dataset_builders.review.corrections import changes_of, correct_item, editable, hash_item
from dataset_builders.review.reasons import Reason, check_reasons
from dataset_builders.schema import REVIEW_STATUSES
from dataset_builders.source_kinds import find_kind

_NAMED = 3  # items that an error names


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reviewers decided on one item; ``review_verdict`` is in words, ``reasons`` are codes."""

    id: str
    review_status: str
    review_group: str
    reviewed_at: str
    review_verdict: str | None = None
    answer: str | None = None
    response: str | None = None
    reasons: tuple[str, ...] = ()
    corrected: Mapping[str, Any] | None = None
    item_sha256: str | None = None
    data_set: str | None = None


def export_items(items: Iterable[Item], path: Path) -> int:
    """Write one JSON line for each item, with what a clinician must see and empty verdict fields; return how many.

    The file is its owner's alone (0600).
    """
    return _write_lines(
        (
            {
                "id": item.id,
                "task": item.task,
                "conversation": [{"role": message.role, "text": message.text} for message in item.messages],
                "options": list(item.options),
                "answer": item.answer,
                "images": list(item.images),
                "source": f"{item.provenance.source_title or item.provenance.source_id}, {item.provenance.source_locator}",
                "context": list(item.context),
                "item_sha256": hash_item(item),
                "review_status": "",
                "review_group": "",
                "review_verdict": "",
                "reviewed_at": "",
            }
            for item in items
        ),
        path,
    )


def write_verdicts(verdicts: Iterable[Verdict], path: Path) -> int:
    """Write verdicts as ``load_verdicts`` reads them (0600); return how many."""
    return _write_lines((dataclasses.asdict(verdict) for verdict in verdicts), path)


def load_verdicts(path: Path, reasons: Mapping[str, Reason] | None = None) -> dict[str, Verdict]:
    """Read verdicts by item id; lines whose ``review_status`` is empty were not reviewed yet and are left out.

    reasons   the codes that are known; None: they are not checked.

    Raises ValueError, naming the line, if it is no JSON object, a status is not one of schema.REVIEW_STATUSES, a field is
    missing, a reason is unknown, or an item has two verdicts.
    """
    fields = [field.name for field in dataclasses.fields(Verdict)]
    verdicts: dict[str, Verdict] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        place = f"{path} line {number}"
        record = _parse(line, place)
        if not record.get("review_status"):
            continue
        if record["review_status"] not in REVIEW_STATUSES[1:]:
            raise ValueError(f"{place}: review_status {record['review_status']!r}, choose from {REVIEW_STATUSES[1:]}")
        missing = [name for name in ("id", "review_group", "reviewed_at") if not record.get(name)]
        if missing:
            raise ValueError(f"{place}: {missing} must be filled in for a reviewed item")
        if record["id"] in verdicts:
            raise ValueError(f"{place}: {record['id']} has a verdict above; keep one, or review it again")
        record["reasons"] = tuple(record.get("reasons") or ())
        if reasons is not None:
            check_reasons(record["reasons"], reasons, place)
        verdicts[record["id"]] = Verdict(**{name: record[name] for name in fields if name in record})
    return verdicts


def review_items(
    read: Callable[[], Iterator[dict[str, Any]]], verdicts: Mapping[str, Verdict]
) -> Iterator[dict[str, Any] | Reject]:
    """Apply verdicts to the records of items (a steps.GlobalStep's ``run``).

    Raises ValueError, naming items and what to do, if a verdict is of an item that is not there or of another version of it.
    """
    if not verdicts:
        yield from read()
        return
    misfits = find_misfits((Item.from_dict(_without_shard(record)) for record in read()), verdicts)
    if misfits:
        raise ValueError(_describe_misfits(misfits, verdicts))
    for record in read():
        result = apply_verdicts(Item.from_dict(_without_shard(record)), verdicts)
        yield result if isinstance(result, Reject) else {**result.to_dict(), "_shard": record["_shard"]}


def find_misfits(items: Iterable[Item], verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    """Return the items whose verdict cannot be applied, and why: "not in this build", "has changed", or a bad correction."""
    misfits = dict.fromkeys(verdicts, "not in this build")
    for item in items:
        verdict = verdicts.get(item.id)
        if verdict is None:
            continue
        del misfits[item.id]
        if verdict.item_sha256 not in (None, hash_item(item)):
            misfits[item.id] = "has changed since it was reviewed"
        elif verdict.review_status == "corrected":
            try:
                _corrected(item, verdict)
            except ValueError as error:
                misfits[item.id] = str(error)
    return misfits


def apply_verdicts(item: Item, verdicts: Mapping[str, Verdict]) -> Item | Reject:
    """Return the item with its verdict, or, if it was removed, a Reject; of a hospital's item without their words."""
    verdict = verdicts.get(item.id)
    if verdict is None:
        return item
    if verdict.review_status == "removed":
        private = find_kind(item.provenance.source_kind).is_private  # what was said of a patient's text may quote it
        codes = ", ".join(verdict.reasons)
        return Reject(
            item.provenance.source_id, "removed_by_reviewer", codes if private else verdict.review_verdict or codes, item.id
        )
    review = Review(verdict.review_status, verdict.review_group, verdict.review_verdict, verdict.reviewed_at)
    if verdict.review_status == "corrected":
        item = _corrected(item, verdict)
    return dataclasses.replace(item, review=review)


def _corrected(item: Item, verdict: Verdict) -> Item:
    correction = dict(verdict.corrected or {})
    if verdict.answer is not None:
        correction.setdefault("answer", verdict.answer)
    if verdict.response:
        correction.setdefault("turns", [*editable(item)["turns"][:-1], verdict.response])
    return correct_item(item, changes_of(item, correction))


def _describe_misfits(misfits: Mapping[str, str], verdicts: Mapping[str, Verdict]) -> str:
    named = "; ".join(f"{id}: {why}" for id, why in list(misfits.items())[:_NAMED])
    more = f"; and {len(misfits) - _NAMED} more" if len(misfits) > _NAMED else ""
    versions = {str(verdict.data_set)[:12] for verdict in verdicts.values() if verdict.data_set}
    of = f" (reviewed in data set {', '.join(sorted(versions))})" if versions else ""
    return (
        f"--reviews: {len(misfits)} of {len(verdicts)} verdicts do not fit this build{of}: {named}{more}. Keep those that fit "
        "with: python -m dataset_builders review carry FILE"
    )


def _without_shard(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "_shard"}


def _parse(line: str, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line) if line.strip() else {}
    except ValueError as error:
        raise ValueError(f"{place}: is no JSON ({error})") from error
    if not isinstance(record, dict):
        raise ValueError(f"{place}: is no JSON object")
    return record


def _write_lines(records: Iterable[Mapping[str, Any]], path: Path) -> int:
    count = 0
    with io.TextIOWrapper(open_private_file(path, "wb"), encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count
