"""Questions on what a named guideline advises: one treatment or test of several has the position that is asked for."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dataset_builders.document import Document
from dataset_builders.figures.captions import find_references
from dataset_builders.generate.items import Choice, Origin, draft_choice, new_item
from dataset_builders.generate.rules.draws import WRONG_OPTIONS, seeded, shuffle_options
from dataset_builders.generate.rules.passages import Section, is_debris, sentences
from dataset_builders.generate.rules.subjects import with_subject
from dataset_builders.generate.rules.texts import load_rules, sign
from dataset_builders.generate.rules.titles import full_title, locator_of, year_of
from dataset_builders.item import Item

MAX_RECOMMENDATIONS = 40
WHAT_CHARACTERS = 90
"""Longest name of what is recommended that stands as an option."""
_NEIGHBOURS = 12
"""Recommendations this near in the guideline are on the same kind of care (its drugs, its injections): wrong options."""
_MOST_ALIKE = 3
"""How many times as long as the right option another may be, and the other way about."""
_LONGER = 1.5
"""How many times as long as the longest wrong option the right one may be."""

_RECOMMENDATION = re.compile(
    r"^For (?:the )?(?P<whom>[^;]{5,120}?),? "
    r"(?P<position>we recommend against|we suggest against|we recommend|we suggest|"
    r"there is insufficient evidence to recommend for or against) (?P<what>\S[^;]{4,200}?)\.$"
)
_FOOTNOTE_LETTER = re.compile(r"(?<=[a-z)]\.)\s?[a-z]{1,2}$")
_POSITIONS = {
    "we recommend": "for",
    "we suggest": "for",
    "we recommend against": "against",
    "we suggest against": "against",
    "there is insufficient evidence to recommend for or against": "neither",
}
_EXAMPLES = re.compile(r"\s*\((?:e\.g\.|such as|i\.e\.)[^()]*\)")
# A name can be an option; a clause or a verb ("the history include …", "routinely obtaining …") reads only in its own sentence.
_NOT_A_NAME = re.compile(
    r"\b(?:include|includes|when|that|should|be|is|are|to inform|performed)\b|^(?:assessing|using|\w+ly|obtaining|performing)\b"
)


@dataclass(frozen=True, slots=True)
class _Recommendation:
    """One recommendation: its place among the guideline's, and its parts."""

    number: int
    sentence: str
    whom: str
    position: str
    what: str
    part: Section


def draft_recommendations(document: Document, parts: Sequence[Section]) -> Iterator[Item]:
    """Draft the first MAX_RECOMMENDATIONS questions of an English guideline whose title and year are known; else none.

    Asked is what the guideline recommends or suggests, or what it recommends or suggests against; the wrong options are
    what it says of the same patients in neighbouring recommendations, with another position. What it finds no evidence for
    is no right option: it is asked of nobody at the bedside.
    """
    title, year = full_title(document, "en"), year_of(document)
    if not title or not year:
        return
    name = title if year in title else f"{title} ({year})"
    found = list(_find(parts))
    items = (_draft(document, name, one, found) for one in found if one.position != "neither")
    yield from [item for item in items if item][:MAX_RECOMMENDATIONS]


def _find(parts: Sequence[Section]) -> Iterator[_Recommendation]:
    """Find whole sentences that recommend one named thing, each once."""
    seen: set[str] = set()
    for part in parts:
        for sentence in (_FOOTNOTE_LETTER.sub("", s) for paragraph in part.paragraphs for s in sentences(paragraph)):
            match = _RECOMMENDATION.match(sentence)
            if not match or find_references(sentence) or is_debris(sentence):
                continue
            what = _EXAMPLES.sub("", match["what"]).removeprefix("offering ").strip()
            key = f"{match['whom']}|{what}".casefold()
            if key in seen or len(what) > WHAT_CHARACTERS or _NOT_A_NAME.search(what):
                continue
            seen.add(key)
            yield _Recommendation(len(seen), sentence, match["whom"], _POSITIONS[match["position"]], what, part)


def _draft(document: Document, guideline: str, right: _Recommendation, found: Sequence[_Recommendation]) -> Item | None:
    rule = load_rules("text")["recommendation"]
    rng = seeded(document.id, rule.name, right.sentence)
    wrong = _wrong(right, found)
    about = with_subject(document, f"{document.provenance.source_title} {right.sentence}")
    if len(wrong) < WRONG_OPTIONS or about is None or len(right.what) > _LONGER * max(len(one.what) for one in wrong):
        return None
    options, letter = shuffle_options(rng, right.what, [one.what for one in wrong])
    stem = rule.say(
        rng, "en", f"stem_{right.position}", guideline=guideline, whom=right.whom, whom_begins=right.whom.capitalize()
    )
    others = {one.what: one for one in wrong}
    said = [right.sentence, *(others[option].sentence for option in options if option in others)]
    rationale = rule.say(
        rng, "en", "rationale", sentence=right.sentence, others=" ".join(f"“{sentence}”" for sentence in said[1:])
    )
    return new_item(
        about,
        sign(document, rule, [guideline, right.sentence, list(options)]),
        draft_choice(Choice(stem, options, letter, rationale), "en"),
        Origin(context=(guideline, *said), locator=locator_of(right.part), quotes=(guideline, *said)),
    )


def _wrong(right: _Recommendation, found: Sequence[_Recommendation]) -> list[_Recommendation]:
    """The nearest recommendations on the same patients, or on a wider group of them, that take another position.

    A thing that the guideline speaks of twice (for acute and for chronic pain) has two positions, and is no wrong option.
    """
    twice = {what for what, count in Counter(one.what.casefold() for one in found).items() if count > 1}
    fair = [
        one
        for one in found
        if one.position != right.position
        and _words(one.whom) <= _words(right.whom)
        and one.what.casefold() not in twice
        and abs(one.number - right.number) <= _NEIGHBOURS
        and max(len(one.what), len(right.what)) <= _MOST_ALIKE * min(len(one.what), len(right.what))
    ]
    return sorted(fair, key=lambda one: (abs(one.number - right.number), one.number))[:WRONG_OPTIONS]


def _words(whom: str) -> set[str]:
    """The words that narrow a group of patients; "with or without radicular symptoms" does not."""
    return set(re.findall(r"[a-z]+", re.sub(r",? with or without [a-z ]+", "", whom.lower())))
