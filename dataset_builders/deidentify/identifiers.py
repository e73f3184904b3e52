"""Find what identifies a person in a text by rules (patterns/, see rules), and find the same names again elsewhere in it.

Text is folded before it is matched (full-width to half-width, invisible marks left out, O and l as digits inside numbers),
and matched once more with its broken lines joined if lines break inside a word or number; spans are always of the input.
Every pattern is bounded, so time is linear in the length of the text.
"""

import bisect
import functools
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dataset_builders.deidentify.known_words import is_medical, listed
from dataset_builders.deidentify.lookalikes import UNSEEN, plain
from dataset_builders.deidentify.rules import CATEGORIES, Rule, clue, load_rules, read_table

HAN = "\u4e00-\u9fff"

_WIDE = {0xFF01 + i: 0x21 + i for i in range(94)} | {0x3000: 0x20, 0x2010: 0x2D, 0x2011: 0x2D, 0x2212: 0x2D, 0xFE63: 0x2D}
_WIDE |= dict.fromkeys(range(55296, 57344), 65533) | {0x00A0: 0x20, 0x202F: 0x20, 0x2009: 0x20}
# Kept as they are: Chinese commas, colons and brackets end a name, in either width.
for _kept in "，：；（）！？":
    _WIDE.pop(ord(_kept), None)
_INVISIBLE = re.compile(f"[{UNSEEN}]+")
_DAMAGED_NUMBER = re.compile(
    r"(?<![A-Za-z])(?=[OolI\d/().-]{0,25}\d)(?=[\d/().-]{0,25}[OolI])[\dOolI][\dOolI/().-]{2,24}(?![A-Za-z])"
)
_BROKEN = re.compile(
    rf"(?<=[A-Za-z0-9-])[ \t]*\r?\n[ \t]*(?=\d)|(?<=[{HAN}])[ \t\u3000]*\r?\n[ \t\u3000]*(?=[{HAN}])"
    rf"|(?<=[{HAN}])[ \u3000](?=[{HAN}](?:[ \u3000]|\n|[，。：:；、]|$))"
)
_JOINED_CATEGORIES = frozenset(("PHONE", "FAX", "MRN", "SSN", "PLAN", "ACCOUNT", "DEVICE", "LICENSE", "OTHER_ID", "ORG"))
_LONGEST_NAME = 100  # characters of a name that are looked for again; a longer span is a capitalised line, not a name
_NAME_PART = re.compile(r"[A-Z][^\W\d_]{2,}")  # of three letters or more: shorter ones are too often other words
_FEWEST_DIGITS = 2  # in a damaged number; with one digit alone it is more often a word ("Ol4")
_HAN = re.compile(f"[{HAN}]")
_WORD_START = re.compile(r"(?<![^\W_])\S")
_SENTENCE_IN_NAME = re.compile(r"(?<=[^\W\d_]{4})\.\s")


@dataclass(frozen=True, slots=True)
class Span:
    """``text[start:end]`` identifies a person; category is one of rules.CATEGORIES."""

    start: int
    end: int
    category: str


@dataclass(frozen=True, slots=True)
class View:
    """A text as it is matched; ``positions[i]`` is where its character i stands in the input, None if nothing moved."""

    text: str
    positions: Sequence[int] | None = None

    def to_input(self, span: Span) -> Span:
        if self.positions is None:
            return span
        return Span(self.positions[span.start], self.positions[span.end - 1] + 1, span.category)


def fold(text: str) -> View:
    """Rewrite a text as the rules read it: half-width, simplified, without invisible marks, damaged digits as digits.

    Characters that look alike count as the usual one (lookalikes).
    """
    wide = plain(text).translate(_folding())
    view = cut_out(wide, _INVISIBLE) or View(wide)
    return View(_DAMAGED_NUMBER.sub(_repair_digits, view.text), view.positions)


def find_in_view(text: str, language: str) -> list[Span]:
    """Find identifiers in a folded text by rules alone, without strict mode's unknown words. The spans may overlap.

    language   "en" or "zh"; "zh" tries the rules for Chinese even if no Chinese character is in the text.
    """
    found = _match(text, language)
    joined = join_broken(text)
    if joined is not None:
        for span in _match(joined.text, language):
            moved = joined.to_input(span)
            if span.category in _JOINED_CATEGORIES and moved.end - moved.start > span.end - span.start:
                found.append(moved)
    clinical = clinical_spans(text)
    found = [span for span in found if span.category in ("EMAIL", "URL") or not _inside(span, clinical)]
    return [*found, *find_again(text, names_of(text, found))]


def find_by_rule(rule: Rule, text: str) -> list[Span]:
    """Find what one rule alone masks in a text, whatever its language; the rules' examples are tried with it."""
    view = fold(text)
    return [view.to_input(span) for span in _match_rule(rule, view.text)]


def merge(spans: list[Span]) -> list[Span]:
    """Merge overlapping spans into one; it takes the category of the longest, or, of equally long ones, the most direct."""
    rank = {category: number for number, category in enumerate(CATEGORIES)}
    merged: list[Span] = []
    longest = 0
    for span in sorted(spans, key=lambda s: (s.start, -s.end, rank.get(s.category, len(rank)))):
        if not merged or span.start >= merged[-1].end:
            merged.append(span)
            longest = span.end - span.start
            continue
        last = merged[-1]
        better = span.end - span.start > longest
        longest = max(longest, span.end - span.start)
        merged[-1] = Span(last.start, max(last.end, span.end), span.category if better else last.category)
    return merged


def clinical_spans(text: str) -> list[tuple[int, int]]:
    """Find levels, measurements, doses, grades and scores, as pairs of start and end: no identifier lies inside one."""
    return [match.span() for match in clue("clinical_value").finditer(text)]


def outside(spans: list[Span], clinical: list[tuple[int, int]]) -> list[Span]:
    """Keep the spans that touch none of the clinical ones, sorted by start. ``clinical`` must be sorted."""
    kept, position = [], 0
    for span in sorted(spans, key=lambda s: s.start):
        while position < len(clinical) and clinical[position][1] <= span.start:
            position += 1
        if position == len(clinical) or clinical[position][0] >= span.end:
            kept.append(span)
    return kept


def names_of(text: str, found: list[Span]) -> frozenset[str]:
    """Return the names of ``found`` that are looked for elsewhere: whole, and each capitalised part of a Latin name.

    Parts have three letters or more; the last two characters of a three-character Chinese name (the given name) count, too.
    """
    wanted: set[str] = set()
    for span in found:
        if span.category == "NAME":
            name = text[span.start : min(span.end, span.start + _LONGEST_NAME)].strip(" .,\n")
            if len(name) > 1 and not re.search(rf"[{HAN}].*\s|某|\d", name):
                wanted.add(name)
            if re.fullmatch(rf"[{HAN}]{{3}}", name):  # the given name alone
                wanted.add(name[1:])
            wanted.update(part for part in _NAME_PART.findall(name) if not is_medical(part))
    return frozenset(name for name in wanted if not is_medical(name) and not is_clinical_chinese(name))


def find_again(text: str, names: frozenset[str]) -> list[Span]:
    """Find names wherever they stand in a text, Latin ones as whole words; time is linear however many names there are."""
    latin, han = _by_beginning(name for name in names if not _HAN.search(name)), _by_beginning(filter(_HAN.search, names))
    again: list[Span] = []
    if latin:
        for match in _WORD_START.finditer(text):
            ends = (end for end in _ends(text, match.start(), latin) if not text[end : end + 1].isalnum())
            again += [Span(match.start(), end, "NAME") for end in islice(ends, 1)]
    if han:
        for match in _HAN.finditer(text):
            again += [Span(match.start(), end, "NAME") for end in islice(_ends(text, match.start(), han), 1)]
    return again


def _by_beginning(names: Iterable[str]) -> dict[str, tuple[list[int], set[str]]]:
    """Sort names by their first character: to the lengths that they have, the longest first, and the names."""
    sorted_names: dict[str, set[str]] = {}
    for name in names:
        sorted_names.setdefault(name[0], set()).add(name)
    return {first: (sorted({len(name) for name in own}, reverse=True), own) for first, own in sorted_names.items()}


def _ends(text: str, start: int, names: Mapping[str, tuple[list[int], set[str]]]) -> Iterator[int]:
    """Yield where the names that stand at ``start`` end, the longest first."""
    lengths, own = names.get(text[start], ((), ()))
    fitting = (length for length in lengths if start + length <= len(text))
    return (start + length for length in fitting if text[start : start + length] in own)


def is_clinical_chinese(word: str) -> bool:
    """Tell whether a Chinese word begins as a clinical one, or as what follows "患者" without being a name."""
    begins = _clinical_beginnings()
    return any(word[:length] in begins for length in range(2, len(word) + 1))


@functools.cache
def _clinical_beginnings() -> frozenset[str]:
    return listed("clinical_zh") | listed("not_after_role_zh")


def _match(text: str, language: str) -> list[Span]:
    chinese = language == "zh" or re.search(rf"[{HAN}]", text) is not None
    return [span for rule in load_rules() if chinese or not rule.chinese_text for span in _match_rule(rule, text)]


def _match_rule(rule: Rule, text: str) -> list[Span]:
    found: list[Span] = []
    for match in rule.pattern.finditer(text):
        start, end = match.span("id")
        if rule.category == "NAME":
            found += _trim_name(text, start, end, rule.sure)
        elif rule.category == "ORG":
            found += _trim_organisation(text, start, end)
        elif rule.category == "GEO":
            if not rule.not_if_ordinary or _trim_organisation(text, start, end):
                found += _trim_place(text, start, end)
        else:
            found.append(Span(start, end, rule.category))
    return found


def _trim_place(text: str, start: int, end: int) -> list[Span]:
    """The place without a verb before it ("转自…县") and without a next line's ordinary words ("… 62488\nPain")."""
    if verb := clue("verb_before_place").match(text[start:end]):
        start += verb.end()
    while (cut := text.rfind("\n", start, end)) >= 0 and _is_ordinary(
        text[cut:end].split()[0] if text[cut:end].split() else ""
    ):
        end = cut
    return [Span(start, end, "GEO")] if text[start:end].strip() else []


def _trim_name(text: str, start: int, end: int, sure: bool) -> list[Span]:
    """The name without ordinary words at its ends; nothing if only such words are left and no title made it sure."""
    name = text[start:end]
    if re.match(rf"[{HAN}]", name):
        if inner := clue("role_inside_dotted_name").match(name):
            start, name = start + inner.end(), name[inner.end() :]
        if after := clue("verb_after_dotted_name").search(name):
            end -= len(after["id"])
        start += clue("roles_before_name").match(name).end()  # type: ignore[union-attr]
        clinical = is_clinical_chinese(re.sub(r"\s", "", text[start:end]))
        return [] if clinical or start >= end else [Span(start, end, "NAME")]
    if sentence := _SENTENCE_IN_NAME.search(name):
        name = name[: sentence.start()]
    words = list(re.finditer(r"[^\s]+", name))
    while words and not (sure and len(words) == 1) and _is_ordinary(words[-1].group()):
        words.pop()
    while words and not sure and _is_ordinary(words[0].group()):
        words.pop(0)
    if not words or (not sure and re.fullmatch(r"(?:[A-Z]\.?\s?)+", name[words[0].start() : words[-1].end()])):
        return []
    return [Span(start + words[0].start(), start + words[-1].end(), "NAME")]


def _is_ordinary(word: str) -> bool:
    bare = re.split(r"['’]", word.strip(".,'’\"“”()"))[0]
    return bare == "I" or (len(bare) > 1 and is_medical(bare))


def _trim_organisation(text: str, start: int, end: int) -> list[Span]:
    name = text[start:end]
    if not re.match(rf"[{HAN}]", name):
        words = list(re.finditer(r"\S+", name))
        while words and words[0].group().lower() in listed("function_words"):
            words.pop(0)
        named = any(not _is_ordinary(word.group()) for word in words)
        return [Span(start + words[0].start(), end, "ORG")] if named else []
    if cut := clue("words_before_institution").match(name):
        start, name = start + cut.end(), name[cut.end() :]
    return [] if clue("institution_without_name").match(re.sub(r"\s", "", name)) else [Span(start, end, "ORG")]


def _inside(span: Span, clinical: list[tuple[int, int]]) -> bool:
    index = bisect.bisect_right(clinical, (span.start, 1 << 60)) - 1
    return index >= 0 and clinical[index][0] <= span.start and span.end <= clinical[index][1]


def join_broken(text: str) -> View | None:
    """Join words and numbers that a line break cuts, and Chinese characters with single spaces; None if there are none."""
    return cut_out(text, _BROKEN)


def cut_out(text: str, pattern: re.Pattern[str]) -> View | None:
    """Leave out of a text what a pattern matches; None if it matches nothing."""
    pieces: list[str] = []
    positions = array("Q")
    last = 0
    for match in pattern.finditer(text):
        pieces.append(text[last : match.start()])
        positions.extend(range(last, match.start()))
        last = match.end()
    if not pieces:
        return None
    positions.extend(range(last, len(text)))
    return View("".join([*pieces, text[last:]]), positions)


def _repair_digits(match: re.Match[str]) -> str:
    number = match.group()
    return number.translate(_DIGITS) if sum(map(str.isdigit, number)) >= _FEWEST_DIGITS else number


_DIGITS = str.maketrans("OolI", "0011")


@functools.cache
def _folding() -> dict[int, int]:
    pairs = read_table(Path(__file__).with_name("traditional.yaml"))["traditional"].split()
    return _WIDE | {ord(traditional): ord(simplified) for traditional, simplified in pairs}
