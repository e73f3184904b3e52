import random
from collections import Counter, defaultdict

import pytest

from dataset_builders.generate.rules.level_options import DISC_SPACES, SPINE, draw_wrong_levels, draw_wrong_roots, root_of_disc

LUMBAR_DISCS = DISC_SPACES[DISC_SPACES.index("T11/T12") :]


@pytest.mark.parametrize("column", [LUMBAR_DISCS, DISC_SPACES, SPINE, SPINE[-7:]])
def test_the_options_together_do_not_tell_which_is_right(column):
    """A reader who has learnt which option is right most often among given ones is right no more often than by chance."""
    rng = random.Random(0)
    questions = [(level, frozenset([level, *draw_wrong_levels(rng, level, column)])) for level in column for _ in range(400)]
    rng.shuffle(questions)
    half = len(questions) // 2
    right: dict[frozenset[str], Counter[str]] = defaultdict(Counter)
    for level, options in questions[:half]:
        right[options][level] += 1
    guessed = sum(right[options].most_common(1)[0][0] == level for level, options in questions[half:] if right[options])
    assert {len(options) for _, options in questions} == {4}
    assert guessed / half < 0.25 + 4 * (0.25 * 0.75 / half) ** 0.5


def test_wrong_levels_are_of_the_same_region_and_kind():
    rng = random.Random(1)
    for level in (*SPINE, *DISC_SPACES):
        wrong = draw_wrong_levels(rng, level)
        assert len(set(wrong)) == 3 and level not in wrong
        assert all(("/" in other) == ("/" in level) for other in wrong)
        assert {"S": "L"}.get(level[0], level[0]) == {"S": "L"}.get(wrong[0][0], wrong[0][0])


def test_what_must_not_be_offered_is_not():
    rng = random.Random(2)
    for _ in range(50):
        assert not {"L3/L4", "L5/S1"} & set(draw_wrong_levels(rng, "L4/L5", LUMBAR_DISCS, without={"L3/L4", "L5/S1"}))


def test_an_image_with_few_levels_gives_few_options():
    assert sorted(draw_wrong_levels(random.Random(3), "L5", ["L4", "L5", "S1", "L4/L5"])) == ["L4", "S1"]


def test_wrong_roots_are_of_the_same_region():
    assert set(draw_wrong_roots(random.Random(4), "C8")) < {f"C{number}" for number in range(1, 8)}


@pytest.mark.parametrize(
    ("disc", "part", "root"),
    [("L4/L5", "traversing", "L5"), ("L5/S1", "exiting", "L5"), ("C5/C6", "exiting", "C6"), ("C7/T1", "exiting", "C8"),
     ("C5/C6", "traversing", None), ("T8/T9", "exiting", None), ("T12/L1", "traversing", None), ("L5/L6", "exiting", None)],
)  # fmt: skip
def test_roots_follow_the_anatomy(disc, part, root):
    assert root_of_disc(disc, part) == root
