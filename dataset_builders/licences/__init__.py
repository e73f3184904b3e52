"""Read licence statements: which licence a source is under, and whether what is derived from it may be published.

What counts is what the statement says, not only what it links to: some articles link a permissive licence while their
text forbids commercial use. So the most restrictive reading of text and addresses together applies, and a licence that
cannot be named is not allowed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dataset_builders.licences.names import Named, name_of_legal_code, names_in_addresses, names_in_text, order_elements
from dataset_builders.licences.restrictions import Restriction, find_restrictions
from dataset_builders.licences.wording import split_markup, unbroken

UNKNOWN = "LicenseRef-Unknown"
HOSPITAL = "LicenseRef-Hospital"
PUBLIC_DOMAIN = "LicenseRef-PublicDomain"
US_GOVERNMENT = "LicenseRef-US-Government"
CONTESTED = "LicenseRef-Contested"


@dataclass(frozen=True, slots=True)
class Licence:
    """The verdict on one statement.

    spdx     an SPDX id ("CC-BY-4.0"). If the statement names a Creative Commons licence but no version, the id has none
             either ("CC-BY"): SPDX registers only versioned ids, and a version would be a guess. A licence without an
             SPDX id is a LicenseRef: PublicDomain, US-Government (17 U.S.C. § 105), Hospital, Contested, Unknown.
    allowed  whether derived items may be published: public domain, CC0, CC BY, CC BY-SA, MIT, BSD, Apache-2.0, US Government,
             and the attribution licences for data of the UK government (OGL) and of Open Data Commons (ODC-By).
    reason   one sentence for a person.
    """

    spdx: str
    allowed: bool
    reason: str


def check_licence(text: str, url: str = "") -> Licence:
    """Return the licence that ``text`` (plain, HTML or a JATS ``<permissions>`` element) and ``url`` state.

    ``text`` may also be an SPDX id, an address or a whole licence file. Comments and attribute values of mark-up count
    as addresses only. A restriction stated anywhere (non-commercial, no derivatives) applies, whatever else is linked; what
    leaves out images or data, or takes a licence back, is allowed nothing.
    """
    prose, addresses = split_markup(text)
    field = _FIELD.fullmatch(prose)
    if known := _KNOWN_IDS.get((field[1] if field else prose).strip().lower()):
        return _verdict(known, "declared")
    if title := name_of_legal_code(prose):
        return _verdict(_spdx(title), "the licence's own text")
    if _APACHE_TEXT.search(prose):
        return _verdict("Apache-2.0", "the licence's own text")
    prose, addresses = unbroken(prose), f"{addresses} {url}"
    in_text = names_in_text(prose)
    named = in_text + names_in_addresses(f"{prose} {addresses}")
    restrictions = find_restrictions(prose)
    if named:
        licence = _check_creative_commons(named, restrictions, "named in the text" if in_text else "linked")
    else:
        licence = _check_other(prose, addresses, restrictions)
    for rule in restrictions:
        if licence.allowed and rule.forbids == "all":
            return Licence(UNKNOWN, False, f"the text takes the licence back, or leaves something out ({rule.id})")
    return licence


def _check_creative_commons(named: Sequence[Named], restrictions: Sequence[Restriction], where: str) -> Licence:
    """Return the most restrictive reading of the licences that are named and of what the words forbid."""
    if not all(name.elements for name in named):
        return Licence(UNKNOWN, False, "the name or address of a Creative Commons licence is not understood")
    forbidden = [rule.forbids for rule in restrictions]
    elements = order_elements([*forbidden, *(part for name in named for part in name.elements.split("-"))])
    version = next((name.version for name in named if name.elements == elements and name.version), "")
    if any(name.elements != elements for name in named):
        where = "the most restrictive of what text and addresses state"
    return _verdict(_spdx(Named(elements, version)), where)


# "license: mit" of a card's or package's head.
_FIELD = re.compile(r"[{\s\"'-]*licen[sc]e[\"']?\s*[:=]\s*[\"']?([\w.+-]+)[\"'}\s,;.]*", re.IGNORECASE)
# A licence that is named to say that it is not meant: "not MIT licensed", "may be in the public domain in some countries".
_NOT_MEANT = re.compile(
    r"\b(?:not|never|non|nor)\b[^.;]{0,30}$|\b(?:may|might|could|possibly|perhaps)\b[^.;]{0,20}$|(?:不属于|非|不在|未进入|并非)$",
    re.IGNORECASE,
)
_APACHE_TEXT = re.compile(
    r"^\s*apache license\s+version 2\.0, january 2004\s+.*terms and conditions", re.IGNORECASE | re.DOTALL
)
_OTHER = {
    "MIT": re.compile(r"\bMIT licen[sc]e|opensource\.org/licenses/mit|permission is hereby granted, free of charge", re.I),
    "Apache-2.0": re.compile(r"apache[\s,-]+(?:licen[sc]e)?[\s,-]*(?:version )?2|apache\.org/licenses/license-2\.0", re.I),
    "BSD-3-Clause": re.compile(r"\bBSD[\s-]3|\b3-clause BSD", re.I),
    "BSD-2-Clause": re.compile(r"\bBSD[\s-]2|\b2-clause BSD", re.I),
    "OGL-UK-3.0": re.compile(r"open government licen[sc]e|open-government-licence", re.I),
    "ODbL-1.0": re.compile(r"open database licen[sc]e|\bODbL\b|opendatacommons\.org/licenses/odbl", re.I),
    "ODC-By-1.0": re.compile(r"open data commons attribution|\bODC-By\b|opendatacommons\.org/licenses/by", re.I),
    "GFDL-1.3-or-later": re.compile(r"gnu free documentation licen[sc]e|\bGFDL\b|gnu\.org/(?:licenses/fdl|copyleft/fdl)", re.I),
    "GPL-3.0-only": re.compile(r"\bgpl-?(?:v|version)?[\s-]?3|gnu general public licen[sc]e[\s,]+version 3", re.I),
    US_GOVERNMENT: re.compile(
        r"(?:works?|employees?|publication|document) (?:of|by|prepared by)[^.]{0,40}"
        r"(?:u\.?\s?s\.?|united states|federal)[^.]{0,12} government(?! licen)"
        r"|government works?\b[^.]{0,60}(?:public domain|not subject to copyright|no copyright)"
        r"|not (?:subject to|under) (?:u\.?\s?s\.? )?copyright|\b17 u\.?\s?s\.?\s?c\.?\W{0,4}(?:sec(?:tion|\.)\W?)?105\b",
        re.IGNORECASE,
    ),
    "CC-PDM-1.0": re.compile(r"\bpublic domain mark\b", re.I),
    PUBLIC_DOMAIN: re.compile(
        r"(?<!not in the )(?<!not )(?<!not in )(?<!outside the )\bpublic[\s-]domain\b|公有领域|公共领域|公有領域|公共領域", re.I
    ),
}
_ALLOWED = {
    "MIT",
    "BSD-3-Clause",
    "BSD-2-Clause",
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
    CONTESTED: "who published it and others state different licences",
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


def _check_other(prose: str, addresses: str, restrictions: Sequence[Restriction]) -> Licence:
    if any(rule.forbids in ("nc", "nd") for rule in restrictions):
        return Licence(UNKNOWN, False, "the text forbids commercial use or derivatives and names no licence")
    for spdx, pattern in _OTHER.items():
        found = pattern.search(prose)
        if found and _NOT_MEANT.search(prose[: found.start()]):
            return Licence(UNKNOWN, False, f"{spdx} is named, and denied or not certain")
        if found or pattern.search(addresses):
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


def _spdx(named: Named) -> str:
    if named.elements == "zero":
        return "CC0-1.0"
    if named.elements == "mark":
        return "CC-PDM-1.0"
    return "-".join(part for part in ("CC", named.elements.upper(), named.version) if part)
