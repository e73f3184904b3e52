"""Questions over pictures whose levels and findings are labelled (open data sets, phantoms, hospital series).

Every answer follows from the labels. A level or finding without a label is called "not labelled", never "normal", and
wrong options are levels of the same region, so that a model must count and cannot guess by region.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dataset_builders.document import Document, Figure, Finding
from dataset_builders.generate.items import (
    WRONG_OPTIONS,
    Rule,
    choice_messages,
    load_rules,
    new_item,
    seeded,
    shuffle_options,
    sign,
)
from dataset_builders.generate.rules.level_options import (
    SPINE,
    draw_wrong_levels,
    draw_wrong_roots,
    head_to_tail,
    is_disc,
    region_of,
    root_of_disc,
)
from dataset_builders.generate.rules.naming import (
    grade_of,
    is_abnormal,
    join_words,
    name_finding,
    name_grade,
    picture_kind,
    span_levels,
)
from dataset_builders.generate.rules.reports import by_level
from dataset_builders.item import LETTERS, Item, Message

T = TypeVar("T")

MAX_PER_RULE = 4
"""Items of one rule from one case and language: 25 slices of a case must not become 25 copies of one question."""
MAX_ALIKE = 2
"""Of these, items with the same answer about the same levels: neighbouring slices show the same."""
MAX_DESCRIPTIONS = 3
"""Descriptions from one case and language, each of other findings (or, in a case without any, of other levels)."""

REGION_NAMES = {
    "C": {"en": "cervical", "zh": "颈椎"},
    "T": {"en": "thoracic", "zh": "胸椎"},
    "L": {"en": "lumbar", "zh": "腰椎"},
}

# Names that may be given to one and the same appearance: one is no fair wrong option beside the other.
_KIN = (
    {"disc_bulge", "disc_herniation"},
    {"disc_narrowing", "disc_degeneration"},
    {"modic_change", "endplate_change"},
    {"canal_stenosis", "subarticular_stenosis", "foraminal_narrowing"},
)
_AT_VERTEBRAE = ("wedge_fracture",)


@dataclass(frozen=True, slots=True)
class _Scene:
    """One picture of a case, and what the case as a whole has labelled."""

    document: Document
    figure: Figure
    labelled: frozenset[tuple[str, str]]


def draft_imaging(document: Document, languages: Sequence[str]) -> Iterator[Item]:
    """Multiple-choice and description items over the pictures of ``document``: each rule at most MAX_PER_RULE a language, and
    pictures with findings first. None can be answered without its picture.
    """
    figures = [
        figure for figure in document.figures if figure.image_sha256 and (figure.levels or figure.discs or figure.findings)
    ]
    every = (*document.findings, *(finding for figure in document.figures for finding in figure.findings))
    labelled = frozenset((finding.name, finding.level) for finding in every if is_abnormal(finding))
    for name, ask in _ASK.items():
        rule = load_rules("imaging")[name]
        order = list(figures)
        seeded(document.id, rule.name).shuffle(order)
        order.sort(key=lambda figure: not figure.findings)
        for language in languages:
            described = name == "describe_picture"
            made: Counter[object] = Counter()
            for figure in order:
                if made.total() == (MAX_DESCRIPTIONS if described else MAX_PER_RULE):
                    break
                rng = seeded(document.id, rule.name, language, figure.image_sha256 or "")
                item = ask(_Scene(document, figure, labelled), rule, rng, language)
                if item is None:
                    continue
                gist = _findings_or_levels(figure, every) if described else (_right(item), item.levels, item.discs)
                if made[gist] < (1 if described else MAX_ALIKE):
                    made[gist] += 1
                    yield item


def _findings_or_levels(figure: Figure, of_case: Sequence[Finding]) -> object:
    return (figure.levels, figure.discs) if not of_case else frozenset((f.name, f.level) for f in figure.findings)


def _right(item: Item) -> str:
    return item.options[LETTERS.index(item.answer or "")]


def _level_of_finding(scene: _Scene, rule: Rule, rng: random.Random, language: str) -> Item | None:
    finding = _pick(rng, [f for f in scene.figure.findings if is_abnormal(f) and f.name != "disc_degeneration"])
    if finding is None:
        return None
    visible = scene.figure.discs if is_disc(finding.level) else scene.figure.levels
    taken = {level for name, level in scene.labelled if name == finding.name} - {finding.level}
    wrong = draw_wrong_levels(rng, finding.level, visible, without=taken)
    if len(wrong) < 2:
        return None
    values = {
        "finding": name_finding(finding, language),
        "level": finding.level,
        "levels": join_words(head_to_tail(visible), language),
    }
    return _choice(scene, rule, rng, language, finding.level, wrong, "level_identification", values, about=(finding.level,))


def _finding_at_level(scene: _Scene, rule: Rule, rng: random.Random, language: str) -> Item | None:
    finding = _pick(rng, [f for f in scene.figure.findings if is_abnormal(f)])
    if finding is None:
        return None
    here = {name for name, level in scene.labelled if level == finding.level} | {finding.name}
    kin = {name for family in _KIN if family & here for name in family}
    disc = is_disc(finding.level)
    # A finding that the case labels elsewhere is certainly absent here; the rest of the taxonomy fills up.
    elsewhere = sorted({name for name, level in scene.labelled if is_disc(level) == disc} - here - kin)
    others = ["wedge_fracture", "spondylolisthesis", "disc_herniation", "modic_change", "disc_narrowing"]
    others = [n for n in others if n not in here | kin and n not in elsewhere and (not disc or n not in _AT_VERTEBRAE)]
    rng.shuffle(others)
    wrong = (elsewhere + others)[:WRONG_OPTIONS]
    if len(wrong) < 2:
        return None
    right = name_finding(finding, language)
    values = {"finding": right, "level": finding.level}
    names = [name_finding(name, language) for name in wrong]
    return _choice(scene, rule, rng, language, right, names, "pathology_assessment", values, about=(finding.level,))


def _grade_of_finding(scene: _Scene, rule: Rule, rng: random.Random, language: str) -> Item | None:
    finding = _pick(rng, [f for f in scene.figure.findings if grade_of(f)])
    if finding is None:
        return None
    graded = grade_of(finding)
    assert graded is not None
    scale, step = graded
    steps = scale.zh if language == "zh" else scale.en
    name = name_finding(finding, language)
    values = {"finding": name, "level": finding.level, "grade": name_grade(finding, language)}
    stem = rule.say(rng, language, "stem", **_kind(scene.figure, language), **values)
    # A scale keeps its order: shuffled grades would test reading, not grading.
    return _item(scene, rule, language, stem, steps, LETTERS[step], rule.say(rng, language, "rationale", **values),
                 "pathology_assessment", (finding.level,))  # fmt: skip


def _extreme_level(scene: _Scene, rule: Rule, rng: random.Random, language: str) -> Item | None:
    visible = head_to_tail(scene.figure.levels)
    if len(visible) < 3:
        return None
    part = rng.choice(("caudal", "cranial"))
    right = visible[-1] if part == "caudal" else visible[0]
    wrong = draw_wrong_levels(rng, right, SPINE)
    values = {"levels": join_words(visible, language)}
    return _choice(scene, rule, rng, language, right, wrong, "level_identification", values, about=(right,), part=part)


def _count_of_levels(scene: _Scene, rule: Rule, rng: random.Random, language: str) -> Item | None:
    counts = {
        region: [level for level in head_to_tail(scene.figure.levels) if region_of(level) == region] for region in REGION_NAMES
    }
    region = _pick(rng, [region for region, levels in counts.items() if len(levels) >= 2])
    if region is None:
        return None
    count = len(counts[region])
    lowest = max(1, count - rng.randrange(4))
    options = tuple(str(number) for number in range(lowest, lowest + 4))
    values = {
        "region": REGION_NAMES[region][language],
        "levels": join_words(counts[region], language),
        "count": count,
    }
    stem = rule.say(rng, language, "stem", **_kind(scene.figure, language), **values)
    letter = LETTERS[options.index(str(count))]
    rationale = rule.say(rng, language, "rationale", **values)
    return _item(scene, rule, language, stem, options, letter, rationale, "level_identification", counts[region])


def _adjacent_level(scene: _Scene, rule: Rule, rng: random.Random, language: str) -> Item | None:
    finding = _sole_vertebra(scene)
    if finding is None:
        return None
    side = rng.choice(("below", "above"))
    step = 1 if side == "below" else -1
    place = SPINE.index(finding.level) + step
    right = SPINE[place] if 0 <= place < len(SPINE) else None
    if right not in scene.figure.levels or finding.level not in scene.figure.levels:
        return None
    wrong = draw_wrong_levels(rng, right, SPINE, without={finding.level})
    values = {"finding": name_finding(finding, language), "level": finding.level, "answer": right}
    return _choice(
        scene,
        rule,
        rng,
        language,
        right,
        wrong,
        "level_identification",
        values,
        about=(right,),
        part=side,
        rationale=f"rationale_{side}",
    )


def _instrumented_levels(scene: _Scene, rule: Rule, rng: random.Random, language: str) -> Item | None:
    finding = _sole_vertebra(scene)
    if finding is None or finding.level not in SPINE[1:-1]:
        return None
    centres = [finding.level, *draw_wrong_levels(rng, finding.level, SPINE[1:-1])]
    pairs = [(SPINE[SPINE.index(centre) - 1], SPINE[SPINE.index(centre) + 1]) for centre in centres]
    say = rule.phrasings[language]["option"][0].format
    right, *wrong = (say(above=above, below=below) for above, below in pairs)
    values = {"finding": name_finding(finding, language), "level": finding.level, "above": pairs[0][0], "below": pairs[0][1]}
    about = (finding.level, *pairs[0])
    return _choice(scene, rule, rng, language, right, wrong, "surgical_planning", values, about=about)


def _nerve_root_of_disc(scene: _Scene, rule: Rule, rng: random.Random, language: str) -> Item | None:
    candidates = [
        f
        for f in scene.figure.findings
        if is_abnormal(f) and f.name in ("disc_herniation", "subarticular_stenosis", "foraminal_narrowing")
    ]
    # The stem leaves the level to be found in the picture: it must be the only one of the case with this finding.
    alone = [f for f in candidates if {level for name, level in scene.labelled if name == f.name} == {f.level}]
    finding = _pick(rng, [f for f in alone if is_disc(f.level) and root_of_disc(f.level, "exiting")])
    if finding is None:
        return None
    # Foraminal narrowing meets the exiting root, the lateral recess holds the traversing one; cervical roots leave at the disc.
    lumbar = finding.level.startswith("L")
    part = "traversing" if lumbar and finding.name != "foraminal_narrowing" else "exiting"
    root = root_of_disc(finding.level, part)
    assert root is not None
    say = rule.phrasings[language]["option"][0].format
    wrong = [say(root=other) for other in draw_wrong_roots(rng, root)]
    values = {"finding": name_finding(finding, language), "level": finding.level, "root": root}
    rationale = "rationale_traversing" if part == "traversing" else f"rationale_exiting_{'lumbar' if lumbar else 'cervical'}"
    return _choice(scene, rule, rng, language, say(root=root), wrong, "surgical_planning", values,
                   about=(finding.level,), part=part, rationale=rationale)  # fmt: skip


def _describe_picture(scene: _Scene, rule: Rule, rng: random.Random, language: str) -> Item | None:
    reply = describe(scene.figure, rule, language)
    names = (*scene.figure.levels, *scene.figure.discs)
    image = (scene.figure.image_sha256 or "",)
    messages = (Message("user", rule.say(rng, language, "stem"), image), Message("assistant", reply))
    generation = sign(scene.document, rule, [language, scene.figure.image_sha256, reply])
    return new_item(
        scene.document, generation, "open_ended", messages,
        language=language, axis="pathology_assessment", about=names, figure=scene.figure,
    )  # fmt: skip


def describe(figure: Figure, rule: Rule, language: str, *, seen: Sequence[Figure] = (), caveat: bool = True) -> str:
    """What a picture's labels say, in sentences (``rule``: describe_picture).

    Levels are given as spans; discs only where they are not next to labelled vertebrae. After pictures already
    ``seen``, levels and findings that were there before are not told again.
    """
    said = {part: phrasings[0] for part, phrasings in rule.phrasings[language].items()}
    lines = [said["kind"].format(kind=picture_kind(figure, language))]
    before = {level for other in seen for level in (*other.levels, *other.discs)}
    vertebrae, discs = set(figure.levels), set(figure.discs)
    if vertebrae and (not seen or vertebrae - before or len(vertebrae) <= 3):
        part = "vertebra" if len(vertebrae) == 1 else "vertebrae"
        lines.append(said[part].format(levels=span_levels(figure.levels, language)))
    elif vertebrae:
        lines.append(said["levels_as_before"])
    if not all(set(disc.split("/")) & vertebrae for disc in discs) and (not seen or discs - before):
        lines.append(said["discs"].format(levels=span_levels(figure.discs, language)))
    told = {finding for other in seen for finding in other.findings}
    new = [finding for finding in figure.findings if finding not in told]
    if new:
        stated = [
            f"{level}{'：' if language == 'zh' else ': '}{join_words(names, language)}"
            for level, names in by_level(new, language)
        ]
        lines.append(said["findings"].format(findings="; ".join(stated) if language == "en" else "；".join(stated)))
    elif figure.findings:
        lines.append(said["as_before"])
    else:
        lines.append(said["no_findings"])
    return ("" if language == "zh" else " ").join([*lines, said["caveat"]] if caveat else lines)


def _choice(
    scene: _Scene,
    rule: Rule,
    rng: random.Random,
    language: str,
    right: str,
    wrong: Sequence[str],
    axis: str,
    values: Mapping[str, object],
    *,
    about: Sequence[str],
    part: str = "stem",
    rationale: str = "rationale",
) -> Item:
    options, letter = shuffle_options(rng, right, wrong)
    stem = rule.say(rng, language, part, **_kind(scene.figure, language), **values)
    return _item(scene, rule, language, stem, options, letter, rule.say(rng, language, rationale, **values), axis, about)


def _item(
    scene: _Scene,
    rule: Rule,
    language: str,
    stem: str,
    options: Sequence[str],
    letter: str,
    rationale: str,
    axis: str,
    about: Sequence[str],
) -> Item:
    image = scene.figure.image_sha256 or ""
    stem = stem[0].upper() + stem[1:]
    return new_item(
        scene.document,
        sign(scene.document, rule, [language, image, stem, list(options), letter]),
        "multiple_choice",
        choice_messages(stem, options, letter, rationale[0].upper() + rationale[1:], [image]),
        language=language,
        options=options,
        answer=letter,
        axis=axis,
        about=about,
        figure=scene.figure,
    )


def _kind(figure: Figure, language: str) -> dict[str, str]:
    kind = picture_kind(figure, language)
    return {"kind": kind, "Kind": kind[0].upper() + kind[1:]}


def _pick(rng: random.Random, values: Sequence[T]) -> T | None:
    return rng.choice(values) if values else None


def _sole_vertebra(scene: _Scene) -> Finding | None:
    """The picture's finding at a vertebra, where its kind is labelled at one level of the case only."""
    for finding in scene.figure.findings:
        levels = {level for name, level in scene.labelled if name == finding.name}
        if is_abnormal(finding) and finding.level in SPINE and levels == {finding.level}:
            return finding
    return None


_ASK = {
    "level_of_finding": _level_of_finding,
    "finding_at_level": _finding_at_level,
    "grade_of_finding": _grade_of_finding,
    "extreme_level": _extreme_level,
    "count_of_levels": _count_of_levels,
    "adjacent_level": _adjacent_level,
    "instrumented_levels": _instrumented_levels,
    "nerve_root_of_disc": _nerve_root_of_disc,
    "describe_picture": _describe_picture,
}
