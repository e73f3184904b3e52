"""Check every draft, by rules or models alike: it is tidied, checked and signed, or it leaves with the check's name.

A model's revision (models/revise.py) passes the same checks.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace

from dataset_builders.characters import comparable
from dataset_builders.document import Reject
from dataset_builders.figures.captions import find_references
from dataset_builders.generate.items import RULES_VERSION
from dataset_builders.generate.rules.passages import CITATION
from dataset_builders.item import LETTERS, Item, format_options, question_of
from dataset_builders.language import detect_language
from dataset_builders.levels import DISCS, VERTEBRAE, parse_levels, vertebrae_of_disc
from dataset_builders.schema import AXES, LANGUAGES, TASKS
from dataset_builders.source_kinds import KINDS
from dataset_builders.taxonomy import SCORED_DIMENSIONS

TURN_CHARACTERS = (1, 30_000)
"""Shortest and longest turn in characters; 30,000 are about 8,000 tokens, half of the smallest stage's limit."""

_AS_WRITTEN = tuple(kind.name for kind in KINDS.values() if kind.is_as_written)
"""Kinds whose stems are examiners' own: they are not searched for give-aways nor reworded."""

_MARKUP = re.compile(r"!\[[^\]]*\]\([^)]*\)|\]\(https?:|<(?:div|img|table|span|xref|sup|sub)\b|\{\w+\}|\\(?:begin|cite|ref)\{")
_THIS_FIGURE = {"en": ("The figure", "the figure"), "zh": ("该图", "该图")}


def check_item(item: Item, image_of: Callable[[str], bytes] | None = None) -> Item | Reject:
    """Tidy an item, run CHECKS on it and sign it (``revise_model``, ``checks``).

    image_of   gives an image's encoded bytes by SHA-256; raises FileNotFoundError. None: images are not looked up.

    Returns a Reject "revise_<check>" for the first check that fails.
    """
    item = tidy_item(item)
    for name, check in CHECKS.items():
        if problem := check(item, image_of):
            return Reject(item.provenance.source_id, f"revise_{name}", problem, item.id)
    reviser = item.generation.revise_model or RULES_VERSION
    checks = (*item.generation.checks, *CHECKS)
    return replace(item, generation=replace(item.generation, revise_model=reviser, checks=checks))


def tidy_item(item: Item) -> Item:
    """Take out literature citations ("[12]") and uneven white space, and call the item's own figure "the figure".

    An examiner's own words stay as they are.
    """
    if _is_as_written(item):
        return item
    return replace(
        item,
        messages=tuple(replace(message, text=_tidy_text(message.text, item)) for message in item.messages),
        options=tuple(_tidy_text(option, item) for option in item.options),
        answer=item.answer if item.options or item.answer is None else _tidy_text(item.answer, item),
    )


def _tidy_text(text: str, item: Item) -> str:
    text = CITATION.sub("", unicodedata.normalize("NFC", text))
    if item.figure and item.images:
        begin, inside = _THIS_FIGURE[item.language]
        for reference in reversed(find_references(text)):
            if reference.labels == (item.figure,):
                opens = re.search(r"(?:^|[.!?]\s)\Z", text[: reference.start])
                text = text[: reference.start] + (begin if opens else inside) + text[reference.end :]
    text = re.sub(r"[ \t]+", " ", text)
    return re.sub(r" +(?=\n)|\n{3,}", lambda match: "\n\n" if "\n" in match.group() else "", text).strip()


def _known_names(item: Item, _: object) -> str:
    if item.task not in TASKS or item.language not in LANGUAGES:
        return f"task {item.task!r}, language {item.language!r}"
    if item.provenance.source_kind not in KINDS:
        return f"source kind {item.provenance.source_kind!r} has no entry in KINDS of dataset_builders/source_kinds.py"
    return f"axis {item.axis!r}" if item.axis not in (None, *AXES) else ""


def _turns_alternate(item: Item, _: object) -> str:
    roles = [message.role for message in item.messages]
    if not roles or len(roles) % 2 or roles != ["user", "assistant"] * (len(roles) // 2):
        return f"turns are {', '.join(roles) or 'none'}; they must alternate, user first, assistant last"
    if item.task == "consultation" and len(roles) < 4:
        return "a consultation needs at least two exchanges"
    return ""


def _lengths_bounded(item: Item, _: object) -> str:
    for number, message in enumerate(item.messages, 1):
        if not TURN_CHARACTERS[0] <= len(message.text.strip()) <= TURN_CHARACTERS[1]:
            return f"turn {number} has {len(message.text)} characters; allowed are {TURN_CHARACTERS[0]} to {TURN_CHARACTERS[1]}"
    return ""


def _options_distinct(item: Item, _: object) -> str:
    if item.task != "multiple_choice":
        return "" if not item.options else "options on a task that has none"
    if not 2 <= len(item.options) <= len(LETTERS):
        return f"{len(item.options)} options"
    normal = [normalise(option) for option in item.options]
    if "" in normal or len(set(normal)) < len(normal):
        return "an option is empty or said twice"
    return ""


def _answer_is_an_option(item: Item, _: object) -> str:
    if item.task != "multiple_choice":
        return ""
    answer = item.answer or ""
    if not answer or any(letter not in LETTERS[: len(item.options)] for letter in answer) or len(set(answer)) < len(answer):
        return f"answer {answer!r} names no option of {len(item.options)}"
    if not item.messages[0].text.endswith(format_options(item.options)):
        return "the question does not show the options"
    right = "\n".join(f"{letter}. {item.options[LETTERS.index(letter)]}" for letter in answer)
    return "" if item.messages[1].text.startswith(right) else "the reply does not begin with the right option"


def _answer_not_given_away(item: Item, _: object) -> str:
    if item.task != "multiple_choice" or _is_as_written(item):
        return ""
    stem = question_of(item)
    levels = parse_levels(stem)
    normal, at = f" {normalise(stem)} ", {*levels.vertebrae, *levels.discs}
    named = [
        letter
        for letter, option in zip(LETTERS, item.options)
        if _said_in(normalise(option), normal) or _LEVEL_OF.get(normalise(option)) in at
    ]
    if named and set(named) <= set(item.answer or ""):
        return f"of the options, the stem says only the right one ({item.answer})"
    return ""


def _said_in(option: str, stem: str) -> bool:
    chinese = detect_language(option) == "zh"
    return len(option) > 1 and (option in stem if chinese else f" {option} " in stem)


def _levels_canonical(item: Item, _: object) -> str:
    unknown = [*(name for name in item.levels if name not in VERTEBRAE), *(name for name in item.discs if name not in DISCS)]
    if unknown:
        return f"no canonical level: {', '.join(unknown)}"
    apart = [disc for disc in item.discs if not set(vertebrae_of_disc(disc)) <= set(item.levels)]
    return f"disc without its vertebrae: {', '.join(apart)}" if apart else ""


def _levels_agree(item: Item, _: object) -> str:
    if item.task != "multiple_choice" or _is_as_written(item):
        return ""  # an examiner's "T4" may be a dermatome: what a bank's option means is not known
    for letter in item.answer or "":
        # Only an option that is a level and nothing else states which level the item is about.
        level = _LEVEL_OF.get(normalise(item.options[LETTERS.index(letter)]))
        if level and level not in (*item.levels, *item.discs):
            return f"the answer is {level}, which the item's levels leave out"
    return ""


def _language_matches(item: Item, _: object) -> str:
    if item.task == "multiple_choice":
        shown = question_of(item) + "".join(item.options)
        return "" if _is_as_written(item) or detect_language(shown) == item.language else "stem"
    for number, message in enumerate(item.messages, 1):
        if detect_language(message.text) != item.language and any(character.isalpha() for character in message.text):
            return f"turn {number} is not {item.language}"
    return ""


def _is_as_written(item: Item) -> bool:
    return item.provenance.source_kind in _AS_WRITTEN


def _no_markup(item: Item, _: object) -> str:
    for text in (*(message.text for message in item.messages), *item.options):
        if match := _MARKUP.search(text):
            return f"left-over mark-up {match.group()!r}"
    return ""


def _nothing_unseen(item: Item, _: object) -> str:
    if _is_as_written(item):
        return ""
    for text in (*(message.text for message in item.messages), *item.options):
        for reference in find_references(text):
            return f"refers to {text[reference.start : reference.end]!r}, which is not shown"
    return ""


def _images_exist(item: Item, image_of: Callable[[str], bytes] | None) -> str:
    if (item.modality == "image_text") != bool(item.images):
        return f"modality {item.modality} with {len(item.images)} images"
    if any(message.images for message in item.messages if message.role != "user"):
        return "an image in an assistant turn"
    for sha256 in item.images:
        try:
            if image_of is not None and not image_of(sha256):
                return f"image {sha256} is empty"
        except (FileNotFoundError, KeyError):
            return f"image {sha256} is not in the store"
    return ""


def _rubric_known(item: Item, _: object) -> str:
    if item.task != "report":
        return "" if not item.rubric else "a rubric on a task that has none"
    unknown = {criterion.dimension for criterion in item.rubric} ^ set(SCORED_DIMENSIONS)
    if unknown:
        return f"rubric lacks or does not know {sorted(unknown)}"
    return "" if item.answer == item.messages[-1].text else "the reference report is not the last turn"


CHECKS: dict[str, Callable[[Item, Callable[[str], bytes] | None], str]] = {
    "known_names": _known_names,
    "turns_alternate": _turns_alternate,
    "lengths_bounded": _lengths_bounded,
    "options_distinct": _options_distinct,
    "answer_is_an_option": _answer_is_an_option,
    "answer_not_given_away": _answer_not_given_away,
    "levels_canonical": _levels_canonical,
    "levels_agree": _levels_agree,
    "language_matches": _language_matches,
    "no_markup": _no_markup,
    "nothing_unseen": _nothing_unseen,
    "rubric_known": _rubric_known,
    "images_exist": _images_exist,
}
"""Checks by name, in the order they run; each takes an item and ``image_of``, and gives "" or what is wrong."""


def normalise(text: str) -> str:
    """Fold case, width, punctuation and spacing: what is left is what two options must differ in."""
    return " ".join(re.sub(r"[^\w/]+", " ", comparable(text)).split())


_LEVEL_OF = {normalise(name): name for name in (*VERTEBRAE, *DISCS)}
