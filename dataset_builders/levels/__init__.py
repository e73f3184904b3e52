"""Find vertebral levels in English or Chinese text, as canonical vertebrae, discs and nerve roots.

    parse_levels("L4/5 disc bulge compressing the right L5 root")
        -> Levels(vertebrae=("L4", "L5"), discs=("L4/L5",), nerve_roots=("L5",))
    find_levels("L4/5 disc bulge compressing the right L5 root")
        -> (Span(0, 4, "disc", ("L4/L5",)), Span(38, 40, "nerve_root", ("L5",)))

Three steps, each readable on its own:

    1. spell   every way to write a level ("fourth lumbar vertebra", 腰4, "C six seven") becomes "L4"   spelling.py
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
    "Span",
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


class Span(NamedTuple):
    """``text[start:end]`` writes a level: ``kind`` is "vertebra", "disc" or "nerve_root", ``names`` its canonical names.

    A range has the names of all levels that it spans. A level without a canonical name has no names: the occiput (C0) and the
    eighth cervical segment (C8) alone, or the root of L6.
    """

    start: int
    end: int
    kind: str
    names: tuple[str, ...]


_NO_LEVELS = Levels()


def parse_levels(text: str) -> Levels:
    """Return the vertebrae, discs and nerve roots that ``text`` names or implies, whether it affirms them or not.

    A range includes everything between its ends. A pair of neighbours (L4-5) is their disc or motion segment. A root does not
    imply a vertebra; C0 (occiput) and C8 (a root and cord segment) are not vertebrae. Never raises, whatever ``text`` holds.
    """
    found = find_levels(text)
    if not found:
        return _NO_LEVELS
    names: dict[str, set[str]] = {"vertebra": set(), "disc": set(), "nerve_root": set()}
    for span in found:
        names[span.kind].update(span.names)
    for disc in names["disc"]:
        names["vertebra"].update(disc.split("/"))
    return Levels(
        tuple(sorted(names["vertebra"], key=VERTEBRA_ORDER.__getitem__)),
        tuple(sorted(names["disc"], key=DISC_ORDER.__getitem__)),
        tuple(sorted(names["nerve_root"], key=ROOT_ORDER.__getitem__)),
    )


def find_levels(text: str) -> tuple[Span, ...]:
    """Find where ``text`` writes levels: spans in order that do not overlap, as character positions in ``text`` as given.

    Each item of a list has its own span ("L3/4, L4/5 and S1" has three); a range, a pair, and a list that names a disc
    ("L4 and L5 disc space") have one. A span covers the number and the words for its region ("fourth lumbar" of "the fourth
    lumbar vertebra", 第4腰椎), except for list items that share a region: the 5 of "C4, 5". Never raises.
    """
    spelled = spell(text)
    written = spelled.text
    mentions = [
        _Mention(match.start(), match.end(), reading)
        for match in _EXPRESSION.finditer(written)
        if (reading := _read(match[0])) is not None and _stands_alone(written, match.start())
    ]
    if not mentions:
        return ()
    return tuple(
        Span(*spelled.input_span(mention.start + part.start, mention.start + part.end), *_meaning(part))
        for mention, parts in _judge(Passage(written), mentions)
        for part in parts
    )


class _Part(NamedTuple):
    """One reading of a part of an expression: two levels, the upper first ("C0" and "C8" may be ends), and what they mean.

    kind: single (upper is lower), pair (neighbours: a disc), range (all between), discs (all between, with their discs),
    ends (the two alone, as of a measurement), listed (vertebrae of a list that names their discs), root (the roots of the same
    names). ``start`` and ``end`` are characters of the expression.
    """

    kind: str
    upper: str
    lower: str
    start: int
    end: int
    listed: tuple[str, ...] = ()  # discs of kind "listed"


class _Reading(NamedTuple):
    """What an expression says by itself, what else it can mean, and whether it needs a word of the spine nearby."""

    parts: tuple[_Part, ...]
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
    """Return False for the tail of something else: "pT2", "HLA-C4", "48x10^9/L1". Words run in by a slip ("atL4") pass."""
    if start == 0:
        return True
    before = text[max(0, start - 12) : start]
    if before[-1].isalpha() and before[-1].isascii():
        return bool(_RUN_IN.search(before))
    if before[-1] == "/" and before[:-1].rstrip()[-1:].isdigit():
        return False
    return not _HYPHENATED.search(before) or bool(_HYPHENATED_WORD.search(before))


class _Level(NamedTuple):
    """A level of an expression and the characters that write it."""

    name: str
    start: int
    end: int


@lru_cache(maxsize=1 << 16)
def _read(expression: str) -> _Reading | None:
    """Read the parts of an expression; None if a number is not a level's (S8, L9) or the order is impossible (S5-1)."""
    levels: list[_Level] = []
    signs: list[str] = []
    sure = loose = dorsal = False
    region = None
    for token in _TOKEN.finditer(expression):
        if token.lastgroup == "sign":
            signs.append(token[0])
            continue
        if token.lastgroup == "level":
            if levels and len(signs) < len(levels):
                signs.append("")
            written = token[0].removeprefix(SURE)
            letters = re.match(r"[A-Za-z]+", written)[0].upper()  # type: ignore[index]
            region = _LETTER_OF[letters]
            sure |= token[0][0] == SURE
            dorsal |= letters == "D"
            loose |= not written[len(letters)].isdigit()
            if token[0] == SURE + COCCYX_SPELLING:
                levels.append(_Level(COCCYX, *token.span()))
                continue
        number = int(re.search(r"\d+$", token[0])[0])  # type: ignore[index]
        name = f"{region.letter}{number}"  # type: ignore[union-attr]
        if name not in _ORDER:
            return None
        levels.append(_Level(name, *token.span()))
    parts = _fold(levels, signs)
    if parts is None:
        return None
    if sure:
        return _Reading(parts, NUMBERED_THING, False)
    suspicion = suspect([level.name for level in levels], dorsal)
    joined = [f"{part.upper}/{part.lower}" for part in parts if part.kind == "pair"]
    plain = re.search(r"\d+[-/_]\d", expression) or any(pair not in DOUBTFUL_PAIRS for pair in joined)  # "C2-3", "L5/S1"
    doubtful = not plain and (dorsal or loose or (suspicion is not None and suspicion.common))
    return _Reading(parts, suspicion, doubtful)


_ORDER = {"C0": -1.0, "C8": 6.5} | {name: float(index) for index, name in enumerate(VERTEBRAE)}


def _fold(levels: list[_Level], signs: list[str]) -> tuple[_Part, ...] | None:
    """Group levels by the signs between them: lists part, words and dashes join, slashes join closest."""
    parts: list[_Part] = []
    start = 0
    for index in range(len(levels)):
        last = index == len(levels) - 1
        if last or _strength(signs[index]) == 0 or (levels[index].name == levels[index + 1].name):
            joined = _join(levels[start : index + 1], [_strength(sign) for sign in signs[start:index]])
            if joined is None:
                return None
            parts += joined
            start = index + 1
    return tuple(parts)


def _strength(sign: str) -> int:
    """Return how closely a sign joins: 0 a list, 1 a blank, 2 a word ("to"), 3 a dash, 4 a slash or nothing."""
    bare = sign.strip()
    if not bare:
        return 1 if sign else 4
    if bare in ("/", "_", "\\"):
        return 4
    if set(bare) <= set("-~/_\\"):
        return 3
    return 0 if re.match(r"-?\s*(?:and\b|or\b|as well as|[,、&+和及与或]|以及)", bare, re.IGNORECASE) else 2


def _join(levels: list[_Level], strengths: list[int]) -> list[_Part] | None:
    """The parts of levels joined without a list sign."""
    names = [level.name for level in levels]
    singles = [_Part("single", level.name, level.name, level.start, level.end) for level in levels]
    if len(levels) == 1:
        return singles
    place = levels[0].start, levels[-1].end
    if len(names) == 2:
        upper, lower = sorted(names, key=_ORDER.__getitem__)
        if f"{upper}/{lower}" in DISC_ORDER and strengths[0] != 2:
            return [_Part("pair", upper, lower, *place)]
        if strengths[0] == 1:
            return singles
        if names[0] != upper and strengths[0] != 2 and names[0][0] == names[1][0]:
            return None  # "S5-1" is a probe, not a range upwards
        return [_Part("range", upper, lower, *place)]
    if 1 in strengths:  # blanks between more than two: a list
        cut = strengths.index(1) + 1
        first, rest = _join(levels[:cut], strengths[: cut - 1]), _join(levels[cut:], strengths[cut:])
        return None if first is None or rest is None else first + rest
    weakest = min(strengths)
    if strengths.count(weakest) == 1 and len(names) in (3, 4):  # "T1/2-T12/L1": from one disc to another
        cut = strengths.index(weakest) + 1
        ends = _join(levels[:cut], strengths[: cut - 1]), _join(levels[cut:], strengths[cut:])
        if all(end is not None and len(end) == 1 and end[0].kind in ("pair", "single") for end in ends):
            return [_Part("discs", ends[0][0].upper, ends[1][0].lower, *place)]  # type: ignore[index]
    if all(f"{upper}/{lower}" in DISC_ORDER for upper, lower in itertools.pairwise(names)):  # "L3-4-5", "L3/4/5"
        return [_Part("discs" if weakest == 4 else "range", names[0], names[-1], *place)]
    return singles


def _judge(passage: Passage, mentions: list[_Mention]) -> list[tuple[_Mention, tuple[_Part, ...]]]:
    """Every mention that is a level or a root, with its parts as the words around mean them."""
    judged = []
    certain = False
    for mention in _join_distant(passage, mentions):
        start, end, reading = mention
        is_disc = reading.parts[-1].kind in ("pair", "discs")
        if passage.names_root(start, end, is_disc):
            judged.append((mention._replace(reading=reading._replace(doubtful=False)), _as_roots(reading.parts)))
        elif reading.suspicion is None or not passage.is_look_alike(start, end, reading.suspicion):
            certain |= not reading.doubtful
            judged.append((mention, _in_context(passage, mention)))
    return [
        (mention, parts)
        for mention, parts in judged
        if not mention.reading.doubtful or certain or passage.is_about_spine(mention.start, mention.end)
    ]


def _join_distant(passage: Passage, mentions: list[_Mention]) -> list[_Mention]:
    """Make one range of two levels with words between that say so ("T4 vertebra to T8 vertebra")."""
    joined: list[_Mention] = []
    for mention in mentions:
        before = joined[-1] if joined else None
        if (
            before
            and len(before.reading.parts) == len(mention.reading.parts) == 1
            and before.reading.parts[0].kind == mention.reading.parts[0].kind == "single"
            and passage.range_joins(before.start, before.end, mention.start)
        ):
            upper, lower = sorted((before.reading.parts[0].upper, mention.reading.parts[0].upper), key=_ORDER.__getitem__)
            part = _Part("range", upper, lower, 0, mention.end - before.start)
            reading = _Reading((part,), None, before.reading.doubtful and mention.reading.doubtful)
            joined[-1] = _Mention(before.start, mention.end, reading)
        else:
            joined.append(mention)
    return joined


def _as_roots(parts: tuple[_Part, ...]) -> tuple[_Part, ...]:
    """Make every part of a list a root, but in "L4/5 and S1 roots" only the last: a disc before a single level stays a disc."""
    mixed = parts[-1].kind == "single" and any(part.kind in ("pair", "discs") for part in parts)
    return tuple(part if mixed and part.kind in ("pair", "discs") else part._replace(kind="root") for part in parts)


def _in_context(passage: Passage, mention: _Mention) -> tuple[_Part, ...]:
    """Decide what the expression alone leaves open: discs of lists and ranges, bodies, measurements, "between"."""
    start, end, (parts, _, _) = mention
    kinds = {part.kind for part in parts}
    first, last = parts[0], parts[-1]
    if kinds == {"pair"}:
        if len(parts) == 2 and passage.follows_between(start):
            return (_Part("discs", first.upper, last.lower, first.start, last.end),)
        if passage.names_bodies_only(start, end):
            return tuple(part._replace(kind="ends") for part in parts)
    elif kinds == {"discs"}:
        if passage.names_bodies_only(start, end):
            return tuple(part._replace(kind="range") for part in parts)
    elif kinds == {"single"} and len(parts) > 1:
        tight = "," in passage.text[start:end] and ", " not in passage.text[start:end] and len(parts) == 2
        if passage.names_disc(start, end) or (tight and not passage.speaks_of_spans(start, end)):
            return _discs_of_list(parts)
        if len(parts) == 2 and passage.follows_between(start) and not passage.measures(start, end):
            upper, lower = sorted((first.upper, last.upper), key=_ORDER.__getitem__)
            return (_Part("range", upper, lower, first.start, last.end),)
    elif "range" in kinds:
        if passage.measures(start, end):
            return tuple(part._replace(kind="ends") if part.kind == "range" else part for part in parts)
        if passage.speaks_of_discs(start, end):
            return tuple(part._replace(kind="discs") if part.kind == "range" else part for part in parts)
        if not passage.follows_from(start):  # "the dislocation of T6 to T7" is T6-7, "rods from T6 to T7" are two vertebrae
            return tuple(part._replace(kind="pair") if f"{part.upper}/{part.lower}" in DISC_ORDER else part for part in parts)
    return parts


def _discs_of_list(parts: tuple[_Part, ...]) -> tuple[_Part, ...]:
    """The disc, or discs, of the neighbours of a list as one part ("L4 and L5 disc space"); the others as they are."""
    joined: list[_Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        upper, lower = sorted((last.lower, part.upper), key=_ORDER.__getitem__) if last else ("", "")
        if last and f"{upper}/{lower}" in DISC_ORDER:
            joined[-1] = _Part("listed", last.upper, part.lower, last.start, part.end, (*last.listed, f"{upper}/{lower}"))
        else:
            joined.append(part)
    return tuple(joined)


def _meaning(part: _Part) -> tuple[str, tuple[str, ...]]:
    """Kind and canonical names of a part."""
    if part.kind == "listed":
        return "disc", part.listed
    return _named(part.kind, part.upper, part.lower)


@lru_cache(maxsize=1 << 12)
def _named(kind: str, upper: str, lower: str) -> tuple[str, tuple[str, ...]]:
    if kind == "root":
        return "nerve_root", _roots(upper, lower)
    if kind == "pair":
        return "disc", (f"{upper}/{lower}",)
    if kind not in ("range", "discs"):
        return "vertebra", tuple(name for name in dict.fromkeys((upper, lower)) if name in VERTEBRA_ORDER)
    column = _column(upper, lower)
    if kind == "discs" and len(column) > 1:
        return "disc", discs_between(column[0], column[-1])
    return "vertebra", column


def _column(upper: str, lower: str) -> tuple[str, ...]:
    upper = "C1" if upper == "C0" else "T1" if upper == "C8" else upper
    lower = "C7" if lower == "C8" else lower
    return vertebrae_between(upper, lower) if _ORDER[upper] <= _ORDER[lower] and lower != "C0" else ()


def _roots(upper: str, lower: str) -> tuple[str, ...]:
    if upper not in ROOT_ORDER or lower not in ROOT_ORDER:
        return ()
    first, last = ROOT_ORDER[upper], ROOT_ORDER[lower]
    return tuple(ROOT_ORDER)[first : last + 1]
