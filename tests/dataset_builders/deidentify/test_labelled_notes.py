import json

import pytest

from dataset_builders.deidentify.labelled_notes import TRAP, LabelError, Note, Piece, parse_marks, read_notes

TEXT = "Dr Quill saw her on 3 May: L4/5 is narrow."
ROW = {
    "id": "1",
    "language": "en",
    "genre": "letter",
    "text": TEXT,
    "spans": [{"start": 20, "end": 25, "type": "DATE"}, {"start": 3, "end": 8, "type": "NAME", "text": "Quill"}],
    "traps": [{"start": 27, "end": 32 - 1, "kind": "level"}],
}


@pytest.fixture
def read(tmp_path):
    """Writes rows (or lines, as they are) and reads them."""

    def write_and_read(*rows):
        path = tmp_path / "notes.jsonl"
        path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
        return read_notes(path)

    return write_and_read


def test_offsets_and_marks_are_two_ways_to_write_one_note(read):
    by_marks = {
        "id": "1",
        "language": "en",
        "genre": "letter",
        "marked": "Dr {NAME|Quill} saw her on {DATE|3 May}: {|L4/5} is narrow.",
    }
    (offsets,), (marks,) = read(ROW), read(by_marks)
    assert offsets.text == marks.text == TEXT
    assert list(offsets.spans()) == list(marks.spans()) == [(3, 8, "NAME"), (20, 25, "DATE"), (27, 31, TRAP)]
    assert [piece.kind for piece in offsets.pieces if piece.type == TRAP] == ["level"]


def test_genre_and_traps_may_be_left_out(read):
    (note,) = read({key: value for key, value in ROW.items() if key not in ("genre", "traps")})
    assert note.genre == "" and [kind for _, _, kind in note.spans()] == ["NAME", "DATE"]


def test_a_byte_order_mark_and_empty_lines_are_no_trouble(read):
    assert len(read("\ufeff" + json.dumps(ROW), "", json.dumps(ROW), "")) == 2


def test_other_braces_are_text():
    assert parse_marks('{"name": 1} {a}') == (Piece('{"name": 1} {a}'),)


def test_two_marks_may_touch():
    assert parse_marks("{NAME|王明}{PHONE|0000}") == (Piece("王明", "NAME"), Piece("0000", "PHONE"))


def changed(**changes):
    return {**ROW, **changes}


def span(start, end, **more):
    return {"start": start, "end": end, "type": "NAME", **more}


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (changed(spans=[span(3, 8), span(5, 12)]), "the span 5 to 12 overlaps"),
        (changed(spans=[span(3, 8)], traps=[{"start": 3, "end": 8, "kind": "eponym"}]), "the span 3 to 8 overlaps"),
        (changed(spans=[span(3, 99)]), "outside the text"),
        (changed(spans=[span(-4, 3)]), "outside the text"),
        (changed(spans=[span(8, 8)]), "empty"),
        (changed(spans=[span(4, 9, text="Quill")]), 'does not hold its own "text"'),
        (changed(spans=[span(-40, -35, text="Quill")]), 'does not hold its own "text"|outside'),
        (changed(spans=[span(3, 9)]), "begins or ends with a blank"),
        (changed(spans=[span("3", 8)]), "'start' is a str"),
        (changed(spans=[span(3.0, 8)]), "'start' is a float"),
        (changed(spans=[span(True, 8)]), "'start' is a bool"),
        (changed(spans=[span(3, 8, type="")]), "no type"),
        (changed(spans=[{"start": 3, "end": 8}]), "no 'type'"),
        (changed(spans=[[3, 8, "NAME"]]), "a span is a list"),
        (changed(spans=None), "'spans' is a NoneType"),
        (changed(text=["Dr Quill"]), "'text' is a list"),
        (changed(language="fr"), "neither en nor zh"),
        ({"id": "1", "language": "en", "text": TEXT}, "no 'spans'"),
        ({"language": "en", "text": TEXT, "spans": []}, "no 'id'"),
        ([ROW], "a list, no object"),
        ("{not json", "no JSON at character 1"),
        ({"id": "1", "language": "en", "marked": "Dr {NAME|Quill saw"}, "the mark at character 3"),
        ({"id": "1", "language": "en", "marked": "Dr {name|Quill}"}, "the mark at character 3"),
        ({"id": "1", "language": "en", "marked": "Dr {NAME|}"}, "is empty"),
        ({"id": "1", "language": "en", "marked": "Dr{NAME| Quill}"}, "begins or ends with a blank"),
    ],
)
def test_a_row_that_is_no_labelled_note_is_named_and_not_quoted(read, row, what):
    with pytest.raises(LabelError, match=rf"notes\.jsonl, line 2: .*({what})") as error:
        read(ROW, row)
    assert "Quill" not in str(error.value)


def test_a_file_without_notes_is_an_error(read):
    with pytest.raises(LabelError, match=r"notes\.jsonl: no notes"):
        read("", "")


def test_a_file_in_another_encoding_is_an_error(tmp_path):
    (tmp_path / "notes.jsonl").write_bytes("姓名：王明".encode("gb18030"))
    with pytest.raises(LabelError, match=r"notes\.jsonl: no UTF-8 at byte 0"):
        read_notes(tmp_path / "notes.jsonl")


def test_spans_shifted_throughout_are_an_error(read):
    """As if counted in UTF-16 units after an emoji: no single span tells, all of them do."""
    rows = [{"id": str(n), "language": "en", "text": "(Quill) came.", "spans": [span(2, 7)]} for n in range(4)]
    with pytest.raises(LabelError, match="4 edges of 4 spans cut through a word"):
        read(*rows)


def test_a_few_words_that_ocr_glued_together_are_no_shift(read):
    glued = [{"id": str(n), "language": "en", "text": "DrQuill came.", "spans": [span(2, 7)]} for n in range(3)]
    whole = [{"id": f"w{n}", "language": "en", "text": "Dr Quill came.", "spans": [span(3, 8)]} for n in range(20)]
    assert len(read(*glued, *whole)) == 23


def test_pieces_join_to_the_text():
    note = Note("1", "zh", "", parse_marks("{NAME|王明}，腰{|4/5}"))
    assert note.text == "王明，腰4/5"
