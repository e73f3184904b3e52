"""Display formulas: lines of signs that stand apart from the text, set in from its edge, often with a number at the right."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dataset_builders.pages.content import Box, Graphic, Word, union
from dataset_builders.pages.layout import Line

_NUMBER = re.compile(r"[(（]\s?(?:[A-Z]\.?|[A-Z]?\d{1,2}[.-])?\d{1,3}[a-z]?\s?[)）]")
_RELATION = re.compile(r"[=≈≡≤≥<>∝≔∈]")
_COMPLETE = re.compile(rf"\w.*{_RELATION.pattern}\s*(?!{_NUMBER.pattern}\s*$)[^\s=]", re.DOTALL)
# Letters of other writing than Latin, Greek and Chinese come from fonts without a character map.
_GARBLED = re.compile("[\u0400-\u1dff\ua000-\uf8ff]")
_WORDS = re.compile(r"[A-Za-z]{4,}|[\u4e00-\u9fff]{3,}")
_MAX_WORDS = 4  # of ordinary words in a formula: "Dice = 2 × overlap / (sum of both)"
_INDENT = 1.5  # font sizes that a formula stands in from the edge of the text above or below it
_FULL = 0.85  # of the size of the text beside it: smaller lines are limits of a sum
_REACH = 1.2  # font sizes between the lines of one formula
_LABEL_GAP = 14.0  # points around drawn things in which labels of a figure stand


@dataclass(frozen=True, slots=True)
class Formula:
    """A display formula on one line, its number with it, and where it stands."""

    text: str
    box: Box


def cut_formulas(blocks: Sequence[Sequence[Line]], graphics: Sequence[Graphic]) -> tuple[list[list[Line]], list[Formula]]:
    """Take display formulas out of the stacks of lines: the stacks without them, and the formulas, one piece each.

    A formula has a sign of relation, hardly a word, and stands in from the left edge of the text around it. Its lines are the
    numerator and denominator at a bar too; its number stands at the right, at its height. A fraction is written with a
    slash: "D = (2 |P ∩ G|)/(|P| + |G|) (1)".
    """
    lines = [line for block in blocks for line in block]
    bars = [graphic.box for graphic in graphics if graphic.kind == "rule" and graphic.box.height < 3]
    drawn = [graphic.box.grown(_LABEL_GAP) for graphic in graphics if graphic.kind in ("image", "path")]
    formulas: list[Formula] = []
    gone: set[int] = set()
    for core in sorted(lines, key=lambda line: line.box.top):
        if (
            id(core) in gone
            or any(box.holds(core.box) for box in drawn)  # "n = 12" in a figure
            or core.size < _FULL * max(line.size for line in lines if _near(line, core))
            or not _RELATION.search(core.text)
            or not _is_symbolic(core.text)
            or not _is_set_in(core, lines)
        ):
            continue
        members = _members(core, [line for line in lines if id(line) not in gone], bars)
        text = _linear([word for line in members for word in line.words], bars)
        if _GARBLED.search(text) or not _COMPLETE.search(text):
            continue
        gone |= {id(line) for line in members}
        formulas.append(Formula(text, union(line.box for line in members)))
    if not formulas:
        return [list(block) for block in blocks], []
    left = [[line for line in block if id(line) not in gone] for block in blocks]
    return [part for block, kept in zip(blocks, left) for part in _parted(block, kept) if part], formulas


def _parted(block: Sequence[Line], kept: Sequence[Line]) -> list[list[Line]]:
    """The stack cut where a formula stood."""
    parts: list[list[Line]] = [[]]
    ids = {id(line) for line in kept}
    for line in block:
        if id(line) in ids:
            parts[-1].append(line)
        elif parts[-1]:
            parts.append([])
    return parts


def _is_symbolic(text: str) -> bool:
    return len(_WORDS.findall(text)) <= _MAX_WORDS and len(_WORDS.sub("", text)) > 0.4 * len(text)


def _is_set_in(line: Line, lines: Sequence[Line]) -> bool:
    """Say whether a line starts to the right of full lines of text above or below it in its column, and has room beside it."""
    near = [
        other
        for other in lines
        if len(_WORDS.findall(other.text)) > _MAX_WORDS
        and other.box.overlap_x(line.box) > 0
        and -other.box.overlap_y(line.box) < 4 * line.size
    ]
    beside = [other for other in lines if other is not line and other.box.overlap_y(line.box) > 0.5 * line.box.height]
    alone = not any(
        other.box.x1 <= line.box.x0 and len(_WORDS.findall(other.text)) > 1 for other in beside if _close(other, line)
    )
    return bool(near) and alone and all(line.box.x0 > other.box.x0 + _INDENT * line.size for other in near)


def _near(other: Line, line: Line) -> bool:
    """Say whether ``other`` is as far from a line as the next two lines are at most, and of running text."""
    return other is line or (-other.box.overlap_y(line.box) < 2 * line.size and len(_WORDS.findall(other.text)) > _MAX_WORDS)


def _close(other: Line, line: Line) -> bool:
    return line.box.x0 - other.box.x1 < 2 * line.size


def _members(core: Line, lines: Sequence[Line], bars: Sequence[Box]) -> list[Line]:
    """The core, what stands at its bars, its number, and further lines of signs right above or below."""
    members = [core]
    box = core.box
    fractions = [bar for bar in bars if -bar.overlap_x(box) < 2 * core.size and box.top < bar.top < box.bottom]
    for line in lines:
        if line is core or not (_is_symbolic(line.text) or len(line.text) < 12 or _NUMBER.fullmatch(line.text.strip())):
            continue
        level = line.box.overlap_y(box) > 0.3 * min(line.box.height, box.height)
        number = level and line.box.x0 > box.x1 and bool(_NUMBER.fullmatch(line.text.strip()))
        stacked = any(
            bar.overlap_x(line.box) > 0.5 * min(line.box.width, bar.width)
            and min(abs(bar.top - line.box.bottom), abs(line.box.top - bar.bottom)) < _REACH * line.size
            and line.box.width < bar.width + 2 * line.size
            for bar in fractions
        )
        piece = level and min(abs(line.box.x0 - box.x1), abs(box.x0 - line.box.x1)) < 3 * core.size and bool(fractions)
        # Indices and the limits of a sum.
        small = line.size < _FULL * core.size and box.grown(0, core.size).holds(line.box) and len(line.text) < 12
        if number or stacked or piece or small:
            members.append(line)
    return members


def _linear(words: Sequence[Word], bars: Sequence[Box]) -> str:
    """The words on one line, what stands above and below a bar as a fraction."""
    words = sorted(words, key=lambda word: word.box.x0)
    whole = union(word.box for word in words)
    left, parts = list(words), []
    for bar in (bar for bar in bars if whole.grown(1).holds(bar)):
        at = [word for word in left if bar.x0 - 2 <= (word.box.x0 + word.box.x1) / 2 <= bar.x1 + 2]
        above = [word for word in at if (word.box.top + word.box.bottom) / 2 < bar.top]
        below = [word for word in at if word not in above]
        if above and below:
            left = [word for word in left if word not in at]
            parts.append((bar.x0, f"({_row(above)})/({_row(below)})"))
    runs: list[list[Word]] = []
    for word in left:
        fits = runs and not any(runs[-1][-1].box.x0 < x0 < word.box.x0 for x0, _ in parts)
        if fits:
            runs[-1].append(word)
        else:
            runs.append([word])
    parts += [(run[0].box.x0, _row(run)) for run in runs]
    return " ".join(text for _, text in sorted(parts))


def _row(words: Sequence[Word]) -> str:
    words = sorted(words, key=lambda word: word.box.x0)
    size = max(word.size for word in words)
    base = max(word.box.bottom for word in words if word.size > 0.85 * size)
    text = ""
    for previous, word in zip([None, *words[:-1]], words):
        small, offset = word.size < 0.85 * size, base - word.box.bottom
        mark = "^" if small and offset > 0.12 * size else "_" if small and offset < 0.05 * size else ""
        spaced = previous is not None and not mark and word.box.x0 - previous.box.x1 > 0.12 * size
        text += (" " if spaced else "") + (f"{mark}{{{word.text}}}" if mark else word.text)
    return text
