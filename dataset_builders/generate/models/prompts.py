"""Read prompts: a file each in prompts/, YAML front matter over the words that a model gets.

    ---
    id: draft_hospital_report_zh        # the file's name
    version: 1                          # raise it if the words change; rows and log carry "<id>@<version>"
    stage: draft                        # draft, revise, classifier or filter
    source_class: hospital              # null: every class of source
    task: report                        # null: no item is asked for
    language: zh                        # of the items, and of the words; null: any
    schema: report                      # the form of the reply (forms.py)
    ---
    You write …  $shared … at most $most items …

``$shared`` stands for the text of ``shared.<language>.md``: what is demanded of every draft. Other names after a $ are filled
in by the stage (PLACEHOLDERS); "$$" is a dollar sign.
"""

import functools
import hashlib
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.generate.models.forms import FORMS
from dataset_builders.schema import LANGUAGES, TASKS
from dataset_builders.source_kinds import MODEL_CLASSES

PROMPTS = Path(__file__).parent / "prompts"
PLACEHOLDERS = {
    "draft": {"most", "shared"},
    "revise": {"criteria", "shared"},
    "classifier": {"subfields", "kinds"},
    "filter": set[str](),
}
"""Stage -> the names that a prompt of it may leave to be filled in."""

_FIELDS = ("id", "version", "stage", "source_class", "task", "language", "schema")
_FRONT_MATTER = re.compile(r"\A---\n(?P<fields>.*?)\n---\n(?P<text>.+)\Z", re.DOTALL)


class PromptError(ValueError):
    """A prompt file that cannot be used: names the file, the field and what to do."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A versioned prompt. ``sha256`` is that of the whole file, and of the shared text if it uses that."""

    name: str
    version: int
    stage: str
    source_class: str | None
    task: str | None
    language: str | None
    schema: str
    text: str
    sha256: str

    @property
    def id(self) -> str:
        """Return name and version, as rows and the log carry them."""
        return f"{self.name}@{self.version}"

    def fill(self, **values: object) -> str:
        """Return the text with its placeholders filled in."""
        return string.Template(self.text).substitute({name: str(value) for name, value in values.items()})


@dataclass(frozen=True, slots=True)
class Prompts:
    """Every prompt of a folder, found by name or by what it is for."""

    by_name: Mapping[str, Prompt]

    def named(self, name: str) -> Prompt:
        """Return the prompt of that id. Raises KeyError."""
        return self.by_name[name]

    def find(self, stage: str, source_class: str, task: str, language: str) -> Prompt:
        """Return the prompt of a stage for a class of source, a task and a language, else the one for every class.

        Raises PromptError if there is none.
        """
        for wanted in (source_class, None):
            for prompt in self.by_name.values():
                if (prompt.stage, prompt.source_class, prompt.task, prompt.language) == (stage, wanted, task, language):
                    return prompt
        raise PromptError(f"no prompt for {stage}, source_class {source_class}, task {task}, language {language}; add a file")


@functools.cache
def load_prompts(folder: Path = PROMPTS) -> Prompts:
    """Read every prompt below ``folder``. Raises PromptError, naming file and field."""
    prompts: dict[str, Prompt] = {}
    for path in sorted(folder.glob("*.md")):
        if path.name.startswith("shared."):
            continue
        prompt = _read_prompt(path)
        for other in prompts.values():
            if prompt.task and _purpose(prompt) == _purpose(other):
                raise PromptError(f"{path}: {other.name}.md is for the same stage, source_class, task and language; keep one")
        prompts[prompt.name] = prompt
    return Prompts(prompts)


def check_pairs(prompts: Prompts, drafted: Mapping[str, Sequence[str]]) -> None:
    """Raise PromptError for the first class of source and task without a prompt in a language, to draft or to revise.

    drafted   class of source -> tasks that models draft from it.
    """
    for language in LANGUAGES:
        for source_class, tasks in drafted.items():
            for task in tasks:
                prompts.find("draft", source_class, task, language)
            for task in TASKS:
                prompts.find("revise", source_class, task, language)


def _purpose(prompt: Prompt) -> tuple[object, ...]:
    return prompt.stage, prompt.source_class, prompt.task, prompt.language


def _read_prompt(path: Path) -> Prompt:
    raw = path.read_text(encoding="utf-8")
    found = _FRONT_MATTER.match(raw)
    if found is None:
        raise PromptError(
            f"{path}: does not begin with front matter; write the fields between two lines of ---, then the words"
        )
    try:
        fields = yaml.safe_load(found["fields"])
    except yaml.YAMLError as error:
        raise PromptError(
            f"{path}: its front matter is no YAML: {getattr(error, 'problem', None) or 'see its syntax'}"
        ) from None
    if not isinstance(fields, dict):
        raise PromptError(f"{path}: its front matter has no fields; it needs {', '.join(_FIELDS)}")
    _check_fields(path, fields)
    text = found["text"].strip()
    _check_placeholders(path, text, fields["stage"])
    if "$shared" in text:
        shared = path.with_name(f"shared.{fields['language']}.md")
        if not shared.is_file():
            raise PromptError(f"{path}: uses $shared, but {shared.name} is not there")
        words = shared.read_text(encoding="utf-8").strip()
        text, raw = text.replace("$shared", words), f"{raw}\n{words}"
    return Prompt(
        fields["id"], fields["version"], fields["stage"], fields["source_class"], fields["task"], fields["language"],
        fields["schema"], text, hashlib.sha256(raw.encode()).hexdigest(),
    )  # fmt: skip


def _check_fields(path: Path, fields: Mapping[str, Any]) -> None:
    if unknown := fields.keys() - set(_FIELDS):
        raise PromptError(f"{path}: unknown field {', '.join(sorted(map(str, unknown)))}; fields are {', '.join(_FIELDS)}")
    if missing := [name for name in _FIELDS if name not in fields]:
        raise PromptError(f"{path}: field {', '.join(missing)} is missing")
    if fields["id"] != path.stem:
        raise PromptError(f"{path}: id {fields['id']!r} is not the file's name {path.stem!r}")
    version = fields["version"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise PromptError(f"{path}: version {version!r} is no whole number from 1")
    writes = fields["stage"] in ("draft", "revise")
    for name, known, may_be_null in (
        ("stage", tuple(PLACEHOLDERS), False),
        ("source_class", MODEL_CLASSES, fields["stage"] != "draft"),
        ("task", TASKS, not writes),
        ("language", LANGUAGES, not writes),
        ("schema", tuple(FORMS), False),
    ):
        value = fields[name]
        if value not in known and not (value is None and may_be_null):
            raise PromptError(f"{path}: {name} {value!r} is unknown; choose one of {', '.join(known)}")


def _check_placeholders(path: Path, text: str, stage: str) -> None:
    template = string.Template(text)
    if not template.is_valid():
        raise PromptError(f"{path}: a lone $ in the text; write $$ for a dollar sign")
    if unknown := set(template.get_identifiers()) - PLACEHOLDERS[stage]:
        raise PromptError(
            f"{path}: ${sorted(unknown)[0]} is not filled in at stage {stage}; that fills in "
            f"{', '.join(sorted(PLACEHOLDERS[stage])) or 'nothing'}"
        )
