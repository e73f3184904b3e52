"""Name why an item was corrected or removed: the reason codes of the criteria, and what only a person sees (reasons.yaml)."""

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


def load_reasons() -> dict[str, Reason]:
    """Return every reason by code, in the order in which the page shows them."""
    table = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return {code: Reason(code, texts["en"], texts["zh"]) for code, texts in table.items()}


def check_reasons(codes: Iterable[str], reasons: Mapping[str, Reason], place: str) -> None:
    """Raise ValueError, naming ``place``, if a code is unknown."""
    unknown = sorted(set(codes) - set(reasons))
    if unknown:
        raise ValueError(f"{place}: unknown reason {', '.join(unknown)}; choose from {', '.join(reasons)}")
