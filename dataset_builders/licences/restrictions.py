"""Find what a licence statement forbids in so many words, whatever licence it names beside (restrictions.yaml)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

FORBIDS = ("nc", "nd", "all")

# "for commercial and non-commercial use", "non-commercial or commercial": both are granted.
_BOTH = re.compile(
    r"\bcommercial(?:ly)?(?:,? and|,? or| and/or|,? as well as|/| &) ?non[\s_-]*commercial\w*"
    r"|\bnon[\s_-]*commercial(?:ly)?(?:,? and|,? or| and/or|,? as well as|/| &) ?commercial\w*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Restriction:
    """One rule of restrictions.yaml, with what its pattern must match and must not."""

    id: str
    forbids: str
    pattern: re.Pattern[str]
    must_match: tuple[str, ...]
    must_not_match: tuple[str, ...]


def find_restrictions(text: str) -> tuple[Restriction, ...]:
    """Return every restriction that a statement, on one line, states."""
    text = _BOTH.sub("commercial", text)
    return tuple(rule for rule in RESTRICTIONS if rule.pattern.search(text))


def _load_restrictions() -> tuple[Restriction, ...]:
    content = yaml.safe_load(Path(__file__).with_name("restrictions.yaml").read_text(encoding="utf-8"))
    return tuple(_restriction(content["parts"], **rule) for rule in content["rules"])


def _restriction(
    parts: Mapping[str, str], id: str, forbids: str, pattern: str, must_match: list[str], must_not_match: list[str]
) -> Restriction:
    if forbids not in FORBIDS:
        raise ValueError(f"restrictions.yaml, rule {id}: forbids is {forbids!r}, not one of {', '.join(FORBIDS)}")
    compiled = re.compile(_fill(pattern, parts), re.IGNORECASE | re.VERBOSE)
    return Restriction(id, forbids, compiled, tuple(must_match), tuple(must_not_match))


def _fill(pattern: str, parts: Mapping[str, str]) -> str:
    return re.sub(r"\{([a-z_]+)\}", lambda match: _fill(parts[match[1]], parts), pattern)


RESTRICTIONS = _load_restrictions()
