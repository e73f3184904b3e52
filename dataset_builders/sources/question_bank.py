"""Question banks: MedMCQA, MMLU, PubMedQA, CMB, CMExam, MCMLE, and any table with a question and its answer.

One Document a row. What a table's columns may be called is in _COLUMNS; how options stand in it, in answer_options.py. How the
answers of a file are meant is proven over the whole file first (answer_keys.py); a row whose answer is missing, names no option
or is not certain is that row's Reject.
"""

import re
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from dataset_builders.document import Companion, Document, Exchange, Reject, SourceError
from dataset_builders.language import detect_language
from dataset_builders.sources.answer_keys import WHAT_TO_DECLARE, BadKey, Keyed, Keys, prove_keys, read_key
from dataset_builders.sources.answer_options import OPTION_COLUMNS, Options, read_options
from dataset_builders.sources.base import Declared
from dataset_builders.sources.catalogue import Entry, describe, load_catalogue
from dataset_builders.sources.rows import BadRow, Row, columns_beside, first_columns, fold_heading, read_rows
from dataset_builders.taxonomy import LETTERS

_COLUMNS = {
    "question": ("question", "query", "question_text", "lead_in", "题目", "问题"),
    "stem": ("vignette", "clinical_vignette", "shared_stem", "scenario", "case", "stem", "题干", "共用题干",
             "病例", "病例摘要"),
    "options": ("options", "option", "choices", "选项", "备选答案"),
    "answer": ("answer_idx", "answer_letter", "answer", "cop", "correct_answer", "correct_option", "correct", "label", "key",
               "final_decision", "答案", "正确答案"),
    "explanation": ("explanation", "exp", "rationale", "solution", "long_answer", "analysis", "解析", "答案解析", "解释"),
    "contexts": ("contexts", "context"),
    "id": ("id", "question_id", "pmid", "qid", "编号", "题号"),
}  # fmt: skip
_TEXT_COLUMNS = frozenset(name for column, names in _COLUMNS.items() if column != "id" for name in names)
_TEXT_COLUMNS |= {pattern.format(mark) for pattern in OPTION_COLUMNS for mark in (*LETTERS.lower(), *"0123456789")}
# MMLU's subjects that touch on medicine: with its very columns they tell its rows from a clinic's own table.
_MMLU_SUBJECTS = {
    "anatomy", "clinical_knowledge", "college_biology", "college_medicine", "human_aging", "human_sexuality",
    "medical_genetics", "nutrition", "professional_medicine", "professional_psychology", "virology",
}  # fmt: skip
_DECISIONS = ("yes", "no", "maybe")  # PubMedQA's answers
_EXCEL_DATE = re.compile(
    r"\d{4}-\d\d-\d\d 00:00:00|\d{1,2}-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)|\d{1,2}月\d{1,2}日"
)
_SOURCE_COLUMN = {"cmb": "cmb", "cmexam": "cmexam", "mcmle": "mcmle"}


class _BadQuestion(Exception):
    """Why a row is no question with an answer: a reason to count by, and what is wrong."""

    def __init__(self, reason: str, detail: str):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class _Question(NamedTuple):
    """A row as its columns give it: question with its stem, and what answers it."""

    text: str
    keyed: Keyed


def accepts(path: Path, head: bytes) -> bool:
    """Accept a table, or a workbook with a sheet, that has a column for the question and one for the answer."""
    return _asks({fold_heading(name) for name in first_columns(path, head)})


def _asks(columns: Set[str]) -> bool:
    return bool(columns & {*_COLUMNS["question"], *_COLUMNS["stem"]} and columns & set(_COLUMNS["answer"]))


def read(path: Path, declared: Declared) -> Iterator[Document | Companion | Reject]:
    """Yield one Document or Reject per row, and one Reject for a sheet that holds no questions.

    Raises SourceError: "unknown_encoding", "broken_json", "broken_table", "merged_cells", "no_rows", "answer_base_unknown".
    """
    name = declared.relative(path)
    keys = prove_keys(_keyed_rows(path), declared.answers_from)
    if keys.are_unproven_numbers:
        raise SourceError("answer_base_unknown", f"the answers are numbers: {keys.evidence or WHAT_TO_DECLARE}")
    empty = True
    other_sheets: set[str] = set()
    for row in read_rows(path):
        empty = False
        if isinstance(row, BadRow):
            yield Reject(name, row.reason, row.detail, row.where)
            continue
        values = _lower(row)
        if row.sheet and not _asks(values.keys()):
            if row.sheet not in other_sheets:
                other_sheets.add(row.sheet)
                yield Reject(
                    name, "no_questions_in_sheet", f"its columns are {', '.join(map(str, row.values))[:120]}", row.sheet
                )
            continue
        try:
            exchange = _read_exchange(values, keys)
        except (_BadQuestion, BadKey) as problem:
            yield Reject(name, problem.reason, problem.detail, row.where)
            continue
        yield _document(row, values, exchange, path, declared)
    if empty:
        raise SourceError("no_rows", "the table has no rows")


def _keyed_rows(path: Path) -> Iterator[Keyed]:
    for row in read_rows(path):
        if isinstance(row, Row):
            try:
                yield _read_question(_lower(row)).keyed
            except _BadQuestion:
                continue  # counted when the row is read


def _lower(row: Row) -> dict[str, Any]:
    return {fold_heading(key): value for key, value in row.values.items() if isinstance(key, str)}


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


def _read_exchange(values: Mapping[str, Any], keys: Keys) -> Exchange:
    text, keyed = _read_question(values)
    options, answer = keyed.options.texts, str(keyed.answer).strip()
    explanation = keyed.explanation or None
    if not options and _find(values, "options") is not None:
        raise _BadQuestion("options_not_understood", "the column of options holds no list, marks or parted texts")
    if not options:
        if len(answer) == 1:
            raise _BadQuestion("answer_without_options", f"the answer is {answer!r}, and no column gives the options")
        return Exchange(text, answer, (), explanation, "text")
    if any(not option for option in options):
        raise _BadQuestion("empty_option", "an option has no text")
    if len(options) < 2:
        raise _BadQuestion("one_option", "a single option is no choice")
    if dates := [option for option in (*options, answer) if _EXCEL_DATE.fullmatch(option)]:
        raise _BadQuestion("date_cell", f"Excel holds a date ({dates[0][:10]}) where the table had a text such as 3-8")
    letters, read_as = read_key(keyed, keys)
    _check_other_answers(values, keyed, keys, letters)
    return Exchange(text, letters, options, explanation, read_as)


def _check_other_answers(values: Mapping[str, Any], keyed: Keyed, keys: Keys, letters: str) -> None:
    """Raise _BadQuestion if another column of answers, as far as it can be read, means other options."""
    for name in _COLUMNS["answer"]:
        if (other := values.get(name)) not in (None, "", []) and other != keyed.answer:
            with suppress(BadKey):
                if read_key(replace(keyed, answer=other), keys)[0] != letters:
                    raise _BadQuestion("answers_contradict", f"columns {name} and another give different answers")


def _read_question(values: Mapping[str, Any]) -> _Question:
    """Put a row together. Raises _BadQuestion if it has no question or no answer."""
    stem, question = (str(_find(values, column) or "").strip() for column in ("stem", "question"))
    text = question if stem in question else f"{stem}\n\n{question}".strip()
    if not text:
        raise _BadQuestion("no_question", "the row has no question")
    answer = _find(values, "answer")
    if answer is None or str(answer).strip() == "":
        raise _BadQuestion("no_answer", "the row has no answer; add it or leave the row out")
    if contexts := _find(values, "contexts"):
        if isinstance(contexts, Mapping):  # as the Hugging Face copy of PubMedQA has it
            contexts = contexts.get("contexts", [])
        text = "\n\n".join([*(contexts if isinstance(contexts, list) else [str(contexts)]), text])
    if str(answer).strip().lower() in _DECISIONS and "final_decision" in values:
        options = Options(_DECISIONS)
    else:
        options = read_options(_find(values, "options"), values)
    return _Question(text, Keyed(options, answer, str(_find(values, "explanation") or "").strip()))


def _find(values: Mapping[str, Any], column: str) -> Any:
    """The first of a column's names that the row has a value for."""
    return next((values[name] for name in _COLUMNS[column] if values.get(name) not in (None, "", [])), None)
