"""Load versioned prompts: one YAML file a version, with a text for each language.

A published version is never edited: a change is a new file, and results record the version that made them.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import yaml

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of a prompt. ``id`` is "name@version"; ``sha256`` is the digest of its texts."""

    id: str
    sha256: str
    texts: dict[str, str]

    def fill(self, language: str, **values: str) -> str:
        """Fill in the fields of the text in ``language``; braces inside the values stay as they are."""
        return self.texts[language].format(**values)


def load_prompt(name: str, version: int = 1) -> Prompt:
    """Read ``<name>.v<version>.yaml``. Raises FileNotFoundError if there is no such version."""
    texts = yaml.safe_load((_FOLDER / f"{name}.v{version}.yaml").read_text(encoding="utf-8"))
    digest = hashlib.sha256("\0".join(f"{language}:{texts[language]}" for language in sorted(texts)).encode()).hexdigest()
    return Prompt(f"{name}@{version}", digest, texts)
