"""Which words are known: English vocabulary, medicine and eponyms, names of many languages, and a Chinese word segmenter.

General English comes from symspellpy's word list, names from Faker's lists, Chinese words and their parts of speech from
jieba's dictionary through rjieba; medicine is known_words.yaml. Everything is bundled with the packages: no network, no model.
"""

import functools
import importlib
import re
import unicodedata
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

# Faker's lists in Latin script: the languages hospital staff and patients' names come from.
_LOCALES = [
    "en_US",
    "en_GB",
    "en_IN",
    "en_IE",
    "en_NG",
    "en_KE",
    "en_PK",
    "es_ES",
    "es_MX",
    "fr_FR",
    "de_DE",
    "it_IT",
    "nl_NL",
    "pl_PL",
    "cs_CZ",
    "sv_SE",
    "da_DK",
    "fi_FI",
    "no_NO",
    "hu_HU",
    "pt_BR",
    "tr_TR",
    "vi_VN",
    "hr_HR",
    "ro_RO",
    "id_ID",
    "sl_SI",
]
# Word formation of medicine: a long word with such an end or beginning is a term, not a name.
_MEDICAL_END = re.compile(
    r"(?:itis|osis|oses|otic|ectomy|otomy|ostomy|plasty|pathy|pathic|listhesis|graphy|gram|graphic|oma|omas|algia"
    r"|lysis|lytic|phyte|"
    r"phytes|phytic|scopy|scopic|desis|plegia|paresis|emia|uria|trophy|trophic|genic|coxib|pril|sartan|statin|cillin"
    r"|mycin|micin|azole|olol|"
    r"idine|caine|epam|olam|profen|fenac|gabalin|pentin|dronate|dronic|sone|solone|mab|parin|xaban|floxacin|cycline"
    r"|setron|triptan|oxetine|"
    r"codone|morphone|tidine|dipine|formin|gliptin|gliflozin|thyroxine|vertebral|spinal|sacral|lumbar|thoracic"
    r"|foraminal|central|lateral|"
    r"medullary|thecal|dural|level|levels|ation|ility|ness|ment|ally|ical|tion|tions|sion|ated|ating)$"
)
_MEDICAL_START = re.compile(
    r"^(?:spondyl|radicul|myel|neuro|vertebr|lamin|foramin|osteo|arthr|discogr|intra|inter|extra|endo|peri|pre|post|"
    r"hyper|hypo|hemi|haem|hemo|multi|mutli|retro|antero|postero|poster[io]|medio|para|sub|supra|infra|trans|thorac"
    r"|lumb|cervic|sacr|kypho|lordo|scolio|"
    r"degen|dgener|des+ic|dis+ic|protru|hernia|sten|compres|micro|bi|uni|non|un|re|anti|electro|cardio|gastro|hepat"
    r"|nephr|uro|derm|psych|physio)"
)


def is_known(word: str) -> bool:
    """Whether a word of any case is English vocabulary, medicine or an eponym. A possessive 's and hyphens are looked "
    "through."""
    parts = [part for part in re.split(r"[-'’./_]", word.lower()) if part and part != "s"]
    return all(len(part) == 1 or part in english_words() or is_medical(part) for part in parts)


def is_medical(word: str) -> bool:
    """Whether a word is of known_words.yaml's medicine, eponyms and ordinary words, or formed like a medical term."""
    lower = word.lower().strip(".'’-")
    if lower in listed("medical") or lower in listed("eponyms") or lower in listed("ordinary"):
        return True
    return len(lower) >= 8 and lower.isascii() and bool(_MEDICAL_END.search(lower) or _MEDICAL_START.match(lower))


def is_given_name(word: str) -> bool:
    """Whether lists of given names hold a word of any case that is no ordinary one."""
    return word.lower() in _names().given


def is_family_name(word: str) -> bool:
    """Whether lists of family names hold a word of any case that is no ordinary one."""
    return word.lower() in _names().family


def is_given_or_word(word: str) -> bool:
    """Whether lists of given names hold a word, be it an ordinary one too ("Grace", "Mark")."""
    return word.lower() in _names().any_given


def is_family_or_word(word: str) -> bool:
    """Whether lists of family names hold a word, be it an ordinary one too ("Young", "Park")."""
    return word.lower() in _names().any_family


def is_lower_given_name(word: str) -> bool:
    """Whether a word in lower case is an English given name that is hardly a word otherwise ("naomi", not "mark")."""
    return word in _names().lower_given


def is_misspelt(word: str) -> bool:
    """Whether one edit (a letter left out, doubled, changed or two swapped) makes a known English word of a long one."""
    lower = word.lower()
    if not 6 <= len(lower) <= 30 or not lower.isascii():  # no English word is longer
        return False
    letters = "abcdefghijklmnopqrstuvwxyz"
    for i in range(len(lower) + 1):
        head, tail = lower[:i], lower[i:]
        candidates = [head + letter + tail for letter in letters]
        if tail:
            candidates += [head + tail[1:], head + tail[1:2] + tail[0] + tail[2:]]
            candidates += [head + letter + tail[1:] for letter in letters]
        if any(candidate in english_words() or candidate in listed("medical") for candidate in candidates):
            return True
    return False


def cut_chinese(text: str) -> list[tuple[str, str]]:
    """(word, part of speech) in reading order, whose words join to ``text``; "med" marks our clinical words, "nr" "
    "names of people."""
    return _segmenter().tag(text, hmm=True)


@functools.cache
def listed(name: str) -> frozenset[str]:
    """A word list of known_words.yaml."""
    return frozenset(_data()[name].split())


def is_common(word: str) -> bool:
    """Whether a word is so frequent (2.5 million uses in the word list's corpus, ours) that a capital makes it no name."""
    return all(english_words().get(part, 0) >= 2_500_000 for part in re.split(r"[-'’]", word.lower()) if len(part) > 1)


def is_chinese_word(word: str) -> bool:
    """Whether the segmenter's dictionary holds a word."""
    return _segmenter().has_word(word)


@functools.cache
def english_words() -> dict[str, int]:
    """Some 80,000 words in lower case and how often each was counted."""
    lines = resources.files("symspellpy").joinpath("frequency_dictionary_en_82_765.txt").read_text(encoding="utf-8-sig")
    return {word: int(count) for word, count in (line.split() for line in lines.splitlines())}


@dataclass(frozen=True)
class _Names:
    given: frozenset[str]
    family: frozenset[str]
    any_given: frozenset[str]
    any_family: frozenset[str]
    lower_given: frozenset[str]


@functools.cache
def _names() -> _Names:
    given: set[str] = set()
    family: set[str] = set()
    english: set[str] = set()
    for locale in _LOCALES:
        provider = vars(importlib.import_module(f"faker.providers.person.{locale}").Provider)
        for attribute, values in provider.items():
            if attribute.startswith(("first_name", "last_name")) and not callable(values):
                words = {part.lower() for value in values for part in str(value).split() if len(part) > 2}
                words |= {_unaccented(word) for word in words}
                (given if attribute.startswith("first_name") else family).update(words)
                if attribute.startswith("first_name") and locale.startswith("en_"):
                    english |= words
    known = listed("ordinary") | listed("medical")
    lower_given = {word for word in english if len(word) > 3} - known - listed("eponyms") - listed("given_names_that_are_words")
    return _Names(*map(frozenset, (given - known, family - known, given, family, lower_given)))


def _unaccented(word: str) -> str:
    """As notes without a foreign keyboard write it: "Phương" as "phuong"."""
    return "".join(c for c in unicodedata.normalize("NFD", word.translate(_PLAIN_LETTERS)) if not unicodedata.combining(c))


_PLAIN_LETTERS = str.maketrans({"đ": "d", "ø": "o", "ł": "l", "ı": "i", "ß": "ss", "æ": "ae"})


@functools.cache
def _segmenter() -> Any:
    import rjieba

    segmenter = rjieba.Jieba()
    for word in sorted(listed("clinical_zh")):
        segmenter.add_word(word, 100_000, "med")
    return segmenter


@functools.cache
def _data() -> dict[str, str]:
    return yaml.safe_load(
        resources.files("dataset_builders.deidentify").joinpath("known_words.yaml").read_text(encoding="utf-8")
    )
