import datetime
import json

import openpyxl
import pytest

from dataset_builders.document import Document, Reject, SourceError
from dataset_builders.sources import question_bank
from dataset_builders.sources.base import Declared
from dataset_builders.sources.rows import read_rows

FIVE = "(A) L1\n(B) L2\n(C) L3\n(D) L4\n(E) L5"


def read(folder, rows, name="bank.jsonl", encoding="utf-8", **declared):
    path = folder / name
    text = "\n".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_bytes(text.encode(encoding))
    assert question_bank.accepts(path, path.read_bytes()[:4096])
    return list(question_bank.read(path, Declared(root=folder, **declared)))


@pytest.mark.parametrize(
    ("row", "options", "answer"),
    [
        ({"question": "Which?", "opa": "L1", "opb": "L2", "opc": "L3", "opd": "L4", "cop": 4}, 4, "D"),
        ({"question": "Which?", "A": "L1", "B": "L2", "C": "L3", "D": "L4", "answer": "C"}, 4, "C"),
        ({"question": "哪一个?", "options": FIVE, "answer": "(E)"}, 5, "E"),
        ({"question": "哪些?", "options": FIVE, "answer": "(C)(A)"}, 5, "AC"),
        ({"question": "Which?", "options": "A. L1\nB. L2", "answer": "b"}, 2, "B"),
        ({"question": "Which?", "options": {"A": "L1", "B": "L2", "C": ""}, "answer_idx": "A", "answer": "L1"}, 2, "A"),
        ({"question": "Which?", "choices": ["L1", "L2"], "answer": "L2"}, 2, "B"),
        ({"题目": "哪一个?", "选项": "A、腰1 B、腰2", "答案": "B"}, 2, "B"),
        ({"question": "Name it.", "answer": "the conus"}, 0, "the conus"),
    ],
)
def test_shapes_of_rows(tmp_path, row, options, answer):
    (document,) = read(tmp_path, [row])
    assert (len(document.exchange.options), document.exchange.answer) == (options, answer)
    assert document.exchange.question in document.markdown


def test_a_file_whose_numbers_prove_no_base_is_rejected_whole_unless_it_is_declared(tmp_path):
    row = {"question": "Which?", "choices": ["L1", "L2", "L3"], "answer": 1}
    with pytest.raises(SourceError, match=r"answer_base_unknown: .* declare answers_from: 0 or answers_from: 1"):
        read(tmp_path, [row])
    assert [d.exchange.answer for d in read(tmp_path, [row], answers_from=0)] == ["B"]
    assert [d.exchange.answer for d in read(tmp_path, [row, {**row, "answer": 0}])] == ["B", "A"]
    (document,) = read(tmp_path, [{**row, "answer": 3}])
    assert (document.exchange.answer, document.exchange.read_as) == ("C", "number from 1")


def test_a_lone_letter_without_options_is_no_answer(tmp_path):
    (reject,) = read(tmp_path, [{"question": "Which of the following?", "answer": "B"}])
    assert reject.reason == "answer_without_options"


def test_a_vignette_stands_before_its_question(tmp_path):
    row = {"vignette": "A man of 60.", "question": "Which disc?", "A": "L4/L5", "B": "L5/S1", "answer": "A"}
    (document,) = read(tmp_path, [row])
    assert document.exchange.question == "A man of 60.\n\nWhich disc?"
    (stem,) = read(tmp_path, [{"stem": "Which disc?", "A": "L4/L5", "B": "L5/S1", "answer": "A"}])
    assert stem.exchange.question == "Which disc?"


def workbook(path, sheets, merge=()):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for area in merge:
            sheet.merge_cells(area)
    book.save(path)
    return path


HEADER = ["case", "question", "A", "B", "answer"]


def test_a_workbook_s_titles_notes_and_merged_vignettes(tmp_path):
    rows = [["Bank of 2024"], HEADER, ["A man of 60.", "First?", "x", "y", "A"], [None, "Second?", "x", "y", "B"]]
    sheets = {"read me": [["How to use this file"], ["Ask us."]], "items": rows}
    path = workbook(tmp_path / "bank.xlsx", sheets, merge=["A3:A4"])
    assert question_bank.accepts(path, b"PK")
    results = list(question_bank.read(path, Declared(root=tmp_path)))
    assert [(r.reason, r.where) for r in results if isinstance(r, Reject)] == [("no_questions_in_sheet", "sheet 1")]
    asked = [r.exchange.question for r in results if isinstance(r, Document)]
    assert asked == ["A man of 60.\n\nFirst?", "A man of 60.\n\nSecond?"]


def test_what_excel_made_a_date_is_no_option(tmp_path):
    rows = [HEADER, [None, "Which range?", datetime.datetime(2024, 8, 3), "9-12", "A"], [None, "Half?", 0.5, 1, "A"]]
    results = list(question_bank.read(workbook(tmp_path / "bank.xlsx", {"s": rows}), Declared(root=tmp_path)))
    assert [getattr(r, "reason", "") or r.exchange.options for r in results] == ["date_cell", ("0.5", "1")]


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_a_csv_s_separator_is_the_one_its_rows_agree_on(tmp_path, separator):
    lines = [["question", "A", "B", "answer"], ["Which one is it?", "C1, or atlas" if separator != "," else "C1", "C2", "B"]]
    path = tmp_path / "bank.csv"
    path.write_text("\n".join(separator.join(cells) for cells in lines), encoding="utf-8")
    assert question_bank.accepts(path, path.read_bytes())
    assert [d.exchange.answer for d in question_bank.read(path, Declared(root=tmp_path))] == ["B"]


def test_provenance_of_a_known_source(tmp_path):
    row = {"id": "r1", "question": "Which?", "opa": "a", "opb": "b", "opc": "c", "opd": "d", "cop": 4, "exp": "Because."}
    (document,) = read(tmp_path, [row])
    provenance = document.provenance
    assert (provenance.source_id, provenance.source_licence) == ("medmcqa:r1", "MIT")
    assert provenance.source_locator == "bank.jsonl line 1"
    assert document.exchange.reasoning == "Because."
    (own,) = read(tmp_path, [{"question": "Which?", "A": "a", "B": "b", "answer": "A"}])
    assert own.provenance.source_licence == "LicenseRef-Unknown"
    assert own.id == f"bank:1-{own.provenance.source_sha256[:8]}"
    (declared,) = read(tmp_path, [{"question": "Which?", "A": "a", "B": "b", "answer": "A"}], licence="CC0-1.0")
    assert declared.provenance.source_licence == "CC0-1.0"


def test_pubmedqa_shows_its_contexts(tmp_path):
    row = {
        "pmid": "1",
        "QUESTION": "Does it?",
        "CONTEXTS": ["Some.", "Others."],
        "final_decision": "maybe",
        "LONG_ANSWER": "Partly.",
    }
    (document,) = read(tmp_path, [row])
    assert document.id == "pubmedqa:1"
    assert document.exchange.question == "Some.\n\nOthers.\n\nDoes it?"
    assert (document.exchange.options, document.exchange.answer) == (("yes", "no", "maybe"), "C")


def test_bad_rows_are_rejected_one_by_one(tmp_path):
    good = {"question": "Which?", "A": "a", "B": "b", "answer": "A"}
    bad = [
        {**good, "answer": None},
        '{"question": "Which?", "A"',
        {**good, "answer": "E"},
        {**good, "question": " "},
        {**good, "B": "a"},
        "[1, 2]",
    ]
    results = read(tmp_path, [good, *bad, good])
    assert sum(isinstance(result, Document) for result in results) == 2
    assert [(r.where, r.reason) for r in results if isinstance(r, Reject)] == [
        ("line 2", "no_answer"),
        ("line 3", "broken_line"),
        ("line 4", "answer_names_no_option"),
        ("line 5", "no_question"),
        ("line 6", "ambiguous_answer"),
        ("line 7", "no_columns"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings(tmp_path, encoding):
    row = {"question": "腰椎间盘突出最常见于哪个节段？", "A": "腰四五", "B": "腰一二", "answer": "A"}
    (document,) = read(tmp_path, [row], encoding=encoding)
    assert (document.exchange.question, document.language) == (row["question"], "zh")


def test_one_line_in_a_wrong_encoding_is_that_lines_reject(tmp_path):
    line = json.dumps({"question": "腰椎？", "A": "甲", "B": "乙", "answer": "A"}, ensure_ascii=False)
    path = tmp_path / "bank.jsonl"
    path.write_bytes(b"\n".join([line.encode(), b'{"question": "\xff\xfe"}', line.encode()]))
    results = list(question_bank.read(path, Declared(root=tmp_path)))
    assert [getattr(result, "reason", "read") for result in results] == ["read", "broken_encoding", "read"]


def test_csv_and_json_array(tmp_path):
    (tmp_path / "bank.csv").write_text('question,A,B,answer\n"Two\nlines?",x,y,B\nNone?,x,y,\n', encoding="utf-8")
    results = list(question_bank.read(tmp_path / "bank.csv", Declared(root=tmp_path)))
    assert [getattr(r, "where", None) or r.provenance.source_locator for r in results] == ["bank.csv line 2", "line 4"]
    (tmp_path / "bank.json").write_text(json.dumps([{"question": "Which?", "A": "x", "B": "y", "answer": "B"}] * 3))
    assert len(list(question_bank.read(tmp_path / "bank.json", Declared(root=tmp_path)))) == 3
    (tmp_path / "cut.json").write_text('[{"question": "Which?", "A": "x", "B": "y", "answer": "B"}, {"question": "Wh')
    results = list(question_bank.read(tmp_path / "cut.json", Declared(root=tmp_path)))
    assert [getattr(r, "reason", "read") for r in results] == ["read", "broken_json"]


def test_a_table_without_rows_says_so(tmp_path):
    (tmp_path / "bank.csv").write_text("question,answer\n")
    with pytest.raises(SourceError, match="no_rows"):
        list(question_bank.read(tmp_path / "bank.csv", Declared(root=tmp_path)))


def test_real_question_banks(sources):
    counts = {}
    for path in sorted((sources / "question_banks").iterdir()):
        results = list(question_bank.read(path, Declared(root=sources)))
        documents = [r for r in results if isinstance(r, Document)]
        assert len(documents) == len(results)
        assert len({d.id for d in documents}) == len(documents)
        assert {d.provenance.source_licence for d in documents} <= {"MIT", "Apache-2.0"}
        counts[path.name.split("_")[0]] = len(documents)
    assert counts == {"medmcqa": 70, "mmlu": 25, "pubmedqa": 37, "zh": 327}


def test_semicolons_in_the_sentences_of_one_column_do_not_cut_it(tmp_path):
    path = tmp_path / "notes.csv"
    path.write_text("note\nDisc bulge; no stenosis; no fracture\nNormal; nothing else; well\n", encoding="utf-8")
    assert [row.values for row in read_rows(path)] == [
        {"note": "Disc bulge; no stenosis; no fracture"},
        {"note": "Normal; nothing else; well"},
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": "Which?", "A": "x", "B": "y", "answer_idx": "A", "answer": "y"}, "answers_contradict"),
        ({"question": "Which?", "options": "just a sentence", "answer": "A"}, "options_not_understood"),
        ({"question": "Which?", "A": "3-May", "B": "6-9", "answer": "B"}, "date_cell"),
    ],
)
def test_what_contradicts_itself_or_is_not_understood_is_named(tmp_path, row, reason):
    assert [reject.reason for reject in read(tmp_path, [row])] == [reason]


def test_headings_may_be_spelt_with_blanks_and_rows_stand_in_an_object(tmp_path):
    row = {"Question": "Which?", "Option A": "x", "Option B": "y", "Correct Answer": "B"}
    path = tmp_path / "bank.json"
    path.write_text(json.dumps({"version": 1, "data": [row]}), encoding="utf-8")
    assert question_bank.accepts(path, path.read_bytes())
    assert [d.exchange.answer for d in question_bank.read(path, Declared(root=tmp_path))] == ["B"]
