import pytest

from dataset_builders.levels import context
from dataset_builders.levels.context import Passage, suspect


def test_the_order_of_the_vocabulary_says_nothing(monkeypatch):
    texts = ("free t4 was low", "t4 rib", "normal s3 gallop", "t1 weighted image of the cord", "t1 at the level of t1 signal")
    names = (("T1",), ("T4",), ("S3",), ("C3", "C4"))

    def seen():
        return [
            (
                bool(found),
                found and [(found.speaks_in(text, 0, len(text), text), found.common, found.quantity) for text in texts],
            )
            for found in (suspect(levels, False) for levels in names)
        ]

    before = seen()
    backwards = dict(reversed(list(context._LOOK_ALIKES.items())))
    monkeypatch.setattr(context, "_LOOK_ALIKES", backwards)
    context._suspicion.cache_clear()
    assert seen() == before
    context._suspicion.cache_clear()


@pytest.mark.parametrize(
    ("text", "is_look_alike"),
    [
        ("sagittal T1 image", True),
        ("pain at T1 vertebra", False),
        ("in bed T1 of the ward", True),
        ("level of T1 of the cord", False),
    ],
)
def test_words_beside_a_level_say_what_it_is(text, is_look_alike):
    start = text.index("T1")
    suspicion = suspect(("T1",), False)
    assert Passage(text).is_look_alike(start, start + 2, suspicion) == is_look_alike


def test_only_levels_with_a_look_alike_are_suspected():
    assert suspect(("L4", "L5"), False) is not None  # rooms and electrodes are numbered like all levels
    assert not suspect(("L4",), False).common and suspect(("T4",), False).common


def test_a_letter_that_grows_in_lower_case_keeps_its_place():
    assert len(Passage("İİ L4").text) == len("İİ L4")
