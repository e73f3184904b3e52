"""Reward a reply to a multiple choice or level question by what its last lines say.

    Levels: L5, L4/L5        vertebrae and discs concerned, in canonical names only
    Answer: B                letter of the right option, several if several are right

    answer_reward     1 for the right option
    level_reward      F1 of the named levels against the row's
    format_reward     share of the wanted lines that are there and well formed

The three have the signature that TRL's GRPOTrainer calls; a question to which a reward does not apply gets None, which TRL
leaves out. What a reply says twice, or anywhere but in its last lines, is not counted: hedging must not pay.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

LEVELS, ANSWER = "Levels", "Answer"
VERTEBRAE = (
    *(f"C{number}" for number in range(1, 8)),
    *(f"T{number}" for number in range(1, 14)),
    *(f"L{number}" for number in range(1, 7)),
    *(f"S{number}" for number in range(1, 6)),
    "Co",
)
# Every pair of neighbours, with and without T13 and L6: the names that the data set's columns have.
DISCS = frozenset(
    f"{upper}/{lower}"
    for column in (VERTEBRAE, [name for name in VERTEBRAE if name not in ("T13", "L6")])
    for upper, lower in pairwise(column)
)
_NAMES = frozenset(VERTEBRAE) | DISCS


def wanted_lines(choices: str | None, levels: Sequence[str]) -> tuple[str, ...]:
    """Return which of the two lines a question asks for, from its option letters ``choices`` and its ``levels``."""
    return tuple(name for name, asked in ((LEVELS, levels), (ANSWER, choices)) if asked)


def last_lines(text: str, wanted: Sequence[str]) -> dict[str, str]:
    """Read the last ``len(wanted)`` lines by name; a name that is out of place, or occurs twice, is missing."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    places = dict(zip(wanted, lines[-len(wanted) :])) if len(lines) >= len(wanted) else {}
    return {
        name: line.removeprefix(f"{name}: ")
        for name, line in places.items()
        if line.startswith(f"{name}: ") and sum(other.startswith(f"{name}:") for other in lines) == 1
    }


def parse_levels_line(value: str) -> frozenset[str] | None:
    """Read canonical names between commas; None if one is not a name or occurs twice.

    A disc stands for itself: a vertebra that is an end of a named disc adds nothing.
    """
    names = value.split(", ")
    if len(set(names)) < len(names) or not _NAMES.issuperset(names):
        return None
    return stand_alone(names)


def stand_alone(names: Sequence[str]) -> frozenset[str]:
    """Keep the discs, and the vertebrae that are not the end of one of them, as the benchmark counts levels."""
    ends = {end for name in names if "/" in name for end in name.split("/")}
    return frozenset(name for name in names if name not in ends)


def parse_answer_line(value: str, choices: str) -> str | None:
    """Read option letters and return them in order ("B", "ACD"); None if one is not an option's or occurs twice."""
    return value if value and "".join(sorted(set(value) & set(choices))) == value else None


def score_answer(text: str, choices: str, answer: str, levels: Sequence[str]) -> float:
    """Return 1 if the reply's answer is ``answer``, else 0."""
    value = last_lines(text, wanted_lines(choices, levels)).get(ANSWER, "")
    return float(parse_answer_line(value, choices) == answer)


def score_levels(text: str, choices: str | None, levels: Sequence[str]) -> float:
    """Return the F1 of the reply's levels against ``levels``; 0 if its line is missing or malformed."""
    named = parse_levels_line(last_lines(text, wanted_lines(choices, levels)).get(LEVELS, ""))
    reference = stand_alone(levels)
    return 2 * len(named & reference) / (len(named) + len(reference)) if named else 0.0


def score_format(text: str, choices: str | None, levels: Sequence[str]) -> float:
    """Return the share of the wanted lines that the reply has, well formed, whatever they say."""
    wanted = wanted_lines(choices, levels)
    said = last_lines(text, wanted)
    parsed = [
        parse_levels_line(said[name]) if name == LEVELS else parse_answer_line(said[name], choices or "") for name in said
    ]
    return sum(value is not None for value in parsed) / len(wanted)


def answer_reward(completions: Sequence[Any], **columns: Any) -> list[float | None]:
    """Return ``score_answer`` of each completion; None for a question without options."""
    return [
        score_answer(_text(completion), row["choices"], row["answer"], row["levels"]) if row["choices"] else None
        for completion, row in _with_rows(completions, columns)
    ]


def level_reward(completions: Sequence[Any], **columns: Any) -> list[float | None]:
    """Return ``score_levels`` of each completion; None for a question about no level."""
    return [
        score_levels(_text(completion), row["choices"], row["levels"]) if row["levels"] else None
        for completion, row in _with_rows(completions, columns)
    ]


def format_reward(completions: Sequence[Any], **columns: Any) -> list[float | None]:
    """Return ``score_format`` of each completion."""
    return [
        score_format(_text(completion), row["choices"], row["levels"]) for completion, row in _with_rows(completions, columns)
    ]


REWARDS = (answer_reward, level_reward, format_reward)


def _with_rows(completions: Sequence[Any], columns: Mapping[str, Any]) -> list[tuple[Any, dict[str, Any]]]:
    names = ("choices", "answer", "levels")
    return [
        (completion, dict(zip(names, values))) for completion, *values in zip(completions, *(columns[name] for name in names))
    ]


def _text(completion: Sequence[Mapping[str, str]]) -> str:
    """Return the words of a completion, which is one assistant message."""
    return completion[-1]["content"]
