"""Every rule and clue on its own examples; tables that cannot be used are refused with file and entry."""

import re

import pytest
import yaml

from dataset_builders.deidentify import rules
from dataset_builders.deidentify.identifiers import find_by_rule
from dataset_builders.deidentify.rules import (
    CATEGORIES,
    RuleError,
    clue,
    load_clues,
    load_rules,
    read_clues,
    read_parts,
    read_rules,
)

FOLDER = rules._FOLDER
GOOD = {
    "id": "lot",
    "category": "DEVICE",
    "what": "A lot.",
    "before": "lot[ ]",
    "masked": r"\d+",
    "must_match": ["lot «7»"],
    "must_not_match": ["a lot"],
}


def cases(entries, kind):
    return [
        pytest.param(entry, example, id=f"{entry.id}-{number}")
        for entry in entries
        for number, example in enumerate(getattr(entry, kind), 1)
    ]


@pytest.mark.parametrize(("rule", "example"), cases(load_rules(), "must_match"))
def test_a_rule_finds_what_its_examples_mark(rule, example):
    assert [(span.start, span.end) for span in find_by_rule(rule, example.text)] == list(example.spans)


@pytest.mark.parametrize(("rule", "example"), cases(load_rules(), "must_not_match"))
def test_a_rule_finds_nothing_in_its_counter_examples(rule, example):
    assert find_by_rule(rule, example.text) == []


def found(entry, text):
    group = "id" if "id" in entry.pattern.groupindex else 0
    return tuple(match.span(group) for match in entry.pattern.finditer(text) if match.group())


@pytest.mark.parametrize(("entry", "example"), cases(load_clues().values(), "must_match"))
def test_a_clue_finds_what_its_examples_mark(entry, example):
    assert found(entry, example.text) == example.spans


@pytest.mark.parametrize(("entry", "example"), cases(load_clues().values(), "must_not_match"))
def test_a_clue_finds_nothing_in_its_counter_examples(entry, example):
    assert found(entry, example.text) == ()


def test_every_category_has_a_rule():
    assert {rule.category for rule in load_rules()} == set(CATEGORIES)


def test_every_clue_is_asked_for():
    """A clue that no code reads is dead."""
    code = "".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.py"))
    assert [name for name in load_clues() if f'clue("{name}")' not in code] == []


def test_every_part_is_used():
    patterns = "".join(path.read_text(encoding="utf-8") for path in (FOLDER / "patterns").glob("*.yaml"))
    assert [name for name in read_parts(FOLDER / "patterns" / "parts.yaml") if f"{{{name}}}" not in patterns] == []


def write(folder, *entries, key="rules", name="lots.yaml"):
    path = folder / name
    path.write_text(yaml.safe_dump({key: list(entries)}, allow_unicode=True), encoding="utf-8")
    return path


def without(key):
    return {name: value for name, value in GOOD.items() if name != key}


def test_a_rule_of_ones_own_is_read(tmp_path):
    (rule,) = read_rules(write(tmp_path, GOOD), {})
    assert [(span.start, span.end, span.category) for span in find_by_rule(rule, "see lot 42")] == [(8, 10, "DEVICE")]


def test_an_alternative_does_not_reach_beyond_its_piece(tmp_path):
    (rule,) = read_rules(write(tmp_path, GOOD | {"before": "lot[ ]|batch[ ]", "after": "x|y"}), {})
    assert find_by_rule(rule, "lot 7x") and not find_by_rule(rule, "lot 7") and not find_by_rule(rule, "y")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (without("must_match"), "entry lot: no must_match"),
        (without("must_not_match"), "entry lot: no must_not_match"),
        (GOOD | {"must_not_match": []}, "entry lot: no must_not_match"),
        (without("id"), "entry 1: no id"),
        (without("what"), "entry lot: no what"),
        (without("masked"), "entry lot: no masked"),
        (GOOD | {"category": "GADGET"}, "entry lot: no category GADGET; choose one of .*DEVICE"),
        (GOOD | {"flag": True}, "entry lot: unknown flag"),
        (GOOD | {"sure": "yes"}, "entry lot: sure is a str"),
        (GOOD | {"masked": r"(\d+"}, "entry lot: its pattern does not compile: .*"),
        (GOOD | {"masked": "{codes}"}, r"entry lot: no part \{codes\} in parts\.yaml; it has code"),
        (GOOD | {"must_match": ["lot 7"]}, "entry lot: example 'lot 7': mark what is found"),
        (GOOD | {"must_not_match": ["«lot»"]}, "entry lot: example '«lot»': take the marks out"),
        (GOOD | {"must_match": [7]}, "entry lot: example 7 is no text"),
        ("lot", "entry 1: a str, not a mapping"),
    ],
)
def test_a_rule_that_cannot_be_used_is_an_error_that_names_file_and_entry(tmp_path, entry, message):
    with pytest.raises(RuleError, match=re.escape(str(tmp_path / "lots.yaml")) + ": " + message):
        read_rules(write(tmp_path, entry), {"code": "x"})


def test_an_id_that_stands_twice_is_an_error(tmp_path):
    with pytest.raises(RuleError, match=r"lots\.yaml: entry lot: the id stands twice"):
        read_rules(write(tmp_path, GOOD, GOOD), {})


def test_an_id_that_stands_in_two_files_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "patterns").mkdir()
    for path in (FOLDER / "patterns" / "parts.yaml", FOLDER / "family_names.yaml"):
        (tmp_path / path.relative_to(FOLDER)).write_bytes(path.read_bytes())
    write(tmp_path / "patterns", GOOD)
    write(tmp_path / "patterns", GOOD, name="more.yaml")
    monkeypatch.setattr(rules, "_FOLDER", tmp_path)
    with pytest.raises(RuleError, match=r"more\.yaml: rule lot: another file"):
        load_rules.__wrapped__()


def test_a_key_that_stands_twice_is_an_error(tmp_path):
    path = tmp_path / "lots.yaml"
    path.write_text("rules:\n- id: one\n  id: two\n", encoding="utf-8")
    with pytest.raises(RuleError, match=r"(?s)lots\.yaml: .*key 'id' stands twice.*line 2"):
        read_rules(path, {})


@pytest.mark.parametrize("text", ["rule: []", "[]", "rules: {}", "", "rules: [", "rules: []\nparts: {}"])
def test_a_file_that_is_no_table_of_rules_is_an_error(tmp_path, text):
    path = tmp_path / "lots.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RuleError, match=r"lots\.yaml: "):
        read_rules(path, {})


def test_a_part_that_refers_to_itself_is_an_error(tmp_path):
    path = tmp_path / "parts.yaml"
    path.write_text(
        yaml.safe_dump({"a": {"what": "x", "pattern": "{b}"}, "b": {"what": "y", "pattern": "{a}"}}), encoding="utf-8"
    )
    with pytest.raises(RuleError, match=r"parts\.yaml: part a: part \{b\} refers to itself"):
        read_parts(path)


def test_an_unknown_clue_names_the_table():
    with pytest.raises(RuleError, match=r"clues\.yaml: no clue eponym; it has .*eponym_in_use"):
        clue("eponym")


def test_a_clue_has_a_pattern_and_a_category_of_clues(tmp_path):
    entry = {**without("before"), "pattern": "lot"}
    del entry["masked"]
    with pytest.raises(RuleError, match="entry lot: no category DEVICE; choose one of clinical"):
        read_clues(write(tmp_path, entry, key="clues"), {})
