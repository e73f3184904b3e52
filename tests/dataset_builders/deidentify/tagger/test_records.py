import json
import random

import pytest

from dataset_builders.deidentify.labelled_notes import TRAP, Piece
from dataset_builders.deidentify.tagger.records import write_record

PIECES = [Piece("Seen by "), Piece("Orla Quill", "NAME"), Piece(", born "), Piece("1961-05-03", "DATE"), Piece(".")]


@pytest.mark.parametrize("seed", range(40))
def test_a_record_holds_only_labelled_values_between_its_keys(seed):
    record = write_record(PIECES, "en", random.Random(seed))
    identifiers = {piece.text for piece in record if piece.type and piece.type != TRAP}
    assert identifiers <= {"Orla Quill", "1961-05-03"}
    assert any(piece.type == TRAP for piece in record)
    between = "".join(piece.text for piece in record if piece.type is None)
    assert "Quill" not in between and "1961" not in between


def test_json_records_are_json():
    texts = ["".join(piece.text for piece in write_record(PIECES, "en", random.Random(seed))) for seed in range(200)]
    records = [text for text in texts if text.startswith("{") and text.endswith("}")]
    assert records and all(isinstance(json.loads(text), dict) for text in records)
