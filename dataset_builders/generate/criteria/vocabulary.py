"""Read the words that code looks for (words/*.yaml), and find them in texts.

    named_in("drugs", "She took ibuprofen.")        ->  {"ibuprofen"}
    find_phrase("source_talk", "en", "in the text")  ->  the match, or None

Terms are written in the notation of dataset_builders/terms.py; phrases are regular expressions. Both match lower-cased text.
"""

import functools
import re
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.schema import LANGUAGES
from dataset_builders.terms import WORD_START, alternatives

_WORDS = Path(__file__).parent / "words"


def named_in(table: str, text: str) -> frozenset[str]:
    """Return the names of a table ("drugs", "treatments", "findings") that have a term in ``text``, in either language."""
    lower = text.lower()
    if not _any_name(table).search(lower):
        return frozenset()
    return frozenset(name for name, pattern in name_patterns(table).items() if pattern.search(lower))


@functools.cache
def name_patterns(table: str) -> dict[str, re.Pattern[str]]:
    """Return a pattern for each name of a table: any of its English and Chinese terms."""
    return {name: compile_terms(entry["en"], entry["zh"]) for name, entry in read_words(table).items()}


def kind_of(table: str, name: str) -> str:
    """Return the class or kind that a name of a table belongs to; "" if none."""
    entry = read_words(table)[name]
    return entry.get("class") or entry.get("kind") or ""


def find_phrase(table: str, language: str, text: str) -> re.Match[str] | None:
    """Find the first phrase of a table of phrases.yaml in ``text``."""
    return phrase_pattern(table, language).search(text.lower())


@functools.cache
def phrase_pattern(table: str, language: str) -> re.Pattern[str]:
    """Return one pattern for the phrases of a table; for Chinese with the English ones, which its texts may hold."""
    phrases = read_words("phrases")[table]
    chosen = phrases["en"] if language == "en" else [*phrases["zh"], *phrases["en"]]
    return re.compile("|".join(f"(?:{phrase})" for phrase in chosen), re.MULTILINE)


@functools.cache
def opposites() -> tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]:
    """Return language, word and opposite for each pair of opposites.yaml, in both directions."""
    pairs = []
    for language in LANGUAGES:
        for one, other in read_words("opposites")[language]:
            first, second = _side(one, language), _side(other, language)
            pairs += [(language, first, second), (language, second, first)]
    return tuple(pairs)


@functools.cache
def synonyms(language: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return a stand-in and the pattern of the words that it stands for, for each line of synonyms.yaml."""
    return tuple((f"synonym{number}", _side(terms, language)) for number, terms in enumerate(read_words("synonyms")[language]))


@functools.cache
def read_words(table: str) -> Any:
    """Read words/<table>.yaml."""
    return yaml.safe_load((_WORDS / f"{table}.yaml").read_text(encoding="utf-8"))


def compile_terms(english: list[str], chinese: list[str]) -> re.Pattern[str]:
    """Compile English and Chinese terms into one pattern; () of both matches nothing."""
    parts = [f"{WORD_START}{alternatives(english)}"] if english else []
    parts += [alternatives([term.lower() for term in chinese])] if chinese else []
    return re.compile("|".join(parts) or r"(?!)")


def _side(terms: list[str], language: str) -> re.Pattern[str]:
    return compile_terms(terms, []) if language == "en" else compile_terms([], terms)


@functools.cache
def _any_name(table: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern.pattern})" for pattern in name_patterns(table).values()))
