import json

import numpy as np
import pytest

from dataset_builders.deidentify.tagger import train
from dataset_builders.deidentify.tagger.network import CLASSES, run_networks

ROW = {"id": "a", "language": "en", "genre": "letter", "text": "Dr Quill saw L4/5 today", "spans": [], "traps": []}
ROW["spans"] = [{"start": 3, "end": 8, "type": "NAME", "text": "Quill"}]
ROW["traps"] = [{"start": 13, "end": 17, "kind": "trap", "text": "L4/5"}]


def _hand(folder, name):
    rows = [{**ROW, "id": f"{name}{number}"} for number in range(6)]
    (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def test_a_hand_left_out_is_not_read_and_an_unknown_one_is_an_error(tmp_path):
    _hand(tmp_path, "one")
    _hand(tmp_path, "two")
    assert list(train.read_hands(tmp_path, ["one"])) == ["two"]
    with pytest.raises(ValueError, match=r"no hand three; it has one, two"):
        train.read_hands(tmp_path, ["three"])


def test_labels_and_weights_stand_on_the_characters_of_the_folded_text(tmp_path):
    _hand(tmp_path, "one")
    (note, *_) = train.read_hands(tmp_path)["one"]
    sample = train.describe_note(note)
    assert [CLASSES[number] for number in sample.classes[2:9]] == ["NONE", *["NAME"] * 5, "NONE"]
    assert sample.weights[3] > sample.weights[0] and sample.weights[13] > sample.weights[3]


@pytest.mark.slow
def test_a_network_learns_the_name_it_is_shown_and_leaves_the_level(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "_BATCH", 4)  # as many steps with fewer notes
    _hand(tmp_path, "one")
    notes = train.read_hands(tmp_path)["one"]
    samples = [train.describe_note(note) for note in notes] * 50
    weights = {f"{number}.{name}": values for number in (0, 1) for name, values in train.fit(samples, 4, seed=0).items()}
    sample = samples[0]
    found = run_networks(weights, sample.numbers, np.unpackbits(sample.bits, axis=1, count=train.BITS))
    assert [CLASSES[number] for number in found.argmax(axis=1)] == ["NONE"] * 3 + ["NAME"] * 5 + ["NONE"] * 15


def test_the_notes_of_the_repository_are_well_formed_and_of_several_hands():
    hands = train.read_hands(train.NOTES)
    assert len(hands) >= 9 and sum(map(len, hands.values())) >= 700
    assert sum(not any(kind != "trap" for *_, kind in note.spans()) for notes in hands.values() for note in notes) >= 100
