"""Street addresses in strict mode: a chain of house numbers, capitalised or unknown words, unit words and postcodes.

Addresses of any country, on one line or several: no list of streets is needed, only that a number stands beside a word that
is not known to be medicine, or beside "Suite", "Apt", "Box" and the like.
"""

import re
from collections.abc import Callable
from itertools import pairwise

from dataset_builders.deidentify.identifiers import Span
from dataset_builders.deidentify.known_words import listed

_LETTER = r"A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f\u1e00-\u1eff\u2206"
_UNIT = re.compile(r"^(?i:apt|suite|ste|unit|flat|box|postbox|psc|apo|fpo|dpo|usnv|uss|p|o|ul|u|no|floor)$")
_STREET = re.compile(
    r"^(?i:streets?|str|st|avenue|ave|road|rd|lane|ln|boulevard|blvd|drive|highway|hwy|terrace|crescent|parkway|route"
    r"|square)$"
)
_ELEMENT = re.compile(
    r"(?P<number>(?<![\w.])\d{1,6}(?:-\d{3,4})?[A-Ea-e]?(?![\w%°]))"
    rf"|(?P<word>[{_LETTER}][{_LETTER}'’-]{{0,40}})"
)
_BETWEEN = re.compile(r"^[\s,.()?#]{1,6}$")
_UNIT_AFTER = re.compile(
    r"\s?(?:mmhg|bpm|kvp?|mas?|msv|gy|mhz|ms|mm|cm|mg|ml|mcg|kg|g|iu|days?|weeks?|months?|years?|hours?|minutes?|min|h|y|yrs?|degrees?|percent|times|x"
    r"|out|points?|f|m|yo|y/o|male|female|man|woman|grade|level|degree)(?![A-Za-z])|[/%°×:]",
    re.IGNORECASE,
)
_CORNER = re.compile(r"the corner of $", re.IGNORECASE)


def find_addresses(text: str, is_safe: Callable[[str], bool], is_unknown: Callable[[str], bool]) -> list[Span]:
    """Address spans of a folded text.

    ``is_safe`` says of a word that it is medicine, ``is_unknown`` that no vocabulary holds it.
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
        if _UNIT_AFTER.match(text, match.end()):
            return ""
        return "postcode" if len(number) >= 5 else "year" if re.match(r"(?:19|20)\d\d$", number) else "number"
    word = match.group("word")
    if _UNIT.match(word) and (word[0].isupper() or len(word) > 2 or text[match.end() : match.end() + 1] == "."):
        return "unit"
    if _STREET.match(word):
        return "street"
    if word in listed("address_particles"):
        return "particle"
    if word.isupper() and len(word) == 2:
        return "particle"
    if word in listed("compass_words"):
        return "word"
    if is_safe(word):
        return ""
    if word.isupper() and len(word) <= 5:
        return "caps"
    if not word[0].isupper():
        return "name" if is_unknown(word) and len(word) > 3 else ""
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
    if corner := _CORNER.search(text[max(0, start - 16) : start]):
        start -= len(corner.group())
    return [Span(start, chain[-1][1], "GEO")]
