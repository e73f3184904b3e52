"""Putting an Item together: the same few lines for every rule and every model."""

import functools
import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.document import Document, Figure, Provenance
from dataset_builders.item import LETTERS, Criterion, Generation, Item, Message, format_options
from dataset_builders.levels import parse_levels, sort_discs, sort_levels, vertebrae_of_disc
from dataset_builders.schema import LANGUAGES

RULES_VERSION = "rules/2"
WRONG_OPTIONS = 3
TEMPLATES = Path(__file__).parent / "rules" / "templates"


@dataclass(frozen=True, slots=True)
class Rule:
    """One embedded rule's templates and the SHA-256 of their text.

    phrasings  language -> part -> phrasings.   criteria  language -> scored dimension -> criterion (reports).
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
        """One phrasing of ``part``, chosen by ``rng``, with ``values`` filled in. Raises KeyError for an unknown part."""
        return rng.choice(self.phrasings[language][part]).format(**values)


@functools.cache
def load_rules(family: str) -> Mapping[str, Rule]:
    """The rules of templates/<family>.yaml by name."""
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


def rules_version() -> str:
    """RULES_VERSION and a hash of every template: what a manifest records."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.glob("*.yaml"))]
    return f"{RULES_VERSION}+{hash_of(texts)[:12]}"


def hash_of(value: object) -> str:
    """SHA-256 of a JSON-ready value, keys sorted."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def seeded(*parts: str) -> random.Random:
    """A random generator that depends on ``parts`` alone."""
    return random.Random(int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8]))


def choice_messages(
    stem: str, options: Sequence[str], answer: str, rationale: str = "", images: Sequence[str] = ()
) -> tuple[Message, Message]:
    """A multiple-choice question and its reply: the right option (options, where ``answer`` has several letters), then why."""
    reply = "\n".join(f"{letter}. {options[LETTERS.index(letter)]}" for letter in answer)
    return (
        Message("user", f"{stem}\n\n{format_options(options)}", tuple(images)),
        Message("assistant", f"{reply}\n\n{rationale}".strip()),
    )


def shuffle_options(rng: random.Random, right: str, wrong: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The options in random order, and the letter of the right one."""
    options = [right, *wrong]
    rng.shuffle(options)
    return tuple(options), LETTERS[options.index(right)]


def new_item(
    document: Document,
    generation: Generation,
    task: str,
    messages: Sequence[Message],
    *,
    language: str,
    options: Sequence[str] = (),
    answer: str | None = None,
    rubric: Sequence[Criterion] = (),
    axis: str | None = None,
    about: Sequence[str] | None = None,
    figure: Figure | None = None,
    context: Sequence[str] = (),
    locator: str = "",
    part: str = "",
) -> Item:
    """An Item of ``document``.

    about    canonical levels and discs the item is about (default: those that stem and reply name, wrong options aside).
    figure   the (first) picture shown or described: gives label, modality, agreement and place.
    part     tells apart the items of one model call.
    locator  place inside the document ("section Anatomy"); added to the document's own.
    """
    if about is None:
        said = [messages[0].text.removesuffix(format_options(options)), *(message.text for message in messages[1:])]
        named = parse_levels("\n".join(said))
        about = (*named.vertebrae, *named.discs)
    discs = sort_discs(name for name in about if "/" in name)
    vertebrae = sort_levels(
        [name for name in about if "/" not in name] + [v for disc in discs for v in vertebrae_of_disc(disc)]
    )
    place = locator or (figure.locator or figure.label if figure else "")
    return Item(
        id=f"{task}-{hash_of([generation.generation_id, task, language, part])[:16]}",
        task=task,
        language=language,
        modality="image_text" if any(message.images for message in messages) else "text",
        messages=tuple(messages),
        provenance=located(document.provenance, place),
        generation=generation,
        options=tuple(options),
        answer=answer,
        rubric=tuple(rubric),
        axis=axis,
        levels=vertebrae,
        discs=discs,
        specialty=document.specialty,
        subfield=document.subfield,
        subfield_score=document.subfield_score,
        image_modality=figure.image_modality if figure and any(message.images for message in messages) else None,
        agreement=figure.agreement if figure else None,
        figure=figure.label if figure else "",
        context=tuple(context),
    )


def sign(document: Document, rule: Rule, inputs: Sequence[Any]) -> Generation:
    """The embedded rules' signature: the generation id is a hash of rule, document and ``inputs`` (JSON-ready)."""
    key = [RULES_VERSION, rule.prompt_id, rule.sha256, document.id, document.provenance.source_sha256, list(inputs)]
    return Generation(RULES_VERSION, rule.prompt_id, rule.sha256, hash_of(key))


def located(provenance: Provenance, place: str) -> Provenance:
    """``provenance`` with ``place`` added to its locator, unless it says so already."""
    whole = provenance.source_locator
    if not place or place in whole:
        return provenance
    return replace(provenance, source_locator=f"{whole}, {place}" if whole else place)
