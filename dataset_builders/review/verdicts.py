"""Export items for review by clinicians, and import their verdicts into the next build: one JSON line for each item.

    {"id": "…", "review_status": "accepted|corrected|removed", "review_group": "A", "review_verdict": "…",
     "reviewed_at": "2026-01-31", "question": "…", "answer": "…"}

A correction may replace ``answer`` and the assistant's words (``response``); it never touches provenance or images.
"""

import dataclasses
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dataset_builders.document import Reject
from dataset_builders.item import Item, Message, Review
from dataset_builders.private_files import open_private_file
from dataset_builders.schema import REVIEW_STATUSES
from dataset_builders.source_kinds import find_kind


@dataclass(frozen=True, slots=True)
class Verdict:
    """One clinician group's decision on one item."""

    id: str
    review_status: str
    review_group: str
    reviewed_at: str
    review_verdict: str | None = None
    answer: str | None = None
    response: str | None = None


def export_items(items: Iterable[Item], path: Path) -> int:
    """Write one JSON line for each item, with what a clinician must see and empty verdict fields; return how many.

    The file is its owner's alone (0600).
    """
    count = 0
    with io.TextIOWrapper(open_private_file(path, "wb"), encoding="utf-8") as file:
        for item in items:
            record = {
                "id": item.id,
                "task": item.task,
                "conversation": [{"role": message.role, "text": message.text} for message in item.messages],
                "options": list(item.options),
                "answer": item.answer,
                "images": list(item.images),
                "source": f"{item.provenance.source_title or item.provenance.source_id}, {item.provenance.source_locator}",
                "context": list(item.context),
                "review_status": "",
                "review_group": "",
                "review_verdict": "",
                "reviewed_at": "",
            }
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def load_verdicts(path: Path) -> dict[str, Verdict]:
    """Read verdicts by item id; lines whose ``review_status`` is empty were not reviewed yet and are left out.

    Raises ValueError, naming the line, if a status is not one of schema.REVIEW_STATUSES or a field is missing.
    """
    fields = [field.name for field in dataclasses.fields(Verdict)]
    verdicts: dict[str, Verdict] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        record = json.loads(line)
        if not record.get("review_status"):
            continue
        if record["review_status"] not in REVIEW_STATUSES[1:]:
            raise ValueError(
                f"{path} line {number}: review_status {record['review_status']!r}, choose from {REVIEW_STATUSES[1:]}"
            )
        missing = [name for name in ("id", "review_group", "reviewed_at") if not record.get(name)]
        if missing:
            raise ValueError(f"{path} line {number}: {missing} must be filled in for a reviewed item")
        verdicts[record["id"]] = Verdict(**{name: record[name] for name in fields if name in record})
    return verdicts


def apply_verdicts(item: Item, verdicts: dict[str, Verdict]) -> Item | Reject:
    """Return the item with its verdict, or, if it was removed, a Reject; of a hospital's item without their words."""
    verdict = verdicts.get(item.id)
    if verdict is None:
        return item
    if verdict.review_status == "removed":
        private = find_kind(item.provenance.source_kind).is_private  # what was said of a patient's text may quote it
        detail = "" if private else verdict.review_verdict or ""
        return Reject(item.provenance.source_id, "removed_by_reviewer", detail, item.id)
    review = Review(verdict.review_status, verdict.review_group, verdict.review_verdict, verdict.reviewed_at)
    if verdict.review_status == "accepted":
        return dataclasses.replace(item, review=review)
    messages = item.messages
    if verdict.response:
        messages = (*messages[:-1], Message("assistant", verdict.response))
    answer = verdict.answer if verdict.answer is not None else item.answer
    return dataclasses.replace(item, review=review, messages=messages, answer=answer)
