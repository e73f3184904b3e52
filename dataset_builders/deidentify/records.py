"""Find identifiers in JSON, XML and HL7 v2 inside a text, by their keys, elements and fields.

Broken records are read as far as they go.
"""

import re
from collections.abc import Iterator

from dataset_builders.deidentify.headings import Heading, find_heading, hl7_fields, is_manner, is_thing, mask_value
from dataset_builders.deidentify.identifiers import Span

_JSON_TOKEN = re.compile(
    r"""
    "(?P<d>(?:[^"\\\n]|\\.)*)"                     # a string
    |(?<![\w'])'(?P<s>(?:[^'\\\n]|\\.)*)'(?!\w)    # a string as Python writes it
    |(?P<n>-?\d[\d.]*)|(?P<p>[{}\[\],])            # a number, a mark
    """,
    re.VERBOSE,
)
_KEY_FOLLOWS = re.compile(r"\s*:")
_TAG = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z_][\w:.-]{0,60})(?P<attributes>(?:\s[^<>]{0,2000})?)(?P<empty>/?)>")
_ATTRIBUTE = re.compile(r"""([\w:.-]{1,60})\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_VALUE_ATTRIBUTES = ("value", "extension", "displayname", "displayName")
_DEEPEST = 200  # levels of nesting that are followed
_SEGMENT = re.compile(r"(?:^|(?<=[\n\r\x0b]))(?P<name>[A-Z][A-Z0-9]{2})(?P<mark>\|)(?P<fields>[^\n\r]*)")


def find_in_records(text: str) -> list[Span]:
    """Find the values of identifying keys, elements and fields in a folded text. The spans may overlap; time is linear."""
    spans: list[Span] = []
    if "{" in text or '":' in text:
        spans += _in_json(text)
    if "</" in text or "/>" in text:
        spans += _in_xml(text)
    if "|" in text:
        spans += _in_hl7(text)
    return spans


def _in_json(text: str) -> Iterator[Span]:
    """Walk through the strings of JSON; a value counts under its own key, or under the identifying key of what holds it."""
    holders: list[tuple[Heading | None, str]] = []
    heading: Heading | None = None
    key = ""
    for token in _JSON_TOKEN.finditer(text):
        mark = token["p"]
        if mark in ("{", "["):
            if len(holders) < _DEEPEST:
                holders.append((heading, key))
            continue
        if mark in ("}", "]"):
            if holders:
                holders.pop()
            heading, key = holders[-1] if holders else (None, "")
            continue
        if mark == ",":
            heading, key = holders[-1] if holders else (None, "")
            continue
        group = "d" if token["d"] is not None else "s" if token["s"] is not None else "n"
        if group != "n" and _KEY_FOLLOWS.match(text, token.end()):
            outer, outer_key = holders[-1] if holders else (None, "")
            key = token[group]
            heading = _under_key(key, outer, outer_key)
        elif heading and (span := mask_value(heading, text, *token.span(group))):
            yield span


def _under_key(key: str, outer: Heading | None, outer_key: str) -> Heading | None:
    """What a key says: its own heading, or that of the object that holds it, if that one is sure ("name": {"text": …})."""
    if outer and is_manner(key):
        return None
    own = find_heading(key)
    if own and own.how == "generic" and outer_key and is_thing(outer_key.split("_")[-1]):
        return None
    return own or (outer if outer and outer.how != "named" else None)


def _in_xml(text: str) -> Iterator[Span]:
    """Walk through the tags of XML; a text counts under its own element, or under the identifying element around it."""
    holders: list[tuple[str, Heading | None]] = []
    last = 0
    for tag in _TAG.finditer(text):
        if holders and (heading := holders[-1][1]) and (span := mask_value(heading, text, last, tag.start())):
            yield span
        last = tag.end()
        name = tag["name"].split(":")[-1]
        if tag["close"]:
            names = [held for held, _ in holders]
            if name in names[-_DEEPEST:]:
                while holders.pop()[0] != name:
                    pass
            continue
        outer_name, outer = holders[-1] if holders else ("", None)
        heading = _under_key(name, outer, outer_name)
        yield from _in_attributes(text, tag, heading)
        if not tag["empty"] and not tag["attributes"].endswith("/") and len(holders) < _DEEPEST:
            holders.append((name, heading))


def _in_attributes(text: str, tag: re.Match[str], heading: Heading | None) -> Iterator[Span]:
    for attribute in _ATTRIBUTE.finditer(text, *tag.span("attributes")):
        own = heading if attribute[1] in _VALUE_ATTRIBUTES else find_heading(attribute[1])
        group = 2 if attribute[2] is not None else 3
        if own and (span := mask_value(own, text, *attribute.span(group))):
            yield span


def _in_hl7(text: str) -> Iterator[Span]:
    for segment in _SEGMENT.finditer(text):
        fields = hl7_fields().get(segment["name"])
        if fields is None:
            continue
        position = segment.start("fields")
        # The mark after MSH is its field 1.
        for number, value in enumerate(segment["fields"].split("|"), 2 if segment["name"] == "MSH" else 1):
            if (heading := fields.get(number)) and (span := mask_value(heading, text, position, position + len(value))):
                yield span
            position += len(value) + 1
