"""Check the options of multiple choice: apart in meaning, one right by the source, and none that stands out."""

import itertools
import re

from dataset_builders.generate.criteria.facts import grades_of, levels_of, numbers_of
from dataset_builders.generate.criteria.meaning import (
    is_negated,
    level_option,
    option_in,
    same_order,
    share_in,
    stems_of,
)
from dataset_builders.generate.criteria.normal import LEVEL_OF, normalise
from dataset_builders.generate.criteria.parts import is_as_written, parts_of, sentences, wrong_options
from dataset_builders.generate.criteria.vocabulary import find_phrase
from dataset_builders.item import LETTERS, Item, question_of
from dataset_builders.language import detect_language
from dataset_builders.levels import find_levels, parse_levels

LONGER = 2.0
"""How many times the longest wrong option the key may be long (or the shortest wrong option the key). Ours."""
LONGER_BY = 18
"""Letters by which it must be longer besides; a Han character counts as two."""
_STEM_SHARE = 0.4  # of the stem's words, from which a sentence of the source answers it
_KEY_SHARE = 0.25  # of the key's words, that the source must hold
_CONJUNCTION = re.compile(r"[\s,，、]*(?:and|or|&|as well as|和|及|与|或|以及|、|,)[\s]*(?:the |at |also )*", re.IGNORECASE)
_STATED_LETTER = re.compile(
    r"\b(?:answer|key|choice|option)(?: is| :|:)?(?: option)? ?\(?([A-J])\)?(?![a-zA-Z])(?=[^\w]|$)"
    r"|\b([A-J]) is (?:correct|right|true)|(?:答案|选项|应选|故选|选择)(?:是|为|：|:)? ?([A-J])|([A-J])(?:项)?(?:正确|为正确)"
)


def options_distinct(item: Item, _: object) -> str:
    """Demand two options or more, each a text of its own."""
    if item.task != "multiple_choice":
        return "" if not item.options else "options on a task that has none"
    if not 2 <= len(item.options) <= len(LETTERS):
        return f"{len(item.options)} options"
    normal = [normalise(option) for option in item.options]
    if "" in normal or len(set(normal)) < len(normal):
        return "an option is empty or said twice"
    return ""


def options_differ_in_meaning(item: Item, _: object) -> str:
    """Reject options that are one level in two spellings, one text in other words, or a part of the key."""
    for (one, first), (two, second) in itertools.combinations(zip(LETTERS, item.options), 2):
        if _same(first, second, levels_only=is_as_written(item)):
            return f"options {one} and {two} mean the same"
        if not is_as_written(item) and {one, two} & set(item.answer or "") and _part_of(first, second):
            return f"one of the options {one} and {two} is part of the other"
    return ""


def no_option_about_options(item: Item, _: object) -> str:
    """Reject options that speak of other options or give no answer."""
    if is_as_written(item):
        return ""
    for letter, option in zip(LETTERS, item.options):
        if find_phrase("about_options", item.language, option.strip().rstrip("。.")):
            return f"option {letter} speaks of other options"
    return ""


def one_option_in_source(item: Item, _: object) -> str:
    """Reject an option that the source joins to the key by "and" or "or" where it answers the stem."""
    if item.task != "multiple_choice" or is_as_written(item):
        return ""
    parts = parts_of(item)
    for sentence in _answering(parts.question, parts.source):
        for option in wrong_options(item):
            if not option_in(option, parts.question) and _joined(parts.key, option, sentence):
                return "the source names another option together with the key"
    return ""


def key_in_source(item: Item, _: object) -> str:
    """Reject a key that the source does not name where it names another option."""
    if item.task != "multiple_choice" or is_as_written(item):
        return ""
    parts = parts_of(item)
    if detect_language(parts.source) != detect_language("".join(item.options)) and not level_option(parts.key):
        return ""
    if (
        not level_option(parts.key)
        and stems_of(parts.key)
        and share_in(parts.key, f"{parts.source}\n{parts.question}") < _KEY_SHARE
    ):
        return "hardly a word of the key is in the quotes"
    others = [option for option in wrong_options(item) if not option_in(option, parts.question)]
    if option_in(parts.question, parts.key):
        return ""
    for text in (_at_level(parts.question, parts.source), "\n".join(_answering(parts.question, parts.source)), parts.source):
        if text and not option_in(parts.key, text) and any(option_in(option, text) for option in others):
            return "the source names another option and not the key"
    return ""


def explanation_agrees(item: Item, _: object) -> str:
    """Reject an explanation that speaks of another option and not of the key, or names another letter."""
    if item.task != "multiple_choice" or is_as_written(item):
        return ""
    parts = parts_of(item)
    if not parts.reasons:
        return ""
    for match in _STATED_LETTER.finditer(parts.reasons):
        letter = next(group for group in match.groups() if group)
        if letter not in (item.answer or "") and letter in LETTERS[: len(item.options)]:
            return f"the explanation names {letter}"
    shared = set.intersection(*(set(stems_of(option)) for option in item.options))
    if _speaks_for(parts.key, parts.reasons, shared):
        return ""
    if any(_speaks_for(option, parts.reasons, shared) for option in wrong_options(item)):
        return "the explanation speaks of another option and not of the key"
    return ""


def answer_not_given_away(item: Item, _: object) -> str:
    """Reject a stem that says the key, by words or level, and no other option."""
    if item.task != "multiple_choice" or is_as_written(item):
        return ""
    stem = question_of(item)
    named = {letter for letter, option in zip(LETTERS, item.options) if _given_in(option, stem, item.options)}
    if named and named <= set(item.answer or ""):
        return f"of the options, the stem says only the right one ({item.answer})"
    return ""


def options_alike(item: Item, _: object) -> str:
    """Reject a key that stands out by length or punctuation, and options of several kinds."""
    if item.task != "multiple_choice" or is_as_written(item) or not item.answer:
        return ""
    parts, others = parts_of(item), wrong_options(item)
    if len(item.answer) > 1 or not others:
        return ""
    length, lengths = _length(parts.key), [_length(option) for option in others]
    if length >= LONGER * max(lengths) and length - max(lengths) >= LONGER_BY:
        return "the key is much longer than every other option"
    if LONGER * length <= min(lengths) and min(lengths) - length >= LONGER_BY:
        return "the key is much shorter than every other option"
    if max(lengths) >= 2 * LONGER * length and max(lengths) - length >= 2 * LONGER_BY:
        return "an option is much longer than the key"
    levels = [level_option(option) for option in item.options]
    kinds = {level[0] for level in levels if level}
    if kinds and ((None in levels and sum(level is not None for level in levels) >= 2) or len(kinds) > 1):
        return "options are of several kinds"
    ends = [option.rstrip()[-1:] in ".。!；;" for option in item.options]
    key = LETTERS.index(item.answer)
    if len(item.options) > 2 and all(end != ends[key] for place, end in enumerate(ends) if place != key):
        return "the key is the only option with (or without) a full stop"
    return ""


def _same(first: str, second: str, *, levels_only: bool) -> bool:
    if grades_of(first) != grades_of(second):
        return False
    one, two = level_option(first), level_option(second)
    if one and two:
        return one == two or (
            set(one[1]) == set(two[1]) and {one[0], two[0]} == {"vertebra", "nerve_root"} and "root" not in first + second
        )
    if levels_only:
        return False
    if (a := numbers_of(first)) and (b := numbers_of(second)):
        return (
            len(a) == len(b)
            and all(x.matches(y) for x, y in zip(a, b, strict=True))
            and same_order(_bare(first), _bare(second) or first)
        )
    return same_order(first, second)


def _bare(text: str) -> str:
    return re.sub(
        r"[\d.]+|[a-z]*(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b|[一二三四五六七八九十两]",
        " ",
        text.lower(),
    )


def _part_of(first: str, second: str) -> bool:
    if _holds_whole(first, second) or _holds_whole(second, first):
        return True
    if grades_of(first) != grades_of(second) or numbers_of(first) != numbers_of(second):
        return False
    one, two = level_option(first), level_option(second)
    if one and two:
        return one[0] == two[0] and set(one[1]) != set(two[1]) and (set(one[1]) < set(two[1]) or set(two[1]) < set(one[1]))
    small, large = sorted((normalise(first), normalise(second)), key=len)
    if len(small) < 2 or is_negated(small) != is_negated(large) or not stems_of(small):
        return False
    return small in large if detect_language(small) == "zh" else f" {small} " in f" {large} "


def _holds_whole(large: str, small: str) -> bool:
    """Whether an option is another one joined to something more: "2 weeks and 8 weeks" holds "2 weeks"."""
    part = re.escape(small.strip().rstrip(".。").lower())
    text = large.strip().lower()
    return any(
        re.fullmatch(form, text) for form in (rf"{part}(?:{_CONJUNCTION.pattern}).+", rf".+(?:{_CONJUNCTION.pattern}){part}\W?")
    )


def _answering(question: str, source: str) -> list[str]:
    """The sentences of the source that share most words with the stem."""
    asked = set(stems_of(question))
    if len(asked) < 2:
        return []
    shares = [(len(asked & set(stems_of(sentence))) / len(asked), sentence) for sentence in sentences(source)]
    best = max((share for share, _sentence in shares), default=0.0)
    return [sentence for share, sentence in shares if share == best] if best >= _STEM_SHARE else []


def _at_level(question: str, source: str) -> str:
    """The sentences of the source that name the one level of the question; "" if it names none or several."""
    levels = {span.names for span in find_levels(question)}
    if len(levels) != 1:
        return ""
    return "\n".join(sentence for sentence in sentences(source) if levels <= {span.names for span in find_levels(sentence)})


def _joined(key: str, option: str, sentence: str) -> bool:
    one, two = level_option(key), level_option(option)
    if one and two:
        spans = find_levels(sentence)
        pairs = [(a, b) for a, b in itertools.pairwise(spans) if _CONJUNCTION.fullmatch(sentence[a.end : b.start])]
        return any({a.names, b.names} == {one[1], two[1]} for a, b in pairs)
    lower, first, second = sentence.lower(), re.escape(key.lower().rstrip(".。")), re.escape(option.lower().rstrip(".。"))
    return any(re.search(rf"{a}(?:{_CONJUNCTION.pattern}){b}(?!\w)", lower) for a, b in ((first, second), (second, first)))


def _speaks_for(option: str, reasons: str, shared: set[str]) -> bool:
    if level := level_option(option):
        singles, discs = levels_of(reasons)
        named = discs if level[0] == "disc" else singles
        return bool(set(level[1]) & named)
    if stems := set(stems_of(option)) - shared:
        return stems <= set(stems_of(reasons))
    return normalise(option) != "" and f" {normalise(option)} " in f" {normalise(reasons)} "


def _given_in(option: str, stem: str, options: tuple[str, ...]) -> bool:
    if _said_in(normalise(option), f" {normalise(stem)} "):
        return True
    levels = parse_levels(stem)
    if LEVEL_OF.get(normalise(option)) in {*levels.vertebrae, *levels.discs}:
        return True
    if level := level_option(option):
        named = {"disc": levels.discs, "nerve_root": levels.nerve_roots, "vertebra": levels.vertebrae}[level[0]]
        return set(level[1]) <= set(named)
    shared = set.intersection(*(set(stems_of(other)) for other in options))
    stems = set(stems_of(option)) - shared
    return len("".join(stems)) > 2 and stems <= set(stems_of(stem))


def _said_in(option: str, stem: str) -> bool:
    if len(option) < 2 or detect_language(option) == "en":
        return len(option) > 1 and f" {option} " in stem
    return re.search(r"(?<![a-z0-9])" + re.escape(option) if option[0].isascii() else re.escape(option), stem) is not None


def _length(text: str) -> int:
    return sum(2 if "\u4e00" <= character <= "\u9fff" else 1 for character in text)
