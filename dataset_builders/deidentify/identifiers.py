"""Recognise what identifies a person in a text: the patterns of identifiers.yaml, with their evidence, and names met again.

Text is folded before it is matched (full-width to half-width, invisible marks left out, O and l as digits inside numbers),
and matched once more with its broken lines joined where lines break inside a word or number; spans are always of the input.
Every pattern is bounded, so time is linear in the length of the text.
"""

import bisect
import functools
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from dataset_builders.deidentify.known_words import is_medical, listed

DIRECT_FIRST = (
    *("EMAIL", "URL", "PHOTO", "SSN", "IP", "FAX", "VEHICLE", "BIOMETRIC", "PHONE", "PLAN", "LICENSE", "MRN"),
    *("ACCOUNT", "DEVICE", "DATE", "AGE90", "NAME", "GEO", "ORG", "OTHER_ID"),
)
HAN = "\u4e00-\u9fff"

_WIDE = {0xFF01 + i: 0x21 + i for i in range(94)} | {0x3000: 0x20, 0x2010: 0x2D, 0x2011: 0x2D, 0x2212: 0x2D, 0xFE63: 0x2D}
_WIDE |= dict.fromkeys(range(55296, 57344), 65533) | {0x00A0: 0x20, 0x202F: 0x20, 0x2009: 0x20}
# Kept as they are: Chinese commas, colons and brackets end a name, in either width.
for _kept in "，：；（）！？":
    _WIDE.pop(ord(_kept), None)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u061c]")
_DAMAGED_NUMBER = re.compile(
    r"(?<![A-Za-z])(?=[OolI\d/().-]{0,25}\d)(?=[\d/().-]{0,25}[OolI])[\dOolI][\dOolI/().-]{2,24}(?![A-Za-z])"
)
_BROKEN = re.compile(
    rf"(?<=[A-Za-z0-9-])[ \t]*\r?\n[ \t]*(?=\d)|(?<=[{HAN}])[ \t\u3000]*\r?\n[ \t\u3000]*(?=[{HAN}])"
    rf"|(?<=[{HAN}])[ \u3000](?=[{HAN}](?:[ \u3000]|\n|[，。：:；、]|$))"
)
_JOINED_CATEGORIES = frozenset(("PHONE", "FAX", "MRN", "SSN", "PLAN", "ACCOUNT", "DEVICE", "LICENSE", "OTHER_ID", "ORG"))
_TRIM_ORG = re.compile(r"^.*(?:[在于至到由从赴转往经拟是向与去住及，、]|(?:就诊|患者|外院|联系))(?=.{3})", re.DOTALL)
_VERB_BEFORE_PLACE = re.compile(r"(?:[转现家原曾来]?(?:住于|住在|来自|转自|[住在于到至从由自往赴]))(?=.{3})")
_GENERIC_ORG = re.compile(
    r"^(?:当地|外地|上级|下级|我|本|该|贵|外|某|基层|综合|专科|三甲|省级|市级|教学|多家|各大|其他|社区|家|附近|大)?"
    r"(?:医院|酒店|宾馆|饭店|研究[所院]|农场|[工药水电]厂|商场|派出所|居委会|村委会|车站|火车站|机场|中心|学校|大学|公司|诊所|银行|中学|小学|卫生院|卫生服务中心|门诊部|康复中心)$"
)
_CLINICAL = re.compile(
    r"(?<![A-Za-z0-9])(?:[CTLSD]|Th|腰|颈|胸|骶|[腰颈胸]椎)\s?\d{1,2}(?!\d)(?:\s?[-–~～/、]\s?(?:[CTLSD]|腰|颈|胸"
    r"|骶)?\s?\d{1,2}(?!\d)){0,12}"
    r"|(?<![\d.])\d{1,6}(?:\.\d{1,4})?(?:\s?[-–~×xX*/]\s?\d{1,6}(?:\.\d{1,4})?){0,4}\s?(?:mm|cm|mg|ml|mL|μg|ug|mcg|kg"
    r"|mmHg|bpm|kVp?|mAs?|mSv|Gy|ms|IU|HU|g|°|℃|%|度|毫米|厘米|毫克|毫升|分|级|次|片|粒)(?![A-Za-z])"
    r"|(?i:\b(?:VAS|NRS|ODI|NDI|m?JOA|SRS|ASIA|TLICS|SLIC|SINS|TR|TE|Cobb|PI|PT|SS|LL|TK|SVA|BMI|ISS|GCS|Braden"
    r"|Barthel|Genant|Meyerding|Modic|Pfirrmann|Risser|Lenke|Frankel|Nurick)\b)"
    r"(?:\s?(?:score|grade|type|angle|评分|分级|角|级|型))?\s?[:：=]?\s?\d{1,4}(?:\.\d+)?(?:\s?/\s?\d{1,4})?(?!\d)",
)


_ROLES_BEFORE = re.compile(r"(?:患者|病人|患儿|家属|医师|医生|护士|主任|报告者?|审核者?|记录者?|术者|麻醉|及|与|和|由|其)*")


# Around a name with dots ("病史由其母木兰花·依达提供"), whose length no list bounds.
_ROLE_IN_NAME = re.compile(
    r"[^·•・]*(?:其[母父妻夫子女]|患者|病人|家属|[父母]亲|妻子|丈夫|女儿|儿子|医[师生]|护士|主任|姓?名|由|叫|致电|联系)(?=[^·•・]*[·•・])"
)
_AFTER_NAME = re.compile(
    r"(?<=[·•・].)(?:[^·•・]{0,6}?)(?P<verb>(?:提供|陪同|代诉|签[字名]|主任|医[师生]|护士|先生|女士|来院|入院|主刀|会诊|记录|诉).*)$"
)


_LONGEST_NAME = 100  # characters looked for again; more of a capitalised line is no name
_SENTENCE_IN_NAME = re.compile(r"(?<=[^\W\d_]{4})\.\s")


@dataclass(frozen=True, slots=True)
class Span:
    """``text[start:end]`` identifies a person; category as in identifiers.yaml."""

    start: int
    end: int
    category: str


@dataclass(frozen=True, slots=True)
class View:
    """A text as it is matched; ``positions[i]`` is where its character i stands in the input, None where nothing moved."""

    text: str
    positions: tuple[int, ...] | None = None

    def to_input(self, span: Span) -> Span:
        if self.positions is None:
            return span
        return Span(self.positions[span.start], self.positions[span.end - 1] + 1, span.category)


def fold(text: str) -> View:
    """Half-width, simplified Chinese, without invisible marks (right-to-left, zero-width), damaged digits read as digits."""
    wide = text.translate(_folding())
    positions = None
    if _INVISIBLE.search(wide):
        kept = [index for index, character in enumerate(wide) if not _INVISIBLE.match(character)]
        wide, positions = "".join(wide[index] for index in kept), tuple(kept)
    return View(_DAMAGED_NUMBER.sub(_repair_digits, wide), positions)


def find_identifiers(text: str, language: str) -> tuple[Span, ...]:
    """Spans of ``text`` in reading order that do not overlap; language is "en" or "zh", mixed texts are understood."""
    view = fold(text)
    return tuple(view.to_input(span) for span in merge(find_in_view(view.text, language)))


def find_in_view(text: str, language: str) -> list[Span]:
    """Spans of a folded text, which may overlap."""
    found = _match(text, language)
    joined = join_broken(text)
    if joined is not None:
        for span in _match(joined.text, language):
            moved = joined.to_input(span)
            if span.category in _JOINED_CATEGORIES and moved.end - moved.start > span.end - span.start:
                found.append(moved)
    clinical = clinical_spans(text)
    found = [span for span in found if span.category in ("EMAIL", "URL") or not _inside(span, clinical)]
    return [*found, *names_again(text, found)]


def merge(spans: list[Span]) -> list[Span]:
    """Overlapping spans as one, under the most direct category of the longest."""
    rank = {category: number for number, category in enumerate(DIRECT_FIRST)}
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
    """Where a level, measurement, dose, grade or score stands: no identifier lies inside one."""
    return [match.span() for match in _CLINICAL.finditer(text)]


def outside(spans: list[Span], clinical: list[tuple[int, int]]) -> list[Span]:
    """The spans that touch none of the clinical ones (both sorted by start)."""
    kept, position = [], 0
    for span in sorted(spans, key=lambda s: s.start):
        while position < len(clinical) and clinical[position][1] <= span.start:
            position += 1
        if position == len(clinical) or clinical[position][0] >= span.end:
            kept.append(span)
    return kept


def names_again(text: str, found: list[Span]) -> list[Span]:
    """The same names elsewhere: whole, and each capitalised part of a Latin name of three letters or more."""
    wanted: set[str] = set()
    for span in found:
        if span.category == "NAME":
            name = text[span.start : min(span.end, span.start + _LONGEST_NAME)].strip(" .,\n")
            if len(name) > 1 and not re.search(rf"[{HAN}].*\s|某|\d", name):
                wanted.add(name)
            if re.fullmatch(rf"[{HAN}]{{3}}", name):  # the given name alone
                wanted.add(name[1:])
            wanted.update(part for part in re.findall(r"[A-Z][^\W\d_]{2,}", name) if not is_medical(part))
    wanted -= {name for name in wanted if is_medical(name) or is_clinical_chinese(name)}
    if not wanted:
        return []
    latin = sorted((re.escape(name) for name in wanted if not re.search(rf"[{HAN}]", name)), key=len, reverse=True)
    han = sorted((re.escape(name) for name in wanted if re.search(rf"[{HAN}]", name)), key=len, reverse=True)
    again = []
    for pattern, names in ((r"(?<![^\W_])(?:{})(?![^\W_])", latin), ("(?:{})", han)):
        if names:
            again += [Span(*match.span(), "NAME") for match in re.finditer(pattern.format("|".join(names)), text)]
    return again


def surname_characters() -> frozenset[str]:
    """Characters that are a family name."""
    return frozenset("".join(_data()["surnames"].split()))


def sure_surnames() -> frozenset[str]:
    """Family names that are hardly ever a word of their own."""
    return frozenset("".join(_data()["sure_surnames"].split()))


def compound_surnames() -> frozenset[str]:
    """Family names of two characters."""
    return frozenset(_data()["compound_surnames"])


def is_clinical_chinese(word: str) -> bool:
    """Whether a Chinese word begins as a clinical one, or as what follows "患者" without being a name."""
    begins = _clinical_beginnings()
    return any(word[:length] in begins for length in range(2, len(word) + 1))


@functools.cache
def _clinical_beginnings() -> frozenset[str]:
    return listed("clinical_zh") | listed("not_after_role_zh")


def _match(text: str, language: str) -> list[Span]:
    chinese = language == "zh" or re.search(rf"[{HAN}]", text) is not None
    found: list[Span] = []
    for category, needs_han, flags, pattern in _patterns():
        if needs_han and not chinese:
            continue
        for match in pattern.finditer(text):
            start, end = match.span("id")
            if category == "NAME":
                found += _trim_name(text, start, end, "sure" in flags)
            elif category == "ORG":
                found += _trim_organisation(text, start, end)
            elif category == "GEO":
                if "named" not in flags or _trim_organisation(text, start, end):
                    found += _trim_place(text, start, end)
            else:
                found.append(Span(start, end, category))
    return found


def _trim_place(text: str, start: int, end: int) -> list[Span]:
    """The place without a verb before it ("转自…县") and without a next line's ordinary words ("… 62488\nPain")."""
    if verb := _VERB_BEFORE_PLACE.match(text[start:end]):
        start += verb.end()
    while (cut := text.rfind("\n", start, end)) >= 0 and _is_ordinary(
        text[cut:end].split()[0] if text[cut:end].split() else ""
    ):
        end = cut
    return [Span(start, end, "GEO")] if text[start:end].strip() else []


def _trim_name(text: str, start: int, end: int, sure: bool) -> list[Span]:
    """The name without ordinary words at its ends; nothing where only such words are left and no title made it sure."""
    name = text[start:end]
    if re.match(rf"[{HAN}]", name):
        if inner := _ROLE_IN_NAME.match(name):
            start, name = start + inner.end(), name[inner.end() :]
        if after := _AFTER_NAME.search(name):
            end -= len(after["verb"])
        start += _ROLES_BEFORE.match(name).end()  # type: ignore[union-attr]
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
    if cut := _TRIM_ORG.match(name):
        start, name = start + cut.end(), name[cut.end() :]
    return [] if _GENERIC_ORG.match(re.sub(r"\s", "", name)) else [Span(start, end, "ORG")]


def _inside(span: Span, clinical: list[tuple[int, int]]) -> bool:
    index = bisect.bisect_right(clinical, (span.start, 1 << 60)) - 1
    return index >= 0 and clinical[index][0] <= span.start and span.end <= clinical[index][1]


def join_broken(text: str) -> View | None:
    """The text without line breaks inside words and numbers and without single spaces between Han characters."""
    pieces: list[str] = []
    positions: list[int] = []
    last = 0
    for match in _BROKEN.finditer(text):
        pieces.append(text[last : match.start()])
        positions += range(last, match.start())
        last = match.end()
    if not pieces:
        return None
    return View("".join([*pieces, text[last:]]), (*positions, *range(last, len(text))))


def _repair_digits(match: re.Match[str]) -> str:
    number = match.group()
    return number.translate(_DIGITS) if sum(map(str.isdigit, number)) >= 2 else number


_DIGITS = str.maketrans("OolI", "0011")


@functools.cache
def _folding() -> dict[int, int]:
    return _WIDE | {ord(traditional): ord(simplified) for traditional, simplified in _data()["traditional"].split()}


@functools.cache
def _data() -> dict[str, Any]:
    return yaml.safe_load(
        resources.files("dataset_builders.deidentify").joinpath("identifiers.yaml").read_text(encoding="utf-8")
    )


@functools.cache
def _patterns() -> tuple[tuple[str, bool, tuple[str, ...], re.Pattern[str]], ...]:
    """Category, whether it can match only beside Han characters, pattern, and its flags: "sure", the evidence makes any word
    a name; "named", it counts only where a word is not an ordinary one."""
    data = _data()
    single = "".join(sorted(surname_characters()))
    parts = data["parts"] | {"surname": f"(?:{'|'.join(data['compound_surnames'])}|[{single}])"}

    def expand(pattern: str) -> str:
        # a word's edge also lies between a Han character and a letter, where \b sees none
        pattern = re.sub(r"(?<=[\w)\]}?])\\b", lambda _: r"(?![A-Za-z\d_])", pattern)
        pattern = pattern.replace(r"\b", r"(?<![A-Za-z\d_])")
        while re.search(r"\{[a-z]+\}", pattern):
            pattern = re.sub(r"\{([a-z]+)\}", lambda match: parts[match.group(1)], pattern)
        return pattern

    compiled = []
    for category, pattern, *flags in data["patterns"]:
        needs_han = bool(re.search(r"\{(?:han|surname|zhmonth|zhday)\}", pattern))
        compiled.append((category, needs_han, tuple(flags), re.compile(expand(pattern))))
    return tuple(compiled)
