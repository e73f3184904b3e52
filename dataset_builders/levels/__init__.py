"""Vertebral levels: English or Chinese text to canonical vertebrae, discs and nerve roots.

    parse_levels("L4/5 disc bulge compressing the right L5 root")
        -> Levels(vertebrae=("L4", "L5"), discs=("L4/L5",), nerve_roots=("L5",))

Three steps, each readable on its own:

    1. spell   every way to write a level ("fourth lumbar vertebra", 腰4, "C six seven") becomes "L4"   levels_spelling.py
    2. read    an expression ("C4-5, 5-6 and C7") becomes singles, pairs of neighbours and ranges        here
    3. judge   the words around it say whether it is a level at all, a nerve root, a disc                context.py

A level is never guessed: "lumbar spine" or "lower discs" give nothing. Time is linear in the length of the text.
"""

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from dataset_builders.levels.anatomy import (
    COCCYX,
    DISC_ORDER,
    DISCS,
    REGIONS,
    ROOT_ORDER,
    VERTEBRA_ORDER,
    VERTEBRAE,
    discs_between,
    neighbours,
    sort_discs,
    sort_levels,
    vertebrae_between,
    vertebrae_of_disc,
)
from dataset_builders.levels.context import DOUBTFUL_PAIRS, NUMBERED_THING, SPINE_NOUN, UNIT, Passage, Suspicion, suspect
from dataset_builders.levels.spelling import COCCYX_SPELLING, SURE, spell

__all__ = [
    "DISCS",
    "VERTEBRAE",
    "Levels",
    "find_levels",
    "neighbours",
    "parse_levels",
    "sort_discs",
    "sort_levels",
    "vertebrae_of_disc",
]


@dataclass(frozen=True, slots=True)
class Levels:
    """What a text names, head to tail, without duplicates. A disc implies its two vertebrae; a root implies none."""

    vertebrae: tuple[str, ...] = ()
    discs: tuple[str, ...] = ()
    nerve_roots: tuple[str, ...] = ()


_NO_LEVELS = Levels()


def parse_levels(text: str) -> Levels:
    """The vertebrae, discs and nerve roots that ``text`` names or implies, whether it affirms them or not.

    A range means all between; a pair of neighbours (L4-5) is their disc or motion segment; a root is no vertebra;
    C0 (occiput) and C8 (a root and cord segment) are no vertebrae. Never raises, whatever the text holds.
    """
    found = find_levels(spell(text))
    if not found:
        return _NO_LEVELS
    vertebrae: set[str] = set()
    discs: set[str] = set()
    roots: set[str] = set()
    for _start, _end, spans in found:
        for span in spans:
            if span.kind == "root":
                roots.update(_roots(span))
            else:
                vertebrae.update(_vertebrae(span))
                discs.update(_discs(span))
    return Levels(
        tuple(sorted(vertebrae, key=VERTEBRA_ORDER.__getitem__)),
        tuple(sorted(discs, key=DISC_ORDER.__getitem__)),
        tuple(sorted(roots, key=ROOT_ORDER.__getitem__)),
    )


def find_levels(spelled: str) -> list[tuple[int, int, tuple["Span", ...]]]:
    """Where a text names levels: start, end and reading of each mention, in order.

    ``spelled`` is the text as ``levels_spelling.spell`` gives it; the places are characters of that.
    """
    mentions = [
        _Mention(match.start(), match.end(), reading)
        for match in _EXPRESSION.finditer(spelled)
        if (reading := _read(match[0])) is not None and _stands_alone(spelled, match.start())
    ]
    if not mentions:
        return []
    return [(mention.start, mention.end, spans) for mention, spans in _judge(Passage(spelled), mentions)]


class Span(NamedTuple):
    """One reading between two levels ("C0" and "C8" may be ends), upper first.

    kind: single (upper is lower), pair (neighbours: a disc), range (all between), discs (all between, with their discs),
    ends (the two alone, as of a measurement), root (the roots of the same names).
    """

    kind: str
    upper: str
    lower: str


class _Reading(NamedTuple):
    """What an expression says by itself, what else it can be, and whether it needs a word of the spine nearby."""

    spans: tuple[Span, ...]
    suspicion: Suspicion | None
    doubtful: bool


class _Mention(NamedTuple):
    start: int
    end: int
    reading: _Reading


# The grammar. An expression is a level, then any number of (join or list sign, level or bare number).
_NUMBER = r"(?:1[0-3]|\d)"
_GLUED = r"(?:level|disc|disk|vertebra|body|and|to|nerve|root)"
_END = rf"(?:(?![A-Za-z\d*%]|\.\d)|(?=[CTLSD][Hh]?\d)|(?=(?:[ctl]\d|s1)(?!\w))|(?=(?i:{_GLUED})))"
_LEVEL = rf"(?:{SURE}[CTLS]|(?:T[Hh]|[CTLSD])(?:[ ]?-?[ ]?)|th|[ctlsd]){_NUMBER}{_END}"
_BARE = rf"(?:1[0-3]|[1-9]){_END}(?!\s*-?\s*(?i:{UNIT}))"
_BARE_IN_LIST = (
    rf"{_BARE}(?=\s*(?:[-/~_,、&:)\];]|\.(?:\s|$)|$|\n|(?i:and|or|to|through)\b|[和及与至到]|(?i:{SPINE_NOUN})))"
    rf"(?!\s*[-~/]\s*\d+(?:\.\d+)?\s*(?i:{UNIT}))"
)
_THE = r"(?:\s*\b(?:the|at|levels?\s+of)\b)*\s*"
_JOIN = r"\s*[-~/_\\]+\s*"
_JOIN_WORD = (
    rf"\s*(?:(?i:(?:(?:down|up|inferiorly|caudally|cranially)\s+)?(?:to|through|thru|though|until|till){_THE})|至|到)\s*"
)
_LIST = rf"-?\s*(?:(?i:\b(?:and|or|as well as)\b|[,、&+和及与或]|以及){_THE})+"
# "L4,5" without a blank: the next number up belongs to the level whatever follows.
_TIGHT = "(?:" + "|".join(f"(?<={number}),(?={number + 1}{_END})" for number in range(1, 12)) + ")"
# The first letter stands before its own conditions, so that the search skips to such letters: twice as fast.
_FIRST = (
    rf"[{SURE}CTLSDctlsd](?:(?<![A-Za-z0-9'’].)|(?<=[a-z][CTLSD]))"
    rf"(?:(?<={SURE})[CTLS]|(?<=T)[Hh][ ]?-?[ ]?|(?<=[CTLSD])[ ]?-?[ ]?|(?<=t)h|(?<=[ctlsd])){_NUMBER}{_END}"
)
_EXPRESSION = re.compile(
    rf"{_FIRST}(?:(?:{_JOIN}|{_JOIN_WORD})(?:{_LEVEL}|{_BARE})|{_LIST}(?:{_LEVEL}|{_BARE_IN_LIST})|{_TIGHT}{_BARE}"
    rf"|[ ]?{_LEVEL})*"
)
_WRITTEN = rf"(?:{SURE}[CTLS]|(?<![A-Za-z])(?:T[Hh]|[CTLSD])[ ]?-?[ ]?|(?<![A-Za-z])(?:th|[ctlsd]))(?=\d)"
_TOKEN = re.compile(rf"(?P<level>{_WRITTEN}{_NUMBER})|(?P<number>{_NUMBER})|(?P<sign>\D+?)(?={_WRITTEN}|\d)")

_LETTER_OF = {letter: region for region in REGIONS for letter in region.letters}
# A word run into a level by a typing slip ("atL4/L5").
_RUN_IN = re.compile(
    r"(?:^|[^A-Za-z])(?:at|of|in|the|and|to|from|on|with|level|levels|disc|discs|disk|noted|is|both|between|at the)$",
    re.IGNORECASE,
)
_HYPHENATED = re.compile(r"[A-Za-z]-$")
_HYPHENATED_WORD = re.compile(
    r"(?:^|[^A-Za-z])(?:mid|pre|post|upper|lower|level|supra|infra|sub|left|right|trans|non|at|of|and)-$", re.IGNORECASE
)


def _stands_alone(text: str, start: int) -> bool:
    """False for a tail of something else: "pT2", "HLA-C4", "48x10^9/L1". Words run in by a slip ("atL4") are let through."""
    if start == 0:
        return True
    before = text[max(0, start - 12) : start]
    if before[-1].isalpha() and before[-1].isascii():
        return bool(_RUN_IN.search(before))
    if before[-1] == "/" and before[:-1].rstrip()[-1:].isdigit():
        return False
    return not _HYPHENATED.search(before) or bool(_HYPHENATED_WORD.search(before))


@lru_cache(maxsize=1 << 16)
def _read(expression: str) -> _Reading | None:
    """The spans of an expression, or None where a number is no level's (S8, L9) or an order impossible (S5-1)."""
    names: list[str] = []
    signs: list[str] = []
    sure = loose = dorsal = False
    region = None
    for token in _TOKEN.finditer(expression):
        if token.lastgroup == "sign":
            signs.append(token[0])
            continue
        if token.lastgroup == "level":
            if names and len(signs) < len(names):
                signs.append("")
            written = token[0].removeprefix(SURE)
            letters = re.match(r"[A-Za-z]+", written)[0].upper()  # type: ignore[index]
            region = _LETTER_OF[letters]
            sure |= token[0][0] == SURE
            dorsal |= letters == "D"
            loose |= not written[len(letters)].isdigit()
            if token[0] == SURE + COCCYX_SPELLING:
                names.append(COCCYX)
                continue
        number = int(re.search(r"\d+$", token[0])[0])  # type: ignore[index]
        name = f"{region.letter}{number}"  # type: ignore[union-attr]
        if name not in _ORDER:
            return None
        names.append(name)
    spans = _fold(names, signs)
    if spans is None:
        return None
    if sure:
        return _Reading(spans, NUMBERED_THING, False)
    suspicion = suspect(names, dorsal)
    joined = [f"{span.upper}/{span.lower}" for span in spans if span.kind == "pair"]
    plain = re.search(r"\d+[-/_]\d", expression) or any(pair not in DOUBTFUL_PAIRS for pair in joined)  # "C2-3", "L5/S1"
    doubtful = not plain and (dorsal or loose or (suspicion is not None and suspicion.common))
    return _Reading(spans, suspicion, doubtful)


_ORDER = {"C0": -1.0, "C8": 6.5} | {name: float(index) for index, name in enumerate(VERTEBRAE)}


def _fold(names: list[str], signs: list[str]) -> tuple[Span, ...] | None:
    """Group levels by the signs between them: lists part, words and dashes join, slashes join closest."""
    spans: list[Span] = []
    start = 0
    for index in range(len(names)):
        last = index == len(names) - 1
        if last or _strength(signs[index]) == 0 or (names[index] == names[index + 1]):
            joined = _join(names[start : index + 1], [_strength(sign) for sign in signs[start:index]])
            if joined is None:
                return None
            spans += joined
            start = index + 1
    return tuple(spans)


def _strength(sign: str) -> int:
    """0 a list, 1 a blank, 2 a word ("to"), 3 a dash, 4 a slash or nothing."""
    bare = sign.strip()
    if not bare:
        return 1 if sign else 4
    if bare in ("/", "_", "\\"):
        return 4
    if set(bare) <= set("-~/_\\"):
        return 3
    return 0 if re.match(r"-?\s*(?:and\b|or\b|as well as|[,、&+和及与或]|以及)", bare, re.IGNORECASE) else 2


def _join(names: list[str], strengths: list[int]) -> list[Span] | None:
    """The spans of levels joined without a list sign."""
    singles = [Span("single", name, name) for name in names]
    if len(names) == 1:
        return singles
    if len(names) == 2:
        upper, lower = sorted(names, key=_ORDER.__getitem__)
        if f"{upper}/{lower}" in DISC_ORDER and strengths[0] != 2:
            return [Span("pair", upper, lower)]
        if strengths[0] == 1:
            return singles
        if names[0] != upper and strengths[0] != 2 and names[0][0] == names[1][0]:
            return None  # "S5-1" is a probe, not a range upwards
        return [Span("range", upper, lower)]
    if 1 in strengths:  # blanks between more than two: a list
        cut = strengths.index(1) + 1
        first, rest = _join(names[:cut], strengths[: cut - 1]), _join(names[cut:], strengths[cut:])
        return None if first is None or rest is None else first + rest
    weakest = min(strengths)
    if strengths.count(weakest) == 1 and len(names) in (3, 4):  # "T1/2-T12/L1": from one disc to another
        cut = strengths.index(weakest) + 1
        ends = _join(names[:cut], strengths[: cut - 1]), _join(names[cut:], strengths[cut:])
        if all(end is not None and len(end) == 1 and end[0].kind in ("pair", "single") for end in ends):
            return [Span("discs", ends[0][0].upper, ends[1][0].lower)]  # type: ignore[index]
    if all(f"{upper}/{lower}" in DISC_ORDER for upper, lower in itertools.pairwise(names)):  # "L3-4-5", "L3/4/5"
        return [Span("discs" if weakest == 4 else "range", names[0], names[-1])]
    return singles


def _judge(passage: Passage, mentions: list[_Mention]) -> list[tuple[_Mention, tuple[Span, ...]]]:
    """Every mention that is a level or a root, with its spans as the words around mean them."""
    judged = []
    certain = False
    for mention in _join_distant(passage, mentions):
        start, end, reading = mention
        is_disc = reading.spans[-1].kind in ("pair", "discs")
        if passage.names_root(start, end, is_disc):
            judged.append((mention._replace(reading=reading._replace(doubtful=False)), _as_roots(reading.spans)))
        elif reading.suspicion is None or not passage.is_look_alike(start, end, reading.suspicion):
            certain |= not reading.doubtful
            judged.append((mention, _in_context(passage, mention)))
    return [
        (mention, spans)
        for mention, spans in judged
        if not mention.reading.doubtful or certain or passage.is_about_spine(mention.start, mention.end)
    ]


def _join_distant(passage: Passage, mentions: list[_Mention]) -> list[_Mention]:
    """Make one range of two levels with words between that say so ("T4 vertebra to T8 vertebra")."""
    joined: list[_Mention] = []
    for mention in mentions:
        before = joined[-1] if joined else None
        if (
            before
            and len(before.reading.spans) == len(mention.reading.spans) == 1
            and before.reading.spans[0].kind == mention.reading.spans[0].kind == "single"
            and passage.range_joins(before.start, before.end, mention.start)
        ):
            upper, lower = sorted((before.reading.spans[0].upper, mention.reading.spans[0].upper), key=_ORDER.__getitem__)
            reading = _Reading((Span("range", upper, lower),), None, before.reading.doubtful and mention.reading.doubtful)
            joined[-1] = _Mention(before.start, mention.end, reading)
        else:
            joined.append(mention)
    return joined


def _as_roots(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """All of the list, but of "L4/5 and S1 roots" only the last: a disc stays a disc where a single level follows it."""
    mixed = spans[-1].kind == "single" and any(span.kind in ("pair", "discs") for span in spans)
    return tuple(span if mixed and span.kind in ("pair", "discs") else span._replace(kind="root") for span in spans)


def _in_context(passage: Passage, mention: _Mention) -> tuple[Span, ...]:
    """Decide what the expression alone leaves open: discs of lists and ranges, bodies, measurements, "between"."""
    start, end, (spans, _, _) = mention
    kinds = {span.kind for span in spans}
    if kinds == {"pair"}:
        if len(spans) == 2 and passage.follows_between(start):
            return (Span("discs", spans[0].upper, spans[1].lower),)
        if passage.names_bodies_only(start, end):
            return tuple(span._replace(kind="ends") for span in spans)
    elif kinds == {"discs"}:
        if passage.names_bodies_only(start, end):
            return tuple(span._replace(kind="range") for span in spans)
    elif kinds == {"single"} and len(spans) > 1:
        tight = "," in passage.text[start:end] and ", " not in passage.text[start:end] and len(spans) == 2
        if passage.names_disc(start, end) or (tight and not passage.speaks_of_spans(start, end)):
            pairs = [sorted((a.upper, b.upper), key=_ORDER.__getitem__) for a, b in itertools.pairwise(spans)]
            return spans + tuple(Span("pair", upper, lower) for upper, lower in pairs if f"{upper}/{lower}" in DISC_ORDER)
        if len(spans) == 2 and passage.follows_between(start) and not passage.measures(start, end):
            upper, lower = sorted((spans[0].upper, spans[1].upper), key=_ORDER.__getitem__)
            return (Span("range", upper, lower),)
    elif "range" in kinds:
        if passage.measures(start, end):
            return tuple(span._replace(kind="ends") if span.kind == "range" else span for span in spans)
        if passage.speaks_of_discs(start, end):
            return tuple(span._replace(kind="discs") if span.kind == "range" else span for span in spans)
        if not passage.follows_from(start):  # "the dislocation of T6 to T7" is T6-7, "rods from T6 to T7" are two vertebrae
            return tuple(span._replace(kind="pair") if f"{span.upper}/{span.lower}" in DISC_ORDER else span for span in spans)
    return spans


def _vertebrae(span: Span) -> tuple[str, ...]:
    if span.kind in ("range", "discs"):
        upper = "C1" if span.upper == "C0" else "T1" if span.upper == "C8" else span.upper
        lower = "C7" if span.lower == "C8" else span.lower
        return vertebrae_between(upper, lower) if _ORDER[upper] <= _ORDER[lower] and lower != "C0" else ()
    return tuple(name for name in (span.upper, span.lower) if name in VERTEBRA_ORDER)


def _discs(span: Span) -> tuple[str, ...]:
    if span.kind == "pair":
        return (f"{span.upper}/{span.lower}",)
    if span.kind == "discs":
        column = _vertebrae(span)
        return discs_between(column[0], column[-1]) if len(column) > 1 else ()
    return ()


def _roots(span: Span) -> tuple[str, ...]:
    if span.upper not in ROOT_ORDER or span.lower not in ROOT_ORDER:
        return ()
    first, last = ROOT_ORDER[span.upper], ROOT_ORDER[span.lower]
    return tuple(ROOT_ORDER)[first : last + 1]
