"""Make up identifiers: each call writes another name, place, date or number where one stood, in the same manner of writing.

Within one note the same word becomes the same other word. Names are drawn from Faker's lists, from invented words made of two
halves of listed ones (so that a model learns how names stand, not which there are), and now and then from ordinary words;
Chinese ones from family names and the characters of given names.
"""

import functools
import random
import re
from collections.abc import Callable
from pathlib import Path

from dataset_builders.deidentify.identifiers import HAN
from dataset_builders.deidentify.known_words import english_words, is_medical, listed, name_lists
from dataset_builders.deidentify.rules import compound_surnames, read_table, surname_characters

_TABLE = read_table(Path(__file__).with_name("surrogates.yaml"))
_KEPT_IN_NAMES, _GENERIC_PLACE, _GENERIC_ORG = (
    frozenset(_TABLE[name].split()) for name in ("kept_in_names", "generic_place", "generic_org")
)
_MONTHS, _SPELLED, _ORDINALS = (_TABLE[name].split() for name in ("months", "spelled", "ordinals"))
_SHORT_MONTHS = frozenset(month[:3] for month in _MONTHS)
_PLACE_UNITS, _GIVEN, _FOREIGN, _PLACES = (
    "".join(_TABLE[name].split()) for name in ("place_units", "given", "foreign", "places")
)
_ORG_ZH = re.compile(
    "(?:第[一二三四五六七八九十0-9]+)?(?:附属)?(?:省立|市立|人民|中心|中医|中西医结合|骨科|脊柱|康复|妇幼|保健|社区|卫生"
    "|服务|大学|医学|职工|总|儿童|专科|联合|慈善|军区|武警|民族)*"
    "(?:医院|分院|院区|病区|门诊部|卫生院|诊所|疗养院|护理院|养老院|学校|小学|中学|学院|幼儿园|公司|集团|工厂|厂|矿|局|所|站|中心|队|工地|超市|村委会)$"
)
_DIGITS_ZH = "零〇一二三四五六七八九十"
_TOKEN = re.compile(rf"[^\W\d_{HAN}]+|\d+|[{HAN}]+|.", re.DOTALL)


class Surrogates:
    """Writes surrogates for one note: the same word always becomes the same other word."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._words: dict[tuple[str, str], str] = {}

    def write(self, text: str, kind: str) -> str:
        """Return another identifier of this type (gold/deid's names) in the manner of ``text``."""
        if kind == "NAME":
            return self._name(text)
        if kind in ("GEO", "ORG"):
            return self._place(text, kind)
        if kind == "DATE":
            return self._date(text)
        if kind == "AGE90":
            return self._age(text)
        if kind in ("EMAIL", "URL", "PHOTO"):
            return self._code(self._name_parts(text))
        return self._code(text)

    def _name(self, text: str) -> str:
        if re.search(f"[{HAN}]", text):
            return self._chinese_name(text)
        return self._name_parts(text)

    def _name_parts(self, text: str) -> str:
        return "".join(self._latin(token) if token[0].isalpha() else token for token in _TOKEN.findall(text))

    def _latin(self, word: str) -> str:
        lower = word.lower()
        if lower in _KEPT_IN_NAMES:
            return word
        if len(word) == 1:
            new = self._memo("initial", lower, lambda: self._rng.choice("abcdefghijklmnoprstvw"))
        else:
            new = self._memo("name", lower, lambda: _draw_name(self._rng, len(word)))
        if word.isupper():
            return new.upper()
        return new if word.islower() else new[0].upper() + new[1:]

    def _chinese_name(self, text: str) -> str:
        characters = [character for character in text if "\u4e00" <= character <= "\u9fff"]
        if "·" in text or len(characters) > 4:
            return "".join(self._memo("foreign", c, lambda: self._rng.choice(_FOREIGN)) if _is_han(c) else c for c in text)
        surnames = surname_characters()
        new: list[str] = []
        index = 0
        compound = "".join(characters[:2]) in compound_surnames()
        for character in text:
            if not _is_han(character):
                new.append(self._latin(character) if character.isalpha() else character)
                continue
            if character in "某氏" or (index == 0 and character in "老小阿" and len(characters) > 1):
                new.append(character)
            elif index == 0 and not compound and (character in surnames):
                new.append(self._memo("surname", character, lambda: self._rng.choice(_surnames())))
            elif compound and index < 2:
                pair = self._memo("compound", "".join(characters[:2]), lambda: self._rng.choice(sorted(compound_surnames())))
                new.append(pair[index])
            else:
                new.append(self._memo("given", character, lambda: self._rng.choice(_GIVEN)))
            index += 1
        return "".join(new)

    def _place(self, text: str, kind: str) -> str:
        generic = _GENERIC_PLACE if kind == "GEO" else _GENERIC_ORG
        parts = []
        for token in _TOKEN.findall(text):
            if token.isdecimal():
                parts.append(_digits(self._rng, token))
            elif _is_han(token[0]):
                parts.append(self._chinese_place(token, kind))
            elif token[0].isalpha():
                lower = token.lower()
                keep = lower in generic and self._rng.random() < 0.8
                parts.append(token if keep or len(token) == 1 else self._latin(token))
            else:
                parts.append(token)
        return "".join(parts)

    def _chinese_place(self, text: str, kind: str) -> str:
        tail = ""
        if kind == "ORG" and (match := _ORG_ZH.search(text)) and match.start():
            text, tail = text[: match.start()], match.group()
        new = "".join(
            c if c in _PLACE_UNITS or c in _DIGITS_ZH else self._memo("place", c, lambda: self._rng.choice(_PLACES))
            for c in text
        )
        return new + tail

    def _date(self, text: str) -> str:
        rng = self._rng
        if self._rng.random() < 0.35 and re.fullmatch(r"[\d./年月日-]{8,11}|\d{1,2} [A-Z][a-z]+ \d{4}", text):
            return _fresh_date(rng, bool(re.search(f"[{HAN}]", text)))
        parts = []
        for token in _TOKEN.findall(text):
            lower = token.lower()
            if token.isdecimal():
                parts.append(_date_number(rng, token))
            elif _is_month(lower):
                parts.append(_cased(_month(rng, lower), token))
            elif lower in _ORDINALS:
                parts.append(_cased(rng.choice(_ORDINALS), token))
            elif lower in _SPELLED:
                parts.append(_cased(rng.choice(_SPELLED), token))
            else:
                parts.append("".join(rng.choice("一二三四五六七八九") if c in "一二三四五六七八九" else c for c in token))
        return "".join(parts)

    def _age(self, text: str) -> str:
        if re.fullmatch(r"\d{2,3}", text):
            return str(self._rng.choice([*range(90, 100)] * 3 + [*range(100, 108)]))
        return "".join(_digits(self._rng, token) if token.isdecimal() else token for token in re.findall(r"\d+|\D+", text))

    def _code(self, text: str) -> str:
        rng = self._rng
        keep_letters = rng.random() < 0.4
        parts = []
        for token in re.findall(r"[^\W\d_]+|\d+|.", text, re.DOTALL):
            lower = token.lower()
            if token.isdecimal():
                parts.append(_digits(rng, token))
            elif lower in _SPELLED:
                parts.append(_cased(rng.choice(_SPELLED), token))
            elif token.isalpha() and token.isupper() and len(token) <= 4 and not keep_letters:
                parts.append("".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in token))
            elif _is_han(token[0]):
                parts.append("".join(rng.choice(_DIGITS_ZH[1:11]) if c in _DIGITS_ZH[:11] else c for c in token))
            else:
                parts.append(token)
        return "".join(parts)

    def _memo(self, kind: str, word: str, draw: Callable[[], str]) -> str:
        key = (kind, word)
        if key not in self._words:
            self._words[key] = draw()
        return self._words[key]


def _is_han(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff"


def _cased(word: str, like: str) -> str:
    return word.upper() if like.isupper() else word.capitalize() if like[0].isupper() else word


def _digits(rng: random.Random, digits: str) -> str:
    first = rng.choice("123456789") if digits[0] != "0" else "0"
    return first + "".join(rng.choice("0123456789") for _ in digits[1:])


def _date_number(rng: random.Random, token: str) -> str:
    if len(token) == 4 and token[:2] in ("19", "20"):
        return str(rng.choice([rng.randint(2015, 2026), rng.randint(1935, 2010)]))
    if len(token) in (1, 2) and int(token) <= 31:
        top = 12 if int(token) <= 12 else 31
        return f"{rng.randint(1, top):0{len(token)}d}"[-len(token) :] if len(token) == 2 else str(rng.randint(1, min(top, 9)))
    if len(token) == 8:
        return f"{rng.randint(1935, 2026)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
    if len(token) == 6:
        return f"{rng.randint(0, 99):02d}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
    return _digits(rng, token)


def _is_month(word: str) -> bool:
    return word in _MONTHS or (word.isascii() and len(word) in (3, 4) and word[:3] in _SHORT_MONTHS)


def _month(rng: random.Random, like: str) -> str:
    month = rng.choice(_MONTHS)
    return month if like in _MONTHS else month[:3] if len(like) == 3 else month[:4]


def _fresh_date(rng: random.Random, chinese: bool) -> str:
    year, month, day = rng.randint(1940, 2026), rng.randint(1, 12), rng.randint(1, 28)
    name = _MONTHS[month - 1]
    if chinese:
        return rng.choice(
            [
                f"{year}年{month}月{day}日",
                f"{year}.{month:02d}.{day:02d}",
                f"{year}-{month:02d}-{day:02d}",
                f"{year}/{month}/{day}",
                f"{year % 100:02d}年{month}月{day}号",
                f"{month}月{day}日",
                f"{year}{month:02d}{day:02d}",
                f"{month}.{day}",
            ]
        )
    return rng.choice(
        [
            *(
                f"{day}/{month:02d}/{year}",
                f"{month}/{day}/{year % 100:02d}",
                f"{year}-{month:02d}-{day:02d}",
                f"{day} {name[:3].title()} {year}",
            ),
            *(
                f"{name.title()} {day}, {year}",
                f"{day}-{name[:3].upper()}-{year}",
                f"{day}.{month}.{year}",
                f"{name[:3].title()} {day}",
                f"{day} {name.title()}",
            ),
            *(f"{year}{month:02d}{day:02d}", f"{month:02d}{day:02d}{year}", f"{day:02d}{name[:3].upper()}{year % 100:02d}"),
        ]
    )


@functools.cache
def _surnames() -> str:
    return "".join(sorted(surname_characters()))


def _draw_name(rng: random.Random, length: int) -> str:
    chance = rng.random()
    names = _latin_names()
    if chance < 0.06:
        return rng.choice(_plain_words())
    if chance < 0.4:
        one, other = rng.choice(names), rng.choice(names)
        return (one[: max(2, len(one) // 2)] + other[len(other) // 2 :])[:14]
    for _ in range(4):  # about as long as what it replaces, so that columns and abbreviations stay as they were
        name = rng.choice(names)
        if abs(len(name) - length) <= 3:
            break
    return name


@functools.cache
def _latin_names() -> tuple[str, ...]:
    names = {name.lower() for _, _, listed in name_lists() for name in listed if name.isalpha() and len(name) > 1}
    return tuple(sorted(names))


@functools.cache
def _plain_words() -> tuple[str, ...]:
    """Ordinary words of the middle frequencies, as people are also called ("Story", "Field")."""
    counts = english_words()
    chosen = [word for word, uses in counts.items() if 300_000 < uses < 40_000_000 and 4 <= len(word) <= 8]
    return tuple(sorted(word for word in chosen if not is_medical(word) and word not in listed("eponyms")))
