"""Check and record what reviewers decide, whether on the page or in a file, and say what each has to do."""

import dataclasses
import datetime
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataset_builders.review.corrections import changes_of, correct_item, editable
from dataset_builders.review.decisions import UNDO, VERDICTS, Decision, DecisionLog, effective
from dataset_builders.review.folder import Study, is_private
from dataset_builders.review.reasons import Reason
from dataset_builders.review.refusals import Refused
from dataset_builders.review.workflow import Standing, Task, is_relied_on, stand


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a reviewer says of an item, before it is checked; fields as in decisions.Decision.

    corrected   the fields as they should be, also those that did not change.
    time        if it was made elsewhere and earlier.
    """

    key: str
    item: str
    item_sha256: str
    stage: str
    verdict: str
    reasons: tuple[str, ...] = ()
    comment: str = ""
    corrected: Mapping[str, Any] | None = None
    second_look: bool = False
    seconds: float | None = None
    source: str = "page"
    data_set: str | None = None
    time: str | None = None


class Desk:
    """One review with its log open. Requests of several threads may come at once."""

    def __init__(self, study: Study, log: DecisionLog, reasons: Mapping[str, Reason]):
        self.study = study
        self.log = log
        self.reasons = reasons
        self._standings = study.standings(log.decisions)
        self._by_item: dict[str, list[Decision]] = defaultdict(list)
        for decision in log.decisions:
            self._by_item[decision.item].append(decision)
        self._images = {image for item in study.items.values() for image in item.images}
        self._images |= {image.sha256 for images in study.slices.values() for image in images}
        self._lock = threading.Lock()

    def tasks_of(self, reviewer: str) -> list[Task]:
        """Return a reviewer's tasks, done and to do, in the order to show them."""
        return self.study.tasks_of(reviewer, dict(self._standings))

    def describe(self, reviewer: str, item_id: str) -> dict[str, Any]:
        """Return what the page shows of an item; what others decided only if this reviewer checks or adjudicates it.

        Raises Refused "unknown_item" or "not_assigned".
        """
        item = self.study.items.get(item_id)
        if item is None:
            raise Refused("unknown_item", f"{item_id}: no item of this review", 404)
        task = self._task(reviewer, item_id)
        source, made = item.provenance, self._standings[item_id].made
        earlier = [one for one in made if one.reviewer != reviewer] if task.stage != "first" else []
        fields = editable(item)
        return {
            "id": item.id,
            "sha256": self.study.hashes[item.id],
            "stage": task.stage,
            "task": item.task,
            "language": item.language,
            "rule": item.generation.prompt_id,
            "roles": [message.role for message in item.messages],
            "images": [list(message.images) for message in item.messages],
            "dimensions": [line.dimension for line in item.rubric],
            "fields": fields,
            "context": list(item.context),
            "quotes": [dataclasses.asdict(quote) for quote in item.evidence],
            "figure": item.figure,
            "source": {
                "title": source.source_title,
                "id": source.source_id,
                "locator": source.source_locator,
                "kind": source.source_kind,
                "licence": source.source_licence,
                "doi": source.source_doi,
                "url": source.source_url,
            },
            "private": is_private(item),
            "slices": [dataclasses.asdict(image) for image in self.study.slices[item.id]],
            "decision": _shown(task.decision, item) if task.decision else None,
            "earlier": [_shown(decision, item) for decision in earlier],
        }

    def shows(self, sha256: str) -> bool:
        """Tell whether an image belongs to the review."""
        return sha256 in self._images

    def record(self, reviewer: str, judgement: Judgement) -> Decision:
        """Check a judgement and append it to the log; the same key twice is one decision.

        Raises Refused, naming what is wrong. Nothing is changed then.
        """
        return self.record_all([(reviewer, judgement)])[0]

    def record_all(self, judgements: Sequence[tuple[str, Judgement]]) -> list[Decision]:
        """Check judgements and append all or, if one is refused, none. What repeats a decision that holds is not written."""
        with self._lock:
            known = {decision.key: decision for decision in self.log.decisions}
            fresh: list[Decision] = []
            result = []
            try:
                for reviewer, judgement in judgements:
                    decision = known.get(judgement.key)
                    if decision is None:
                        decision = self._check(reviewer, judgement, len(self.log.decisions) + len(fresh) + 1)
                    elif _meant(reviewer, judgement) != _meant(decision.reviewer, decision):
                        raise Refused("key_used", f"{judgement.item}: the key of this decision is that of another one", 409)
                    if decision.key not in known and decision.number > len(self.log.decisions):
                        known[decision.key] = decision
                        fresh.append(decision)
                        self._add(decision)
                    result.append(decision)
                self.log.extend(fresh)
            except (Refused, OSError):
                for decision in reversed(fresh):
                    self._take_away(decision)
                raise
            return result

    def undo(self, reviewer: str, key: str) -> Decision:
        """Take back the reviewer's latest decision that holds.

        Raises Refused "nothing_to_undo", or "already_decided" if somebody went on from it.
        """
        with self._lock:
            for decision in self.log.decisions:
                if decision.key == key:
                    return decision
            held = [one for one in effective(self.log.decisions) if one.reviewer == reviewer]
            if not held:
                raise Refused("nothing_to_undo", "You have decided nothing that could be taken back.", 409)
            last = held[-1]
            self._refuse_if_relied_on(last)
            undone = self.log.append(
                dataclasses.replace(
                    last, key=key, time=_now(), verdict=UNDO, undoes=last.number, reasons=(), comment="", corrected=None,
                    second_look=False, seconds=None, number=0,
                )
            )  # fmt: skip
            self._add(undone)
            return undone

    def standing(self, item_id: str) -> Standing:
        return self._standings[item_id]

    def _check(self, reviewer: str, judgement: Judgement, number: int) -> Decision:
        """Return the decision, numbered; if the reviewer decided the same before and that holds, the one that is there."""
        if reviewer not in self.study.reviewers:
            raise Refused("unknown_reviewer", f"{judgement.item}: {reviewer!r} is no reviewer of this review", 404)
        item = self.study.items.get(judgement.item)
        if item is None:
            raise Refused("unknown_item", f"{judgement.item}: no item of this review", 404)
        if judgement.data_set not in (None, self.study.data_set):
            raise Refused(
                "other_data_set",
                f"{judgement.item}: judged in data set {judgement.data_set:.12}, this review is of {self.study.data_set:.12}",
                409,
            )
        if judgement.item_sha256 != self.study.hashes[item.id]:
            raise Refused("item_changed", f"{item.id}: another version of the item was judged; reload the page", 409)
        stage = self._task(reviewer, item.id, judgement.stage).stage
        if judgement.verdict not in VERDICTS:
            raise Refused("unknown_verdict", f"{item.id}: {judgement.verdict!r}; choose from {', '.join(VERDICTS)}", 422)
        self._check_reasons(judgement)
        corrected = None
        if judgement.verdict == "correct":
            try:
                corrected = changes_of(item, judgement.corrected or {})
            except ValueError as error:
                raise Refused("bad_correction", str(error), 422) from error
            if not corrected:
                raise Refused("nothing_changed", f"{item.id}: a correction changes at least one field", 422)
        decision = Decision(
            key=judgement.key, time=judgement.time or _now(), reviewer=reviewer,
            group=self.study.reviewers[reviewer].group, item=item.id,
            item_sha256=judgement.item_sha256, data_set=self.study.data_set, stage=stage, verdict=judgement.verdict,
            reasons=judgement.reasons, comment=judgement.comment.strip(), corrected=corrected,
            second_look=judgement.second_look, seconds=judgement.seconds, source=judgement.source, number=number,
        )  # fmt: skip
        for before in self._standings[item.id].made:
            if (before.reviewer, before.stage) == (reviewer, stage):
                if _says(before) == _says(decision):
                    return before
                self._refuse_if_relied_on(before)
        return decision

    def _check_reasons(self, judgement: Judgement) -> None:
        unknown = [code for code in judgement.reasons if code not in self.reasons]
        if unknown:
            raise Refused("unknown_reason", f"{judgement.item}: {unknown[0]!r}; choose from {', '.join(self.reasons)}", 422)
        if judgement.verdict == "accept" and judgement.reasons:
            raise Refused("reason_of_accept", f"{judgement.item}: reasons belong to corrections and removals", 422)
        if judgement.verdict != "accept" and not judgement.reasons:
            raise Refused("reason_missing", f"{judgement.item}: give at least one reason", 422)
        if "other" in judgement.reasons and not judgement.comment.strip():
            raise Refused("comment_missing", f"{judgement.item}: say in the comment what the other reason is", 422)

    def _task(self, reviewer: str, item_id: str, stage: str = "") -> Task:
        """Return the reviewer's task on an item: the latest, or that of ``stage``."""
        only = {item_id: self._standings[item_id]}
        for task in self.study.tasks_of(reviewer, only):
            if stage in ("", task.stage):
                return task
        raise Refused("not_assigned", f"{item_id}: not yours{f' at the stage {stage}' if stage else ''}", 403)

    def _refuse_if_relied_on(self, decision: Decision) -> None:
        if is_relied_on(decision, self._standings[decision.item]):
            raise Refused("already_decided", f"{decision.item}: a colleague went on from your decision; it stays as it is", 409)

    def _add(self, decision: Decision) -> None:
        self._by_item[decision.item].append(decision)
        self._settle(decision.item)

    def _take_away(self, decision: Decision) -> None:
        self._by_item[decision.item].remove(decision)
        self._settle(decision.item)

    def _settle(self, item: str) -> None:
        self._standings[item] = stand(self.study.raters[item], self.study.checkers[item], effective(self._by_item[item]))


def _meant(reviewer: str, judged: Judgement | Decision) -> tuple[str, str, str, str, tuple[str, ...]]:
    """Return what makes two judgements with the same key the same; the comment may have been trimmed."""
    return reviewer, judged.item, judged.stage, judged.verdict, judged.reasons


def _says(decision: Decision) -> tuple[Any, ...]:
    return decision.verdict, set(decision.reasons), decision.comment, decision.corrected, decision.second_look


def _shown(decision: Decision, item: Any) -> dict[str, Any]:
    """Return a decision without who made it; ``fields`` is the whole item as corrected."""
    fields = editable(correct_item(item, decision.corrected)) if decision.corrected else None
    return {
        "stage": decision.stage,
        "verdict": decision.verdict,
        "reasons": list(decision.reasons),
        "comment": decision.comment,
        "fields": fields,
        "second_look": decision.second_look,
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
