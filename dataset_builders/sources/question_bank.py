"""Question banks: MedMCQA, MMLU, PubMedQA, CMB, CMExam, MCMLE, and any table with a question and its answer.

One Document a row. What a table's columns may be called is in _COLUMNS; options stand in one column (a list, an object by
letter, or a text "(A) …") or in a column a letter. A row whose answer is missing or names no option is that row's Reject.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dataset_builders.document import Companion, Document, Exchange, Reject, SourceError
from dataset_builders.language import detect_language
from dataset_builders.sources.base import Declared
from dataset_builders.sources.catalogue import Entry, describe, load_catalogue
from dataset_builders.sources.rows import BadRow, Row, columns_beside, first_columns, read_rows
from dataset_builders.taxonomy import LETTERS

_COLUMNS = {
    "question": ("question", "query", "stem", "question_text", "题目", "题干", "问题"),
    "options": ("options", "option", "choices", "选项", "备选答案"),
    "answer": ("answer_idx", "answer_letter", "answer", "cop", "correct_answer", "correct_option", "correct", "label", "key",
               "final_decision", "答案", "正确答案"),
    "explanation": ("explanation", "exp", "rationale", "solution", "long_answer", "analysis", "解析", "答案解析", "解释"),
    "contexts": ("contexts", "context"),
    "id": ("id", "question_id", "pmid", "qid", "编号", "题号"),
}  # fmt: skip
_OPTION_COLUMNS = ("{}", "op{}", "option_{}", "option{}", "option {}", "choice_{}", "选项{}")
_TEXT_COLUMNS = frozenset(name for column, names in _COLUMNS.items() if column != "id" for name in names)
_TEXT_COLUMNS |= {pattern.format(letter.lower()) for pattern in _OPTION_COLUMNS for letter in LETTERS}
# MMLU's subjects that touch on medicine: with its very columns they tell its rows from a clinic's own table.
_MMLU_SUBJECTS = {
    "anatomy", "clinical_knowledge", "college_biology", "college_medicine", "human_aging", "human_sexuality",
    "medical_genetics", "nutrition", "professional_medicine", "professional_psychology", "virology",
}  # fmt: skip
_SOURCE_COLUMN = {"cmb": "cmb", "cmexam": "cmexam", "mcmle": "mcmle"}


class _BadQuestion(Exception):
    """Why a row is no question with an answer: a reason to count by, and what is wrong."""

    def __init__(self, reason: str, detail: str):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def accepts(path: Path, head: bytes) -> bool:
    """Accept a table with a column for the question and one for the answer."""
    names = {name.lower() for name in first_columns(path, head)}
    return bool(names & set(_COLUMNS["question"]) and names & set(_COLUMNS["answer"]))


def read(path: Path, declared: Declared) -> Iterator[Document | Companion | Reject]:
    """Yield one Document or Reject per row.

    Raises SourceError: "unknown_encoding", "broken_json", "broken_table", "no_rows".
    """
    name = declared.relative(path)
    zero_based = _counts_from_zero(path)
    empty = True
    for row in read_rows(path):
        empty = False
        if isinstance(row, BadRow):
            yield Reject(name, row.reason, row.detail, row.where)
            continue
        values = {key.lower().strip(): value for key, value in row.values.items() if isinstance(key, str)}
        try:
            exchange = _read_exchange(values, zero_based)
        except _BadQuestion as problem:
            yield Reject(name, problem.reason, problem.detail, row.where)
            continue
        yield _document(row, values, exchange, path, declared)
    if empty:
        raise SourceError("no_rows", "the table has no rows")


def _document(row: Row, values: Mapping[str, Any], exchange: Exchange, path: Path, declared: Declared) -> Document:
    entry = _recognise(values, path)
    prefix = declared.id or (entry.id if entry else re.sub(r"[^\w-]+", "-", path.stem.lower()))
    row_id = _find(values, "id")
    identity = str(row_id).strip() if row_id not in (None, "") else f"{row.number}-{row.sha256[:8]}"
    parts = [exchange.question]
    parts += [f"{LETTERS[number]}. {option}" for number, option in enumerate(exchange.options)]
    parts += [exchange.reasoning] if exchange.reasoning else []
    return Document(
        provenance=describe(
            entry, declared, f"{prefix}:{identity}", f"{declared.relative(path)} {row.where}", row.sha256, "question_bank"
        ),
        language=detect_language(exchange.question),
        markdown="\n\n".join(parts),
        exchange=exchange,
        known=columns_beside(row.values, _TEXT_COLUMNS),
    )


def _recognise(values: Mapping[str, Any], path: Path) -> Entry | None:
    """The catalogue's entry for a row: by its ``source`` column, or by columns that only one data set has."""
    catalogue = load_catalogue()
    names = set(values)
    source = str(values.get("source") or "").lower()
    for sign, entry in _SOURCE_COLUMN.items():
        if sign in source:
            return catalogue[entry]
    if {"opa", "opb", "opc", "opd", "cop"} <= names:
        return catalogue["medmcqa"]
    if {"contexts", "long_answer", "final_decision"} <= names:
        return catalogue["pubmedqa"]
    if {"exam_type", "exam_class", "exam_subject"} <= names:
        return catalogue["cmb"]
    columns = {"subject", "question", "a", "b", "c", "d", "answer", "choices"}
    if names <= columns and {str(values.get("subject")), path.stem.removesuffix("_test")} & _MMLU_SUBJECTS:
        return catalogue["mmlu"]
    return None


def _read_exchange(values: Mapping[str, Any], zero_based: bool) -> Exchange:
    question = str(_find(values, "question") or "").strip()
    if not question:
        raise _BadQuestion("no_question", "the row has no question")
    explanation = str(_find(values, "explanation") or "").strip() or None
    answer = _find(values, "answer")
    if answer is None or str(answer).strip() == "":
        raise _BadQuestion("no_answer", "the row has no answer; add it or leave the row out")
    if contexts := _find(values, "contexts"):
        if isinstance(contexts, Mapping):  # as the Hugging Face copy of PubMedQA has it
            contexts = contexts.get("contexts", [])
        question = "\n\n".join([*(contexts if isinstance(contexts, list) else [str(contexts)]), question])
    if str(answer).strip().lower() in ("yes", "no", "maybe") and "final_decision" in values:
        decisions = ("yes", "no", "maybe")
        return Exchange(question, LETTERS[decisions.index(str(answer).strip().lower())], decisions, explanation)
    options = _read_options(values)
    if not options:
        return Exchange(question, str(answer).strip(), (), explanation)
    if any(not option for option in options):
        raise _BadQuestion("empty_option", "an option has no text")
    if len(options) < 2:
        raise _BadQuestion("one_option", "a single option is no choice")
    letters = _read_answer(answer, options, zero_based)
    if any(options.count(options[LETTERS.index(letter)]) > 1 for letter in letters):
        raise _BadQuestion("ambiguous_answer", "the right option's text stands under another letter too")
    return Exchange(question, letters, options, explanation)


def _find(values: Mapping[str, Any], column: str) -> Any:
    """The first of a column's names that the row has a value for."""
    return next((values[name] for name in _COLUMNS[column] if values.get(name) not in (None, "", [])), None)


def _read_options(values: Mapping[str, Any]) -> tuple[str, ...]:
    found = _find(values, "options")
    if isinstance(found, str):
        options = _split_options(found)
    elif isinstance(found, Mapping):
        options = [str(found.get(letter, found.get(letter.lower())) or "") for letter in LETTERS[: len(found)]]
    elif isinstance(found, list):
        texts = [o.get("value", o.get("text", o.get("content"))) if isinstance(o, Mapping) else o for o in found]
        options = [re.sub(r"^\(?[A-J][).、:：]\s*", "", str(text or "")) for text in texts]
    else:
        options = []
        for pattern in _OPTION_COLUMNS:
            columns = [pattern.format(letter.lower()) for letter in LETTERS]
            if values.get(columns[0]) not in (None, "") and columns[1] in values:
                options = [str(values[name] if values[name] is not None else "") for name in columns if name in values]
                break
    options = [" ".join(option.split()) for option in options]
    while options and not options[-1]:  # a fifth column that this question does not use
        options.pop()
    return tuple(options)


def _split_options(text: str) -> list[str]:
    """Options in one text: "(A) …\\n(B) …", "A. …\\nB. …", "A、… B、…"; each letter must follow the one before."""
    starts = []
    position = 0
    for letter in LETTERS:
        mark = re.compile(
            rf"(?:^|(?<=\s))(?:[(（]\s*{letter}\s*[)）]|{letter}\s*[.．、:：)）]|{letter}(?=[\s\u4e00-\u9fff]))\s*"
        )
        match = mark.search(text, position)
        if match is None:
            break
        starts.append(match)
        position = match.end()
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return [text[match.end() : end].strip() for match, end in zip(starts, ends)]


def _read_answer(answer: Any, options: tuple[str, ...], zero_based: bool) -> str:
    """The letter, or for several answers the letters, of the right options. Raises _BadQuestion for one that is none."""
    allowed = LETTERS[: len(options)]
    if isinstance(answer, list) and all(isinstance(part, str) for part in answer):
        answer = "".join(answer)
    text = str(answer).strip()
    if isinstance(answer, int) and not isinstance(answer, bool):
        index = answer - (0 if zero_based else 1)
        if 0 <= index < len(options):
            return LETTERS[index]
        raise _BadQuestion("answer_names_no_option", f"answer {answer} for {len(options)} options")
    if text in options:
        return LETTERS[options.index(text)]
    letters = re.sub(r"[\s()（）,，、;；.和及]|\band\b", "", text).upper()
    if letters and set(letters) <= set(allowed):
        return "".join(sorted(set(letters)))
    normal = [option.casefold().rstrip(".。") for option in options]
    if text.casefold().rstrip(".。") in normal:
        return LETTERS[normal.index(text.casefold().rstrip(".。"))]
    if text.isdigit():
        return _read_answer(int(text), options, zero_based)
    raise _BadQuestion("answer_names_no_option", f"answer {text[:40]!r} is none of {allowed}")


def _counts_from_zero(path: Path) -> bool:
    """Whether numbered answers count from 0 (MMLU, MedMCQA on Hugging Face) or from 1 (MedMCQA's own files: ``cop``).

    A 0 anywhere in the file says so; without numbers it does not matter.
    """
    numbered = False
    for count, row in enumerate(read_rows(path)):
        if isinstance(row, Row):
            values = {key.lower().strip(): value for key, value in row.values.items() if isinstance(key, str)}
            answer = str(_find(values, "answer") if _find(values, "answer") is not None else "").strip()
            numbered = numbered or answer.isdigit()
            if answer == "0":
                return True
        if count >= 100 and not numbered:
            return False
    return False
