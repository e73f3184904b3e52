"""Picture Context Matching: which caption and which paragraphs belong to an image, from Markdown alone.

Captions and images that stand together, with no body text between, are one run. Within a run each caption takes the
images next to it, on the side on which captions stand in this document; panels share a caption. A paragraph belongs to
every figure that it cites, in lists and ranges too (captions.py).
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dataset_builders.document import Document, Figure
from dataset_builders.figures.captions import (
    cited_labels,
    find_references,
    is_continued,
    label_key,
    parse_caption,
    parse_label,
)
from dataset_builders.figures.markdown import CAPTION, HEADING, IMAGE, LEGEND, PARAGRAPH, Block, read_blocks

__all__ = ["FigureMatch", "agreement", "cited_labels", "match_document", "match_figures", "parse_label"]


@dataclass(frozen=True, slots=True)
class FigureMatch:
    """One image of a Markdown text.

    image    its address as written (a path, a URL, or a SHA-256 in our own documents); "" if the text has only the caption.
    label    of its caption in normal form ("Figure 3-2"); "" if the image has no numbered caption.
    caption  the caption with its label, on one line; the same for every panel.
    context  the paragraphs that cite the figure, whole, in reading order.
    """

    image: str
    label: str
    caption: str
    context: tuple[str, ...]


def match_figures(markdown: str) -> list[FigureMatch]:
    """Match every image of ``markdown``, in reading order, with its caption and context."""
    blocks = read_blocks(markdown)
    captions = _assign_captions(blocks)
    labels = {block.label for block in blocks if block.kind == CAPTION and block.label}
    labels |= {label for block in blocks if block.kind == IMAGE and (label := parse_label(block.text))}
    citing = _find_citing(blocks, labels)
    matches = []
    for index, block in enumerate(blocks):
        if block.kind != IMAGE:
            continue
        caption = captions.get(index)
        label = (blocks[caption].label if caption is not None else "") or parse_label(block.text) or ""
        context = _context(citing.get(label_key(label), []), index, label, blocks, captions) if label else ()
        named = block.text if parse_caption(block.text) and len(block.text.split()) > 2 else ""  # ![Figure 1. Axial CT](…)
        matches.append(FigureMatch(block.source, label, blocks[caption].text if caption is not None else named, context))
    return matches


def match_document(document: Document) -> Document:
    """Fill in missing captions and contexts of the document's figures from its Markdown, and score every figure's agreement."""
    if not document.figures:
        return document
    by_image: dict[str, FigureMatch] = {}
    by_label: dict[str, FigureMatch] = {}
    if any(not (figure.caption and figure.context) for figure in document.figures):
        for match in match_figures(document.markdown):
            by_image.setdefault(match.image, match)
            by_label.setdefault(match.label, match)
    return replace(document, figures=tuple(_complete(figure, by_image, by_label) for figure in document.figures))


def _complete(figure: Figure, by_image: dict[str, FigureMatch], by_label: dict[str, FigureMatch]) -> Figure:
    match = by_image.get(figure.image_sha256 or "") or (by_label.get(figure.label) if figure.label else None)
    if match is not None:
        figure = replace(
            figure,
            label=figure.label or match.label,
            caption=figure.caption or match.caption,
            context=figure.context or match.context,
        )
    scored = agreement(figure.caption, figure.context) if figure.caption and figure.context else None
    return replace(figure, agreement=scored)


def agreement(caption: str, context: str | Iterable[str]) -> float:
    """Score how far the citing paragraphs speak of what the caption names: 0 (not at all) to 1 (of all of it).

    The score is the share of the caption's distinct content terms that also occur in the context. Terms are lower-case words
    without stop words, cut to six letters so that inflections match ("fracture", "fractured"), names of vertebrae and discs as
    written, and pairs of Han characters; labels of figures are left out. The score is a column to choose by, never a filter.
    """
    terms = _terms(caption)
    other = _terms(context if isinstance(context, str) else " ".join(context))
    return round(len(terms & other) / len(terms), 4) if terms else 0.0


_AFTER, _BEFORE = "after", "before"
# Sections that name figures without speaking of what they show.
_BACK_MATTER = re.compile(
    r"(?:\d+\.?\s*)?(?:references|bibliography|literature cited|acknowledge?ments?|funding|conflicts? of interests?|"
    r"competing interests?|author contributions|list of figures|参考文献|致谢|利益冲突)\W*",
    re.IGNORECASE,
)
# What it costs to take an image or a caption from the wrong side, leave it alone, or part it from its neighbour.
_WRONG_SIDE, _IMAGE_ALONE, _CAPTION_ALONE, _PARTED = 1.0, 0.6, 10.0, 0.3
_REACH = 3  # body paragraphs that may stand between a caption and its image


def _assign_captions(blocks: Sequence[Block]) -> dict[int, int]:
    """Image index to caption index."""
    assigned = _assign_by_name(blocks)
    runs = [[i for i in run if i not in assigned] for run in _find_runs(blocks)]
    side = _side_of_captions(blocks, runs)
    for run in runs:
        assigned.update(_assign_run(blocks, run, side))
    assigned.update(_assign_apart(blocks, assigned, side))
    if not _rises(blocks, assigned) and (in_turn := _assign_in_turn(blocks)):
        assigned = in_turn
    first: dict[str, int] = {}
    for index, block in enumerate(blocks):
        if block.kind == CAPTION and block.label and not is_continued(block.text):
            first.setdefault(block.label, index)
    return {
        image: first.get(blocks[caption].label, caption) if is_continued(blocks[caption].text) else caption
        for image, caption in assigned.items()
    }


def _rises(blocks: Sequence[Block], assigned: dict[int, int]) -> bool:
    """Whether the numbers of the captions rise with the images, as authors number them."""
    numbers = [label_key(blocks[assigned[image]].label) for image in sorted(assigned)]
    whole = [int(number) for number in numbers if number.isdecimal()]
    return whole == sorted(whole)


def _assign_in_turn(blocks: Sequence[Block]) -> dict[int, int]:
    """If images and captions take turns throughout, text between them or not, and so the numbers rise: each its neighbour."""
    turns: list[list[int]] = []
    for index, block in enumerate(blocks):
        if block.kind not in (IMAGE, CAPTION) or (block.kind == IMAGE and _is_table_image(blocks, index)):
            continue
        if (
            turns
            and blocks[turns[-1][0]].kind == block.kind
            and (block.kind == IMAGE or _same_figure(blocks[turns[-1][0]], block))
        ):
            turns[-1].append(index)
        else:
            turns.append([index])
    kinds = [blocks[turn[0]].kind for turn in turns]
    if len(turns) % 2 or kinds != [kinds[0], CAPTION if kinds[0] == IMAGE else IMAGE] * (len(turns) // 2):
        return {}
    assigned: dict[int, int] = {}
    for first, second in zip(turns[::2], turns[1::2]):
        images, captions = (first, second) if kinds[0] == IMAGE else (second, first)
        if _paragraphs_between(blocks, images, captions[0]) > _REACH:
            return {}
        assigned.update(dict.fromkeys(images, captions[0]))
    return assigned if _rises(blocks, assigned) else {}


def _assign_by_name(blocks: Sequence[Block]) -> dict[int, int]:
    """Images whose own name is a label ("![Figure 3](…)"), to the nearest caption with that label."""
    assigned = {}
    for index, block in enumerate(blocks):
        if block.kind == IMAGE and (label := parse_label(block.text)):
            same = [i for i, other in enumerate(blocks) if other.kind == CAPTION and other.label == label]
            if same:
                assigned[index] = min(same, key=lambda i: abs(i - index))
    return assigned


def _find_runs(blocks: Sequence[Block]) -> list[list[int]]:
    """Indices of images and captions that stand together; a centred text beside a lone image counts as a caption."""
    runs: list[list[int]] = [[]]
    for index, block in enumerate(blocks):
        if block.kind in (IMAGE, CAPTION):
            runs[-1].append(index)
        elif block.kind == PARAGRAPH and block.centred and runs[-1] and runs[-1][-1] == index - 1:
            if blocks[index - 1].kind == IMAGE:
                runs[-1].append(index)
        elif block.kind != LEGEND and runs[-1]:
            runs.append([])
    for run in runs:
        if any(blocks[i].kind == CAPTION for i in run):
            run[:] = [i for i in run if blocks[i].kind != PARAGRAPH]
        if [blocks[i].kind for i in run[:2]] == [IMAGE, IMAGE] and _is_table_image(blocks, run[0]):
            del run[0]
    return [run for run in runs if run]


def _side_of_captions(blocks: Sequence[Block], runs: Sequence[Sequence[int]]) -> str:
    """Where most captions of this document stand: after or before their image."""
    votes = 0
    for run in runs:
        ends = (blocks[run[0]].kind == IMAGE, blocks[run[-1]].kind == IMAGE)
        votes += {(True, False): 1, (False, True): -1}.get(ends, 0)
    return _BEFORE if votes < 0 else _AFTER


def _assign_run(blocks: Sequence[Block], run: Sequence[int], side: str) -> dict[int, int]:
    """The cheapest way to give a run's images to its captions, each caption the images right beside it."""
    captions: list[int] = []
    groups: list[list[int]] = [[]]  # images before the first caption, between captions, after the last
    for index in run:
        if blocks[index].kind == IMAGE:
            groups[-1].append(index)
        elif not (captions and not groups[-1] and _same_figure(blocks[captions[-1]], blocks[index])):
            captions.append(index)
            groups.append([])
    if not captions:
        return {}
    if in_order := _assign_in_order(blocks, run, captions):
        return in_order
    before, after = (0.0, _WRONG_SIDE) if side == _BEFORE else (_WRONG_SIDE, 0.0)

    # best[has]: cost and choices so far, by whether the last caption has an image yet.
    best: dict[bool, tuple[float, tuple[tuple[int, int], ...]]] = {True: (0.0, ())}
    for number, group in enumerate(groups):
        following: dict[bool, tuple[float, tuple[tuple[int, int], ...]]] = {}
        for has, (cost, choices) in best.items():
            for left, right in _shares(len(group), number > 0, number < len(captions)):
                alone = len(group) - left - right
                total = cost + left * before + right * after + alone * _IMAGE_ALONE + (_PARTED if left and right else 0)
                total += 0 if has or left else _CAPTION_ALONE
                if bool(right) not in following or total < following[bool(right)][0]:
                    following[bool(right)] = (total, (*choices, (left, right)))
        best = following
    _, choices = min(best.values())
    assigned = {}
    for number, (group, (left, right)) in enumerate(zip(groups, choices)):
        assigned.update(dict.fromkeys(group[:left], captions[number - 1]) if left else {})
        assigned.update(dict.fromkeys(group[len(group) - right :], captions[number]) if right else {})
    return assigned


def _assign_in_order(blocks: Sequence[Block], run: Sequence[int], captions: Sequence[int]) -> dict[int, int]:
    """If as many captions as images stand in a row after (or before) them, assign first to first; else assign nothing."""
    kept = [index for index in run if blocks[index].kind == IMAGE or index in captions]
    rows = [list(group) for _, group in itertools.groupby(kept, key=lambda index: blocks[index].kind == IMAGE)]
    pairs = list(zip(rows[::2], rows[1::2]))
    if len(rows) % 2 or any(len(first) != len(second) for first, second in pairs) or max(map(len, rows)) < 2:
        return {}
    return {
        (a if blocks[a].kind == IMAGE else b): (b if blocks[a].kind == IMAGE else a)
        for first, second in pairs
        for a, b in zip(first, second)
    }


def _shares(images: int, has_left: bool, has_right: bool) -> list[tuple[int, int]]:
    """How a group may be shared between the caption before it and the one after it, or left alone."""
    shares = [(0, 0)]
    if images and has_left:
        shares.append((images, 0))
    if images and has_right:
        shares.append((0, images))
    if has_left and has_right:
        shares += [(left, images - left) for left in range(1, images)]
    return shares


def _same_figure(first: Block, second: Block) -> bool:
    """The same figure's caption in a second language: 图1 … Fig. 1 …"""
    return bool(first.label) and label_key(first.label) == label_key(second.label)


def _assign_apart(blocks: Sequence[Block], assigned: dict[int, int], side: str) -> dict[int, int]:
    """Assign captions and images that body text separates: each caption left takes the nearest free image within _REACH."""
    taken = {label_key(blocks[caption].label) for caption in assigned.values()}
    captions = [i for i, b in enumerate(blocks) if b.kind == CAPTION and label_key(b.label) not in taken]
    images = [i for i, b in enumerate(blocks) if b.kind == IMAGE and i not in assigned and not _is_table_image(blocks, i)]
    groups: list[list[int]] = []
    for index in images:
        if groups and all(b.kind in (IMAGE, LEGEND) for b in blocks[groups[-1][-1] : index]):
            groups[-1].append(index)
        else:
            groups.append([index])
    found: dict[int, int] = {}
    if captions and len(captions) == len(groups) and (len(captions) > 1 or not assigned):
        pairs = list(zip(captions, groups))  # legends in one place, images in another, both in order
    else:
        pairs = []
        for caption in captions:
            near = [g for g in groups if _paragraphs_between(blocks, g, caption) <= _REACH]
            near.sort(key=lambda g: (abs(g[0] - caption), (g[0] > caption) == (side == _AFTER)))
            if near:
                groups.remove(near[0])
                pairs.append((caption, near[0]))
    for caption, group in pairs:
        found.update(dict.fromkeys(group, caption))
    return found


def _is_table_image(blocks: Sequence[Block], index: int) -> bool:
    """An image right below a table's caption is that table."""
    return index > 0 and blocks[index - 1].kind == "table" and not blocks[index - 1].text.startswith("|")


def _paragraphs_between(blocks: Sequence[Block], group: Sequence[int], caption: int) -> int:
    low, high = sorted((group[0], caption))
    return sum(block.kind == PARAGRAPH for block in blocks[low:high])


def _find_citing(blocks: Sequence[Block], labels: Iterable[str]) -> dict[str, list[int]]:
    """Label key to the indices of the paragraphs that cite it; references, thanks and the like cite none."""
    known = sorted(labels)
    citing: dict[str, list[int]] = {}
    in_back_matter = False
    for index, block in enumerate(blocks):
        if block.kind == HEADING:
            in_back_matter = bool(_BACK_MATTER.fullmatch(block.text))
        elif block.kind == PARAGRAPH and not in_back_matter:
            for label in cited_labels(block.text, known):
                citing.setdefault(label_key(label), []).append(index)
    return citing


def _context(
    citing: Sequence[int], image: int, label: str, blocks: Sequence[Block], captions: dict[int, int]
) -> tuple[str, ...]:
    """Return the citing paragraphs; if chapters restart the numbers, only those nearer to this image than to its namesakes."""
    mine = captions.get(image, image)
    namesakes = {caption for caption in captions.values() if label_key(blocks[caption].label) == label_key(label)} | {mine}
    namesakes -= {caption for caption in namesakes if caption != mine and _is_panel_beside(blocks, caption, mine)}

    def apart(index: int, caption: int) -> tuple[int, int, int]:
        low, high = sorted((index, caption))
        return sum(block.kind == HEADING for block in blocks[low:high]), high - low, caption

    own = (index for index in citing if min(namesakes, key=lambda caption: apart(index, caption)) == mine)
    return tuple(dict.fromkeys(blocks[index].text for index in own))


def _is_panel_beside(blocks: Sequence[Block], caption: int, other: int) -> bool:
    """Whether two captions with one label are panels of one figure: no other figure's caption or heading stands between."""
    low, high = sorted((caption, other))
    between = blocks[low + 1 : high]
    return not any(
        block.kind == HEADING or (block.kind == CAPTION and not _same_figure(block, blocks[other])) for block in between
    )


_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "the and for with was were are has have had that this these those from not but all its his her their which who whom "
        "been being than then there here also into onto between after before during each both such may can could will would "
        "should one two three figure figures fig figs panel left right showing shows shown arrow arrows see show",
    )
)


def _terms(text: str) -> set[str]:
    for reference in reversed([reference for reference in find_references(text) if reference.labels]):
        text = f"{text[: reference.start]} {text[reference.end :]}"
    text = text.casefold()
    terms = {word if any(map(str.isdigit, word)) else word[:6] for word in re.findall(r"[a-z][a-z\d]+(?:[/-][a-z]?\d+)?", text)
             if len(word) > 2 or any(map(str.isdigit, word))} - {word[:6] for word in _STOP_WORDS}  # fmt: skip
    for run in re.findall(r"[\u4e00-\u9fff]+", text):
        terms |= {run[i : i + 2] for i in range(len(run) - 1)} or {run}
    return terms
