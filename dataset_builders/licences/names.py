"""Find the Creative Commons licences that a statement names, in words, short forms or addresses, in any spelling."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_GAP = r"[\s_/,&+()-]*"


@dataclass(frozen=True, slots=True)
class Named:
    """A Creative Commons licence as a statement names it.

    elements   in the order of Creative Commons' addresses: "by", "by-nc-nd", "zero", "mark"; "" if the name is not understood.
    version    "4.0", "3.0-IGO"; "" if none is given.
    """

    elements: str
    version: str = ""


def order_elements(parts: Iterable[str]) -> str:
    """Join elements in the order of Creative Commons' addresses; CC0 and the public domain mark give way to any demand.

    No derivatives and share alike exclude each other: the stricter stays.
    """
    found = set(parts)
    if found & {"by", "nc", "sa", "nd"}:
        found = found - {"zero", "mark"} | {"by"}
    if "nd" in found:
        found.discard("sa")
    if "mark" in found:
        found.discard("zero")
    return "-".join(part for part in ("by", "nc", "sa", "nd", "zero", "mark") if part in found)


def name_of_legal_code(prose: str) -> Named | None:
    """Return the licence whose whole text ``prose`` is: its name alone on a line, and numbered sections below it."""
    if not re.search(r"^\s*(?:section 1\b|statement of purpose)", prose, re.IGNORECASE | re.MULTILINE):
        return None
    if re.search(r"^\s*CC0 1\.0 Universal", prose, re.MULTILINE):
        return Named("zero", "1.0")
    titles = (line for line in prose.splitlines() if len(line) < 100 and _TITLE.search(line))
    return next((named[0] for line in titles if (named := names_in_text(f"creative commons {line}"))), None)


def names_in_text(prose: str) -> list[Named]:
    """Find the licences that words and short forms name."""
    named = []
    in_words = _CREATIVE_COMMONS.search(prose)
    for match in _NAME.finditer(prose):
        if match["zero"]:
            named.append(Named("zero", "1.0"))
        elif match["short"]:
            elements = "" if match["unknown"] else _elements(match["short"])
            named.append(Named(elements, _version(match["version"])))
        elif in_words:
            within = re.search(r"\d\.\d(?:[\s-]IGO\b)?", match[0], re.IGNORECASE)  # "Attribution (CC BY 4.0) license"
            named.append(Named(_elements(match["long"] or match["chinese"] or ""), _version(within and within[0])))
    return named


def names_in_addresses(text: str) -> list[Named]:
    """Find the licences that creativecommons.org addresses name, broken over lines or not."""
    named = []
    for match in _ADDRESS.finditer(text):
        elements = re.sub(r"\s", "", match["elements"] or match["public"]).lower()
        version = _version(re.sub(r"\s", "", match["version"] or ""))
        if elements in ("zero", "mark"):
            named.append(Named(elements, version))
        else:
            parts = re.findall("by|nc|nd|sa", elements)
            understood = "by" in parts and "".join(parts) == elements.replace("-", "")
            named.append(Named(order_elements(parts) if understood else "", version))
    return named


_TITLE = re.compile(r"\d\.\d (?:international|unported|generic)(?: public licen[sc]e)?\s*$", re.IGNORECASE)
_MORE = r"(?:non[\s_-]*comm\w+(?: use)?|no[\s_-]*deriv\w*(?: works)?|share[\s_-]*alike)"
_NAME = re.compile(
    # "CC BY-NC-ND 4.0", "CC-BY/NC", "ccbyncnd"; not the "2 cc by" of an injection; "CC BY-N C" goes on in what is no element
    rf"(?<![A-Za-z\d])(?<!\d )cc{_GAP}(?P<short>(?:by|nc|nd|sa)(?:{_GAP}(?:and )?(?:by|nc|nd|sa))*)(?![A-Za-z])"
    r"(?P<unknown>-\s?[A-Za-z]{1,2}\b)?[\s-]*(?:v(?:ersion)?\.?\s*)?(?P<version>\d\.\d(?:[\s-]IGO\b)?)?"
    rf"|\battribution(?P<long>(?:{_GAP}(?:and )?{_MORE})*)"
    r"(?:[\s,]+(?:works|licen[sc]e|international|unported|generic|\(cc[^)]*\)|version|v\.?))*[\s,]*(?:\d\.\d(?:[\s-]IGO\b)?)?"
    r"|(?P<zero>(?<![A-Za-z\d])cc[\s-]?0(?![\w.]*\d)(?![A-Za-z])|\b(?:cc|creative commons)[\s-]zero\b)"
    r"|(?:署名|姓名標示)(?P<chinese>(?:[\s_,、—-]*(?:非商业性?(?:使用)?|非商用|禁止演绎|相同方式共享|非商業性?|禁止改作|相同方式分享))*)[\s-]*(?:\d\.\d)?",
    re.IGNORECASE,
)
_CREATIVE_COMMONS = re.compile(
    r"creative\s*commons|(?<![A-Za-z\d])cc[\s-]|知识共享|創用\s*cc"
    r"|\battribution[\w -]{0,40} \d\.\d (?:international|unported|generic)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"creativecommons\s?\.\s?org\s?/\s?(?:licen[sc]es\s?/\s?(?P<elements>[a-z]+(?:\s?[-+]\s?[a-z]+)*)"
    r"|publicdomain\s?/\s?(?P<public>zero|mark))(?:\s?/\s?(?P<version>\d\.\d(?:\s?/\s?igo)?))?",
    re.IGNORECASE,
)


def _version(written: str | None) -> str:
    """Return the version as SPDX writes it: "3.0 IGO" and "3.0/igo" give "3.0-IGO"."""
    return re.sub(r"[\s/-]igo", "-IGO", written or "", flags=re.IGNORECASE)


def _elements(name: str) -> str:
    signs = {
        "nc": r"nc(?![a-z]*mm)|comm|非商",
        "sa": r"sa\b|sa(?=by|nc|nd)|share|相同方式",
        "nd": r"nd\b|nd(?=by|nc|sa)|deriv|禁止演绎|禁止改作",
    }
    return order_elements(["by", *(part for part, sign in signs.items() if re.search(sign, name, re.IGNORECASE))])
