"""Find street addresses in strict mode: chains of house numbers, capitalised or unknown words, unit words and postcodes.

Addresses of any country are found, on one line or several: no list of streets is needed, only a number beside a word that is
not known to be medicine, or beside "Suite", "Apt", "Box" and the like.
"""

import re
from collections.abc import Callable
from itertools import pairwise

from dataset_builders.deidentify.identifiers import Span
from dataset_builders.deidentify.known_words import listed
from dataset_builders.deidentify.rules import clue

_LETTER = r"A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f\u1e00-\u1eff\u2206"
_ELEMENT = re.compile(
    r"(?P<number>(?<![\w.])\d{1,6}(?:-\d{3,4})?[A-Ea-e]?(?![\w%°]))"
    rf"|(?P<word>[{_LETTER}][{_LETTER}'’-]{{0,40}})"
)
_BETWEEN = re.compile(r"^[\s,.()?#]{1,6}$")
_CORNER = re.compile(r"the corner of $", re.IGNORECASE)
_CORNER_LENGTH = 16  # characters before an address in which "the corner of " may end
_POSTCODE_DIGITS = 5  # digits and more make a number a postcode; house numbers of five digits are read as one, too
_LONGEST_CAPITALS = 5  # letters of an abbreviation; a longer word in capitals is a word
_LONGEST_SHORT_WORD = 3  # letters: unknown words of so few are abbreviations, not streets


def find_addresses(text: str, is_safe: Callable[[str], bool], is_unknown: Callable[[str], bool]) -> list[Span]:
    """Find addresses in a folded text.

    is_safe      tells of a word whether it is medicine.
    is_unknown   tells of a word whether no vocabulary holds it.
    """
    spans: list[Span] = []
    chain: list[tuple[int, int, str]] = []
    for match in _ELEMENT.finditer(text):
        element = (*match.span(), _kind(text, match, is_safe, is_unknown))
        if chain and not _BETWEEN.match(text[chain[-1][1] : element[0]]):
            spans += _address(text, chain)
            chain = []
        if element[2]:
            chain.append(element)
        else:
            spans += _address(text, chain)
            chain = []
    return [*spans, *_address(text, chain)]


def _kind(text: str, match: re.Match[str], is_safe: Callable[[str], bool], is_unknown: Callable[[str], bool]) -> str:
    """number, postcode, unit, street, name, word, particle; "" for what no address holds."""
    if number := match.group("number"):
        if clue("unit_after_number").match(text, match.end()):
            return ""
        return "postcode" if len(number) >= _POSTCODE_DIGITS else "year" if re.match(r"(?:19|20)\d\d$", number) else "number"
    word = match.group("word")
    if word.lower() in listed("address_units") and (
        word[0].isupper() or len(word) > 2 or text[match.end() : match.end() + 1] == "."
    ):
        return "unit"
    if word.lower() in listed("street_words"):
        return "street"
    if word in listed("address_particles"):
        return "particle"
    if word.isupper() and len(word) == 2:
        return "particle"
    if word in listed("compass_words"):
        return "word"
    if is_safe(word):
        return ""
    if word.isupper() and len(word) <= _LONGEST_CAPITALS:
        return "caps"
    if not word[0].isupper():
        return "name" if is_unknown(word) and len(word) > _LONGEST_SHORT_WORD else ""
    return "name" if is_unknown(word) else "word"


def _address(text: str, chain: list[tuple[int, int, str]]) -> list[Span]:
    while chain and chain[0][2] in ("particle", "word") and len(chain) > 1 and "\n" in text[chain[0][1] : chain[1][0]]:
        chain = chain[1:]
    while chain and chain[0][2] == "particle":
        chain = chain[1:]
    while chain and chain[-1][2] == "particle" and text[chain[-1][0]].islower():
        chain = chain[:-1]
    kinds = [kind for _, _, kind in chain]
    pairs = {
        pair
        for (_, end, left), (start, stop, right) in pairwise(chain)
        for pair in ((left, right), (right, left))
        if (text[end:start].isspace() and "\n" not in text[end:start]) or {"unit", "street", "postcode"} & set(pair)
    }
    numbers = ("number", "postcode", "year")
    is_address = any((number, kind) in pairs for number in numbers[:2] for kind in ("name", "unit", "street"))
    is_address |= ("postcode", "word") in pairs or ("postcode", "particle") in pairs
    is_address |= ("word", "number") in pairs and "street" in kinds
    if not is_address or not any(kind in numbers for kind in kinds):
        return []
    start = chain[0][0]
    if corner := _CORNER.search(text[max(0, start - _CORNER_LENGTH) : start]):
        start -= len(corner.group())
    return [Span(start, chain[-1][1], "GEO")]
