"""Name why an item was corrected or removed: the criteria of generation, and what only a clinician can see (reasons.yaml)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("reasons.yaml")


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason code, and what it says in English and Chinese."""

    code: str
    en: str
    zh: str


def load_reasons(criteria: Iterable[Reason] = ()) -> dict[str, Reason]:
    """Return every reason by code: ``criteria`` in their order, then those of reasons.yaml.

    Raises ValueError for a code that is there twice.
    """
    table = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    reasons: dict[str, Reason] = {}
    for reason in (*criteria, *(Reason(code, texts["en"], texts["zh"]) for code, texts in table.items())):
        if reason.code in reasons:
            raise ValueError(f"reason {reason.code} is there twice: rename it among the criteria or in {_FILE.name}")
        reasons[reason.code] = reason
    return reasons


def check_reasons(codes: Iterable[str], reasons: Mapping[str, Reason], place: str) -> None:
    """Raise ValueError, naming ``place``, if a code is unknown."""
    unknown = sorted(set(codes) - set(reasons))
    if unknown:
        raise ValueError(f"{place}: unknown reason {', '.join(unknown)}; choose from {', '.join(reasons)}")
