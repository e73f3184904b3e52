"""Draws that are the same in every build."""

from collections import Counter

from dataset_builders.generate.rules.draws import seeded, shuffle_options
from dataset_builders.item import LETTERS


def test_a_draw_depends_on_its_parts_alone():
    assert seeded("book:1", "rule").random() == seeded("book:1", "rule").random()
    assert len({seeded(*parts).random() for parts in (("a", "b"), ("ab",), ("b", "a"), ("a", "b", ""))}) == 4


def test_the_right_option_stands_anywhere_and_its_letter_goes_with_it():
    places = Counter()
    for number in range(400):
        options, letter = shuffle_options(seeded(str(number)), "right", ["one", "two", "three"])
        assert options[LETTERS.index(letter)] == "right" and sorted(options) == ["one", "right", "three", "two"]
        places[letter] += 1
    assert set(places) == set("ABCD") and min(places.values()) > 60
