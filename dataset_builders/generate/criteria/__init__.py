"""Say what an item must prove: criteria as files that a clinician can read and change, and the code that checks some of them.

    *.yaml         the criteria, a file for each idea
    words/*.yaml   the words that code looks for: drugs, red flags, procedures, phrases that lean on the source
    *.py           the checks, a module for each idea; each is a pure function of an Item that gives "" or what is wrong

A criterion:

    id          one word for it, in no other entry; an item that fails is a Reject "revise_<id>"
    version     a whole number from 1; raise it if the demand changes
    checked_by  code (a function of CHECKS) or reviser (a model or a clinician)
    check       name of that function (code only)
    reason      one of REASONS: what reviewers and reports count by
    en, zh      the demand, in words

Criteria run in the order of FILES and of their entries; the first that fails names the Reject.
"""

import functools
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.generate.criteria import form, grounding, images, language, options, safety, scope, standing_alone
from dataset_builders.item import Item
from dataset_builders.schema import LANGUAGES

FILES = (
    "form.yaml",
    "images.yaml",
    "language.yaml",
    "standing_alone.yaml",
    "safety.yaml",
    "options.yaml",
    "grounding.yaml",
    "scope.yaml",
)
"""Files of criteria, in the order in which they are checked."""

REASONS = (
    "form",
    "incomplete_report",
    "two_right_answers",
    "wrong_key",
    "gives_itself_away",
    "not_in_source",
    "contradicts_source",
    "leans_on_unseen",
    "image_not_needed",
    "not_decidable",
    "unsafe_omission",
    "unsafe_advice",
    "identifier",
    "language",
    "off_topic",
    "wrong_axis",
)
"""Reason codes: several criteria may have the same."""

Check = Callable[[Item, Callable[[str], bytes] | None], str]
"""Takes an item and ``image_of`` (see generate.checks), gives "" or what is wrong, without words of a patient."""

CHECKS: dict[str, Check] = {
    function.__name__: function
    for function in (
        form.known_names,
        form.turns_alternate,
        form.lengths_bounded,
        form.nothing_left_to_fill,
        form.says_enough,
        form.nothing_said_twice,
        form.answer_is_an_option,
        form.levels_canonical,
        form.levels_agree,
        form.no_markup,
        form.rubric_known,
        form.report_sections,
        grounding.answer_in_source,
        grounding.drugs_in_source,
        grounding.evidence_exists,
        grounding.findings_in_source,
        grounding.grades_in_source,
        grounding.levels_in_source,
        grounding.names_in_source,
        grounding.negations_in_source,
        grounding.numbers_in_source,
        grounding.opposites_in_source,
        grounding.sides_in_source,
        images.grade_decidable,
        images.image_needed,
        images.images_exist,
        images.level_decidable,
        language.language_matches,
        language.one_language,
        language.patient_speaks_plainly,
        options.answer_not_given_away,
        options.explanation_agrees,
        options.key_in_source,
        options.no_option_about_options,
        options.one_option_in_source,
        options.options_alike,
        options.options_differ_in_meaning,
        options.options_distinct,
        safety.advice_carried,
        safety.no_identifier,
        safety.no_masks,
        safety.no_unsafe_reassurance,
        safety.red_flags_kept,
        safety.urgency_answered,
        scope.about_the_field,
        scope.axis_fits,
        standing_alone.no_prompt_words,
        standing_alone.no_source_talk,
        standing_alone.nothing_unseen,
    )
}
"""Checks by the name that a criterion gives them."""

CHECKERS = ("code", "reviser")
_FOLDER = Path(__file__).parent
_FIELDS = {"id", "version", "checked_by", "reason", *LANGUAGES}


class CriteriaError(ValueError):
    """A file of criteria that cannot be used: names the file, the entry, what is wrong with it and what to do."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One demand on an item.

    demand   language -> what is demanded, in words.
    check    name of the code's check; "" if a reviser judges.
    """

    id: str
    version: int
    checked_by: str
    reason: str
    demand: dict[str, str]
    check: str = ""


@functools.cache
def load_criteria() -> tuple[Criterion, ...]:
    """Read every criterion of the files of this package, in order. Raises CriteriaError."""
    return read_criteria([_FOLDER / name for name in FILES], CHECKS)


def reviser_criteria() -> tuple[Criterion, ...]:
    """Return the criteria that a model or a clinician judges: what code cannot decide."""
    return tuple(criterion for criterion in load_criteria() if criterion.checked_by == "reviser")


def read_criteria(paths: Sequence[Path], checks: Container[str] = CHECKS) -> tuple[Criterion, ...]:
    """Read criteria from files.

    checks   names that a code criterion may use.

    Raises CriteriaError for a field that is unknown or missing, an id that stands twice, and an unknown check or reason.
    """
    criteria: dict[str, Criterion] = {}
    for path in paths:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(entries, list):
            raise CriteriaError(f"{path}: is no list of criteria; begin each entry with '- id: …'")
        for number, entry in enumerate(entries, 1):
            criterion = _read(entry, f"{path}, entry {number}", checks)
            if criterion.id in criteria:
                raise CriteriaError(f"{path}, entry {number}: id {criterion.id!r} stands twice; give it one of its own")
            criteria[criterion.id] = criterion
    return tuple(criteria.values())


def _read(entry: Any, where: str, checks: Container[str]) -> Criterion:
    if not isinstance(entry, dict):
        raise CriteriaError(f"{where}: is no mapping; write '- id: …' and the fields below it")
    where = f"{where} ({entry.get('id', 'no id')})"
    fields = _FIELDS | ({"check"} if entry.get("checked_by") == "code" else set())
    if unknown := entry.keys() - fields:
        raise CriteriaError(
            f"{where}: unknown field {', '.join(sorted(map(str, unknown)))}; fields are {', '.join(sorted(fields))}"
        )
    if missing := fields - entry.keys():
        raise CriteriaError(f"{where}: field {', '.join(sorted(missing))} is missing")
    for field in fields - {"version"}:
        if not isinstance(entry[field], str) or not entry[field].strip():
            raise CriteriaError(f"{where}: field {field} is no text")
    if not isinstance(entry["version"], int) or isinstance(entry["version"], bool) or entry["version"] < 1:
        raise CriteriaError(f"{where}: version {entry['version']!r} is no whole number from 1")
    for field, names in (("checked_by", CHECKERS), ("reason", REASONS)):
        if entry[field] not in names:
            raise CriteriaError(f"{where}: {field} {entry[field]!r} is unknown; choose one of {', '.join(names)}")
    check = entry.get("check", "")
    if check and check not in checks:
        raise CriteriaError(
            f"{where}: unknown check {check!r}; its function must stand in CHECKS of generate/criteria/__init__.py"
        )
    demand = {language: entry[language].strip() for language in LANGUAGES}
    return Criterion(entry["id"], entry["version"], entry["checked_by"], entry["reason"], demand, check)
