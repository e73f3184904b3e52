"""Read the rules of de-identification: every pattern is an entry that a person can read, change and try on examples.

    patterns/<kind of identifier>.yaml   rules: what is masked
    patterns/clues.yaml                  clues: what helps to decide, and what is kept
    patterns/parts.yaml                  parts: pieces that patterns share, written {name}
    patterns/headings.yaml               no patterns, but the headings of fields (headings.py)
    family_names.yaml                    Chinese family names; the part {surname} is made of them

A rule:

    id              one word for it, in no other entry
    category        one of CATEGORIES
    what            what it matches, in words
    before, after   the evidence around the identifier (optional)
    masked          the identifier itself
    sure            true: the evidence is so strong that an ordinary word is a name, too (NAME; optional)
    not_if_ordinary true: it counts only if a word of it is not an ordinary one (GEO; optional)
    chinese_text    true: it is tried only on texts that hold Chinese (optional)
    ignore_case     true: letters match in either case (optional)
    must_match      texts of our own invention in which this rule finds exactly what stands between « and »
    must_not_match  texts in which it finds nothing

A clue has ``pattern`` in place of before, masked and after, and a category of CLUE_CATEGORIES. If its pattern has a group "id",
the marks of its examples stand around that group.

Patterns are regular expressions in Python's verbose notation: line breaks and spaces mean nothing, a space is ``[ ]``, a hash
is ``\\#``. They match folded text (identifiers.fold). No quantifier is unbounded next to another one over the same characters,
so that time stays linear on a line of any length. The order of entries and files means nothing.

Loading raises RuleError, which names file and entry, for a missing or unknown key, an unknown category or part, an id or key
that stands twice, a rule without examples, and a pattern that does not compile. The examples are tried by the tests.
"""

import functools
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CATEGORIES = (
    *("EMAIL", "URL", "PHOTO", "SSN", "IP", "FAX", "VEHICLE", "BIOMETRIC", "PHONE", "PLAN", "LICENSE", "MRN"),
    *("ACCOUNT", "DEVICE", "DATE", "AGE90", "NAME", "GEO", "ORG", "OTHER_ID"),
)
"""What identifies a person: the 18 identifiers of the HIPAA Safe Harbor rule (45 CFR 164.514(b)(2)) and their Chinese
counterparts, the most direct first."""

CLUE_CATEGORIES = ("clinical", "age", "trim", "label", "address", "english_word", "chinese_name", "code")
"""What a clue is asked about."""

_FOLDER = Path(__file__).parent
_CLUES = "clues.yaml"
_PARTS = "parts.yaml"
_HEADINGS = "headings.yaml"  # headings.py reads it
_SURNAME = "surname"
_REQUIRED = {"id", "category", "what", "must_match", "must_not_match"}
_RULE_FLAGS = {"sure", "not_if_ordinary", "chinese_text", "ignore_case"}
_RULE_KEYS = _REQUIRED | {"before", "masked", "after"} | _RULE_FLAGS
_CLUE_KEYS = _REQUIRED | {"pattern", "ignore_case"}
_MARKED = re.compile("«([^«»]*)»")
_REFERENCE = re.compile(r"\{([a-z_]+)\}")


class RuleError(ValueError):
    """A table of rules that cannot be used: names the file, the entry, what is wrong with it and what to do."""


@dataclass(frozen=True, slots=True)
class Example:
    """A text in which an entry finds ``spans``, pairs of start and end; none of them if it must not match."""

    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """An entry of a table. ``pattern`` has the group "id" if it is a rule's; see this module for the other fields."""

    id: str
    category: str
    what: str
    pattern: re.Pattern[str]
    sure: bool
    not_if_ordinary: bool
    chinese_text: bool
    must_match: tuple[Example, ...]
    must_not_match: tuple[Example, ...]


@functools.cache
def load_rules() -> tuple[Rule, ...]:
    """Read every rule of ``patterns/``, by id. Raises RuleError."""
    folder = _FOLDER / "patterns"
    parts = read_parts(folder / _PARTS)
    rules: dict[str, Rule] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in (_CLUES, _PARTS, _HEADINGS):
            for rule in read_rules(path, parts):
                if rule.id in rules:
                    raise RuleError(f"{path}: rule {rule.id}: another file has this id, too; give it one of its own")
                rules[rule.id] = rule
    return tuple(rules[name] for name in sorted(rules))


@functools.cache
def load_clues() -> Mapping[str, Rule]:
    """Read the clues by id. Raises RuleError."""
    folder = _FOLDER / "patterns"
    return {clue.id: clue for clue in read_clues(folder / _CLUES, read_parts(folder / _PARTS))}


@functools.cache
def clue(name: str) -> re.Pattern[str]:
    """Return the pattern of a clue. Raises RuleError if there is none of this id."""
    clues = load_clues()
    if name not in clues:
        raise RuleError(f"{_FOLDER / 'patterns' / _CLUES}: no clue {name}; it has {', '.join(sorted(clues))}")
    return clues[name].pattern


def read_rules(path: Path, parts: Mapping[str, str]) -> list[Rule]:
    """Read the rules of one file; ``parts`` as read_parts gives them. Raises RuleError."""
    return [_rule(path, entry, parts) for entry in _entries(path, "rules", _RULE_KEYS, _REQUIRED | {"masked"}, CATEGORIES)]


def read_clues(path: Path, parts: Mapping[str, str]) -> list[Rule]:
    """Read the clues of one file; ``parts`` as read_parts gives them. Raises RuleError."""
    entries = _entries(path, "clues", _CLUE_KEYS, _REQUIRED | {"pattern"}, CLUE_CATEGORIES)
    return [_build(path, entry, entry["pattern"], parts) for entry in entries]


def read_parts(path: Path) -> dict[str, str]:
    """Read the parts of patterns, each expanded to a verbose pattern without references. Raises RuleError."""
    raw = {}
    for name, entry in read_table(path).items():
        _check_keys(f"{path}: part {name}", entry, {"what", "pattern"}, {"what", "pattern"})
        raw[name] = entry["pattern"]
    raw[_SURNAME] = f"(?:{'|'.join(sorted(compound_surnames()))}|[{''.join(sorted(surname_characters()))}])"
    return {name: _expand(f"{path}: part {name}", pattern, raw) for name, pattern in raw.items()}


def read_table(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping. Raises RuleError if it does not, or if a key stands twice in one mapping."""
    try:
        table = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)  # a SafeLoader
    except yaml.YAMLError as error:
        raise RuleError(f"{path}: {error}") from None
    if not isinstance(table, dict):
        raise RuleError(f"{path}: holds a {type(table).__name__}, not a mapping")
    return table


@functools.cache
def surname_characters() -> frozenset[str]:
    """Return the characters that are a Chinese family name."""
    return frozenset("".join(_family_names()["surnames"].split()))


@functools.cache
def sure_surnames() -> frozenset[str]:
    """Return the Chinese family names that are hardly ever a word of their own."""
    return frozenset("".join(_family_names()["sure_surnames"].split()))


@functools.cache
def compound_surnames() -> frozenset[str]:
    """Return the Chinese family names of two characters."""
    return frozenset(_family_names()["compound_surnames"].split())


@functools.cache
def _family_names() -> dict[str, str]:
    return read_table(_FOLDER / "family_names.yaml")


class _StrictLoader(yaml.SafeLoader):
    """Refuses two equal keys: YAML itself keeps the last one, so a rule would be lost silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _entries(path: Path, key: str, known: set[str], required: set[str], categories: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the checked entries of a table, which is a list under ``key``."""
    table = read_table(path)
    if set(table) != {key} or not isinstance(table[key], list):
        raise RuleError(
            f"{path}: holds {', '.join(map(str, table)) or 'nothing'}; a list under {key!r} is wanted, and nothing else"
        )
    seen = set()
    for number, entry in enumerate(table[key], 1):
        name = entry.get("id") if isinstance(entry, dict) else None
        where = f"{path}: entry {name or number}"
        if not isinstance(entry, dict):
            raise RuleError(f"{where}: a {type(entry).__name__}, not a mapping with {', '.join(sorted(required))}")
        _check_keys(where, entry, known, required)
        if entry["category"] not in categories:
            raise RuleError(f"{where}: no category {entry['category']}; choose one of {', '.join(categories)}")
        if name in seen:
            raise RuleError(f"{where}: the id stands twice; give each entry its own")
        seen.add(name)
        yield entry


def _check_keys(where: str, entry: Any, known: set[str], required: set[str]) -> None:
    if not isinstance(entry, dict):
        raise RuleError(f"{where}: a {type(entry).__name__}, not a mapping with {', '.join(sorted(required))}")
    if unknown := sorted(set(entry) - known):
        raise RuleError(f"{where}: unknown {', '.join(map(str, unknown))}; it may hold {', '.join(sorted(known))}")
    if missing := sorted(name for name in required if not entry.get(name)):
        raise RuleError(f"{where}: no {', '.join(missing)}; write them")
    for name, value in entry.items():
        wanted: type = bool if name in _RULE_FLAGS else list if name.startswith("must_") else str
        if not isinstance(value, wanted):
            raise RuleError(f"{where}: {name} is a {type(value).__name__}, not a {wanted.__name__}")


def _rule(path: Path, entry: Mapping[str, Any], parts: Mapping[str, str]) -> Rule:
    """Make a Rule. Pieces stand in groups of their own, so that an alternative in one does not reach into the next."""
    before, after = (f"(?:{entry[key]}\n)" if entry.get(key) else "" for key in ("before", "after"))
    return _build(path, entry, f"{before}(?P<id>{entry['masked']}\n){after}", parts)


def _build(path: Path, entry: Mapping[str, Any], pattern: str, parts: Mapping[str, str]) -> Rule:
    where = f"{path}: entry {entry['id']}"
    flags = re.VERBOSE | (re.IGNORECASE if entry.get("ignore_case") else 0)
    try:
        compiled = re.compile(_expand(where, pattern, parts), flags)
    except re.error as error:
        raise RuleError(f"{where}: its pattern does not compile: {error}") from None
    examples = tuple(_example(where, text, marked=True) for text in entry["must_match"])
    return Rule(
        entry["id"],
        entry["category"],
        entry["what"],
        compiled,
        entry.get("sure", False),
        entry.get("not_if_ordinary", False),
        entry.get("chinese_text", False),
        examples,
        tuple(_example(where, text, marked=False) for text in entry["must_not_match"]),
    )


def _example(where: str, text: Any, *, marked: bool) -> Example:
    if not isinstance(text, str):
        raise RuleError(f"{where}: example {text!r} is no text; put it into quotation marks")
    if bool(_MARKED.search(text)) != marked:
        wanted = "mark what is found with « and »" if marked else "take the marks out, or put it under must_match"
        raise RuleError(f"{where}: example {text!r}: {wanted}")
    spans, plain, position = [], "", 0
    for match in _MARKED.finditer(text):
        plain += text[position : match.start()]
        spans.append((len(plain), len(plain) + len(match[1])))
        plain += match[1]
        position = match.end()
    return Example(plain + text[position:], tuple(spans))


def _expand(where: str, pattern: str, parts: Mapping[str, str], inside: tuple[str, ...] = ()) -> str:
    def part(match: re.Match[str]) -> str:
        name = match[1]
        if name not in parts:
            raise RuleError(f"{where}: no part {{{name}}} in {_PARTS}; it has {', '.join(sorted(parts))}")
        if name in inside:
            raise RuleError(f"{where}: part {{{name}}} refers to itself")
        return _expand(where, parts[name], parts, (*inside, name))

    return _REFERENCE.sub(part, pattern)
