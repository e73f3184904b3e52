"""Report what a review says of each rule and prompt version, so that its author knows what to mend first.

    report.html, report.md   progress, agreement, and for each prompt: share unfit, reasons, examples with what was changed
    report.csv               one line for each prompt version and reason

Of hospital items only the id is named: comments and corrections may quote a patient's text.
"""

import csv
import difflib
import io
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape
from statsmodels.stats.proportion import proportion_confint

from dataset_builders.item import Item
from dataset_builders.private_files import write_private
from dataset_builders.review.agreement import Agreement, measure_agreement
from dataset_builders.review.corrections import editable
from dataset_builders.review.decisions import Decision, effective
from dataset_builders.review.folder import Study, is_private
from dataset_builders.review.reasons import Reason
from dataset_builders.review.workflow import ADJUDICATION, DONE, Standing

EXAMPLES = 3
_AROUND = 60  # characters shown on each side of a change


@dataclass(frozen=True, slots=True)
class Example:
    """One item with a reason: its comment, and each change as (field, before, after); neither of a hospital's item."""

    item: str
    verdict: str
    comment: str
    changes: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Complaint:
    """A reason given to items of one prompt version."""

    reason: Reason
    items: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class PromptResult:
    """What reviewers said of the items of one prompt version ("rules/level_of_finding@1").

    unfit_interval   Wilson's 95 % interval of the share that was corrected or removed.
    """

    prompt: str
    items: int
    accepted: int
    corrected: int
    removed: int
    unfit: float
    unfit_interval: tuple[float, float]
    complaints: tuple[Complaint, ...]

    @property
    def rule(self) -> str:
        return self.prompt.partition("@")[0]


@dataclass(frozen=True, slots=True)
class ReviewerResult:
    """How far a reviewer has come; ``seconds`` is the median time for an item."""

    pseudonym: str
    group: str
    done: int
    assigned: int
    accepted: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Results:
    """All that the report shows; ``stuck`` are items that wait for a colleague whom the plan does not have."""

    data_set: str
    items: int
    standings: Mapping[str, int]
    stuck: int
    agreement: Mapping[str, Agreement]
    prompts: tuple[PromptResult, ...]
    reviewers: tuple[ReviewerResult, ...]


def gather_results(study: Study, decisions: Sequence[Decision], reasons: Mapping[str, Reason], *, draws: int = 1000) -> Results:
    """Count and measure a review as it stands; ``draws`` are those of the bootstrap."""
    found = study.standings(decisions)
    held = effective(decisions)
    cases = {id: item.provenance.case_id or item.provenance.source_id for id, item in study.items.items()}
    by_prompt: dict[str, list[str]] = defaultdict(list)
    for id, standing in found.items():
        if standing.made:
            by_prompt[study.items[id].generation.prompt_id].append(id)
    prompts = [_prompt(prompt, ids, study, found, reasons) for prompt, ids in by_prompt.items()]
    prompts.sort(key=lambda result: (-result.unfit_interval[0], -result.unfit, result.prompt))
    nobody = [
        id
        for id, standing in found.items()
        if standing.status == ADJUDICATION
        and (study.adjudicators if any(one.stage == "second_look" for one in standing.made) else study.checkers)[id] is None
    ]
    return Results(
        study.data_set,
        len(found),
        Counter(standing.status for standing in found.values()),
        len(nobody),
        measure_agreement(held, cases, tuple(reasons), draws=draws),
        tuple(prompts),
        tuple(_reviewer(name, study, held) for name in study.reviewers),
    )


def write_report(results: Results, reasons: Mapping[str, Reason], folder: Path) -> tuple[Path, Path, Path]:
    """Write report.html, report.md and report.csv (0600) into ``folder``; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = Environment(
        loader=PackageLoader("dataset_builders.review", "page"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": _share, "number": _number, "interval": _interval}
    paths = folder / "report.html", folder / "report.md", folder / "report.csv"
    named = {code: reason.en for code, reason in reasons.items()} | {"verdict": "verdict (accept, correct, remove)"}
    write_private(paths[0], environment.get_template("report.html").render(results=results, named=named))
    write_private(paths[1], _markdown(results, named))
    write_private(paths[2], _table(results))
    return paths


def _prompt(
    prompt: str, ids: Sequence[str], study: Study, found: Mapping[str, Standing], reasons: Mapping[str, Reason]
) -> PromptResult:
    verdicts: Counter[str] = Counter()
    complaints: dict[str, list[Example]] = defaultdict(list)
    for id in ids:
        deciding = _deciding(found[id])
        worst = max(deciding, key=lambda decision: ("accept", "correct", "remove").index(decision.verdict))
        verdicts[worst.verdict] += 1
        for code in dict.fromkeys(code for decision in deciding for code in decision.reasons):
            decision = next(one for one in deciding if code in one.reasons)
            complaints[code].append(_example(study.items[id], decision))
    unfit = verdicts["correct"] + verdicts["remove"]
    low, high = proportion_confint(unfit, len(ids), method="wilson")
    listed = [
        Complaint(reasons.get(code, Reason(code, code, code)), len(examples), tuple(examples[:EXAMPLES]))
        for code, examples in sorted(complaints.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    ]
    return PromptResult(
        prompt, len(ids), verdicts["accept"], verdicts["correct"], verdicts["remove"], unfit / len(ids),
        (float(low), float(high)), tuple(listed),
    )  # fmt: skip


def _deciding(standing: Standing) -> list[Decision]:
    """Return the decisions that say what became of an item: those that say the same as the final one, else the blind ones."""
    if standing.status == DONE and standing.final is not None:
        return [
            one
            for one in standing.made
            if one.verdict == standing.final.verdict and one.stage in ("first", standing.final.stage)
        ]
    return [one for one in standing.made if one.stage == "first"]


def _example(item: Item, decision: Decision) -> Example:
    if is_private(item):
        return Example(item.id, decision.verdict, "", ())
    before = editable(item)
    changes = []
    for name, after in (decision.corrected or {}).items():
        pairs = zip(before[name], after) if name in ("turns", "options", "rubric") else [(before[name], after)]
        changes += [(name, *_shorten(_text(old), _text(new))) for old, new in pairs if old != new]
    return Example(item.id, decision.verdict, decision.comment, tuple(changes))


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "–")


def _shorten(old: str, new: str) -> tuple[str, str]:
    """Cut both texts to what lies between their first and last difference, with some words around."""
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if len(old) * len(new) < 4e6 else []
    changed = [block for block in blocks if block[0] != "equal"]
    if not changed:
        return old, new

    def cut(text: str, start: int, end: int) -> str:
        low, high = max(start - _AROUND, 0), min(end + _AROUND, len(text))
        return f"{'…' if low else ''}{text[low:high]}{'…' if high < len(text) else ''}"

    return cut(old, changed[0][1], changed[-1][2]), cut(new, changed[0][3], changed[-1][4])


def _reviewer(name: str, study: Study, held: Iterable[Decision]) -> ReviewerResult:
    made = [decision for decision in held if decision.reviewer == name]
    first = [decision for decision in made if decision.stage == "first"]
    seconds = [decision.seconds for decision in made if decision.seconds is not None]
    return ReviewerResult(
        name,
        study.reviewers[name].group,
        len(first),
        sum(name in raters for raters in study.raters.values()),
        sum(decision.verdict == "accept" for decision in first) / len(first) if first else None,
        statistics.median(seconds) if seconds else None,
    )


def _markdown(results: Results, named: Mapping[str, str]) -> str:
    states = ", ".join(f"{count} {status}" for status, count in sorted(results.standings.items()))
    lines = [f"# Review of data set {results.data_set[:12]}", "", f"{results.items} items: {states}.", ""]
    if results.stuck:
        lines += [f"{results.stuck} items wait for a third colleague, whom this plan does not have.", ""]
    lines += ["| Agreement on | items | cases | given | same | Krippendorff α | Fleiss κ |", "|---|--:|--:|--:|--:|---|---|"]
    for name, one in results.agreement.items():
        alpha, kappa = (f"{_number(value)} {_interval(interval)}" for value, interval in
                        ((one.alpha, one.alpha_interval), (one.kappa, one.kappa_interval)))  # fmt: skip
        shares = f"{_share(one.given)} | {_share(one.same)}"
        lines.append(f"| {named.get(name, name)} | {one.items} | {one.cases} | {shares} | {alpha} | {kappa} |")
    lines += ["", "| Prompt or rule | items | accepted | corrected | removed | unfit (95 %) | reasons |"]
    lines += ["|---|--:|--:|--:|--:|---|---|"]
    for result in results.prompts:
        low, high = result.unfit_interval
        why = ", ".join(f"{complaint.reason.code} {complaint.items}" for complaint in result.complaints) or "–"
        lines.append(
            f"| {result.prompt} | {result.items} | {result.accepted} | {result.corrected} | {result.removed} | "
            f"{_share(result.unfit)} ({_share(low)}–{_share(high)}) | {why} |"
        )
    for result in results.prompts:
        for complaint in result.complaints:
            lines += ["", f"**{result.prompt}: {complaint.reason.en}** ({complaint.items})", ""]
            for example in complaint.examples:
                lines.append(
                    f"- {example.item}, {example.verdict}" + (f": {_plain(example.comment)}" if example.comment else "")
                )
                lines += [f"  - {name}: {_plain(old)} → {_plain(new)}" for name, old, new in example.changes]
    return "\n".join(lines) + "\n"


def _table(results: Results) -> str:
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(
        ("rule", "prompt", "items", "accepted", "corrected", "removed", "unfit", "low", "high", "reason", "given", "examples")
    )
    for one in results.prompts:
        row = (
            one.rule,
            one.prompt,
            one.items,
            one.accepted,
            one.corrected,
            one.removed,
            *(f"{v:.3f}" for v in (one.unfit, *one.unfit_interval)),
        )
        for complaint in one.complaints:
            writer.writerow((*row, complaint.reason.code, complaint.items, " ".join(e.item for e in complaint.examples)))
        if not one.complaints:
            writer.writerow((*row, "", 0, ""))
    return output.getvalue()


def _plain(text: str) -> str:
    """Return a text as one line without what Markdown or HTML would read."""
    return " ".join("".join(f"&#{ord(sign)};" if sign in "<>&|`[]*_" else sign for sign in text).split())


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _interval(value: tuple[float, float] | None) -> str:
    return "" if value is None else f"({value[0]:.2f} to {value[1]:.2f})"
