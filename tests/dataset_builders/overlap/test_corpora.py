import gzip
import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from dataset_builders.overlap.corpora import read_benchmark, read_corpus
from tests.dataset_builders.overlap.test_deduplicate import image


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("row", "asked", "said"),
    [
        ({"text": "Running words."}, ("Running words.",), ()),
        ({"question": "Why?", "options": ["So", "Not so"], "answer": "A"}, ("Why?\nA. So\nB. Not so",), ("A",)),
        ({"question": "Why?", "options": {"A": "So", "B": "Not so"}}, ("Why?\nA. So\nB. Not so",), ()),
        ({"instruction": "Explain.", "output": "It is so."}, ("Explain.",), ("It is so.",)),
        ({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "R"}]}, ("Q",), ("R",)),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "text": None}, {"type": "text", "text": "Q"}]}]},
            ("Q",),
            (),
        ),
        ({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "R"}]}, ("Q",), ("R",)),
    ],
)
def test_usual_columns_are_known(tmp_path, row, asked, said):
    (sample,) = read_corpus(write(tmp_path / "rows.jsonl", [row]))
    assert (sample.asked, sample.said, sample.id) == (asked, said, "rows.jsonl:1")


def test_parquet_arrow_and_zipped_lines_of_a_folder_are_read(tmp_path):
    pq.write_table(pa.Table.from_pylist([{"id": "p", "text": "one"}]), tmp_path / "part.parquet")
    Dataset.from_list([{"id": "a", "text": "two"}]).save_to_disk(tmp_path / "saved")
    with gzip.open(tmp_path / "more.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({"id": "z", "text": "three"}))
    assert {sample.id for sample in read_corpus(tmp_path)} == {"p", "a", "z"}


def test_a_column_may_be_chosen_and_a_wrong_one_names_those_there_are(tmp_path):
    path = write(tmp_path / "rows.jsonl", [{"note": "Words.", "number": 3}])
    assert next(read_corpus(path, ["note"])).said == () and next(read_corpus(path, ["note"])).asked == ("Words.",)
    with pytest.raises(ValueError, match=r"rows.jsonl:1: no column body; it has note, number: choose with --column"):
        list(read_corpus(path, ["body"]))
    with pytest.raises(ValueError, match=r"it has note, number: choose with --column"):
        list(read_corpus(path))
    with pytest.raises(ValueError, match=r"rows.jsonl:1: column number holds a int"):
        list(read_corpus(path, ["number"]))


def test_a_line_that_is_no_json_is_named(tmp_path):
    path = write(tmp_path / "rows.jsonl", [{"text": "fine"}])
    path.write_text(path.read_text() + "{broken\n")
    with pytest.raises(ValueError, match=r"rows.jsonl:2: not a line of JSON"):
        list(read_corpus(path))


def test_nothing_to_read_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no data set"):
        list(read_corpus(tmp_path))
    with pytest.raises(FileNotFoundError, match="no data set"):
        list(read_corpus(tmp_path / "missing.jsonl"))


def test_images_are_read_beside_the_rows_and_never_outside(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "in.png").write_bytes(image(1))
    (tmp_path / "out.png").write_bytes(image(2))
    rows = [{"text": "t", "images": ["in.png", "gone.png"]}, {"text": "t", "image": "../out.png"}]
    unread = Counter()
    samples = list(read_corpus(write(folder / "rows.jsonl", rows), unread=unread))
    assert [[image.load() for image in sample.images] for sample in samples] == [[image(1)], []]
    assert unread == {"corpus": 2}


def test_hospital_rows_are_not_quotable(tmp_path):
    rows = [{"text": "t", "source_licence": "LicenseRef-Hospital"}, {"text": "t", "source_licence": "MIT"}]
    assert [sample.quotable for sample in read_corpus(write(tmp_path / "rows.jsonl", rows))] == [False, True]


def test_a_folder_of_another_kind_is_no_benchmark(tmp_path):
    write(tmp_path / "rows.jsonl", [{"text": "t"}])
    with pytest.raises(ValueError, match="no columns question, options, answer and task"):
        read_benchmark(tmp_path)
