import json

import pytest

from dataset_builders.deidentify.labelled_notes import Note, parse_marks
from dataset_builders.deidentify.measure import (
    format_scores,
    judge,
    list_misses,
    make_finder,
    run,
    score,
)
from tests.support.scripts import load_benchmark


def note(marked, id="1", language="en", genre=""):
    return Note(id, language, genre, parse_marks(marked))


def words(*wanted):
    """A finder of these words."""
    return lambda text, _: [(text.index(word), text.index(word) + len(word)) for word in wanted if word in text]


def scores(notes, *wanted):
    return score(run(notes, words(*wanted)))


def test_an_identifier_is_found_if_all_but_its_blanks_is_masked():
    marked = note("{NAME|Ann Lee} came")
    assert judge(marked, [(0, 3), (4, 7)]).identifiers[0].good
    assert not judge(marked, [(0, 6)]).identifiers[0].good


def test_overlapping_spans_of_a_finder_count_once():
    outcome = judge(note("{NAME|Ann} came"), [(0, 3), (1, 3), (0, 2)])
    assert (outcome.masked, outcome.right, outcome.characters) == (3, 3, 7)


def test_shares_are_those_counted_by_hand():
    found = scores(
        [
            note("{NAME|Quill} and {DATE|3 May}, {|L4/5}", "1", genre="letter"),
            note("{NAME|Lee} of {ORG|Elm Clinic}", "2", genre="fax"),
            note("no one, {|Cobb} {|T12}", "3", genre="fax"),
        ],
        "Quill",
        "3 May",
        "Elm Clinic",
        "Cobb",
    )
    assert (found.notes, found.unidentified) == (3, 1)
    assert (found.recall.part, found.recall.whole) == (3, 4)
    assert (found.direct.part, found.direct.whole) == (1, 2)
    assert {kind: (share.part, share.whole) for kind, share in found.by_type.items()} == {
        "DATE": (1, 1),
        "NAME": (1, 2),
        "ORG": (1, 1),
    }
    assert {kind: share.share for kind, share in found.by_genre.items()} == {"letter": 1.0, "fax": 0.5}
    assert (found.leaked.part, found.leaked.whole) == (1, 2)
    assert (found.precision.part, found.precision.whole) == (5 + 4 + 9, 5 + 4 + 9 + 4)
    assert (found.intact.part, found.intact.whole) == (2, 3)
    assert (found.intact_unidentified.part, found.intact_unidentified.whole) == (1, 2)
    assert (found.overmasked.part, found.overmasked.whole) == (4, len("noone,CobbT12"))


def test_a_note_without_identifiers_cannot_dilute_the_leaks():
    assert scores([note("{NAME|Lee}"), note("calm")]).leaked.share == 1.0


def test_the_same_seed_gives_the_same_intervals():
    outcomes = run([note("{NAME|Lee} and {NAME|Quill}"), note("{NAME|Lee}")] * 5, words("Lee"))
    assert score(outcomes, seed=1) == score(outcomes, seed=1)
    assert score(outcomes).recall.low < 2 / 3 < score(outcomes).recall.high


def test_identifiers_of_one_note_are_not_taken_for_independent():
    """Ten notes that are found or missed whole: the interval is that of ten notes, not of a hundred identifiers."""
    whole = [note("{NAME|Lee} " * 10 if number % 2 else "{NAME|Roe} " * 10) for number in range(10)]
    outcomes = [judge(one, [(0, len(one.text))] if "Lee" in one.text else []) for one in whole]
    recall = score(outcomes).recall
    assert recall.share == 0.5 and recall.high - recall.low > 0.4


@pytest.mark.parametrize("found", [("Lee", "Quill"), (), ("Lee",)])
def test_no_interval_has_zero_width(found):
    """All found, none found, and half of a single note."""
    recall = scores([note("{NAME|Lee} and {NAME|Quill}")], *found).recall
    assert recall.low < recall.high
    assert 0.0 <= recall.low <= recall.share <= recall.high <= 1.0


def test_all_of_ten_found_gives_wilsons_interval():
    recall = scores([note("{NAME|Lee}")] * 10, "Lee").recall
    assert (round(recall.low, 4), recall.high) == (0.7225, 1.0)


def test_what_there_is_nothing_of_has_no_share():
    found = scores([note("calm")])
    assert found.recall is None and found.direct is None and found.leaked is None and found.precision is None
    assert found.intact is None and not found.by_type
    assert "–" in format_scores(found)


def test_no_notes_are_an_error():
    with pytest.raises(ValueError, match="no notes to score"):
        score([])


def test_the_table_names_types_and_marks_the_direct_ones():
    table = format_scores(scores([note("{NAME|Lee} on {DATE|3 May}", genre="fax")], "Lee"))
    lines = {line[:36].strip(): line[36:].split() for line in table.splitlines()}
    assert lines["NAME *"][0] == "1.000" and lines["DATE"][0] == "0.000"
    assert lines["notes that leak, per 100"][0] == "100.0"
    assert lines["in fax"][-2:] == ["1", "2"]


def test_misses_are_listed_with_their_surroundings_and_nothing_else():
    outcomes = run([note("Dr {NAME|Lee}\nsaw {NAME|Quill}\x1b[2J at home", "n7")], words("Lee"))
    assert list(list_misses(outcomes)) == ["n7  NAME  …Dr Lee⏎saw «Quill»·[2J at home…"]


def test_the_finder_is_the_masking_itself():
    text = "Dr. Orla Quill, MRN: 4471-0293"
    assert [text[start:end] for start, end in make_finder("standard")(text, "en")] == ["Orla Quill", "4471-0293"]


def test_the_benchmark_names_left_out_sets_first_and_what_is_not_there(tmp_path, monkeypatch):
    benchmark = load_benchmark("deidentification")
    for variable in ("SPINEMED_GOLD", "SPINEMED_AUTHORED"):
        monkeypatch.setenv(variable, str(tmp_path / "absent"))
    sets, absent = benchmark.load_sets()
    seen = {labelled.name: labelled.seen for labelled in sets if labelled.seen != ("left out",)}
    assert seen.pop("hand_en_t") == seen.pop("hand_zh_t") == ("seen by the threshold",)
    assert seen.keys() == {"own_snippets", "own_snippets_second"}
    assert "notes_dev: no notes_dev.jsonl in deid/ of SPINEMED_GOLD" in absent

    (tmp_path / "deid").mkdir()
    row = {"id": "1", "language": "en", "marked": "{NAME|Lee}"}
    (tmp_path / "deid" / "en_a.jsonl").write_text(json.dumps(row))
    monkeypatch.setenv("SPINEMED_AUTHORED", str(tmp_path))
    left_out = tmp_path / "deidentification"
    left_out.mkdir()
    for name in ("en_x", "zh_x"):
        (left_out / f"{name}.jsonl").write_text(json.dumps(row))
    for path in benchmark.DATA.glob("identifier_snippets*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(benchmark, "DATA", tmp_path)
    monkeypatch.setattr(benchmark, "REPO", tmp_path)
    sets, absent = benchmark.load_sets()
    assert [(labelled.name, len(labelled.notes), labelled.seen) for labelled in sets[:4]] == [
        ("left_out", 2, ("left out",)),
        ("hand_en_x", 1, ("left out",)),
        ("hand_zh_x", 1, ("left out",)),
        ("authored_en_a", 1, ("seen by rules", "trained on")),
    ]
    assert not any(reason.startswith("left_out") for reason in absent)
