"""Write of a date what Safe Harbor leaves of it: the year.

    "2021-03-05"  ->  "[DATE 1: 2021]"      "3/2021"      ->  "[DATE 2: 2021]"
    "5 March"     ->  "[DATE 3]"            "1931-05-06"  ->  "[DATE 4]"

45 CFR 164.514(b)(2)(i)(C) takes out all elements of dates but the year, all ages over 89, and every element of a date that
shows such an age, its year, too. So the year of a date that lies 90 years back or more is not written: somebody lived then.

The year stands inside the mask and not alone: a reader still sees that something was taken out and which dates are the same
one, and no later step takes a lone "2021" for a size, or a line of nothing but a signature and a year for a sentence. A year of
two figures is written if every way to read the date gives the same one ("3/14/21"): else a day could be written as the year.
Nothing counts the distance between two dates; spans of time ("6 weeks after surgery", 术后3月) are no dates and stay.
"""

import re
from collections.abc import Iterable

from dataset_builders.deidentify.rules import clue

CHOICES = ("year", "shift")
"""How the dates of a hospital's texts are written: their year, or moved (shift_dates)."""

AS_OF = 2026
"""The year for which ages are counted, unless a date of the document is later. The rules of patterns/dates.yaml for years of
birth that stand alone count for it, too."""

_OVER = 90  # years: Safe Harbor's "over 89"
_LATEST = 2100  # a later number is no year of a document
_YEAR = re.compile(
    r"(?<!\d)(?:18|19|20)\d{2}(?!\d)|(?<!\d)(?:19|20)\d{2}(?=(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{4}|\d{6})?(?!\d))"
)
_HAN_YEAR = re.compile(r"[〇零○一二三四五六七八九]{4}(?=\s?年)")
_HAN_DIGITS = str.maketrans("〇零○一二三四五六七八九", "000123456789")
_REPUBLIC = re.compile(r"民国\s?(\d{2,3})\s?年")
_REPUBLIC_BEGAN = 1911  # year 1 of the Republic's count is 1912
_SHORT_YEAR = re.compile(r"(?<!\d)'(\d{2})(?!\d)|(?<!\d)(\d{2})(?=\s?年)|(?<=[A-Za-z])[-/,. ]{1,2}(\d{2})$")
_THREE_NUMBERS = re.compile(r"(\d{1,2})\s?[-/.]\s?(\d{1,2})\s?[-/.]\s?(\d{2})")
_DAYS, _MONTHS = range(1, 32), range(1, 13)
_CENTURY = 100


def years_of(words: str) -> tuple[int, ...]:
    """Read the years of a date, without repetition, in order; () if none is written or none is sure."""
    found = [int(match.group()) for match in _YEAR.finditer(words)]
    found += [int(match.group().translate(_HAN_DIGITS)) for match in _HAN_YEAR.finditer(words)]
    republic = [_REPUBLIC_BEGAN + int(match[1]) for match in _REPUBLIC.finditer(words)]
    if not found and not republic:
        found = _short_years(words)
    return tuple(dict.fromkeys(found + republic))


def count_as_of(dates: Iterable[str]) -> int:
    """Return the year for which ages are counted in a document with these dates: AS_OF, or a later one that they name."""
    return max([AS_OF, *(year for words in dates for year in years_of(words) if year <= _LATEST)])


def shows_high_age(year: int, as_of: int = AS_OF) -> bool:
    """Tell whether somebody who lived in ``year`` is 90 or older in ``as_of``."""
    return as_of - year >= _OVER


def write_year(words: str, as_of: int = AS_OF) -> str:
    """Write what stays of a date: "2021", "2021–2022" for a date of two years, "" if no year may stay or none is sure."""
    years = years_of(words)
    return "" if any(shows_high_age(year, as_of) for year in years) else "–".join(map(str, years))


def find_telling_years(text: str, as_of: int = AS_OF) -> list[tuple[int, int]]:
    """Find years beside an age that together show an age over 89 ("at the age of 72 in 2003"), as pairs of start and end."""
    return [
        match.span("id")
        for pattern in (clue("age_before_year"), clue("age_after_year"))
        for match in pattern.finditer(text)
        if shows_high_age(int(match["id"]) - int(match["age"]), as_of)
    ]


def _short_years(words: str) -> list[int]:
    if match := _THREE_NUMBERS.search(words):
        first, second, last = map(int, match.groups())
        if (first in _DAYS and second in _MONTHS) or (first in _MONTHS and second in _DAYS):
            # "21.03.05" may begin with its year: then the last number is a day.
            begins_with_year = (
                len(match[1]) == len(match[2]) == 2 and second in _MONTHS and last in _DAYS and first not in _MONTHS
            )
            return [] if begins_with_year else [_full_year(last)]
        return []
    return [_full_year(int(next(filter(None, match.groups())))) for match in _SHORT_YEAR.finditer(words)]


def _full_year(short: int) -> int:
    """Return the latest year up to AS_OF that ends in these two figures."""
    return AS_OF - (AS_OF - short) % _CENTURY
