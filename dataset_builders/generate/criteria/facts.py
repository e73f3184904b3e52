"""Read the facts of a text that an item must not change: numbers with units, levels, sides and grades, in both languages.

    numbers_of("within 12 weeks")     ->  (Number(84.0, "day", 12.0, "within"),)
    numbers_of("三个月内")              ->  (Number(3.0, "month", 3.0, "within"),)
    bound_facts("Left foraminal stenosis at L4/L5.")  ->  {("side", "L4/L5"): {"left"}}

A fact is bound to a level if its clause names that level alone.
"""

import functools
import itertools
import re
from collections import defaultdict
from dataclasses import dataclass

from dataset_builders.characters import fold
from dataset_builders.generate.criteria.parts import sentences
from dataset_builders.levels import find_levels

_UNITS = {
    "mm": ("length", 1.0), "millimet": ("length", 1.0), "毫米": ("length", 1.0),
    "cm": ("length", 10.0), "centimet": ("length", 10.0), "厘米": ("length", 10.0), "公分": ("length", 10.0),
    "mg": ("mass", 1.0), "毫克": ("mass", 1.0), "milligram": ("mass", 1.0), "µg": ("mass", 0.001), "μg": ("mass", 0.001),
    "mcg": ("mass", 0.001), "微克": ("mass", 0.001), "kg": ("mass", 1e6), "公斤": ("mass", 1e6), "千克": ("mass", 1e6),
    "g": ("mass", 1000.0), "gram": ("mass", 1000.0), "克": ("mass", 1000.0),
    "ml": ("volume", 1.0), "毫升": ("volume", 1.0), "millilit": ("volume", 1.0), "l": ("volume", 1000.0),
    "hour": ("day", 1 / 24), "hours": ("day", 1 / 24), "h": ("day", 1 / 24), "小时": ("day", 1 / 24),
    "minute": ("day", 1 / 1440), "分钟": ("day", 1 / 1440), "day": ("day", 1.0), "天": ("day", 1.0), "日": ("day", 1.0),
    "week": ("day", 7.0), "周": ("day", 7.0), "星期": ("day", 7.0),
    "month": ("month", 1.0), "个月": ("month", 1.0), "月": ("month", 1.0),
    "year": ("month", 12.0), "yr": ("month", 12.0), "年": ("month", 12.0), "岁": ("month", 12.0),
    "%": ("percent", 1.0), "percent": ("percent", 1.0), "per cent": ("percent", 1.0),
    "degree": ("degree", 1.0), "°": ("degree", 1.0), "度角": ("degree", 1.0),
}  # fmt: skip
"""Unit as written (stems of English words) -> dimension and factor."""

_SMALL = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
          "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: number for number, word in enumerate(_SMALL)} | {word: 10 * (2 + n) for n, word in enumerate(_TENS)}
_HAN = {character: number for number, character in enumerate("零一二三四五六七八九")} | {"两": 2}

_UNIT = (
    r"(?P<unit>millimet\w*|centimet\w*|milligram\w*|millilit\w*|grams?\b|per cent|percent\w*|degrees?"
    r"|hours?|minutes?|days?|weeks?|"
    r"months?|years?|yrs?\b|mm\b|cm\b|mg\b|mcg\b|[µμ]g\b|kg\b|g\b|ml\b|h\b|%|°|毫米|厘米|公分|毫克|微克|公斤|千克|克|毫升|小时|分钟|天|"
    r"日|周(?!围)|星期|个月|月|年|岁)"
)
_WORD = rf"(?:(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_SMALL[1:10])}))?|{'|'.join(sorted(_SMALL[1:], key=len, reverse=True))})"
_HAN_NUMBER = r"[一二三四五六七八九十百两]+(?:点[零一二三四五六七八九]+)?"
_NUMBER = re.compile(
    rf"(?P<percent>百分之)?(?:(?<![\w.])(?P<word>{_WORD})\b|(?<![A-Za-z\d.])(?P<digits>\d[\d,]*(?:\.\d+)?|\.\d+)"
    rf"|(?P<han>(?:(?<=百分之){_HAN_NUMBER}|{_HAN_NUMBER}(?={_UNIT.replace('?P<unit>', '?:')}))))"
    rf"(?:[\s-]*{_UNIT})?",
    re.IGNORECASE,
)
_RANGE = re.compile(
    r"(\d+(?:\.\d+)?)\s*(?:-|–|to|至|到|~)\s*(\d+(?:\.\d+)?)\s*" + _UNIT.replace("?P<unit>", "?P<ranged>"), re.IGNORECASE
)
_BESIDE = re.compile(r"\W*(?:and|or|to|over|on)?\W*(?:at )?|[和及与、，]", re.IGNORECASE)
_LIST_NUMBER = re.compile(
    r"(?m)^\s*\(?\d{1,2}[.)、]\s|\(\d{1,2}\)\s|[（(][一二三四五六七八九十][）)]|[①-⑳]|\[\d[\d,–-]*\]|____"
)
_SEQUENCE = re.compile(
    r"(?<![A-Za-z])[tT][12](?=\s*[-*]?\s*(?:weighted|w\b|wi\b|加权|相|像|序列|压脂|stir|flair|mr|sagittal|axial|image))",
    re.IGNORECASE,
)

_LESS = re.compile(
    r"(?:<|≤|\b(?:less than|fewer than|below|under|up to|at most|no more than|not more than|within"
    r"|maximum of|shorter than|smaller than|younger than|before)\s*(?:the )?(?:first )?|(?:小于|少于|低于|不超过"
    r"|不大于|不到|至多|最多|不足|未满))\s*\Z",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"(?:>|≥|\b(?:more than|greater than|over|above|exceed\w*|at least|no less than|not less than"
    r"|minimum of|longer than|larger than|older than|beyond|after)\s*(?:the )?(?:first )?|(?:大于|多于|高于|超过"
    r"|不少于|不小于|不低于|至少|最少|超出))\s*\Z",
    re.IGNORECASE,
)
_LESS_AFTER = re.compile(r"\s*(?:or (?:less|fewer|younger|below)|以内|以下|之内|内(?![侧固镜])|及以下)", re.IGNORECASE)
_MORE_AFTER = re.compile(
    r"\s*(?:or (?:more|older|longer|above|greater)|\+|以上|及以上|余|多|之?后(?![凸路方缘侧纵外]))", re.IGNORECASE
)

_SIDE = {
    "left": re.compile(r"\bleft(?!\s+(?:out|untreated|alone|in place|blank|over|behind|unanswered|the\b|by\b|with\b"
r"|to\s))(?:-sided)?\b|\blt\b|左(?!右)", re.IGNORECASE),
    "right": re.compile(r"\bright(?!\s+(?:answer|option|away|now|angle|choice|one|to\b|after\b|before\b"
r"|or wrong))(?:-sided)?\b|\brt\b|(?<!左)右", re.IGNORECASE),
    "both": re.compile(r"\bbilateral\w*|\bboth (?:sides|legs|arms|feet|hands|neural|exit|lateral|nerve|traversing|foramina)"
r"|\bb/l\b|双侧|两侧|双下肢|双上肢", re.IGNORECASE),
}  # fmt: skip

_VALUE = r"(?P<value>[ivx]{1,4}(?![a-z])|\d{1,2}(?![\d%]|\.\d)|[a-e]\d?(?![a-z]))"
_NAMED_GRADE = re.compile(
    r"(?P<system>pfirrmann|modic|meyerding|schizas|asia|ais|frankel|kellgren[- ]lawrence|genant"
r"|ao(?:spine)?|denis|magerl|mjoa|risser|lenke|castellvi|gustilo|garden|salter[- ]harris|bigelow|tlics"
r"|slic|nurick|ranawat|anderson|levine|tile)"
    r"(?:\s*\(?(?:classification|impairment|scale|score|grading|system|分级|分型|分度"
r"|评分)\)?)*[\s:：为of-]*(?:grade|type|class|stage|score|change|第)?[\s:：为]*" + _VALUE,
    re.IGNORECASE,
)  # fmt: skip
_GRADE = re.compile(
    r"(?<![a-z])(?:grades?|types?|stages?|class)\s*[-:]?\s*"
    + _VALUE
    + r"(?:\s*(?:-|–|to|and|or|/|,)\s*(?P<second>[ivx]{1,4}(?![a-z])|\d(?!\d)))?",
    re.IGNORECASE,
)
_GRADE_ZH = re.compile(
    r"(?<![哪同每进这某])(?P<value>[ivx]{1,4}|\d|[一二三四五]|[a-e])\s*(?:级|度(?!假|角)|型|期)", re.IGNORECASE
)
_SEVERITY = {
    "mild": re.compile(r"\b(?:mild\w*|minimal\w*|slight\w*|minor|low-grade)\b|轻度|轻微|轻中度", re.IGNORECASE),
    "moderate": re.compile(r"\bmoderate\w*\b|中度|中等", re.IGNORECASE),
    "severe": re.compile(r"\b(?:severe\w*|marked\w*|gross\w*|high-grade|advanced)\b|重度|严重|明显|显著", re.IGNORECASE),
}
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6"}


@dataclass(frozen=True, slots=True)
class Number:
    """A number: ``value`` in the base of ``dimension`` ("" without a known unit), as ``written``, and "less", "more" or ""."""

    value: float
    dimension: str
    written: float
    bound: str = ""

    def matches(self, other: "Number") -> bool:
        """Tell whether two numbers are the same amount and do not bound it from opposite sides."""
        if self.bound and other.bound and self.bound != other.bound:
            return False
        if self.dimension and other.dimension:
            return self.dimension == other.dimension and abs(self.value - other.value) <= 1e-6 * max(1.0, abs(self.value))
        return self.written == other.written


@functools.lru_cache(maxsize=256)
def numbers_of(text: str) -> tuple[Number, ...]:
    """Return the numbers of a text that count or measure; those of levels, grades, lists and sequences are left out."""
    text = _without_names(text)
    found = []
    for match in _RANGE.finditer(text):
        found.append(_number(float(match[1]), match["ranged"], _bound(text, match)))
    for match in _NUMBER.finditer(text):
        value = _value(match)
        if value is None or (match["word"] and value == 1 and not match["unit"]):
            continue
        unit = "%" if match["percent"] else match["unit"] or ""
        found.append(_number(value, unit, _bound(text, match)))
    return tuple(found)


@functools.lru_cache(maxsize=256)
def levels_of(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the vertebrae and roots that a text names one by one, and the discs that it names as discs or pairs."""
    singles: set[str] = set()
    discs: set[str] = set()
    for span in find_levels(text):
        (discs if span.kind == "disc" else singles).update(span.names)
    return frozenset(singles), frozenset(discs)


def sides_of(text: str) -> frozenset[str]:
    """Return "left", "right", "both" as far as the text names them."""
    return frozenset(side for side, pattern in _SIDE.items() if pattern.search(text))


def severities_of(text: str) -> frozenset[str]:
    """Return "mild", "moderate", "severe" as far as the text names them."""
    return frozenset(name for name, pattern in _SEVERITY.items() if pattern.search(text))


@functools.lru_cache(maxsize=256)
def grades_of(text: str) -> frozenset[tuple[str, str]]:
    """Return the grades, stages and types that a text names, as system ("" if not named) and value in digits or letters."""
    text = fold(text).text.lower()
    grades = {(match["system"], _grade_value(match["value"])) for match in _NAMED_GRADE.finditer(text)}
    for match in _GRADE.finditer(text):
        grades.add(("", _grade_value(match["value"])))
        if match["second"]:
            grades.add(("", _grade_value(match["second"])))
    grades |= {("", _grade_value(match["value"])) for match in _GRADE_ZH.finditer(text)}
    named = {value for system, value in grades if system}
    return frozenset((system, value) for system, value in grades if system or value not in named)


@functools.lru_cache(maxsize=256)
def bound_facts(text: str, *, loose: bool = False) -> dict[tuple[str, str], frozenset[str]]:
    """Return the sides, grades, degrees and lengths said of a level: (kind, level) -> values.

    loose   a sentence of several levels that cannot be cut says its facts of each of them.
    """
    facts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for sentence in sentences(text):
        for clause, level in clauses_with_levels(sentence, loose=loose):
            for kind, values in (
                ("side", sides_of(clause)),
                ("degree", severities_of(clause)),
                ("grade", frozenset(value for _, value in grades_of(clause))),
                ("length", frozenset(f"{n.value:g}" for n in numbers_of(clause) if n.dimension == "length")),
            ):
                facts[kind, level] |= values
    return {key: frozenset(values) for key, values in facts.items() if values}


def ranges_of(text: str) -> frozenset[tuple[str, ...]]:
    """Return the ranges of vertebrae that a text names ("L1 to L3"), each with all its vertebrae."""
    return frozenset(span.names for span in find_levels(text) if span.kind == "vertebra" and len(span.names) > 1)


def clauses_with_levels(sentence: str, *, loose: bool = False) -> list[tuple[str, str]]:
    """Return the clauses of a sentence that name one level alone, with it.

    loose   a sentence of several levels that cannot be cut, or lists them, stands for each of them.
    """
    levels = _levels_in(sentence)
    if len(levels) == 1:
        return [(sentence, levels[0])]
    clauses = re.split(r"[,，、;]|\band\b|\bwhile\b|\bbut\b|\bwhereas\b|而|但", sentence)
    named = [_levels_in(clause) for clause in clauses]
    cut = [(clause, own[0]) for clause, own in zip(clauses, named, strict=True) if len(own) == 1]
    if sum(map(bool, named)) < 2 or len(cut) < sum(map(bool, named)):
        cut = []
    whole = not cut or len(cut) < len(levels) or _is_list(sentence)
    return cut + ([(sentence, level) for level in levels] if loose and whole else [])


def _is_list(sentence: str) -> bool:
    """Whether two levels stand side by side, so that one thing may be said of both: "bulges at L3/L4 and L4/L5"."""
    pairs = itertools.pairwise(find_levels(sentence))
    return any(_BESIDE.fullmatch(sentence[one.end : other.start]) for one, other in pairs)


def _levels_in(text: str) -> list[str]:
    return list(
        dict.fromkeys(
            "/".join(span.names) if span.kind != "disc" else span.names[0] for span in find_levels(text) if span.names
        )
    )


def _without_names(text: str) -> str:
    """Blank out what holds digits and is no amount: levels, sequences, grades, list marks."""
    spans = [(span.start, span.end) for span in find_levels(text)]
    for start, end in reversed(spans):
        text = f"{text[:start]} {text[end:]}"
    text = fold(text).text
    for pattern in (_LIST_NUMBER, _SEQUENCE, _NAMED_GRADE, _GRADE, _GRADE_ZH):
        text = pattern.sub(" ", text)
    return text


def _value(match: re.Match[str]) -> float | None:
    if match["digits"]:
        return float(match["digits"].rstrip(",").replace(",", ""))
    if match["word"]:
        parts = re.split(r"[- ]", match["word"].lower())
        return float(sum(_WORDS[part] for part in parts))
    return _han_value(match["han"])


def _han_value(text: str) -> float | None:
    whole, _, fraction = text.partition("点")
    total, digit = 0, None
    for character in whole:
        if character in "十百":
            total += (1 if digit is None else digit) * (10 if character == "十" else 100)
            digit = None
        else:
            digit = _HAN[character]
    total += digit or 0
    return float(f"{total}.{''.join(str(_HAN[c]) for c in fraction)}") if fraction else float(total)


def _number(value: float, unit: str, bound: str) -> Number:
    unit = (unit or "").lower()
    known = _UNITS.get(unit) or next((entry for name, entry in _UNITS.items() if len(name) > 2 and unit.startswith(name)), None)
    if not known and unit:
        known = _UNITS.get(unit.rstrip("s"))
    dimension, factor = known or ("", 1.0)
    return Number(value * factor, dimension, value, bound)


def _bound(text: str, match: re.Match[str]) -> str:
    before, after = text[max(0, match.start() - 24) : match.start()], text[match.end() : match.end() + 12]
    if _LESS.search(before) or _LESS_AFTER.match(after):
        return "less"
    return "more" if _MORE.search(before) or _MORE_AFTER.match(after) else ""


def _grade_value(value: str) -> str:
    han = {"一": "1", "二": "2", "三": "3", "四": "4", "五": "5"}
    return _ROMAN.get(value) or han.get(value) or value
