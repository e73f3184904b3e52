"""The words of imaging reports, English and Chinese: what each stands for when a report is read (report_reader.py).

    tokenize("L4-L5: left paracentral protrusion")
        -> level L4/L5, filler ":", side left, site paracentral, finding disc_herniation

Levels are found first (levels/), then the phrases of templates/report_words.yaml. What is left over belongs to no phrase: such
words are unread, and a sentence that holds one is not understood.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from dataset_builders.generate.rules.texts import TEMPLATES
from dataset_builders.levels import find_levels

AS_TOLD = (
    "fracture", "wedge_fracture", "pathological_fracture", "tumour", "infection", "epidural_collection", "cord_signal_change",
    "dislocation",
)  # fmt: skip
"""Findings whose grade is the report's own word for them ("osteoporotic compression fracture", "discitis")."""


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a sentence.

    kind    "level", "root", "finding", "structure", "contact", "side", "site", "degree", "shape", one of the cues ("negated",
            "negated_after", "not_excluded", "not_excluded_after", "probable", "possible", "end"), one of the others ("many",
            "size", "path", "migrated", "join", "filler"), or "unread".
    value   what it stands for ("disc_bulge", "L4/L5", "left").
    text    as written, without capitals.
    grade   of a finding, if the words hold one.
    """

    kind: str
    value: str
    text: str
    grade: str | None = None


def tokenize(sentence: str) -> Iterator[Token]:
    """Cut a sentence, rightly spelt, into tokens; white space is left out."""
    spans = find_levels(sentence)
    text = sentence.lower()
    for number, span in reversed(list(enumerate(spans))):
        text = text[: span.start] + f"⟦{number}⟧" + text[span.end :]
    for match in _TOKEN.finditer(text):
        said = match[0]
        if match["level"]:
            span = spans[int(said[1:-1])]
            yield Token("root" if span.kind == "nerve_root" else "level", ",".join(span.names), said)
        elif match["mark"] or match["stop"]:
            yield Token("join" if match["mark"] else "filler", said, said)
        elif match["unread"]:
            yield Token("unread", said, said)
        elif not match["space"]:
            yield from _phrase(match)


def _phrase(match: re.Match[str]) -> Iterator[Token]:
    """The token of a phrase; before a finding, the degree and shape that its words hold ("severe canal stenosis")."""
    said = match[0]
    name = next(key for key, value in match.groupdict().items() if value and key.startswith(_PREFIXES))
    table, _, value = name.partition("__")
    if table == "findings" and value not in AS_TOLD:
        yield from (Token(kind, name, said) for (kind, name), pattern in _ADJECTIVES.items() if pattern.search(said))
    kind = value if table in ("cues", "others") else table.removesuffix("s")
    yield Token(kind, value, said, _grade(match, value) if table == "findings" else None)


def _grade(match: re.Match[str], finding: str) -> str | None:
    """The grade that the words of a finding hold: "Meyerding II", "Modic 2", "extrusion"; AS_TOLD: all its words."""
    if finding in AS_TOLD:
        return re.sub(r"fractures?\b|fractured", "fracture", match[0])
    for group, kind in _KINDS.items():
        if match[group]:
            return kind
    step = next((match[group] for group in _STEPS if match[group]), None)
    if step is None:
        return "retrolisthesis" if match["retro"] else None
    roman = _ROMAN.get(step, step.upper())
    if finding == "modic_change":
        return f"Modic {len(roman)}"
    scale = "Pfirrmann" if finding == "disc_degeneration" else "retrolisthesis Meyerding" if match["retro"] else "Meyerding"
    return f"{scale} {roman}"


_ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV", "5": "V", "ⅰ": "I", "ⅱ": "II", "ⅲ": "III", "ⅳ": "IV", "ⅴ": "V"}
_KINDS = {
    "schmorl": "Schmorl's node",
    "sequester": "sequestration",
    "sequester_zh": "sequestration",
    "extrusion": "extrusion",
    "extrusion_zh": "extrusion",
    "protrusion": "protrusion",
}
"""Groups of report_words.yaml that name a kind of finding, and those that hold a step of a scale."""
_STEPS = ("modic", "modic_zh", "pfirrmann_grade", "slip", "slip_after", "slip_zh")


def _whole(lines: Sequence[str]) -> str:
    """Make the Latin words of a table's lines whole ones: nothing Latin before or after."""
    return rf"(?<![a-z])(?:{'|'.join(lines)})(?![a-z])"


def _read_table(words: Mapping[str, Mapping[str, Sequence[str]]], table: str) -> str:
    return "|".join(f"(?P<{table}__{name}>{_whole(lines)})" for name, lines in words[table].items())


def _compile(words: Mapping[str, Mapping[str, Sequence[str]]]) -> re.Pattern[str]:
    """Join the tables in the order in which a word is looked up: the closer meaning first."""
    cues, others = words["cues"], words["others"]
    before = {"cues": {name: lines for name, lines in cues.items() if name.startswith(("not_excluded", "negated_after"))}}
    after = {"cues": {name: lines for name, lines in cues.items() if name not in before["cues"]}}
    last = {"others": {name: lines for name, lines in others.items() if name in ("join", "filler")}}
    first = {"others": {name: lines for name, lines in others.items() if name not in last["others"]}}
    tables = (
        (before, "cues"), (words, "findings"), (after, "cues"), (words, "sites"), (first, "others"), (words, "structures"),
        (words, "contacts"), (words, "sides"), (words, "degrees"), (words, "shapes"), (last, "others"),
    )  # fmt: skip
    parts = [r"(?P<level>⟦\d+⟧)", *(_read_table(held, name) for held, name in tables)]
    parts += [
        r"(?P<mark>[,，、&/;；\-–+])",
        r"(?P<stop>[.。:：()（）\"“”'’*!])",
        r"(?P<space>\s+)",
        r"(?P<unread>[a-z]+|\d+(?:\.\d+)?|.)",
    ]
    return re.compile("|".join(parts), re.IGNORECASE)


_WORDS = yaml.safe_load((TEMPLATES / "report_words.yaml").read_text(encoding="utf-8"))
_TOKEN = _compile(_WORDS)
_PREFIXES = tuple(f"{table}__" for table in _WORDS)
_ADJECTIVES = {
    (table.removesuffix("s"), name): re.compile(_whole(lines))
    for table in ("degrees", "shapes")
    for name, lines in _WORDS[table].items()
}
NORMAL = re.compile(_whole(_WORDS["sentences"]["normal"]), re.IGNORECASE)
"""Words by which a sentence says that all is well."""
OF_NORMAL = re.compile(_whole(_WORDS["sentences"]["of_normal"]), re.IGNORECASE)
"""Words that name what may be well: they need no reading beside a word of NORMAL."""
ADVISED = re.compile("|".join(_WORDS["sentences"]["advised"]), re.IGNORECASE)
"""What a report asks to be done: "correlate with bone isotope scan", "contrast study is recommended"."""
