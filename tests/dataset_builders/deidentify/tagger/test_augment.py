import itertools
import random

import pytest

from dataset_builders.deidentify.labelled_notes import TRAP, Note, Piece
from dataset_builders.deidentify.tagger.augment import (
    add_traps,
    augment,
    change_keys,
    change_traps,
    cut_out,
    mix_lines,
    replace_identifiers,
)

NOTE = Note(
    "n",
    "en",
    "letter",
    (
        Piece("Patient: "),
        Piece("Orla Quill", "NAME"),
        Piece("\nSeen on "),
        Piece("3 May 2021", "DATE"),
        Piece(" for "),
        Piece("L4/5", TRAP),
        Piece(" stenosis. Call "),
        Piece("555-0142", "PHONE"),
        Piece(".\n"),
    ),
)


def _types(pieces):
    return [piece.type for piece in pieces if piece.type]


@pytest.mark.parametrize("seed", range(60))
def test_spans_of_a_note_written_again_hold_the_words_that_are_labelled(seed):
    again = augment(NOTE, [NOTE], random.Random(seed))
    assert again.text == "".join(piece.text for piece in again.pieces)
    spans = list(again.spans())
    assert all(start < end <= len(again.text) for start, end, _ in spans)
    assert all(end <= start for (_, end, _), (start, _, _) in itertools.pairwise(spans))
    assert {kind for _, _, kind in spans} <= {"NAME", "DATE", "PHONE", TRAP}


def test_the_same_seed_writes_the_same_note():
    assert augment(NOTE, [NOTE], random.Random(5)) == augment(NOTE, [NOTE], random.Random(5))


def test_identifiers_are_others_and_everything_else_stays():
    pieces = replace_identifiers(list(NOTE.pieces), random.Random(1))
    for old, new in zip(NOTE.pieces, pieces):
        assert (old.text != new.text) == (old.type in ("NAME", "DATE", "PHONE"))


def test_traps_change_in_number_alone():
    written = {piece.text for seed in range(30) for piece in change_traps(list(NOTE.pieces), random.Random(seed)) if piece.type}
    assert {"Orla Quill", "3 May 2021", "555-0142"} <= written and len(written) > 6


def test_keys_are_replaced_dropped_and_misspelt():
    keys = {change_keys(list(NOTE.pieces), "en", random.Random(seed))[0].text for seed in range(80)}
    assert "Patient: " in keys and "" in keys and len(keys) > 8


def test_lines_of_another_note_and_clinical_stretches_come_in_whole():
    mixed = mix_lines(list(NOTE.pieces), NOTE, random.Random(2))
    assert set(_types(mixed)) <= {"NAME", "DATE", "PHONE", TRAP} and len(mixed) > 4
    added = add_traps(list(NOTE.pieces), "en", random.Random(2))
    assert _types(added).count(TRAP) > 1 and [t for t in _types(added) if t != TRAP] == ["NAME", "DATE", "PHONE"]


def test_a_part_that_is_cut_out_stands_in_the_note_as_it_is():
    parts = {"".join(piece.text for piece in cut_out(list(NOTE.pieces), random.Random(seed))) for seed in range(30)}
    assert len(parts) > 3 and all(part and part in NOTE.text for part in parts)
