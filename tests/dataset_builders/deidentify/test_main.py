import json
import sys

import pytest

from dataset_builders.deidentify.__main__ import main

MARKED = [
    "Dr. {NAME|Orla Quill} wrote: {|L4/5} is narrow, see {NAME|wendle}.",
    "{|Cobb} angle of 34 degrees, no fracture.",
]


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes.jsonl"
    rows = [{"id": f"n{number}", "language": "en", "marked": marked} for number, marked in enumerate(MARKED)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Runs the command line; gives its exit status, output and errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["deidentify", *map(str, arguments)])
        monkeypatch.chdir(tmp_path)
        status = main()
        return (status, *capsys.readouterr())

    return run


def test_one_command_scores_a_sample(call, notes):
    status, output, _ = call("measure", notes)
    assert status == 0
    assert "2 notes, 1 without identifiers; strict mode" in output
    assert "NAME *" in output and "notes that leak, per 100" in output and "look-alikes left intact" in output


def test_misses_are_shown_only_if_asked_and_written_nowhere(call, notes, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    _, output, errors = call("measure", notes, "--mode", "standard")
    assert "wendle" not in output + errors and "1 missed; --misses shows them" in output
    _, output, _ = call("measure", notes, "--mode", "standard", "--misses")
    assert "n0  NAME  …" in output and "«wendle»" in output and "no file holds it" in output
    assert sorted(tmp_path.rglob("*")) == before


def test_notes_without_identifiers_say_so(call, tmp_path):
    path = tmp_path / "bare.jsonl"
    path.write_text(json.dumps({"id": "1", "language": "en", "text": "No fracture.", "spans": []}))
    status, output, _ = call("measure", path)
    assert status == 0 and "No identifier is marked" in output


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "no notes"),
        ('{"id": "1"', "line 1: no JSON"),
        ('{"id": "1", "language": "en", "text": "ab cd", "spans": [{"start": 0, "end": 9, "type": "NAME"}]}', "outside"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(call, tmp_path, content, what):
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    status, output, errors = call("measure", path)
    assert status == 1 and not output
    assert errors.startswith("error: ") and "bad.jsonl" in errors and what in errors and errors.count("\n") == 1


def test_a_file_or_model_that_is_not_there_is_named(call, notes, tmp_path):
    status, _, errors = call("measure", tmp_path / "absent.jsonl")
    assert status == 1 and "absent.jsonl" in errors
    status, _, errors = call("measure", notes, "--ner", tmp_path / "model")
    assert status == 1 and "no config.json" in errors
