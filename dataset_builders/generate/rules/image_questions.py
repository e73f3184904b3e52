"""Multiple-choice questions over images whose levels and findings are labelled (open data sets, phantoms, hospital series).

Every answer follows from the labels. A level or finding without a label is called "not labelled", never "normal", and
wrong options are levels of the same region, so that a model must count and cannot guess by region.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dataset_builders.document import Document, Figure, Finding
from dataset_builders.generate.items import Choice, Origin, draft_choice, new_item
from dataset_builders.generate.rules.draws import WRONG_OPTIONS, seeded, shuffle_options
from dataset_builders.generate.rules.grades import grade_of, is_abnormal, name_grade
from dataset_builders.generate.rules.image_descriptions import draft_description, is_labelled, labelled_findings
from dataset_builders.generate.rules.level_options import (
    SPINE,
    draw_wrong_levels,
    draw_wrong_roots,
    head_to_tail,
    is_disc,
    region_of,
    root_of_disc,
)
from dataset_builders.generate.rules.naming import join_words, name_finding, name_image
from dataset_builders.generate.rules.texts import Rule, load_rules, sign
from dataset_builders.item import LETTERS, Item

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
# Findings that fill up the wrong options if the case has too few, and those of them that no disc can have.
_FILLERS = ("wedge_fracture", "spondylolisthesis", "disc_herniation", "modic_change", "disc_narrowing")
_AT_VERTEBRAE = ("wedge_fracture",)
_COMPRESS_A_ROOT = ("disc_herniation", "subarticular_stenosis", "foraminal_narrowing")


@dataclass(frozen=True, slots=True)
class _Scene:
    """One image of a case, the rule and language it is asked about in, and what the case as a whole has.

    abnormal   (finding, level) of every abnormal finding of the case.
    """

    document: Document
    figure: Figure
    abnormal: frozenset[tuple[str, str]]
    rule: Rule
    rng: random.Random
    language: str

    def pick_finding(self, findings: Iterable[Finding]) -> Finding | None:
        """Draw one; None if there are none."""
        return _pick(self.rng, list(findings))

    def levels_with(self, name: str) -> set[str]:
        """Return the levels of the case at which the finding ``name`` is labelled as abnormal."""
        return {level for other, level in self.abnormal if other == name}

    def option(self, **values: str) -> str:
        """Write one option by the rule's phrasing."""
        return self.rule.phrasings[self.language]["option"][0].format(**values)


@dataclass(frozen=True, slots=True)
class _Question:
    """What a rule asks of an image, before its words are chosen.

    right, wrong   options, to be shuffled; but if ``ordered`` is given, options are shown as listed there.
    about          canonical levels it is about.
    values         what its phrasings are filled with; ``stem`` and ``rationale`` name the phrasings.
    """

    axis: str
    right: str
    wrong: Sequence[str]
    about: Sequence[str]
    values: Mapping[str, object]
    ordered: Sequence[str] = ()
    stem: str = "stem"
    rationale: str = "rationale"


_Asker = Callable[[_Scene], _Question | None]


def draft_image_questions(document: Document, languages: Sequence[str]) -> Iterator[Item]:
    """Draft multiple-choice items and descriptions of a case's labelled images, images with findings first.

    Each rule gives at most MAX_PER_RULE items a language. None can be answered without its image.
    """
    figures = [figure for figure in document.figures if is_labelled(figure)]
    findings = labelled_findings(document)
    abnormal = frozenset((finding.name, finding.level) for finding in findings if is_abnormal(finding))
    rules = load_rules("imaging")
    for name, ask in _QUESTIONS.items():
        rule = rules[name]
        order = _with_findings_first(document, figures, rule)
        for language in languages:
            scenes = (
                _Scene(
                    document, figure, abnormal, rule, seeded(document.id, name, language, figure.image_sha256 or ""), language
                )
                for figure in order
            )
            yield from _spread(_ask_each(ask, scenes), MAX_PER_RULE, MAX_ALIKE)
    order = _with_findings_first(document, figures, rules["describe_picture"])
    for language in languages:
        described = ((_gist_of_image(figure, findings), draft_description(document, figure, language)) for figure in order)
        yield from _spread(described, MAX_DESCRIPTIONS, 1)


def _ask_each(ask: _Asker, scenes: Iterable[_Scene]) -> Iterator[tuple[object, Item]]:
    """The items that a rule finds something to ask for, each with its gist: the right option and the levels it is about."""
    for scene in scenes:
        if question := ask(scene):
            item = _write(scene, question)
            yield (item.options[LETTERS.index(item.answer or "")], item.levels, item.discs), item


def _with_findings_first(document: Document, figures: Sequence[Figure], rule: Rule) -> list[Figure]:
    order = list(figures)
    seeded(document.id, rule.name).shuffle(order)
    return sorted(order, key=lambda figure: not figure.findings)


def _spread(candidates: Iterable[tuple[object, Item]], most: int, alike: int) -> Iterator[Item]:
    """Pass on the first ``most`` items, at most ``alike`` of one gist."""
    passed: Counter[object] = Counter()
    for gist, item in candidates:
        if passed[gist] < alike:
            passed[gist] += 1
            yield item
        if passed.total() == most:
            return


def _gist_of_image(figure: Figure, of_case: Sequence[Finding]) -> object:
    return frozenset((f.name, f.level) for f in figure.findings) if of_case else (figure.levels, figure.discs)


def _write(scene: _Scene, question: _Question) -> Item:
    rng, language = scene.rng, scene.language
    if question.ordered:
        options, letter = tuple(question.ordered), LETTERS[question.ordered.index(question.right)]
    else:
        options, letter = shuffle_options(rng, question.right, question.wrong)
    kind = name_image(scene.figure, language)
    stem = scene.rule.say(rng, language, question.stem, kind=kind, Kind=_capitalise(kind), **question.values)
    rationale = scene.rule.say(rng, language, question.rationale, **question.values)
    image = scene.figure.image_sha256 or ""
    choice = Choice(_capitalise(stem), options, letter, _capitalise(rationale), (image,))
    return new_item(
        scene.document,
        sign(scene.document, scene.rule, [language, image, choice.stem, list(options), letter]),
        draft_choice(choice, language, axis=question.axis, about=question.about),
        Origin(scene.figure),
    )


def _capitalise(text: str) -> str:
    return text[0].upper() + text[1:]


def _ask_level_of_finding(scene: _Scene) -> _Question | None:
    finding = scene.pick_finding(f for f in scene.figure.findings if is_abnormal(f) and f.name != "disc_degeneration")
    if finding is None:
        return None
    visible = scene.figure.discs if is_disc(finding.level) else scene.figure.levels
    taken = scene.levels_with(finding.name) - {finding.level}
    wrong = draw_wrong_levels(scene.rng, finding.level, visible, without=taken)
    if len(wrong) < 2:
        return None
    values = {
        "finding": name_finding(finding, scene.language),
        "level": finding.level,
        "levels": join_words(head_to_tail(visible), scene.language),
    }
    return _Question("level_identification", finding.level, wrong, (finding.level,), values)


def _ask_finding_at_level(scene: _Scene) -> _Question | None:
    finding = scene.pick_finding(f for f in scene.figure.findings if is_abnormal(f))
    if finding is None:
        return None
    wrong = _findings_not_at(scene, finding)
    if len(wrong) < 2:
        return None
    right = name_finding(finding, scene.language)
    names = [name_finding(name, scene.language) for name in wrong]
    values = {"finding": right, "level": finding.level}
    return _Question("pathology_assessment", right, names, (finding.level,), values)


def _findings_not_at(scene: _Scene, finding: Finding) -> list[str]:
    """Findings that the level of ``finding`` has not: those that the case labels elsewhere first, then others."""
    here = {name for name, level in scene.abnormal if level == finding.level} | {finding.name}
    unfair = here | {name for family in _KIN if family & here for name in family}
    at_disc = is_disc(finding.level)
    # A finding that the case labels elsewhere is certainly absent here.
    elsewhere = sorted({name for name, level in scene.abnormal if is_disc(level) == at_disc} - unfair)
    impossible = _AT_VERTEBRAE if at_disc else ()
    fillers = [name for name in _FILLERS if name not in {*unfair, *elsewhere, *impossible}]
    scene.rng.shuffle(fillers)
    return (elsewhere + fillers)[:WRONG_OPTIONS]


def _ask_grade_of_finding(scene: _Scene) -> _Question | None:
    finding = scene.pick_finding(f for f in scene.figure.findings if grade_of(f))
    graded = grade_of(finding) if finding else None
    if finding is None or graded is None:
        return None
    scale, step = graded
    steps = scale.zh if scene.language == "zh" else scale.en
    values = {
        "finding": name_finding(finding, scene.language),
        "level": finding.level,
        "grade": name_grade(finding, scene.language),
    }
    # A scale keeps its order: shuffled grades would test reading, not grading.
    return _Question("pathology_assessment", steps[step], (), (finding.level,), values, ordered=steps)


def _ask_extreme_level(scene: _Scene) -> _Question | None:
    visible = head_to_tail(scene.figure.levels)
    if len(visible) < 3:
        return None
    end = scene.rng.choice(("caudal", "cranial"))
    right = visible[-1] if end == "caudal" else visible[0]
    wrong = draw_wrong_levels(scene.rng, right, SPINE)
    values = {"levels": join_words(visible, scene.language)}
    return _Question("level_identification", right, wrong, (right,), values, stem=end)


def _ask_count_of_levels(scene: _Scene) -> _Question | None:
    visible = head_to_tail(scene.figure.levels)
    by_region = {region: [level for level in visible if region_of(level) == region] for region in REGION_NAMES}
    region = _pick(scene.rng, [region for region, levels in by_region.items() if len(levels) >= 2])
    if region is None:
        return None
    count = len(by_region[region])
    lowest = max(1, count - scene.rng.randrange(WRONG_OPTIONS + 1))
    options = [str(number) for number in range(lowest, lowest + WRONG_OPTIONS + 1)]
    values = {
        "region": REGION_NAMES[region][scene.language],
        "levels": join_words(by_region[region], scene.language),
        "count": count,
    }
    return _Question("level_identification", str(count), (), by_region[region], values, ordered=options)


def _ask_adjacent_level(scene: _Scene) -> _Question | None:
    finding = _sole_vertebra(scene)
    if finding is None:
        return None
    side = scene.rng.choice(("below", "above"))
    place = SPINE.index(finding.level) + (1 if side == "below" else -1)
    right = SPINE[place] if 0 <= place < len(SPINE) else None
    if right not in scene.figure.levels or finding.level not in scene.figure.levels:
        return None
    wrong = draw_wrong_levels(scene.rng, right, SPINE, without={finding.level})
    values = {"finding": name_finding(finding, scene.language), "level": finding.level, "answer": right}
    return _Question("level_identification", right, wrong, (right,), values, stem=side, rationale=f"rationale_{side}")


def _ask_instrumented_levels(scene: _Scene) -> _Question | None:
    finding = _sole_vertebra(scene)
    if finding is None or finding.level not in SPINE[1:-1]:
        return None
    centres = [finding.level, *draw_wrong_levels(scene.rng, finding.level, SPINE[1:-1])]
    pairs = [(SPINE[SPINE.index(centre) - 1], SPINE[SPINE.index(centre) + 1]) for centre in centres]
    right, *wrong = (scene.option(above=above, below=below) for above, below in pairs)
    above, below = pairs[0]
    values = {"finding": name_finding(finding, scene.language), "level": finding.level, "above": above, "below": below}
    return _Question("surgical_planning", right, wrong, (finding.level, above, below), values)


def _ask_nerve_root_of_disc(scene: _Scene) -> _Question | None:
    # The stem leaves the level to be found in the image: it must be the only one of the case with this finding.
    finding = scene.pick_finding(
        f
        for f in scene.figure.findings
        if f.name in _COMPRESS_A_ROOT
        and is_abnormal(f)
        and scene.levels_with(f.name) == {f.level}
        and is_disc(f.level)
        and root_of_disc(f.level, "exiting")
    )
    if finding is None:
        return None
    # Foraminal narrowing meets the exiting root, the lateral recess holds the traversing one; cervical roots leave at the disc.
    lumbar = finding.level.startswith("L")
    traverses = lumbar and finding.name != "foraminal_narrowing"
    course = "traversing" if traverses else "exiting"
    root = root_of_disc(finding.level, course)
    if root is None:
        return None
    wrong = [scene.option(root=other) for other in draw_wrong_roots(scene.rng, root)]
    values = {"finding": name_finding(finding, scene.language), "level": finding.level, "root": root}
    rationale = "rationale_traversing" if traverses else f"rationale_exiting_{'lumbar' if lumbar else 'cervical'}"
    return _Question(
        "surgical_planning", scene.option(root=root), wrong, (finding.level,), values, stem=course, rationale=rationale
    )


def _pick(rng: random.Random, values: Sequence[T]) -> T | None:
    return rng.choice(values) if values else None


def _sole_vertebra(scene: _Scene) -> Finding | None:
    """The image's finding at a vertebra, if its kind is labelled at one level of the case only."""
    for finding in scene.figure.findings:
        if is_abnormal(finding) and finding.level in SPINE and scene.levels_with(finding.name) == {finding.level}:
            return finding
    return None


_QUESTIONS: dict[str, _Asker] = {
    "level_of_finding": _ask_level_of_finding,
    "finding_at_level": _ask_finding_at_level,
    "grade_of_finding": _ask_grade_of_finding,
    "extreme_level": _ask_extreme_level,
    "count_of_levels": _ask_count_of_levels,
    "adjacent_level": _ask_adjacent_level,
    "instrumented_levels": _ask_instrumented_levels,
    "nerve_root_of_disc": _ask_nerve_root_of_disc,
}
"""Rule of templates/imaging.yaml -> what it asks of an image; None if the image has nothing that it could ask about."""
