"""Move every full date of a case by one number of days, so that intervals hold: an option, and *not* Safe Harbor.

Safe Harbor allows no element of a date but its year, true or moved (45 CFR 164.514(b)(2)(i)(C)). The risk: who knows one true
date of a case learns all of them; intervals between visits, seasons and the order of events stay and can be matched with other
records. Share shifted texts only under an expert's determination (164.514(b)(1)) or a data use agreement.

The offset is 30 to 394 days into the past, from a hash of the case's unmasked text: the same case always gives the same
dates, and nobody can compute it from the published text alone. Dates that cannot be read without doubt ("3/4/2021", "in May")
and those that show an age over 89 (dates.shows_high_age) are masked without a year, which would tell the offset.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import date, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_LEAST_DAYS, _DIFFERENT_DAYS = 30, 365  # days into the past: a month at least, so that no date stays near, and a year's choice
_SHORT = 4  # letters: names that are not longer are short forms ("Mar", "Sept"), but for June
_NUMERIC = re.compile(r"^(\d{4})(\s?[-/.年]\s?)(\d{1,2})(\s?[-/.月]\s?)(\d{1,2})(\s?[日号]?)$")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})$")
_DAY_FIRST = re.compile(r"^(\d{1,2})(?:st|nd|rd|th)?([\s-](?:of\s)?)([A-Za-z]{3,9})\.?([\s-]|,\s)(\d{4})$")
_MONTH_FIRST = re.compile(r"^([A-Za-z]{3,9})\.?\s(\d{1,2})(?:st|nd|rd|th)?,?\s(\d{4})$")


def choose_offset(secret: str, written: Iterable[str]) -> timedelta:
    """Choose the offset of a case.

    secret    the case's unmasked text; without it the offset cannot be computed.
    written   the case's dates as they are written; the offset turns none of them into another of them.
    """
    written = set(written)
    digest = hashlib.sha256(f"date offset:{secret}".encode("utf-8", "replace")).digest()
    days = _LEAST_DAYS + int.from_bytes(digest[:4], "big") % _DIFFERENT_DAYS
    while any(shift_date(text, timedelta(days=-days)) in written for text in written):
        days += 1
    return timedelta(days=-days)


def shift_date(text: str, offset: timedelta) -> str | None:
    """Move a date and write it as it was written; return None if it cannot be read without doubt."""
    try:
        if match := _NUMERIC.match(text):
            moved = date(int(match[1]), int(match[3]), int(match[5])) + offset
            month, day = str(moved.month).zfill(len(match[3])), str(moved.day).zfill(len(match[5]))
            return f"{moved.year}{match[2]}{month}{match[4]}{day}{match[6]}"
        if match := _COMPACT.match(text):
            return (date(int(match[1]), int(match[2]), int(match[3])) + offset).strftime("%Y%m%d")
        if match := _DAY_FIRST.match(text):
            moved = date(int(match[5]), _month(match[3]), int(match[1])) + offset
            return f"{moved.day}{match[2]}{_spell(moved, match[3])}{match[4]}{moved.year}"
        if match := _MONTH_FIRST.match(text):
            moved = date(int(match[3]), _month(match[1]), int(match[2])) + offset
            return f"{_spell(moved, match[1])} {moved.day}, {moved.year}"
    except ValueError:  # no such day
        return None
    return None


def _month(name: str) -> int:
    """Return the number of a month. Raises ValueError if the word is no month."""
    return _MONTHS.index(name[:3].lower()) + 1


def _spell(moved: date, like: str) -> str:
    name = _NAMES[moved.month - 1]
    return name[:3] if len(like) <= _SHORT and like.lower() != "june" else name
