"""Tell what stands under a heading: a table's column, a JSON or XML key, a line's label, a column beside a note, an HL7 field.

    find_heading("patientName")           ->  Heading("NAME", "sure")
    find_heading("住 院 号：")              ->  Heading("MRN", "sure")
    find_heading("Finding")               ->  None

patterns/headings.yaml is the one table of headings, English and Chinese.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dataset_builders.deidentify.dates import shows_high_age, years_of
from dataset_builders.deidentify.identifiers import HAN, Span, clinical_spans, is_clinical_chinese
from dataset_builders.deidentify.known_words import (
    is_common,
    is_family_name,
    is_family_or_word,
    is_given_name,
    is_given_or_word,
    is_known,
    is_medical,
    listed,
)
from dataset_builders.deidentify.rules import CATEGORIES, RuleError, read_table, surname_characters
from dataset_builders.document import MASK

HOWS = ("sure", "named", "generic")
"""How much a heading says: see patterns/headings.yaml."""

_FILE = Path(__file__).parent / "patterns" / "headings.yaml"
_MORE = ("BIRTH", "AGE")  # headings whose values count as a DATE or AGE90, in part
_LISTS = ("none", "placeholders", "things", "manners", "hl7")
_LONGEST_HEADING = 40  # characters: no heading of the table is longer
_LONGEST_VALUE = 300  # characters: a longer cell is a text, not a value; its own rules mask it
_HIGH_AGE = 90
_AGE = re.compile(r"\s*(\d{1,3})\s*(?:岁|y|yrs?|years?)?\s*")
_ROW_NUMBER = 3  # digits: a lone number with fewer digits under "id" counts rows
_LONG_UNKNOWN = 5  # letters: a shorter unknown word alone is as often an exclamation
_ROLE_WORDS = 5  # words: a longer value under a role is a sentence
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN_HAN = re.compile(rf"(?<=[{HAN}])\s+(?=[{HAN}])")
_ABBREVIATION = re.compile(r"\b(?:[a-z]\.){2,}[a-z]?\b\.?")
_WORD = re.compile(rf"[^\W\d_{HAN}]+")
_LATIN_NAME = re.compile(
    rf"(?:(?:[A-Z](?:[^\W\d_{HAN}]|['’-])*\.?|van|von|der|den|de|da|di|del|la|le|bin|al|el|y)(?:,?\s{{1,2}}|(?<=\.)|$)){{1,5}}"
)
_HAN_NAME = re.compile(rf"[{HAN}]{{2,4}}|[{HAN}]{{1,8}}[·•・][{HAN}]{{1,8}}")


@dataclass(frozen=True, slots=True)
class Heading:
    """What a heading says: ``category`` is one of rules.CATEGORIES, "BIRTH" or "AGE"; ``how`` one of HOWS."""

    category: str
    how: str


def normalise(text: str) -> str:
    """Write a heading as the table does: lower case, words apart, Chinese without blanks, no marks around it."""
    apart = re.sub(r"[\s_/\-–*#\"“”|]+", " ", _CAMEL.sub(" ", text)).strip(" :：.()（）[]").lower().replace("’", "'")
    apart = _ABBREVIATION.sub(lambda match: match.group().replace(".", ""), apart).replace(".", " ")
    return " ".join(_BETWEEN_HAN.sub("", apart).split())


def find_heading(text: str) -> Heading | None:
    """Find what a heading says of the values under it; None if it identifies nobody."""
    if len(text) > _LONGEST_HEADING:
        return None
    name = normalise(text)
    return _headings().get(name) or _headings().get(re.sub(r"\s*[(（].*", "", name))


def is_heading(text: str) -> bool:
    """Tell whether a text is a heading of the table, be it one that identifies nobody."""
    return find_heading(text) is not None or normalise(text) in _list("none") if len(text) <= _LONGEST_HEADING else False


def is_thing(word: str) -> bool:
    """Tell whether a word before "name" or "id" says that it is no person's ("drug name")."""
    return word.lower() in _list("things")


def is_manner(key: str) -> bool:
    """Tell whether a key inside an identifying object says how, not who ("use", "system")."""
    return normalise(key) in _list("manners")


@functools.cache
def hl7_fields() -> Mapping[str, Mapping[int, Heading]]:
    """Return the identifying fields of HL7 v2 segments: segment -> number of the field -> what it holds."""
    table = read_table(_FILE)["hl7"]
    return {
        segment: {number: Heading(category, "sure") for category, numbers in fields.items() for number in numbers}
        for segment, fields in table.items()
    }


def mask_value(heading: Heading, text: str, start: int, end: int) -> Span | None:
    """Return the span to mask of the value ``text[start:end]`` under a heading; None if it says nothing of a person.

    Empty fields and what stands in them ("unknown", "-") stay, and so do ages under 90 and years of birth that show none above.
    """
    while start < end and (text[start].isspace() or text[start] in "*_\"'`"):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in "*_\"'`"):
        end -= 1
    value = text[start:end]
    if not re.search(r"[^\W_]", value) or len(value) > _LONGEST_VALUE or value.casefold().strip(" .") in _list("placeholders"):
        return None
    if value.startswith("[") and re.fullmatch(MASK, value):
        return None
    category = _category(heading, value)
    return Span(start, end, category) if category else None


def _category(heading: Heading, value: str) -> str | None:
    digits = sum(map(str.isdigit, value))
    if heading.category == "AGE":
        age = _AGE.fullmatch(value)
        return "AGE90" if age and int(age[1]) >= _HIGH_AGE else None
    if heading.category in ("BIRTH", "DATE"):
        if re.fullmatch(r"\d{4}\s?年?", value):
            return "AGE90" if heading.category == "BIRTH" and any(map(shows_high_age, years_of(value))) else None
        return "DATE" if digits or re.search("[年月日]", value) else None
    if heading.category == "NAME":
        return "NAME" if _is_name(heading, value) else None
    if heading.how == "generic":
        return heading.category if digits >= _ROW_NUMBER and not _is_medicine(value) else None
    if heading.category in ("GEO", "ORG", "DEVICE") or digits:
        return heading.category
    return heading.category if len(value.split()) == 1 and not is_known(value) else None


def _is_name(heading: Heading, value: str) -> bool:
    letters = any(map(str.isalpha, value))
    if heading.how == "sure":
        return letters or sum(map(str.isdigit, value)) >= _ROW_NUMBER
    if not letters:
        return False
    if heading.how == "generic":
        return not _is_medicine(value)
    return is_name_shaped(value)


def is_name_shaped(value: str) -> bool:
    """Tell whether a value is written as a person's name: some capitalised words of which one may be a name, or a Chinese name.

    A word may be a name if it is in a list of names, also as an ordinary word ("Summer Field"), or in no dictionary.
    """
    value = value.strip()
    if _HAN_NAME.fullmatch(value):
        return ("·" in value or value[0] in surname_characters()) and not is_clinical_chinese(value)
    if not _LATIN_NAME.fullmatch(value):
        return False
    words = [word for word in _WORD.findall(value) if len(word) > 1]
    if not 1 <= len(words) <= _ROLE_WORDS:
        return False
    named = [word for word in words if not is_known(word) or is_given_or_word(word) or is_family_or_word(word)]
    medical = listed("medical")
    return bool(named) and not all(word.lower() in medical for word in words) and (len(words) > 1 or _stands_alone(words[0]))


def _stands_alone(word: str) -> bool:
    """Tell whether a lone word after a role is a name and not what somebody says ("Patient: Um, no")."""
    if is_given_name(word) or is_family_name(word):
        return not is_common(word)
    return len(word) >= _LONG_UNKNOWN and not is_known(word)


def _is_medicine(value: str) -> bool:
    """Tell whether all words of a value are medicine: a drug, a level, a finding."""
    if clinical_spans(value):
        return True
    words = _WORD.findall(value)
    if re.search(f"[{HAN}]", value):
        return is_clinical_chinese(re.sub(r"\s", "", value))
    return bool(words) and all(_is_medicine_word(word) for word in words if len(word) > 1)


def _is_medicine_word(word: str) -> bool:
    return word.lower() in listed("medical") or (
        is_medical(word) and not is_given_or_word(word) and not is_family_or_word(word)
    )


@functools.cache
def _headings() -> Mapping[str, Heading]:
    headings: dict[str, Heading] = {}
    for category, kinds in read_table(_FILE).items():
        if category in _LISTS:
            continue
        if category not in (*CATEGORIES, *_MORE):
            raise RuleError(f"{_FILE}: {category} is no category; choose one of {', '.join((*CATEGORIES, *_MORE))}")
        for how, names in kinds.items():
            if how not in HOWS:
                raise RuleError(f"{_FILE}: {category}: {how!r} is none of {', '.join(HOWS)}")
            for name in _split(names):
                if name in headings:
                    raise RuleError(f"{_FILE}: {category}: {name!r} stands twice; one heading says one thing")
                headings[name] = Heading(category, how)
    return headings


@functools.cache
def _list(name: str) -> frozenset[str]:
    return frozenset(_split(read_table(_FILE)[name]))


def _split(names: str) -> list[str]:
    return [normalised for name in names.split(",") if (normalised := " ".join(name.split()))]
