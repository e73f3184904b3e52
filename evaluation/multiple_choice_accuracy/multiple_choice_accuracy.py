"""Score multiple choice accuracy of free-text answers in English and Chinese, with Wilson intervals.

``extract_answer`` finds the chosen letter(s); an answer without a letter counts as unparsed and as wrong.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
from scipy.stats import binomtest

_DESCRIPTION = """\
Share of multiple choice items whose chosen letter(s) equal the reference letter(s). Answers may be letters or free text in
English or Chinese; answers without a recognisable choice are counted separately and are wrong.
"""

_INPUTS = """\
Args:
    predictions (list of str): what the model answered, a letter ("B"), letters ("AC") or free text.
    references (list of str): the right letter or letters, in any order.
    options (list of list of str, optional): option texts of each item in the order A, B, C ...; letters beyond them are not
        answers, and an answer that quotes exactly one option's text chooses it.
    groups (list of str, optional): a label for each item (its modality, say); each group is scored as well.
    confidence_level (float): of the Wilson score interval, 0.95.
Returns:
    accuracy, accuracy_low, accuracy_high (0-1), n, n_correct, n_unparsed, and with `groups` the same for each group.
Raises:
    ValueError: no items, a reference that is not a letter, or options or groups of another length, naming the row.
"""

LETTERS = "ABCDEFGHIJ"

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)
_MARKUP = re.compile(r"\\(?:boxed|text|mathrm)\s*\{|</?[a-z]+>|[*_`$]+|[{}]", re.IGNORECASE)
# A letter that is a choice: not part of a word, level (C5), classification (A3), C-arm or type named by letter (C型).
_LETTER = r"(?<![A-Za-z0-9])[A-J](?![A-Za-z0-9'’型臂级類类]|-[A-Za-z0-9])"
_JOIN = r"\s*(?:,\s*and\b|,|;|/|&|\+|、|和|与|及|以及|\band\b)\s*"
_UNDECIDED = r"\s*(?:\bor\b|或者?|还是)\s*"
_NEXT = rf"{_LETTER}(?!\s+(?:is|was|are|has|does|can|would|because)\b)"
_RUN = r"(?<![A-Za-z0-9])[A-J]{2,6}(?![A-Za-z0-9'’-])"
_CHOICE = (
    rf"[(\[\"'“‘【]{{0,4}}(?P<choice>(?:{_RUN}|{_LETTER}(?:[)\]]?{_JOIN}[(\[]?{_NEXT})*)"
    rf"(?P<undecided>[)\]]?{_UNDECIDED}[(\[]?{_LETTER})?)"
)
_IS = r"(?:\s*[:=]\s*|\s+[-–—]\s+|\s+(?:is|are|was|would be|should be|must be|will be)\s*:?\s+)"
_STATEMENTS = (
    rf"\b(?:answer|choice|selection)s?(?:\s+(?:to|for)\s+(?:this|the)\s+question)?{_IS}(?:(?:option|choice|letter)s?\s*:?\s*)?{_CHOICE}",
    rf"\b(?:correct|right|best|final|chosen)\s+(?:option|answer|choice|one)s?{_IS}(?:(?:option|choice|letter)s?\s*)?{_CHOICE}",
    rf"\b(?:choose|select|pick|go with|chose|selected|answer)\s+(?:(?:option|choice|answer|letter)s?\s*)?{_CHOICE}(?=\W|$)",
    rf"(?:(?:option|choice)s?\s+)?{_CHOICE}[)\]]?\s+(?:is|are)\s+(?:the\s+)?(?:most\s+)?(?:correct|right|best|appropriate)",
    rf"\b(?:therefore|thus|hence|so),?\s+{_CHOICE}\s*(?:[.!]|$)",
    rf"(?:答案|正解|答)(?:应该|应当|应|选项)*(?:选择|选|是|为|即)?[】\]]?\s*[::]?\s*(?:选项)?\s*{_CHOICE}",
    rf"(?:故|应|应该|因此|所以|我|可|宜)?(?:选择|选)(?:项|的是|答案)?(?:是|为)?\s*[::]?\s*{_CHOICE}",
    rf"{_CHOICE}[)\]]?\s*(?:选项|项)?\s*(?:是|为)?(?:最)?(?:正确|对的|合适|恰当)",
)
_STATEMENT = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _STATEMENTS)
_NEGATED = re.compile(r"(?:\bnot|n't|\bnever|\bneither|不|勿|非|排除|别)\s*(?:\w+\s+)?$", re.IGNORECASE)
_ALONE = re.compile(rf"\W*(?:(?:option|choice|选项)\s*)?{_CHOICE}\W*", re.IGNORECASE)
_LEADING = re.compile(rf"\s*[(\[【]?(?P<choice>{_LETTER})\s*(?:[)\]】]|[.:、,:](?!\d|\s*{_LETTER}))")
_LISTED = re.compile(rf"(?m)^\s*[(\[]?(?P<choice>{_LETTER})\s*(?:[)\]]|[.:、:])")
_NAMED = re.compile(
    rf"\b(?i:option|choice)\s*[(\[]?(?P<option>{_LETTER})|选项\s*(?P<zh>{_LETTER})|[(\[](?P<bracketed>{_LETTER})[)\]]"
)


def extract_answer(text: str, options: Sequence[str] = ()) -> str | None:
    """Return the chosen letters in alphabetical order ("B", "AC"), or None if the text makes no choice.

    Text inside <think> is not read, full-width letters count as letters, mark-up is ignored. The first rule that finds
    something decides:
      1. the text is nothing but letters: "B", "(b)", "A, C", "A和C";
      2. the last statement of a choice: "the answer is B", "I choose (B)", "B is correct", "答案：B", "故选AC", "B项正确";
         negated ones ("the answer is not A", "不选A") do not count, and "A or B" is no choice;
      3. the text opens with one option's letter and a mark ("B. L4/L5", "（B）…") and does not list another;
      4. a single letter is named as an option or bracketed: "option B", "选项B", "(B)";
      5. exactly one of ``options`` is quoted.
    """
    text = _MARKUP.sub("", unicodedata.normalize("NFKC", _THINKING.sub("", text))).strip()
    allowed = LETTERS[: len(options)] if options else LETTERS
    if alone := _ALONE.fullmatch(text):
        return _letters(alone, allowed)
    stated = [match for pattern in _STATEMENT for match in pattern.finditer(text) if _is_choice(match, text)]
    if stated:
        return _letters(max(stated, key=lambda match: match.start("choice")), allowed)
    if (leading := _LEADING.match(text)) and len({match["choice"] for match in _LISTED.finditer(text)}) <= 1:
        return _allowed(leading["choice"], allowed)
    named = {match["option"] or match["zh"] or match["bracketed"] for match in _NAMED.finditer(text)}
    if len(named) == 1:
        return _allowed(named.pop(), allowed)
    return None if named else _quoted(text, options)


def score_choices(
    predictions: Sequence[str],
    references: Sequence[str],
    options: Sequence[Sequence[str]] | None = None,
    groups: Sequence[str] | None = None,
    confidence_level: float = 0.95,
) -> dict[str, Any]:
    """Compute the accuracy as the module's card describes; see ``extract_answer`` for how letters are found."""
    if not len(predictions):
        raise ValueError("multiple_choice_accuracy: no items to score")
    for name, values in (("references", references), ("options", options), ("groups", groups)):
        if values is not None and len(values) != len(predictions):
            raise ValueError(f"multiple_choice_accuracy: {len(predictions)} predictions but {len(values)} {name}")
    chosen = [extract_answer(text, options[row] if options else ()) for row, text in enumerate(predictions)]
    expected = [_reference(text, row) for row, text in enumerate(references)]
    outcomes = [(answer == letters, answer is None) for answer, letters in zip(chosen, expected)]
    result: dict[str, Any] = _summary(outcomes, confidence_level)
    if groups is not None:
        result["groups"] = {
            group: _summary([outcome for outcome, label in zip(outcomes, groups) if label == group], confidence_level)
            for group in sorted(set(groups))
        }
    return result


class MultipleChoiceAccuracy(evaluate.Metric):
    """The evaluate module around ``score_choices``."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")}),
        )

    def _compute(
        self,
        predictions: list[str],
        references: list[str],
        options: Sequence[Sequence[str]] | None = None,
        groups: Sequence[str] | None = None,
        confidence_level: float = 0.95,
    ) -> dict[str, Any]:
        return score_choices(predictions, references, options, groups, confidence_level)


def _is_choice(match: re.Match[str], text: str) -> bool:
    """Reject negated statements, and lower-case words that only the case-insensitive search took for a choice."""
    letters = re.sub(r"\b(?:and|or)\b", "", match["choice"])
    if any(character.islower() for character in letters) and len(re.findall(r"[A-Za-z]", letters)) > 1:
        return False
    # "the answer is a fracture", "Answer: A fracture": an article; "the answer I gave": a pronoun
    may_be_word = letters in ("a", "i", "I") or (letters == "A" and re.search(r":\s*$", text[: match.start("choice")]))
    if may_be_word and re.match(r"\s+(?!(?:is|because|as|since|and)\b)[a-z]", text[match.end("choice") :]):
        return False
    before = text[max(0, match.start() - 16) : match.start()]
    return not _NEGATED.search(before)


def _letters(match: re.Match[str], allowed: str) -> str | None:
    if match["undecided"]:
        return None
    choice = re.sub(r"\band\b", "", match["choice"], flags=re.IGNORECASE)
    return _allowed("".join(re.findall(r"[A-Ja-j]", choice)).upper(), allowed)


def _allowed(letters: str, allowed: str) -> str | None:
    return "".join(sorted(set(letters))) if set(letters) <= set(allowed) else None


def _quoted(text: str, options: Sequence[str]) -> str | None:
    """Return the letter of the one option whose text is quoted; an option inside a longer quoted one does not count."""
    folded = text.casefold()
    quoted = []
    for letter, option in zip(LETTERS, options):
        option = unicodedata.normalize("NFKC", option).strip().rstrip(".。").casefold()
        if option and re.search(rf"(?<![a-z0-9]){re.escape(option)}(?![a-z0-9])", folded):
            quoted.append((letter, option))
    longest = [letter for letter, option in quoted if not any(option != other and option in other for _, other in quoted)]
    return longest[0] if len(longest) == 1 else None


def _reference(text: str, row: int) -> str:
    letters = re.sub(r"[\s,;、()]", "", unicodedata.normalize("NFKC", text)).upper()
    if not letters or not set(letters) <= set(LETTERS):
        raise ValueError(f"multiple_choice_accuracy: reference of row {row} is {text!r}; give letters of {LETTERS}")
    return "".join(sorted(set(letters)))


def _summary(outcomes: Sequence[tuple[bool, bool]], confidence_level: float) -> dict[str, Any]:
    correct = sum(right for right, _ in outcomes)
    interval = binomtest(correct, len(outcomes)).proportion_ci(confidence_level, method="wilson")
    return {
        "accuracy": correct / len(outcomes),
        "accuracy_low": float(interval.low),
        "accuracy_high": float(interval.high),
        "n": len(outcomes),
        "n_correct": correct,
        "n_unparsed": sum(unparsed for _, unparsed in outcomes),
    }
