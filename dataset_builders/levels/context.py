"""Judge a level by the words around it, with compiled patterns (step 3 of find_levels). The words are in context.yaml."""

import bisect
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from dataset_builders.terms import WORD_START, alternatives

_VOCABULARY = yaml.safe_load(Path(__file__).with_name("context.yaml").read_text(encoding="utf-8"))


def _terms(*names: str) -> str:
    return alternatives(term for name in names for term in _VOCABULARY[name])


SPINE_NOUN = _terms("vertebra", "level")
UNIT = _terms("unit")
_LOOK_ALIKES = {entry["name"]: entry for entry in _VOCABULARY["look_alikes"]}
DOUBTFUL_PAIRS = frozenset(_VOCABULARY["doubtful_pairs"])

_FILLER = r"(?:[\s:(#=&,\"]|\b(?:is|was|are|numbers?|no|nos|the|on|in|and|or)\b\.?)*\Z"
_LEFT = 40  # characters before a level in which words can refer to it
_NEAR = 300  # characters on either side that can say that a passage is about the spine

_ROOT_AFTER = re.compile(rf"[ \t)\]\-]*(?:(?:{_terms('root_modifier', 'side')})[\s/,]*(?:and\s+)?)*{_terms('root')}")
_ROOT_AFTER_DISC = re.compile(rf"[ \t)\]\-]*(?:(?:{_terms('root_modifier')})[\s/,]*(?:and\s+)?)*{_terms('root')}")
_ROOT_BEFORE = re.compile(rf"(?:{WORD_START}{_terms('root_before')})[\s(:]*(?:of|from|including|level)?(?:\s+the)?[\s(:]*\Z")
_NOUN_AFTER = re.compile(rf"[\s)\]\-']*{_terms('vertebra')}")
_LEVEL_AFTER = re.compile(rf"[\s)\]\-']*{_terms('level')}")
_BODY_AFTER = re.compile(rf"[\s)\]\-']*(?:{_terms('body')})")
_DISC_AFTER = re.compile(
    rf"[\s)\]\-']*(?:(?:之间的?|intervertebral|vertebral|inter|level|椎)\s*)*(?:{_terms('disc')}|spaces?\b|空间)"
)
_DISC_BEFORE = re.compile(
    rf"{WORD_START}(?:discs?|disks?|spaces?|interspaces?)\s+(?:spaces?\s+)?(?:lying\s+|located\s+)?"
    r"between\s+(?:the\s+)?(?:bodies of\s+)?\Z"
)
_BETWEEN_BEFORE = re.compile(r"\bbetween\s+(?:the\s+)?(?:levels?\s+(?:of\s+)?)?\Z")
_AT_LEVEL_BEFORE = re.compile(r"\b(?:at|to|above|below)\s+(?:the\s+)?(?:levels?\s+of\s+)?(?:the\s+)?\Z")
_LEVEL_OF_BEFORE = re.compile(r"\b(?:at|to|above|below|the)\s+levels?\s+of\s+(?:the\s+)?\Z")
_FROM_BEFORE = re.compile(r"\bfrom\s+(?:approximately\s+)?(?:the\s+)?(?:level\s+of\s+)?(?:the\s+)?\Z")
_MEASURE_AFTER = re.compile(
    r"[\s)\]\-'(]*(?:(?:sagittal|coronal|segmental|vertical|regional|local|global|thoracic|lumbar|cervical)\s+){0,3}"
    rf"{_terms('measure')}"
)
_MEASURE_BEFORE = re.compile(
    rf"{WORD_START}{_terms('measure')}\W+(?:(?:was|were|is|measured|from|between|of|the|angle|line|spine|=|\d+(?:\.\d+)?|degrees?|deg|mm|cm)\W+){{0,6}}\Z"
)
_LEVEL_WORD = re.compile(rf"{WORD_START}(?:{_terms('disc', 'level')})")
_GOVERNOR = re.compile(rf"{WORD_START}(?:(?P<disc>{_terms('disc')})|(?P<span>{_terms('span')}))")
_SPINE = re.compile(rf"{WORD_START}{_terms('spine')}")
_SENTENCE_END = re.compile(r"[.!?;](?=\s|$)|[。!?；;\n]")

_OF_LEVEL = (
    r"(?:vertebrae?|vertebral bod(?:y|ies)|bod(?:y|ies)|levels?|segments?|spinous process|pedicles?|椎体?|水平|平面|节段|.突)"
)
_RANGE_WORD = (
    r"(?:(?:down|up|inferiorly|superiorly|caudally|cranially|rostrally)\s+)?(?:to|through|thru|until)\s+"
    r"(?:the\s+)?(?:levels?\s+of\s+)?(?:the\s+)?"
)
_NOUN_GAP = re.compile(rf"\s*(?:{_OF_LEVEL}\s*)+(?:{_RANGE_WORD}|至|到|~)\Z")
_ASIDE_GAP = re.compile(rf"\s*(?:{_OF_LEVEL}\s*)?(?:,[^,.;\n]{{0,60}},|\([^().;\n]{{0,60}}\))\s*{_RANGE_WORD}\Z")
_GAP = 110  # characters, the longest that _ASIDE_GAP can match with its nouns


@dataclass(frozen=True, slots=True, eq=False)
class Suspicion:
    """What some levels can be mistaken for, and the words that show it.

    after, before   words right beside the level: they decide alone.
    topic           words in the same sentence; ``guarded`` the same, but not after words such as "at the level of".
    quantity        whether "T4 level" can be an amount.
    common          so common that a level needs a word of the spine nearby to be believed.
    """

    after: re.Pattern[str]
    before: re.Pattern[str]
    topic: re.Pattern[str] | None
    guarded: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]
    quantity: bool
    common: bool

    def speaks_in(self, text: str, first: int, last: int, left: str) -> bool:
        """Tell whether a topic stands between ``first`` and ``last`` of ``text``."""
        if self.topic and self.topic.search(text, first, last):
            return True
        return any(topic.search(text, first, last) and not unless.search(left) for topic, unless in self.guarded)


def suspect(names: Iterable[str], dorsal: bool) -> Suspicion | None:
    """Return what all of ``names`` can be mistaken for, or None if nothing; ``dorsal`` levels are written with a D."""
    names = tuple(names)
    return _suspicion(
        tuple(
            look_alike
            for look_alike, entry in _LOOK_ALIKES.items()
            if (dorsal and entry["levels"] == ["D"])
            or all(name in entry["levels"] or name[0] in entry["levels"] for name in names)
        )
    )


@lru_cache(maxsize=1024)
def _suspicion(look_alikes: tuple[str, ...]) -> Suspicion | None:
    if not look_alikes:
        return None
    entries = [_LOOK_ALIKES[name] for name in look_alikes]
    after = alternatives(term for entry in entries for term in entry.get("after", ()))
    before = alternatives(term for entry in entries for term in entry.get("before", ()))
    topics = [term for entry in entries if "unless_before" not in entry for term in entry.get("topic", ())]
    return Suspicion(
        re.compile(rf"[\s\-)/,]*(?:(?:and|or|&)\s*)?{after}"),
        re.compile(rf"{WORD_START}{before}[\s\-]*{_FILLER}"),
        re.compile(WORD_START + alternatives(topics)) if topics else None,
        tuple(
            (
                re.compile(WORD_START + alternatives(entry["topic"])),
                re.compile(rf"{alternatives(entry['unless_before'])}\s+(?:the\s+)?\Z"),
            )
            for entry in entries
            if "unless_before" in entry
        ),
        any(entry.get("quantity", False) for entry in entries),
        any("topic" in entry and not entry.get("rare", False) for entry in entries),
    )


# A level spelt out in words can only be mistaken for other numbered things: a rib, a bed.
NUMBERED_THING = _suspicion(("numbered_thing",))


class Passage:
    """A text in lower case, with tests of the words around the characters ``start`` to ``end``."""

    def __init__(self, text: str):
        lower = text.lower()
        self.text = lower if len(lower) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        self._ends: list[int] | None = None

    def left(self, start: int) -> str:
        return self.text[max(0, start - _LEFT) : start]

    def sentence(self, start: int, end: int) -> tuple[int, int]:
        """Return the bounds of the sentence or line around ``start`` to ``end``."""
        if self._ends is None:
            self._ends = [match.end() for match in _SENTENCE_END.finditer(self.text)]
        index = bisect.bisect_right(self._ends, start)
        first = self._ends[index - 1] if index else 0
        index = bisect.bisect_left(self._ends, end)
        last = self._ends[index] if index < len(self._ends) else len(self.text)
        return max(first, start - _NEAR), min(last, end + _NEAR)

    def names_root(self, start: int, end: int, is_disc: bool) -> bool:
        """Tell whether the words name a root: "L5 nerve root", "dermatomes C5 to T1", 腰5神经根.

        A side in between ("L4/5 left root") separates a disc from a root.
        """
        if (_ROOT_AFTER_DISC if is_disc else _ROOT_AFTER).match(self.text, end):
            return True
        return bool(_ROOT_BEFORE.search(self.left(start))) and not self.names_vertebra(end)

    def names_vertebra(self, end: int) -> bool:
        return bool(_NOUN_AFTER.match(self.text, end) or _LEVEL_AFTER.match(self.text, end))

    def is_look_alike(self, start: int, end: int, suspicion: Suspicion) -> bool:
        """Tell whether adjacent words or, if no vertebra's noun follows, the topic of the sentence point to another meaning."""
        if suspicion.after.match(self.text, end):
            return True
        left = self.left(start)
        if _NOUN_AFTER.match(self.text, end):
            return NUMBERED_THING is not None and bool(NUMBERED_THING.before.search(left))  # "AO type C1 fracture"
        if suspicion.before.search(left):
            return True
        if not (suspicion.topic or suspicion.guarded):
            return False
        if not suspicion.quantity and _LEVEL_AFTER.match(self.text, end):
            return False
        first, last = self.sentence(start, end)
        if suspicion.speaks_in(self.text, first, last, left):
            return True
        if _SPINE.search(self.text, first, last):
            return False
        first, _ = self.sentence(max(0, first - 2), max(0, first - 2))
        _, last = self.sentence(min(last + 1, len(self.text)), min(last + 1, len(self.text)))
        return suspicion.speaks_in(self.text, first, last, left)

    def is_about_spine(self, start: int, end: int) -> bool:
        """Tell whether a word of the spine is nearby, or the text calls it a level: "at the S2 level", "at the level of T8"."""
        if _NOUN_AFTER.match(self.text, end) or _LEVEL_OF_BEFORE.search(self.left(start)):
            return True
        if _LEVEL_AFTER.match(self.text, end) and _AT_LEVEL_BEFORE.search(self.left(start)):
            return True
        near = max(0, start - _NEAR), min(len(self.text), end + _NEAR)
        return bool(_SPINE.search(self.text, *near))

    def names_bodies_only(self, start: int, end: int) -> bool:
        """Tell whether the words name bodies ("S3-S4 vertebral bodies") and the sentence has no word of a disc or level."""
        return bool(_BODY_AFTER.match(self.text, end)) and not _LEVEL_WORD.search(self.text, *self.sentence(start, end))

    def names_disc(self, start: int, end: int) -> bool:
        """Tell whether the words name a disc: "L4 and L5 disc space", "the disc between C5 and C6", 腰4、5椎间盘."""
        return bool(_DISC_AFTER.match(self.text, end) or _DISC_BEFORE.search(self.left(start)))

    def measures(self, start: int, end: int) -> bool:
        """Tell whether the levels are the ends of a measurement: "T5-T12 kyphosis", "the distance between C2 and C7"."""
        return bool(_MEASURE_AFTER.match(self.text, end) or _MEASURE_BEFORE.search(self.left(start)))

    def follows_from(self, start: int) -> bool:
        return bool(_FROM_BEFORE.search(self.left(start)))

    def follows_between(self, start: int) -> bool:
        return bool(_BETWEEN_BEFORE.search(self.left(start)))

    def speaks_of_discs(self, start: int, end: int) -> bool:
        """Tell whether the nearest word that governs a range is a disc's ("disc bulges from L3 to S1"), not a span's."""
        if _DISC_AFTER.match(self.text, end):
            return True
        first, last = self.sentence(start, end)
        before = [match.lastgroup for match in _GOVERNOR.finditer(self.text, first, start)]
        if before:
            return before[-1] == "disc" and not _GOVERNOR.match(self.text, end + 1)
        after = _GOVERNOR.search(self.text, end, last)
        return after is not None and after.lastgroup == "disc"

    def speaks_of_spans(self, start: int, end: int) -> bool:
        """Tell whether a body is named, or the sentence holds a word of bone, cord or metal ("screws at L4,5")."""
        if _BODY_AFTER.match(self.text, end):
            return True
        return any(match.lastgroup == "span" for match in _GOVERNOR.finditer(self.text, *self.sentence(start, end)))

    def range_joins(self, start: int, end: int, following: int) -> bool:
        """Tell whether the words from ``end`` to ``following`` join two levels: "T4 vertebra to T8", "from the T12 to L5"."""
        if following - end > _GAP:
            return False
        gap = self.text[end:following]
        return bool(_NOUN_GAP.match(gap)) or (bool(_ASIDE_GAP.match(gap)) and self.follows_from(start))
