"""Read licence statements: which licence a source is under, and whether what is derived from it may be published.

What counts is what the statement says, not only what it links to: some articles link a permissive licence while their
text forbids commercial use. So the most restrictive reading of text and addresses together applies, and a licence that
cannot be named is not allowed.
"""

import html
import re
from dataclasses import dataclass

UNKNOWN = "LicenseRef-Unknown"
HOSPITAL = "LicenseRef-Hospital"
PUBLIC_DOMAIN = "LicenseRef-PublicDomain"
US_GOVERNMENT = "LicenseRef-US-Government"


@dataclass(frozen=True, slots=True)
class Licence:
    """The verdict on one statement.

    spdx     an SPDX id ("CC-BY-4.0"). If the statement names a Creative Commons licence but no version, the id has none
             either ("CC-BY"): SPDX registers only versioned ids, and a version would be a guess. A licence without an
             SPDX id is a LicenseRef: PublicDomain, US-Government (17 U.S.C. § 105), Hospital, Unknown.
    allowed  whether derived items may be published: public domain, CC0, CC BY, CC BY-SA, MIT, BSD, Apache-2.0, US Government,
             and the attribution licences for data of the UK government (OGL) and of Open Data Commons (ODC-By).
    reason   one sentence for a person.
    """

    spdx: str
    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class _Mention:
    """A Creative Commons licence that is named: elements ("by", "by-nc-nd", "zero", "mark"), version ("" if not given)."""

    elements: str
    version: str = ""


def check_licence(text: str, url: str = "") -> Licence:
    """Return the licence that ``text`` (plain, HTML or a JATS ``<permissions>`` element) and ``url`` state.

    ``text`` may also be an SPDX id, an address or a whole licence file. Comments and attribute values of mark-up count
    as addresses only. A restriction stated anywhere (non-commercial, no derivatives) applies, whatever else is linked.
    """
    prose, addresses = _split_markup(text)
    if known := _KNOWN_IDS.get(prose.lower()):
        return _verdict(known, "declared")
    if title := _title_of_legal_code(prose):
        return _verdict(_spdx(title), "the licence's own text")
    in_text = _mentions_in_text(prose)
    mentions = in_text + _mentions_in_addresses(f"{prose} {addresses} {url}")
    forbids = {part for part, pattern in _RESTRICTIONS.items() if pattern.search(prose)}
    if _DENIED.search(prose):
        return Licence(UNKNOWN, False, "the text says that it is not under a Creative Commons licence")
    if not mentions:
        return _check_other(prose, f"{addresses} {url}", forbids)

    strictest = max(mentions, key=lambda mention: _STRICTNESS.index(mention.elements))
    parts = forbids | set(strictest.elements.split("-"))
    if forbids:
        parts = parts - {"zero", "mark"} | {"by"}
    elements = "-".join(part for part in ("by", "nc", "sa", "nd", "zero", "mark") if part in parts)
    version = next((m.version for m in mentions if m.elements == elements and m.version), "")
    if any(m.elements != elements for m in mentions):
        return _verdict(_spdx(_Mention(elements, version)), "the most restrictive of what text and addresses state")
    return _verdict(_spdx(_Mention(elements, version)), "named in the text" if in_text else "linked")


# Ordered from the least to the most restrictive.
_STRICTNESS = ("zero", "mark", "by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd")
_RESTRICTIONS = {
    "nc": re.compile(
        r"non[\s-]?commercial"
        r"|\b(?:not|never)\b(?! (?:limited|only)\b)[^.;]{0,60}\bcommercial"
        r"|\b(?:no|without) commercial"
        r"|\bcommercial\w*(?: \w+){0,3} (?:(?:is|are) )?(?:not (?:permitted|allowed)|prohibited|forbidden)"
        r"|\bresearch (?:use|purposes?) only|仅供(?:科研|科学研究|学术|研究)"
        r"|非商业|不得用于商业",
        re.IGNORECASE,
    ),
    "nd": re.compile(
        r"no[\s-]?deriv|\bnot\b[^.;]{0,60}\b(?:derivative works|share adapted material)"
        r"|no (?:modifications|adaptations)|\bnot? be (?:altered|transformed|modified|built upon|changed)"
        r"|禁止演绎|非演绎",
        re.IGNORECASE,
    ),
}
_OTHER = {
    "MIT": re.compile(r"\bMIT licen[sc]e|opensource\.org/licenses/mit|permission is hereby granted, free of charge", re.I),
    "Apache-2.0": re.compile(r"apache[\s,-]+(?:licen[sc]e)?[\s,-]*(?:version )?2|apache\.org/licenses/license-2\.0", re.I),
    "BSD-3-Clause": re.compile(r"\bBSD[\s-]3|\b3-clause BSD", re.I),
    "OGL-UK-3.0": re.compile(r"open government licen[sc]e|open-government-licence", re.I),
    "ODbL-1.0": re.compile(r"open database licen[sc]e|\bODbL\b|opendatacommons\.org/licenses/odbl", re.I),
    "ODC-By-1.0": re.compile(r"open data commons attribution|\bODC-By\b|opendatacommons\.org/licenses/by", re.I),
    "GFDL-1.3-or-later": re.compile(r"gnu free documentation licen[sc]e|\bGFDL\b|gnu\.org/(?:licenses/fdl|copyleft/fdl)", re.I),
    "GPL-3.0-only": re.compile(r"\bgpl-?(?:v|version)?[\s-]?3|gnu general public licen[sc]e[\s,]+version 3", re.I),
    US_GOVERNMENT: re.compile(
        r"(?:works?|employees?|publication|document) (?:of|by|prepared by)[^.]{0,40}"
        r"(?:u\.?\s?s\.?|united states|federal)[^.]{0,12} government(?! licen)"
        r"|government works?\b[^.]{0,60}(?:public domain|not subject to copyright|no copyright)"
        r"|not subject to (?:u\.?\s?s\.? )?copyright|\b17 u\.?\s?s\.?\s?c\.?\W{0,4}(?:sec(?:tion|\.)\W?)?105\b",
        re.IGNORECASE,
    ),
    "CC-PDM-1.0": re.compile(r"\bpublic domain mark\b", re.I),
    PUBLIC_DOMAIN: re.compile(r"(?<!not in the )(?<!outside the )\bpublic[\s-]domain\b|公有领域", re.I),
}
_ALLOWED = {
    "MIT",
    "BSD-3-Clause",
    "Apache-2.0",
    "OGL-UK-3.0",
    "ODC-By-1.0",
    US_GOVERNMENT,
    PUBLIC_DOMAIN,
    "CC0-1.0",
    "CC-PDM-1.0",
}
_NOT_ALLOWED = {
    UNKNOWN: "the licence is unknown",
    HOSPITAL: "hospital records are never published",
    "ODbL-1.0": "derived databases must stay under it, which the data sets are not",
    "GFDL-1.3-or-later": "copyleft for documents, with sections that may not be changed",
    "GPL-3.0-only": "copyleft for software, not among the licences that may be published",
}
_KNOWN_IDS = {spdx.lower(): spdx for spdx in (*_ALLOWED, *_NOT_ALLOWED)} | {"gpl-3.0": "GPL-3.0-only"}


_CREATIVE_COMMONS_IDS = {
    f"CC-{elements}{version}"
    for elements in ("BY", "BY-SA")
    for version in ("", "-1.0", "-2.0", "-2.5", "-3.0", "-3.0-IGO", "-4.0")
}
_PUBLISHABLE = {spdx.casefold() for spdx in (*_ALLOWED, *_CREATIVE_COMMONS_IDS)}


def may_publish(spdx: str) -> bool:
    """Tell whether rows under ``spdx`` may be published: it is exactly a known id, case aside, that check_licence allows.

    Statements and addresses are no ids: read them with check_licence first. Blanks around an id make it unknown.
    """
    return spdx.casefold() in _PUBLISHABLE and check_licence(spdx).allowed


def _check_other(prose: str, addresses: str, forbids: set[str]) -> Licence:
    if forbids:
        return Licence(UNKNOWN, False, "the text forbids commercial use or derivatives and names no licence")
    for spdx, pattern in _OTHER.items():
        if pattern.search(prose) or pattern.search(addresses):
            return _verdict(spdx, "named in the statement")
    if not prose and not addresses.strip():
        return Licence(UNKNOWN, False, "no licence is stated")
    if re.search(r"all rights reserved|©|\(c\)|copyright|版权", prose, re.IGNORECASE):
        return Licence(UNKNOWN, False, "a copyright is stated, but no licence")
    return Licence(UNKNOWN, False, "the statement names no licence that is known here")


def _verdict(spdx: str, source: str) -> Licence:
    if spdx in _NOT_ALLOWED:
        return Licence(spdx, False, f"{spdx} ({source}): {_NOT_ALLOWED[spdx]}")
    if "-NC" in spdx:
        return Licence(spdx, False, f"{spdx} ({source}): commercial use is not permitted")
    if "-ND" in spdx:
        return Licence(spdx, False, f"{spdx} ({source}): derivatives are not permitted")
    return Licence(spdx, True, f"{spdx} ({source})")


def _spdx(mention: _Mention) -> str:
    if mention.elements == "zero":
        return "CC0-1.0"
    if mention.elements == "mark":
        return "CC-PDM-1.0"
    return "-".join(part for part in ("CC", mention.elements.upper(), mention.version) if part)


def _split_markup(text: str) -> tuple[str, str]:
    """Visible prose with plain dashes and single spaces, and what stands in attributes and comments."""
    hidden: list[str] = re.findall(r"<!--.*?-->", text, re.DOTALL)
    text = re.sub(r"<!--.*?-->", " ", text, flags=re.DOTALL)
    tag = r"</?[A-Za-z?!][^<>]*>"
    hidden += re.findall(r"[\w:]+\s*=\s*[\"']([^\"']*)[\"']", " ".join(re.findall(tag, text)))
    prose = html.unescape(re.sub(tag, " ", text))
    prose = re.sub(r"[\u2010-\u2015\u2212\u00ad]", "-", prose)
    return re.sub(r"[^\S\n]+", " ", prose).strip(), " ".join(hidden)


def _title_of_legal_code(prose: str) -> _Mention | None:
    """The licence whose whole text this is: its name alone on a line, and numbered sections below it."""
    if not re.search(r"^\s*(?:section 1\b|statement of purpose)", prose, re.IGNORECASE | re.MULTILINE):
        return None
    if re.search(r"^\s*CC0 1\.0 Universal", prose, re.MULTILINE):
        return _Mention("zero", "1.0")
    for line in prose.splitlines():
        if re.search(r"\d\.\d (?:international|unported|generic)(?: public licen[sc]e)?\s*$", line, re.IGNORECASE):
            mentions = _mentions_in_text(f"creative commons {line}")
            if mentions and len(line) < 120:
                return mentions[0]
    return None


_NAME = re.compile(
    r"\bcc[\s-]*(?P<short>by(?:[\s-]+(?:nc|nd|sa)\b)*)[\s-]*(?:v(?:ersion)?\.?\s*)?(?P<short_version>\d\.\d(?:[\s-]IGO\b)?)?"
    r"|\battribution(?P<long>(?:[\s,&-]+(?:non[\s-]?commercial|no[\s-]?deriv\w*|share[\s-]?alike))*)"
    r"(?:[\s,]+(?:works|licen[sc]e|international|unported|generic|\(cc[^)]*\)|version|v\.?))*[\s,]*(?P<long_version>\d\.\d(?:[\s-]IGO\b)?)?"
    r"|(?P<zero>\bcc[\s-]?0\b|\b(?:cc|creative commons)[\s-]zero\b)"
    r"|署名(?P<chinese>(?:[\s-]*(?:非商业性?(?:使用)?|禁止演绎|相同方式共享))*)[\s-]*(?P<chinese_version>\d\.\d)?",
    re.IGNORECASE,
)


_CREATIVE_COMMONS = re.compile(
    r"creative\s*commons|\bcc[\s-]|知识共享|\battribution[\w -]{0,40} \d\.\d (?:international|unported|generic)", re.IGNORECASE
)
# Not "material that is not included in the article's Creative Commons licence", which stands in every such statement.
_DENIED = re.compile(
    r"\bnot (?:\w+ )?(?:licen[sc]ed|distributed|published|available|released) under [^.;]{0,40}(?:\bcc\b|creative\s*commons)",
    re.IGNORECASE,
)


def _mentions_in_text(prose: str) -> list[_Mention]:
    mentions = []
    names_creative_commons = _CREATIVE_COMMONS.search(prose)
    for match in _NAME.finditer(prose):
        if match["zero"]:
            mentions.append(_Mention("zero", "1.0"))
        elif match["short"]:
            mentions.append(_Mention(_elements(match["short"]), _version(match["short_version"])))
        elif names_creative_commons:
            more = match["long"] or match["chinese"] or ""
            within = re.search(r"\d\.\d(?:[\s-]IGO\b)?", match[0], re.IGNORECASE)  # "Attribution (CC BY 4.0) license"
            mentions.append(_Mention(_elements(more), _version(within and within[0])))
    return mentions


_ADDRESS = re.compile(
    r"creativecommons\.org/(?:licen[sc]es/(?P<elements>by(?:-nc)?(?:-sa|-nd)?)|publicdomain/(?P<public>zero|mark))"
    r"(?:/(?P<version>\d\.\d(?:/igo)?))?",
    re.IGNORECASE,
)


def _mentions_in_addresses(text: str) -> list[_Mention]:
    return [
        _Mention((match["elements"] or match["public"]).lower(), _version(match["version"]))
        for match in _ADDRESS.finditer(text)
    ]


def _version(written: str | None) -> str:
    """The version as SPDX writes it: "3.0 IGO" and "3.0/igo" give "3.0-IGO"."""
    return re.sub(r"[\s/-]igo", "-IGO", written or "", flags=re.IGNORECASE)


def _elements(name: str) -> str:
    """The elements of a licence name in any of its spellings, in the order of the addresses: by-nc-sa."""
    signs = {"nc": r"\bnc\b|commercial|非商业", "sa": r"\bsa\b|share|相同方式", "nd": r"\bnd\b|deriv|禁止演绎"}
    return "-".join(["by", *(part for part, sign in signs.items() if re.search(sign, name, re.IGNORECASE))])
