"""Make question banks: one JSON line for each question, with the letter of the right answer and an explanation.

Questions on roots, slips, wedges, counting and curves have computed answers (text/question_templates.yaml); the rest are
written out (text/questions.yaml). A fact is asked in one of the two languages only, so that no translation of a training
question can stand in a benchmark.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from dataset_builders.taxonomy import LETTERS

# The root that a posterolateral lumbar herniation meets (the traversing one), and the one that leaves at that level.
LUMBAR_ROOTS = {"L2/L3": ("L3", "L2"), "L3/L4": ("L4", "L3"), "L4/L5": ("L5", "L4"), "L5/S1": ("S1", "L5")}
CERVICAL_ROOTS = {"C3/C4": "C4", "C4/C5": "C5", "C5/C6": "C6", "C6/C7": "C7", "C7/T1": "C8"}

MEYERDING_GRADES = ("I", "II", "III", "IV", "V")
GENANT_GRADES = ("0", "1", "2", "3")

_LUMBAR_ROOT_ORDER = ("L1", "L2", "L3", "L4", "L5", "S1", "S2")
_CERVICAL_ROOT_ORDER = ("C3", "C4", "C5", "C6", "C7", "C8", "T1")
_DISCS_FROM_SACRUM = ("L5/S1", "L4/L5", "L3/L4", "L2/L3", "L1/L2", "T12/L1", "T11/T12")


@dataclass(frozen=True, slots=True)
class Question:
    """One question, its right option first."""

    id: str
    language: str
    question: str
    options: tuple[str, ...]
    explanation: str

    def shuffled(self, rng: random.Random) -> dict[str, object]:
        """Return the row as a bank stores it: options in random order, the letter of the right one as ``answer``."""
        options = rng.sample(self.options, len(self.options))
        return {
            "id": self.id,
            "question": self.question,
            "options": options,
            "answer": LETTERS[options.index(self.options[0])],
            "explanation": self.explanation,
        }


def meyerding_grade(slip_percent: float) -> str:
    """Grade a slip in percent of the end plate below: I to 25 %, II to 50 %, III to 75 %, IV to 100 %, V beyond."""
    return MEYERDING_GRADES[sum(slip_percent > limit for limit in (25, 50, 75, 100))]


def genant_grade(height_loss_percent: float) -> str:
    """Return a vertebra's semiquantitative grade: 0 below 20 % height loss, 1 below 25 %, 2 to 40 %, 3 beyond (Genant 1993)."""
    return GENANT_GRADES[(height_loss_percent >= 20) + (height_loss_percent >= 25) + (height_loss_percent > 40)]


def make_question_banks(seed: int) -> dict[str, list[dict[str, object]]]:
    """Make rows by bank name: "spine_en", "spine_zh", "orthopaedics_en", "orthopaedics_zh"."""
    rng = random.Random(f"question_bank:{seed}")
    written = [Question(**{**entry, "options": tuple(entry["options"])}) for entry in _load("questions.yaml")]
    banks: dict[str, list[dict[str, object]]] = {}
    for question in (*written, *_computed(_load("question_templates.yaml"), rng)):
        subject = "orthopaedics" if question.id.startswith("ortho-") else "spine"
        banks.setdefault(f"{subject}_{question.language}", []).append(question.shuffled(rng))
    return banks


def _load(name: str) -> Any:
    return yaml.safe_load(resources.files(__package__).joinpath("text", name).read_text(encoding="utf-8"))


def _computed(templates: dict[str, Any], rng: random.Random) -> Iterator[Question]:
    """Every topic over its levels, the languages in turn."""
    for topic, facts, right, wrong in (*_roots(), *_slips(rng), *_wedges(rng), *_counts(rng)):
        language = facts["language"]
        template = templates[topic][language]
        yield Question(
            id=f"spine-{language}-{topic}-{facts['key']}",
            language=language,
            question=template["question"].format(**facts),
            options=tuple(template["option"].format(option) for option in (right, *wrong)),
            explanation=template["explanation"].format(**facts),
        )
    yield from _curves(templates["scoliosis"], rng)


def _languages() -> Iterator[str]:
    while True:
        yield from ("en", "zh")


_Asked = tuple[str, dict[str, Any], str, tuple[str, ...]]


def _roots() -> Iterator[_Asked]:
    languages = _languages()
    for disc, (traversing, exiting) in LUMBAR_ROOTS.items():
        facts = {"key": disc, "disc": disc, "traversing": traversing, "exiting": exiting}
        yield "root", {**facts, "language": (asked := next(languages))}, traversing, _near(traversing, _LUMBAR_ROOT_ORDER)
        other = "zh" if asked == "en" else "en"
        yield "far_lateral", {**facts, "language": other}, exiting, _near(exiting, _LUMBAR_ROOT_ORDER)
    for disc, root in CERVICAL_ROOTS.items():
        facts = {"key": disc, "disc": disc, "root": root, "language": next(languages)}
        yield "cervical_root", facts, root, _near(root, _CERVICAL_ROOT_ORDER)


def _near(right: str, order: tuple[str, ...]) -> tuple[str, ...]:
    """The three names closest to ``right``: the likeliest mistakes."""
    at = order.index(right)
    return tuple(sorted((name for name in order if name != right), key=lambda name: abs(order.index(name) - at))[:3])


def _slips(rng: random.Random) -> Iterator[_Asked]:
    # High grades occur at the lumbosacral junction.
    levels = (("L4", "L5", 10), ("L5", "S1", 35), ("L5", "S1", 62), ("L5", "S1", 84), ("L3", "L4", 16), ("L4", "L5", 32))
    for number, ((upper, lower, percent), language) in enumerate(zip(levels, _languages())):
        length = rng.randint(31, 38)
        slip = round(length * (percent + rng.uniform(-3, 3)) / 100)
        grade = meyerding_grade(100 * slip / length)
        facts = {"key": number, "language": language, "upper": upper, "lower": lower, "slip": slip, "length": length}
        facts |= {"percent": round(100 * slip / length), "grade": grade}
        yield "slip", facts, grade, tuple(other for other in MEYERDING_GRADES[:4] if other != grade)


def _wedges(rng: random.Random) -> Iterator[_Asked]:
    levels = (("T12", 22), ("L1", 33), ("T8", 48), ("L2", 36), ("T11", 55), ("L3", 23), ("T7", 31), ("L4", 12))
    for (level, percent), language in zip(levels, _languages()):
        posterior = rng.randint(27, 31)
        anterior = round(posterior * (1 - percent / 100))
        loss = posterior - anterior
        facts = {"key": level, "language": language, "level": level, "anterior": anterior, "posterior": posterior}
        facts |= {"loss": loss, "percent": round(100 * loss / posterior)}
        grade = genant_grade(100 * loss / posterior)
        yield "wedge", facts, grade, tuple(other for other in GENANT_GRADES if other != grade)


def _counts(rng: random.Random) -> Iterator[_Asked]:
    for count, language in zip((2, 3, 4, 5), _languages()):
        right = _DISCS_FROM_SACRUM[count - 1]
        wrong = rng.sample([disc for disc in _DISCS_FROM_SACRUM if disc != right], 3)
        joint = ", " if language == "en" else "、"
        facts = {"key": count, "language": language, "count": count, "discs": joint.join(_DISCS_FROM_SACRUM[:count])}
        yield "count_discs", facts, right, tuple(wrong)


def _curves(templates: dict[str, Any], rng: random.Random) -> Iterator[Question]:
    """Idiopathic scoliosis in a growing patient: observe below 25 degrees, brace to 45, consider surgery beyond 45 to 50."""
    bands = ((13, 19, 0), (28, 32, 1), (54, 60, 2), (20, 23, 0), (34, 38, 1), (61, 68, 2))
    for number, ((low, high, plan), language) in enumerate(zip(bands, _languages())):
        template = templates[language]
        upper, lower = rng.choice((("T5", "T12"), ("T6", "L1"), ("T5", "T11")))
        plans = template["plans"]
        yield Question(
            id=f"spine-{language}-scoliosis-{number}",
            language=language,
            question=template["question"].format(angle=rng.randint(low, high), upper=upper, lower=lower),
            options=(plans[plan], *(other for other in plans if other != plans[plan])),
            explanation=template["explanation"],
        )
