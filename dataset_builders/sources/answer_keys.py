"""Prove how a file's answer keys are meant: as letters, as the options' texts, or as numbers that count from 0 or from 1.

A key that is read wrongly is a wrong answer in every row, so nothing is assumed. What proves that numbers count from 0 or 1, in
this order: sources.yaml; numbers in the options' names; a number that fits one base only (0, or the number of options);
explanations that name one option's text. If none of them does, the file is rejected with what to declare.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dataset_builders.characters import comparable
from dataset_builders.sources.answer_options import Options
from dataset_builders.taxonomy import LETTERS

MIN_VOTES = 2
"""Fewest explanations that name one option which a number may mean, for them to prove a base (ours)."""
MIN_AGREEMENT = 0.9
"""Share of those explanations that must agree (ours): explanations name wrong options, too."""


class BadKey(Exception):
    """Why an answer names no option, or not one for certain: a reason to count by, and what is wrong."""

    def __init__(self, reason: str, detail: str):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Keyed:
    """A row's options, its answer as the table has it, and its explanation ("" if it has none)."""

    options: Options
    answer: Any
    explanation: str = ""


@dataclass(slots=True)
class Keys:
    """How a file's answers are meant.

    first      what the first option's number is, 0 or 1; None if nothing proves it.
    evidence   what proves ``first``, in words.
    kinds      "letter", "number", "text" -> how many answers can only be that.
    """

    first: int | None = None
    evidence: str = ""
    kinds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("letter", "number", "text"), 0))

    @property
    def are_unproven_numbers(self) -> bool:
        """Whether the file's answers are numbers, and nothing says whether they count from 0 or 1."""
        return self.first is None and self.kinds["number"] > 0 and not self.kinds["letter"] and not self.kinds["text"]


def prove_keys(rows: Iterable[Keyed], declared: int | None = None) -> Keys:
    """Read through a file's rows and return how their answers are meant. ``declared``: the first option's number, if known."""
    keys = Keys()
    fits_only = {0: 0, 1: 0}
    votes = {0: 0, 1: 0}
    named: set[int | None] = set()
    for row in rows:
        meanings = _meanings(row)
        number = _number(row.answer)
        bases = [base for base in (0, 1) if number is not None and 0 <= number - base < len(row.options.texts)]
        if len(meanings) == 1 and not bases:
            keys.kinds[next(iter(meanings))] += 1
        if number is None or not bases or "text" in meanings:
            continue
        keys.kinds["number"] += 1
        named.add(row.options.first_number)
        if len(bases) == 1:
            fits_only[bases[0]] += 1
        elif said := _said_option(row):
            votes = {base: count + (number - base == said[0]) for base, count in votes.items()}
    keys.first, keys.evidence = _choose_base(declared, named, fits_only, votes)
    return keys


def read_key(row: Keyed, keys: Keys) -> tuple[str, str]:
    """Return the letters of the right options, and as what the answer was read ("letter", "text", "number from 0").

    Raises BadKey: "answer_names_no_option", "ambiguous_answer", "answer_base_unknown".
    """
    meanings = _meanings(row)
    number = _number(row.answer)
    if number is not None and keys.first is not None and 0 <= number - keys.first < len(row.options.texts):
        meanings["number"] = LETTERS[number - keys.first]
    if number is not None and "text" in meanings and keys.first is None and not keys.kinds["text"]:
        raise BadKey("answer_base_unknown", f"answer {number} may be an option's text or its number: {WHAT_TO_DECLARE}")
    if len(set(meanings.values())) > 1:
        proven = [kind for kind in meanings if keys.kinds[kind]]
        if len(proven) != 1:
            listed = " or ".join(f"{letters} as a {kind}" for kind, letters in meanings.items())
            raise BadKey("ambiguous_answer", f"the answer may mean {listed}; give the letter")
        meanings = {proven[0]: meanings[proven[0]]}
    if meanings:
        kind, letters = next(iter(meanings.items()))
        if any(row.options.texts.count(row.options.texts[LETTERS.index(letter)]) > 1 for letter in letters):
            raise BadKey("ambiguous_answer", "the right option's text stands under another letter too")
        return letters, f"number from {keys.first}" if kind == "number" else kind
    allowed = LETTERS[: len(row.options.texts)]
    if number is not None and keys.first is None:
        raise BadKey("answer_base_unknown", f"answer {number} of {len(allowed)} options: {WHAT_TO_DECLARE}")
    raise BadKey("answer_names_no_option", f"answer {str(row.answer)[:40]!r} is none of {allowed}")


WHAT_TO_DECLARE = (
    "nothing in the file shows whether numbers count from 0 or 1; declare answers_from: 0 or "
    "answers_from: 1 for it in sources.yaml"
)


def _choose_base(
    declared: int | None, named: set[int | None], fits_only: dict[int, int], votes: dict[int, int]
) -> tuple[int | None, str]:
    if declared is not None:
        return declared, "declared in sources.yaml"
    if len(named) == 1 and (first := next(iter(named))) in (0, 1):
        return first, f"the options are numbered from {first}"
    if all(fits_only.values()):
        return None, "some answers fit only a count from 0, some only one from 1"
    for base, other in ((0, 1), (1, 0)):
        if fits_only[base]:
            return base, f"{fits_only[base]} answers fit a count from {base} only"
        if votes[base] >= MIN_VOTES and votes[base] >= MIN_AGREEMENT * (votes[base] + votes[other]):
            return (
                base,
                f"{votes[base]} of {votes[base] + votes[other]} explanations name the option that a count from {base} gives",
            )
    return None, ""


def _meanings(row: Keyed) -> dict[str, str]:
    """What an answer may mean by itself: "letter" or "text" -> the letters of the options. A number's meaning is the file's."""
    options, answer = row.options, row.answer
    if isinstance(answer, list) and all(isinstance(part, str) for part in answer):
        answer = "".join(answer) if all(len(part.strip()) == 1 for part in answer) else ", ".join(answer)
    text = unicodedata.normalize("NFKC", str(answer)).strip()
    meanings: dict[str, str] = {}
    exact = [LETTERS[i] for i, option in enumerate(options.texts) if option == text]
    alike = [LETTERS[i] for i, option in enumerate(options.texts) if _fold(option) == _fold(text)]
    if exact or alike:
        meanings["text"] = (exact or alike)[0]
    letters = re.sub(
        r"[\s()（）,，、;；.&和及]|\band\b|^(?:option|answer|choice|选项|答案)[\s:：]*", "", text, flags=re.IGNORECASE
    ).upper()
    by_letter = _letters_of(options)
    run_on = letters == text.upper() and len(letters) > 1
    if letters and set(letters) <= set(by_letter) and (not run_on or letters == "".join(sorted(set(letters)))):
        if not (run_on and exact):  # an option whose text is "AC" is meant by "AC"
            meanings["letter"] = "".join(sorted({by_letter[letter] for letter in letters}))
    elif text.lower() in options.names and not text.isdigit():
        meanings["letter"] = LETTERS[options.names.index(text.lower())]
    else:  # "B. C2"
        lettered = ((place, re.match(rf"[(（]?{letter}[)）.．、:：]+\s*(.+)", text)) for letter, place in by_letter.items())
        same = [place for place, match in lettered if match and _fold(match[1]) == _fold(options.texts[LETTERS.index(place)])]
        meanings |= {"letter": same[0]} if same else {}
    return meanings


def _letters_of(options: Options) -> dict[str, str]:
    """The letter that the source gives each option -> that of its place; they differ if letters are left out or reordered."""
    own = [re.search(r"[a-j]$", name) for name in options.names]
    named = [match[0].upper() for match in own if match]
    letters = named if len(named) == len(options.texts) == len(set(named)) else list(LETTERS[: len(options.texts)])
    return dict(zip(letters, LETTERS))


def _number(answer: Any) -> int | None:
    if isinstance(answer, bool):
        return None
    match = re.fullmatch(r"(\d{1,3})(?:\.0)?", str(answer).strip())
    return int(match[1]) if match else None


def _said_option(row: Keyed) -> list[int]:
    """The option whose text the explanation names, if it names one alone and denies nothing."""
    if _DENIES.search(row.explanation):
        return []
    said = f" {_fold(row.explanation)} "
    texts = [_fold(option) for option in row.options.texts]
    found = [i for i, text in enumerate(texts) if len(text) > 1 and re.search(rf"(?<!\w){re.escape(text)}(?!\w)", said)]
    return found if len(found) == 1 else []


_DENIES = re.compile(r"\b(?:not|never|no|wrong|incorrect|false|except|exclude\w*|unlike)\b|不|非|错误|排除|除外", re.IGNORECASE)


def _fold(text: str) -> str:
    return " ".join(comparable(text).split()).strip(" .。")
