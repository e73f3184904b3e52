"""Recognise what identifies a person in a text: the patterns of identifiers.yaml, with their evidence, and names met again."""

import functools
import re
import unicodedata
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from dataset_builders.levels import parse_levels

DIRECT_FIRST = ("EMAIL", "URL", "PHOTO", "SSN", "IP", "FAX", "PHONE", "PLAN", "LICENSE", "MRN", "ACCOUNT", "DEVICE")


@dataclass(frozen=True, slots=True)
class Span:
    """``text[start:end]`` identifies a person; category as in identifiers.yaml."""

    start: int
    end: int
    category: str


def find_identifiers(text: str, language: str) -> tuple[Span, ...]:
    """Spans in reading order that do not overlap. Where two do, the longer wins, then the more direct category.

    language is "en" or "zh"; patterns of both are used in a text that holds both scripts.
    """
    folded = fold_width(text)
    both = language == "zh" or re.search(r"[\u4e00-\u9fff]", folded) is not None
    found: list[Span] = []
    for category, pattern_language, pattern in _patterns():
        if pattern_language == "zh" and not both:
            continue
        for match in pattern.finditer(folded):
            start, end = match.span("id")
            if category == "NAME" and _is_never_a_name(folded[start:end]):
                continue
            found.append(Span(start, end, category))
    return resolve([*found, *_names_again(folded, found)])


def resolve(spans: list[Span]) -> tuple[Span, ...]:
    """The spans that stay where some overlap."""
    rank = {category: number for number, category in enumerate(DIRECT_FIRST)}
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start - s.end, rank.get(s.category, len(rank)), s.start)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return tuple(sorted(kept, key=lambda span: span.start))


def fold_width(text: str) -> str:
    """Full-width letters, digits and punctuation as half-width, one character for one, so that offsets hold."""
    return "".join(
        folded
        if 0xFF01 <= ord(character) <= 0xFF5E and len(folded := unicodedata.normalize("NFKC", character)) == 1
        else character
        for character in text
    )


def is_level(text: str) -> bool:
    """Whether a token such as "L4/5" or "C6-7" names vertebral levels: those are never identifiers."""
    levels = parse_levels(text)
    return bool(levels.vertebrae or levels.nerve_roots)


def _names_again(text: str, found: list[Span]) -> list[Span]:
    """The same names elsewhere: whole, and each capitalised part of an English name of three letters or more."""
    wanted: set[str] = set()
    for span in found:
        if span.category == "NAME":
            name = text[span.start : span.end].strip(" .")
            wanted.add(name)
            wanted.update(part for part in re.findall(r"[A-Z][\w'’-]{2,}", name) if not _is_never_a_name(part))
    again = []
    for name in sorted(wanted):
        if len(name) > 1:
            edge = r"(?<!\w){}(?!\w)" if name.isascii() else "{}"
            again += [Span(*match.span(), "NAME") for match in re.finditer(edge.format(re.escape(name)), text)]
    return again


def _is_never_a_name(text: str) -> bool:
    words = _data()["never_names"]
    if any(text.startswith(word) for word in words["zh"]):
        return True
    return all(part.lower() in words["en"] for part in re.findall(r"[A-Za-z]+", text)) if text.isascii() else False


@functools.cache
def _data() -> dict[str, Any]:
    return yaml.safe_load(resources.files("dataset_builders").joinpath("identifiers.yaml").read_text(encoding="utf-8"))


@functools.cache
def _patterns() -> tuple[tuple[str, str | None, re.Pattern[str]], ...]:
    data = _data()
    single = "".join(data["surnames"].split())
    surname = f"(?:{'|'.join(data['compound_surnames'])}|[{single}])"
    return tuple(
        (entry["category"], entry.get("language"), re.compile(entry["pattern"].replace("{surname}", surname)))
        for entry in data["patterns"]
    )
