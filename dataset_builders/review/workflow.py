"""Say where an item stands by the decisions made so far, and what each reviewer has to do next.

    raters ──▶ one, accepted or removed ───────────────────────────────▶ done
           ──▶ one, corrected (or a second look asked) ─▶ second look ─▶ done if confirmed, else adjudication
           ──▶ two, the same ──────────────────────────────────────────▶ done
           ──▶ two, not the same ─▶ adjudication by somebody else ─────▶ done

Raters do not see each other's verdicts. Who takes a second look or adjudicates sees all of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dataset_builders.review.decisions import Decision, effective

OPEN, SECOND_LOOK, ADJUDICATION, DONE = "open", "second_look", "adjudication", "done"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an item stands.

    status   "open", "second_look", "adjudication" or "done".
    final    the decision that counts if it is done.
    made     the decisions that hold, in their order.
    """

    status: str
    final: Decision | None
    made: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """An item for one reviewer, at a stage of decisions.STAGES; ``decision`` is what they decided, None if it is to do."""

    item: str
    stage: str
    decision: Decision | None


def standings(
    raters: Mapping[str, Sequence[str]], checkers: Mapping[str, str | None], decisions: Iterable[Decision]
) -> dict[str, Standing]:
    """Return where each item stands.

    raters     item -> who rates it; checkers: item -> who looks again or adjudicates, None if nobody can.
    """
    by_item: dict[str, list[Decision]] = defaultdict(list)
    for decision in effective(decisions):
        by_item[decision.item].append(decision)
    return {item: stand(names, checkers[item], by_item.get(item, ())) for item, names in raters.items()}


def stand(raters: Sequence[str], checker: str | None, made: Sequence[Decision]) -> Standing:
    """Return where an item stands, by the decisions on it that hold (as ``standings``)."""
    first = [decision for decision in made if decision.stage == "first"]
    looks = [decision for decision in made if decision.stage == SECOND_LOOK]
    adjudications = [decision for decision in made if decision.stage == ADJUDICATION]
    status, final = DONE, first[0] if first else None
    if len(first) < len(raters):
        status = OPEN
    elif adjudications:
        final = adjudications[-1]
    elif len(first) > 1:
        if not _same(first[0], first[1]) or any(decision.second_look for decision in first):
            status = ADJUDICATION
    elif (first[0].verdict == "correct" or first[0].second_look) and checker is not None:
        if not looks:
            status = SECOND_LOOK
        elif looks[-1].verdict != "accept" and not _same(first[0], looks[-1]):
            status = ADJUDICATION
    return Standing(status, final if status == DONE else None, tuple(made))


def tasks_of(
    reviewer: str,
    raters: Mapping[str, Sequence[str]],
    checkers: Mapping[str, str | None],
    adjudicators: Mapping[str, str | None],
    found: Mapping[str, Standing],
) -> list[Task]:
    """Return a reviewer's tasks: adjudications and second looks first, then their own items in the order of the plan.

    adjudicators   item -> who adjudicates once the checker has taken a side.
    """
    tasks: dict[str, list[Task]] = {ADJUDICATION: [], SECOND_LOOK: [], "first": []}
    for item, standing in found.items():
        own = {decision.stage: decision for decision in standing.made if decision.reviewer == reviewer}
        if reviewer in raters[item]:
            tasks["first"].append(Task(item, "first", own.get("first")))
        looked = any(decision.stage == SECOND_LOOK for decision in standing.made)
        if reviewer == checkers[item] and (standing.status == SECOND_LOOK or SECOND_LOOK in own):
            tasks[SECOND_LOOK].append(Task(item, SECOND_LOOK, own.get(SECOND_LOOK)))
        adjudicator = (adjudicators if looked else checkers)[item]
        if reviewer == adjudicator and (standing.status == ADJUDICATION or ADJUDICATION in own):
            tasks[ADJUDICATION].append(Task(item, ADJUDICATION, own.get(ADJUDICATION)))
    return [task for stage in tasks.values() for task in stage]


def is_relied_on(decision: Decision, standing: Standing) -> bool:
    """Tell whether a later stage was built on a decision, so that it can no longer be changed or taken back."""
    order = ("first", SECOND_LOOK, ADJUDICATION)
    return any(order.index(later.stage) > order.index(decision.stage) for later in standing.made)


def _same(one: Decision, other: Decision) -> bool:
    return one.verdict == other.verdict and one.corrected == other.corrected
