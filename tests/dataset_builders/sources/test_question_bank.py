import json

import pytest

from dataset_builders.document import Document, Reject, SourceError
from dataset_builders.sources import question_bank
from dataset_builders.sources.base import Declared

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
        ({"question": "Which?", "opa": "L1", "opb": "L2", "opc": "L3", "opd": "L4", "cop": 2}, 4, "B"),
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


def test_numbered_answers_count_from_the_base_the_file_shows(tmp_path):
    row = {"question": "Which?", "choices": ["L1", "L2"], "answer": 1}
    assert [d.exchange.answer for d in read(tmp_path, [row])] == ["A"]
    assert [d.exchange.answer for d in read(tmp_path, [row, {**row, "answer": 0}])] == ["B", "A"]


def test_provenance_of_a_known_source(tmp_path):
    row = {"id": "r1", "question": "Which?", "opa": "a", "opb": "b", "opc": "c", "opd": "d", "cop": 1, "exp": "Because."}
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
