"""The rules' own words: phrasings, report criteria and general advice, read from the YAML files in templates/."""

import functools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.document import Document
from dataset_builders.generate.items import RULES_VERSION, hash_of
from dataset_builders.item import Criterion, Generation
from dataset_builders.schema import LANGUAGES
from dataset_builders.taxonomy import FINDINGS, SCORED_DIMENSIONS

BLANK = "____"
"""What stands in a cloze for what it asks."""
TEMPLATES = Path(__file__).parent / "templates"
_BELOW_CONUS = "_below_conus"
_ADVICE = TEMPLATES / "advice.yaml"


@dataclass(frozen=True, slots=True)
class Rule:
    """One embedded rule's templates and the SHA-256 of their text.

    phrasings   language -> part -> phrasings.
    criteria    language -> scored dimension -> criterion (reports).
    """

    name: str
    version: int
    sha256: str
    phrasings: Mapping[str, Mapping[str, tuple[str, ...]]]
    criteria: Mapping[str, Mapping[str, str]]

    @property
    def prompt_id(self) -> str:
        return f"rules/{self.name}@{self.version}"

    def say(self, rng: random.Random, language: str, part: str, **values: object) -> str:
        """Choose a phrasing of ``part`` by ``rng`` and fill in ``values``. Raises KeyError for an unknown part."""
        return rng.choice(self.phrasings[language][part]).format(**values)

    def first_phrasings(self, language: str) -> dict[str, str]:
        """Return the first (mostly the only) phrasing of every part."""
        return {part: phrasings[0] for part, phrasings in self.phrasings[language].items()}

    def write_rubric(self, language: str, values: Mapping[str, str]) -> tuple[Criterion, ...]:
        """Fill ``values`` into the criterion of each scored dimension."""
        lines = self.criteria[language]
        return tuple(Criterion(dimension, lines[dimension].format(**values)) for dimension in SCORED_DIMENSIONS)


@functools.cache
def load_rules(family: str) -> Mapping[str, Rule]:
    """Read the rules of templates/<family>.yaml, by name."""
    rules = {}
    for name, entry in yaml.safe_load((TEMPLATES / f"{family}.yaml").read_text(encoding="utf-8")).items():
        shared = (TEMPLATES / f"{entry['uses']}.yaml").read_text(encoding="utf-8") if "uses" in entry else ""
        languages = {language: entry[language] for language in LANGUAGES if language in entry}
        phrasings = {
            language: {
                part: (said,) if isinstance(said, str) else tuple(said)
                for part, said in parts.items()
                if not isinstance(said, dict)
            }
            for language, parts in languages.items()
        }
        criteria = {language: parts.get("rubric", {}) for language, parts in languages.items()}
        rules[name] = Rule(name, entry["version"], hash_of([entry, shared]), phrasings, criteria)
    return rules


@functools.cache
def load_advice(*, below_conus: bool = False) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Read the general statements on every finding: finding -> language -> field (templates/advice.yaml).

    below_conus   those for L2 and lower, where the canal holds the cauda equina and no spinal cord.

    Raises ValueError if its findings are not those of taxonomy.FINDINGS.
    """
    advice = yaml.safe_load(_ADVICE.read_text(encoding="utf-8"))
    if set(advice) != set(FINDINGS):
        raise ValueError(f"{_ADVICE.name}: findings differ from taxonomy.FINDINGS: {sorted(set(advice) ^ set(FINDINGS))}")
    return {
        finding: {language: _choose_fields(fields, below_conus) for language, fields in languages.items()}
        for finding, languages in advice.items()
    }


def _choose_fields(fields: Mapping[str, str], below_conus: bool) -> dict[str, str]:
    whole = {field: text for field, text in fields.items() if not field.endswith(_BELOW_CONUS)}
    return {field: fields.get(field + _BELOW_CONUS, text) if below_conus else text for field, text in whole.items()}


def sign(document: Document, rule: Rule, inputs: Sequence[Any]) -> Generation:
    """Sign for the embedded rules: the generation id is a hash of rule, document and ``inputs`` (JSON-ready)."""
    key = [RULES_VERSION, rule.prompt_id, rule.sha256, document.id, document.provenance.source_sha256, list(inputs)]
    return Generation(RULES_VERSION, rule.prompt_id, rule.sha256, hash_of(key))
