"""Score reports on the ten dimensions: by an LLM that answers in XML, or by the embedded rules (rules_judge.py).

A judge that fails is a failure: recorded with its reason, counted, left out of the score and tried again by the next run. It
is never replaced by another judge or by a default score.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree
from tqdm import tqdm

from dataset_builders.taxonomy import SCORED_DIMENSIONS
from evaluation.benchmark import Benchmark, BenchmarkItem
from evaluation.prompts import load_prompt
from evaluation.records import JUDGEMENTS, append_lines, read_lines
from evaluation.rules_judge import RULES_JUDGE, judge_by_rules

ATTEMPTS = 3

_JUDGEMENT = re.compile(r"<judgement\b.*</judgement>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Judge:
    """A judge. ``score`` takes an item and a report, returns dimension -> (1-5, reason), and raises JudgeError."""

    id: str
    prompt_id: str | None
    score: Callable[[BenchmarkItem, str], Mapping[str, tuple[int, str]]]


class JudgeError(Exception):
    """A judge gave no usable answer; the message says why."""


Conversation = Sequence[Mapping[str, str]]
"""Chat messages: role ("user" or "assistant") and content."""


def rules_judge() -> Judge:
    """Return the embedded judge, which is labelled as not an LLM."""

    def score(item: BenchmarkItem, report: str) -> dict[str, tuple[int, str]]:
        scores = judge_by_rules(item.question, item.answer, report, _rubric(item))
        return {dimension: (value, "") for dimension, value in scores.items()}

    return Judge(RULES_JUDGE, None, score)


def llm_judge(name: str, ask: Callable[[Conversation, bool], str]) -> Judge:
    """Make a judge of a chat endpoint. ``ask(messages, is_hospital)`` returns the model's text or raises JudgeError.

    If an answer is not the XML asked for, the question is repeated with what was wrong, ATTEMPTS times in all.
    """
    prompt = load_prompt("judge_report")

    def score(item: BenchmarkItem, report: str) -> dict[str, tuple[int, str]]:
        rubric = "\n".join(f"- {dimension}: {criterion}" for dimension, criterion in _rubric(item))
        fields = {"question": item.question, "reference": item.answer, "rubric": rubric, "report": report}
        text = prompt.fill(item.language, **{name: escape(value) for name, value in fields.items()})
        messages: list[Mapping[str, str]] = [{"role": "user", "content": text}]
        reason = ""
        for _ in range(ATTEMPTS):
            answer = ask(messages, item.is_hospital)
            try:
                return parse_judgement(answer)
            except JudgeError as error:
                reason = str(error)
                messages += [
                    {"role": "assistant", "content": answer},
                    {
                        "role": "user",
                        "content": f"That answer cannot be used: {reason}. Answer with the XML asked for and nothing else.",
                    },
                ]
        raise JudgeError(f"{ATTEMPTS} answers could not be used; the last: {reason}")

    return Judge(name, prompt.id, score)


def parse_judgement(text: str) -> dict[str, tuple[int, str]]:
    """Read dimension -> (score 1-5, reason) from a judge's XML. Raises JudgeError saying what is missing or wrong.

    The XML is a model's output: no entities are resolved, nothing is fetched.
    """
    found = _JUDGEMENT.search(text)
    if not found:
        raise JudgeError("no <judgement> element")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)
    try:
        root = etree.fromstring(found.group(), parser)
    except etree.XMLSyntaxError as error:
        raise JudgeError(f"no well-formed XML ({error})") from error
    scores: dict[str, tuple[int, str]] = {}
    for element in root.iter("score"):
        dimension, value = element.get("dimension", ""), element.get("value", "")
        if dimension not in SCORED_DIMENSIONS:
            raise JudgeError(f"unknown dimension {dimension!r}")
        if dimension in scores:
            raise JudgeError(f"{dimension} is scored twice")
        if value.strip() not in ("1", "2", "3", "4", "5"):
            raise JudgeError(f"{dimension} has the value {value!r}; whole numbers of 1 to 5 are scores")
        scores[dimension] = (int(value), "".join(element.itertext()).strip())
    missing = [dimension for dimension in SCORED_DIMENSIONS if dimension not in scores]
    if missing:
        raise JudgeError(f"no score for {', '.join(missing)}")
    return scores


def judge_reports(
    judge: Judge, benchmark: Benchmark, predictions: Sequence[Mapping[str, Any]], output: Path
) -> list[dict[str, Any]]:
    """Judge every answer of a task whose metric is "judge" and return one record each, in the benchmark's order.

    Resumes from judgements.jsonl.

    A record has ``scores`` (dimension -> 1-5) and ``reasons``, or ``error``.
    """
    path = output / JUDGEMENTS
    done = {record["id"]: record for record in read_lines(path) if record["judge"] == judge.id and record["error"] is None}
    reports = {prediction["id"]: prediction["text"] for prediction in predictions}
    items = [item for item in benchmark.items if item.rules.metric == "judge"]
    for item in tqdm(items, desc="judge", unit="report"):
        if item.id in done:
            continue
        record: dict[str, Any] = {"id": item.id, "judge": judge.id, "prompt_id": judge.prompt_id, "error": None}
        try:
            scored = judge.score(item, reports[item.id])
        except JudgeError as error:
            record |= {"scores": None, "reasons": None, "error": str(error)}
        else:
            record["scores"] = {dimension: value for dimension, (value, _) in scored.items()}
            record["reasons"] = {dimension: reason for dimension, (_, reason) in scored.items() if reason}
        append_lines(path, [record])
        done[item.id] = record
    return [done[item.id] for item in items]


def _rubric(item: BenchmarkItem) -> list[tuple[str, str]]:
    return [(line["dimension"], line["criterion"]) for line in item.row["rubric"]]
