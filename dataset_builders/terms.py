"""Compile the term notation of levels/context.yaml and classify/terms.yaml into regular expressions.

A term is a word or words and ends at a word's end; "stem*" takes any ending; Chinese terms match anywhere. Terms are in
lower case and match lower-cased text. Anything but letters, digits, blanks and a final "*" is regular-expression syntax.
"""

from collections.abc import Iterable

WORD_START = r"(?<![a-z0-9])"


def term_pattern(term: str) -> str:
    """Return the pattern of one term, without WORD_START."""
    if term.endswith("*") and not term.endswith("\\*"):
        return term[:-1].replace(" ", r"\s+") + r"[a-z]*"
    if term.isascii() and term[-1].isalnum():
        return term.replace(" ", r"\s+") + r"(?![a-z0-9])"
    return term


def alternatives(terms: Iterable[str]) -> str:
    """Return one pattern for any of ``terms``, the longest first; grouped by first letter, so that mismatches fail faster."""
    ordered = sorted(set(terms), key=lambda term: (-len(term), term))
    groups: dict[str, list[str]] = {}
    for term in ordered:
        groups.setdefault(term[0] if term[0].isalnum() else "", []).append(term_pattern(term))
    others = groups.pop("", [])
    grouped = [f"{first}(?:{'|'.join(pattern[1:] for pattern in patterns)})" for first, patterns in groups.items()]
    return "(?:" + "|".join([*others, *grouped]) + ")"
