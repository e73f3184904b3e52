"""Multiple-choice questions over images whose levels and findings are labelled (open data sets, phantoms, hospital series).

Every answer follows from the labels, and every level asked for can be counted to in the image shown (views.py). A level or
finding without a label is called "not labelled", never "normal". Wrong options are levels in view that a reader can number, or
findings that the case has at another level: so all options are right in some question, and none is ruled out by its words.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dataset_builders.document import Document, Figure, Finding
from dataset_builders.generate.items import Choice, Origin, draft_choice, new_item
from dataset_builders.generate.rules.draws import WRONG_OPTIONS, seeded, shuffle_options, take_in_turn
from dataset_builders.generate.rules.grades import asked_steps, grade_of, is_abnormal, is_surely_normal, name_grade
from dataset_builders.generate.rules.image_descriptions import draft_description, is_labelled, labels_at, state_labels
from dataset_builders.generate.rules.level_options import (
    SPINE,
    draw_wrong_levels,
    draw_wrong_roots,
    head_to_tail,
    is_disc,
    root_of_disc,
)
from dataset_builders.generate.rules.naming import join_words, name_finding, name_images
from dataset_builders.generate.rules.texts import Rule, load_rules, sign
from dataset_builders.generate.rules.views import (
    is_numbered,
    longest_row,
    numbered_levels,
    plane_of,
    shown_findings,
    weighting_of,
)
from dataset_builders.item import LETTERS, Item
from dataset_builders.levels import sort_discs

MAX_PER_RULE = 4
"""Items of one rule from one case and language, each with another answer or about another level."""
MAX_DESCRIPTIONS = 2
"""Descriptions from one case and language, each of other findings."""

# Names that may be given to one and the same appearance: one is no fair wrong option beside the other.
_KIN = (
    {"disc_bulge", "disc_herniation"},
    {"disc_narrowing", "disc_degeneration"},
    {"modic_change", "endplate_change"},
    {"canal_stenosis", "subarticular_stenosis", "foraminal_narrowing"},
)
# All change the look of the same disc. Where a reader labelled it, one that is not labelled may be seen all the same.
_OF_A_DISC = frozenset(("disc_bulge", "disc_herniation", "disc_narrowing", "disc_degeneration"))
# Upper and lower plate of several slices are labelled as one: a single slice may not show it.
_OF_SEVERAL_SLICES = ("endplate_change",)
_UNSTABLE = re.compile(r"\b(?:unstable|burst|chance|translation|dislocation)\b|不稳定|爆裂|脱位", re.IGNORECASE)
_MIDLINE = re.compile(r"\bmid-?sagittal\b|正中矢状", re.IGNORECASE)
_COMPRESS_A_ROOT = ("disc_herniation", "subarticular_stenosis", "foraminal_narrowing")


@dataclass(frozen=True, slots=True)
class _View:
    """What a question shows: an image, or a T1- and a T2-weighted one of the same place.

    shown      findings that can be judged on it, normal grades too.
    numbered   vertebrae that can be numbered in it, head to tail.
    """

    figures: tuple[Figure, ...]
    shown: tuple[Finding, ...]
    numbered: tuple[str, ...]

    @property
    def discs(self) -> tuple[str, ...]:
        """Return the labelled discs that can be numbered, head to tail."""
        return sort_discs({disc for f in self.figures for disc in f.discs if is_numbered(disc, self.numbered)})

    def numbers(self, finding: Finding) -> bool:
        """Tell whether the level of ``finding`` can be numbered."""
        return is_numbered(finding.level, self.numbered)


@dataclass(frozen=True, slots=True)
class _Scene:
    """A view of a case, the rule and language it is asked about in, and what the case as a whole has.

    abnormal   (finding, level) of every abnormal finding of the case.
    possible   the same, with the grades that a reader may call abnormal (Pfirrmann II, "normal or mild").
    """

    document: Document
    view: _View
    abnormal: frozenset[tuple[str, str]]
    possible: frozenset[tuple[str, str]]
    rule: Rule
    rng: random.Random
    language: str

    def findings(self, key: Callable[[Finding], object] = lambda finding: finding.level) -> list[Finding]:
        """Return the abnormal findings that can be judged at a level that can be numbered, each ``key`` in random turn."""
        shown = [finding for finding in self.view.shown if finding.name not in _OF_SEVERAL_SLICES]
        found = [finding for finding in shown if is_abnormal(finding) and self.view.numbers(finding)]
        return take_in_turn(self.rng, found, key)

    def levels_with(self, *names: str) -> set[str]:
        """Return the levels of the case at which one of the findings ``names`` is labelled as abnormal."""
        return {level for other, level in self.abnormal if other in names}

    def option(self, **values: str) -> str:
        """Write one option by the rule's phrasing."""
        return self.rule.phrasings[self.language]["option"][0].format(**values)


@dataclass(frozen=True, slots=True)
class _Question:
    """What a rule asks of a view, before its words are chosen.

    right, wrong   options, to be shuffled; but if ``ordered`` is given, options are shown as listed there.
    about          canonical levels it is about.
    values         what its phrasings are filled with; ``stem`` and ``rationale`` name the phrasings.
    rests_on       phrasing of what the answer rests on besides the labels, "" for nothing.
    """

    axis: str
    right: str
    wrong: Sequence[str]
    about: Sequence[str]
    values: Mapping[str, object]
    ordered: Sequence[str] = ()
    stem: str = "stem"
    rationale: str = "rationale"
    rests_on: str = ""


_Asker = Callable[[_Scene], Iterator[_Question]]


def draft_image_questions(document: Document, languages: Sequence[str]) -> Iterator[Item]:
    """Draft multiple-choice items and descriptions of a case's labelled images.

    Each rule gives at most MAX_PER_RULE items a language. None can be answered without its image.
    """
    views = [view for view in _views_of(document) if view.numbered or view.shown]
    # All labels of a case rule out wrong options, also those that no single image shows well enough to be asked about.
    labelled = (*document.findings, *(finding for figure in document.figures for finding in figure.findings))
    abnormal = frozenset((finding.name, finding.level) for finding in labelled if is_abnormal(finding))
    possible = frozenset((finding.name, finding.level) for finding in labelled if not is_surely_normal(finding))
    rules = load_rules("imaging")
    for name, ask in _QUESTIONS.items():
        rule = rules[name]
        order = _shuffled(document, views, rule)
        for language in languages:
            scenes = (
                _Scene(document, view, abnormal, possible, rule, seeded(document.id, name, language, *_images(view)), language)
                for view in order
            )
            yield from _spread(_ask_each(ask, scenes), MAX_PER_RULE)
    if document.ungraded:  # whoever describes an image must say what its structures look like, labelled or not
        return
    single = [view for view in views if view.numbered and len(view.figures) == 1 and _tells_all(view, abnormal)]
    order = _shuffled(document, single, rules["describe_picture"])
    for language in languages:
        drafts = ((_gist(view), draft_description(document, view.figures[0], language)) for view in order)
        yield from _spread(drafts, MAX_DESCRIPTIONS)


def _views_of(document: Document) -> Iterator[_View]:
    """Every labelled image alone, and the sagittal T1- and T2-weighted image of one place together if there is one of each."""
    figures = [figure for figure in document.figures if is_labelled(figure)]
    for figure in figures:
        yield _View((figure,), shown_findings((figure,)), numbered_levels(figure))
    sagittal = [figure for figure in figures if plane_of(figure) == "sagittal"]
    pair = [[figure for figure in sagittal if weighting_of(figure) == weighting] for weighting in ("T1", "T2")]
    if all(len(of_one) == 1 for of_one in pair):
        both = (pair[0][0], pair[1][0])
        alone = {finding for figure in both for finding in shown_findings((figure,))}
        together = tuple(finding for finding in shown_findings(both) if finding not in alone)
        yield _View(both, together, longest_row(set(numbered_levels(both[0])) & set(numbered_levels(both[1]))))


def _tells_all(view: _View, abnormal: frozenset[tuple[str, str]]) -> bool:
    """Whether an image shows a finding, or the case has none at the levels in view: a slice beside a fracture is not normal."""
    return bool(_gist(view)) or not any(is_numbered(level, view.numbered) for _, level in abnormal)


def _images(view: _View) -> tuple[str, ...]:
    return tuple(figure.image_sha256 or "" for figure in view.figures)


def _gist(view: _View) -> frozenset[tuple[str, str]]:
    return frozenset((finding.name, finding.level) for finding in view.shown if is_abnormal(finding))


def _ask_each(ask: _Asker, scenes: Iterable[_Scene]) -> Iterator[tuple[object, Item]]:
    """The items that a rule finds something to ask for, each with its gist: the right option and the levels it is about.

    The views take turns, so that a case with many images does not give its first one alone.
    """
    turns = [(scene, ask(scene)) for scene in scenes]
    while turns:
        left = []
        for scene, questions in turns:
            if question := next(questions, None):
                item = _write(scene, question)
                yield (item.options[LETTERS.index(item.answer or "")], item.levels, item.discs), item
                left.append((scene, questions))
        turns = left


def _shuffled(document: Document, views: Sequence[_View], rule: Rule) -> list[_View]:
    order = list(views)
    seeded(document.id, rule.name).shuffle(order)
    return sorted(order, key=lambda view: not any(map(is_abnormal, view.shown)))


def _spread(candidates: Iterable[tuple[object, Item]], most: int) -> Iterator[Item]:
    """Pass on the first ``most`` items, one of each gist."""
    passed: Counter[object] = Counter()
    for gist, item in candidates:
        if not passed[gist]:
            passed[gist] += 1
            yield item
        if passed.total() == most:
            return


def _write(scene: _Scene, question: _Question) -> Item:
    rng, language = scene.rng, scene.language
    if question.ordered:
        options, letter = tuple(question.ordered), LETTERS[question.ordered.index(question.right)]
    else:
        options, letter = shuffle_options(rng, question.right, question.wrong)
    figures = scene.view.figures
    kind = name_images(figures, language)
    stem = scene.rule.say(rng, language, question.stem, kind=kind, Kind=_capitalise(kind), **question.values)
    rationale = scene.rule.say(rng, language, question.rationale, **question.values)
    images = _images(scene.view)
    choice = Choice(_capitalise(stem), options, letter, _capitalise(rationale), images)
    said = scene.rule.first_phrasings(language)
    rests_on = [said[question.rests_on].format(**question.values)] if question.rests_on else []
    labels = state_labels(figures, language, scene.view.numbered)
    return new_item(
        scene.document,
        sign(scene.document, scene.rule, [language, list(images), choice.stem, list(options), letter]),
        draft_choice(choice, language, axis=question.axis, about=question.about),
        Origin(figures[0], (*labels, *rests_on), quotes=(*labels_at(labels, question.about), *rests_on)),
    )


def _capitalise(text: str) -> str:
    return text[0].upper() + text[1:]


def _ask_level_of_finding(scene: _Scene) -> Iterator[_Question]:
    for finding in scene.findings():
        visible = scene.view.discs if is_disc(finding.level) else [level for level in scene.view.numbered if level != "S1"]
        kin = {name for family in _KIN if finding.name in family for name in family}
        taken = scene.levels_with(finding.name, *kin) - {finding.level}
        wrong = draw_wrong_levels(scene.rng, finding.level, visible, without=taken)
        if len(wrong) == WRONG_OPTIONS:
            values = {
                "finding": name_finding(finding, scene.language),
                "level": finding.level,
                "levels": join_words(head_to_tail(visible), scene.language),
            }
            yield _Question("level_identification", finding.level, wrong, (finding.level,), values)


def _ask_finding_at_level(scene: _Scene) -> Iterator[_Question]:
    for finding in scene.findings(lambda finding: finding.name):
        wrong = _findings_not_at(scene, finding)
        if len(wrong) == WRONG_OPTIONS:
            right = name_finding(finding, scene.language)
            names = [name_finding(name, scene.language) for name in wrong]
            values = {"finding": right, "level": finding.level}
            yield _Question("pathology_assessment", right, names, (finding.level,), values, rests_on="elsewhere")


def _findings_not_at(scene: _Scene, finding: Finding) -> list[str]:
    """Findings that the level of ``finding`` has not, and that the view shows at another one: certainly absent here."""
    here = {name for name, level in scene.possible if level == finding.level} | {finding.name}
    families = (*_KIN, _OF_A_DISC) if scene.document.ungraded else _KIN
    unfair = here | {name for family in families if family & here for name in family}
    at_disc = is_disc(finding.level)
    elsewhere = sorted({f.name for f in scene.findings() if is_disc(f.level) == at_disc} - unfair)
    scene.rng.shuffle(elsewhere)
    return elsewhere[:WRONG_OPTIONS]


def _ask_grade_of_finding(scene: _Scene) -> Iterator[_Question]:
    graded = [finding for finding in scene.view.shown if grade_of(finding) and _is_placed(scene, finding)]
    for finding in take_in_turn(scene.rng, graded, lambda finding: (finding.name, finding.grade)):
        steps = asked_steps(finding, scene.language)
        grade = name_grade(finding, scene.language)
        if grade in steps:
            name = name_finding(finding, scene.language)
            values = {"finding": name, "level": finding.level, "grade": grade}
            # Grades I and II are no degeneration: the stem must not say that there is some.
            part = "_of_disc" if finding.name == "disc_degeneration" else ""
            # A scale keeps its order: shuffled grades would test reading, not grading.
            yield _Question(
                "pathology_assessment", grade, (), (finding.level,), values,
                ordered=steps, stem=f"stem{part}", rationale=f"rationale{part}",
            )  # fmt: skip


def _is_placed(scene: _Scene, finding: Finding) -> bool:
    """Whether the level can be found: by counting, or because an axial image shows this one only."""
    first = scene.view.figures[0]
    return scene.view.numbers(finding) or (plane_of(first) == "axial" and (*first.levels, *first.discs) == (finding.level,))


def _ask_adjacent_level(scene: _Scene) -> Iterator[_Question]:
    for finding in _sole_vertebrae(scene):
        side = scene.rng.choice(("below", "above"))
        place = scene.view.numbered.index(finding.level) + (1 if side == "below" else -1)
        if not 0 <= place < len(scene.view.numbered):
            continue
        right = scene.view.numbered[place]
        wrong = draw_wrong_levels(scene.rng, right, scene.view.numbered, without={finding.level})
        if len(wrong) == WRONG_OPTIONS:
            values = {"finding": name_finding(finding, scene.language), "level": finding.level, "answer": right}
            about, rationale = (finding.level, right), f"rationale_{side}"
            yield _Question("level_identification", right, wrong, about, values, stem=side, rationale=rationale)


def _ask_instrumented_levels(scene: _Scene) -> Iterator[_Question]:
    numbered = [level for level in scene.view.numbered if level in SPINE]
    triples = {middle: (above, below) for above, middle, below in zip(numbered, numbered[1:], numbered[2:])}
    for finding in _sole_vertebrae(scene):
        if finding.level not in triples or not _may_need_screws(finding):
            continue
        wrong = draw_wrong_levels(scene.rng, finding.level, tuple(triples))
        if len(wrong) == WRONG_OPTIONS:
            right, *others = (
                scene.option(above=triples[centre][0], below=triples[centre][1]) for centre in (finding.level, *wrong)
            )
            above, below = triples[finding.level]
            values = {"finding": name_finding(finding, scene.language), "level": finding.level, "above": above, "below": below}
            about = (finding.level, above, below)
            yield _Question("surgical_planning", right, others, about, values, rests_on="limits")


def _may_need_screws(finding: Finding) -> bool:
    """Whether anyone would think of instrumentation: a moderate or severe wedge (Genant 2, 3), or a fracture named unstable."""
    if finding.name == "wedge_fracture" and (graded := grade_of(finding)):
        return graded[1] >= 1
    return finding.name == "dislocation" or bool("fracture" in finding.name and _UNSTABLE.search(finding.grade or ""))


def _ask_nerve_root_of_disc(scene: _Scene) -> Iterator[_Question]:
    for finding in scene.findings():
        # The stem leaves the level to be found in the image: it must be the only one of the case with this finding.
        if finding.name not in _COMPRESS_A_ROOT or scene.levels_with(finding.name) != {finding.level}:
            continue
        # Foraminal narrowing meets the exiting root, the lateral recess the traversing one; cervical roots leave at the disc.
        lumbar = finding.level.startswith("L")
        course = "traversing" if lumbar and finding.name != "foraminal_narrowing" else "exiting"
        root = root_of_disc(finding.level, course)
        if root is None:
            continue
        wrong = [scene.option(root=other) for other in draw_wrong_roots(scene.rng, root, _roots_in_view(scene, course))]
        if len(wrong) == WRONG_OPTIONS:
            values = {"finding": name_finding(finding, scene.language), "level": finding.level, "root": root}
            # A side or a foramen need not show in the midline: a reader could find the level by guessing only.
            stem = f"{course}_at_level" if _is_midline_only(scene.document) else course
            where = "traversing" if course == "traversing" else f"exiting_{'lumbar' if lumbar else 'cervical'}"
            yield _Question(
                "surgical_planning", scene.option(root=root), wrong, (finding.level,), values,
                stem=stem, rationale=f"rationale_{where}", rests_on=f"anatomy_{where}",
            )  # fmt: skip


def _is_midline_only(document: Document) -> bool:
    """Whether the source gives no more of the case than its mid-sagittal image."""
    figures = [figure for figure in document.figures if is_labelled(figure)]
    return all(_MIDLINE.search(figure.locator) for figure in figures)


def _roots_in_view(scene: _Scene, course: str) -> list[str]:
    return [root for disc in scene.view.discs if (root := root_of_disc(disc, course))]


def _sole_vertebrae(scene: _Scene) -> Iterator[Finding]:
    """Findings at a vertebra in view whose kind is labelled at one level of the case only."""
    for finding in scene.findings():
        if finding.level in SPINE and finding.level in scene.view.numbered and len(scene.levels_with(finding.name)) == 1:
            yield finding


_QUESTIONS: dict[str, _Asker] = {
    "level_of_finding": _ask_level_of_finding,
    "finding_at_level": _ask_finding_at_level,
    "grade_of_finding": _ask_grade_of_finding,
    "adjacent_level": _ask_adjacent_level,
    "instrumented_levels": _ask_instrumented_levels,
    "nerve_root_of_disc": _ask_nerve_root_of_disc,
}
"""Rule of templates/imaging.yaml -> what it asks of a view, one question after another."""
