"""Facts about levels, asked in both languages: what a sentence states is looked up in templates/level_facts.yaml.

The table holds whole questions and statements, so nothing is translated but what has its exact counterpart there.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from dataset_builders.document import Document
from dataset_builders.generate.items import Choice, Origin, draft_choice, hash_of, new_item
from dataset_builders.generate.rules.draws import seeded, shuffle_options
from dataset_builders.generate.rules.level_options import DISC_SPACES, SPINE, draw_wrong_levels, is_disc
from dataset_builders.generate.rules.passages import Section
from dataset_builders.generate.rules.subjects import with_subject
from dataset_builders.generate.rules.texts import TEMPLATES, Rule, sign
from dataset_builders.generate.rules.titles import locator_of
from dataset_builders.item import Item
from dataset_builders.levels import find_levels
from dataset_builders.schema import LANGUAGES

VERSION = 1
_TABLE = TEMPLATES / "level_facts.yaml"
_LEVEL = "@"
# "@ and @", "@ to @", "@或@": the sentence states a range, and one level of it is no answer.
_OF_SEVERAL = re.compile(r"@\s*(?:,|、|～|~|–|-|to|or|and|或|和|至|及)\s*@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Fact:
    """One entry of the table."""

    name: str
    said: tuple[re.Pattern[str], ...]
    adjacent: bool
    question: Mapping[str, str]
    statement: Mapping[str, str]
    sha256: str


def find_fact(sentence: str) -> tuple[str, str] | None:
    """Return the name of the fact that a sentence states and its level; None if it states none, or a range of levels."""
    spans = [span for span in find_levels(sentence) if span.kind != "nerve_root"]
    names: list[tuple[str, ...]] = []
    marked = sentence
    for span in reversed(spans):
        marked = marked[: span.start] + _LEVEL + marked[span.end :]
        names.insert(0, span.names)
    if _OF_SEVERAL.search(marked):
        return None
    for fact in _facts().values():
        for match in (pattern.search(marked) for pattern in fact.said):
            if match and len(levels := names[marked[: match.end()].count(_LEVEL) - 1]) == 1:
                return fact.name, levels[0]
    return None


def draft_level_fact(document: Document, part: Section, paragraph: str, sentence: str) -> Iterator[Item]:
    """Draft the fact that a sentence states, an item a language; none if it states none that the table holds."""
    found = find_fact(sentence)
    if found is None:
        return
    name, level = found
    fact = _facts()[name]
    column = DISC_SPACES if is_disc(level) else SPINE
    if level not in column:
        return
    place = column.index(level)
    without = () if fact.adjacent else (*column[max(place - 1, 0) : place], *column[place + 1 : place + 2])
    for language in LANGUAGES:
        rng = seeded(document.id, f"level_fact {name} {language}", sentence)
        options, letter = shuffle_options(rng, level, draw_wrong_levels(rng, level, without=without))
        statement = fact.statement[language].format(level=level)
        yield new_item(
            with_subject(document, sentence) or document,
            sign(document, Rule("level_fact", VERSION, fact.sha256, {}, {}), [name, sentence, language]),
            draft_choice(
                Choice(fact.question[language], options, letter, statement), language,
                axis="level_identification", about=(level,),
            ),
            Origin(context=(paragraph, statement), locator=locator_of(part), quotes=(sentence, statement)),
        )  # fmt: skip


@functools.cache
def _facts() -> Mapping[str, _Fact]:
    table = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return {
        name: _Fact(
            name,
            tuple(re.compile(pattern, re.IGNORECASE) for language in LANGUAGES for pattern in entry["said"].get(language, ())),
            entry["adjacent"],
            entry["question"],
            entry["statement"],
            hash_of(entry),
        )
        for name, entry in table.items()
    }
