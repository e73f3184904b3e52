import numpy as np
import pytest

from dataset_builders.deidentify.identifiers import Span
from dataset_builders.deidentify.tagger.features import BITS, BUCKETS, VERDICT_BITS, WORD_BITS, describe


@pytest.mark.parametrize("text", ["", "Dr Quill, L4/5 on 2021-03-05", "患者王明，腰4/5", "①②٣😀\ud800\x00\n\t", "é" * 300])
def test_every_character_has_a_number_below_the_buckets_and_bits_of_zero_and_one(text):
    numbers, bits = describe(text, [], [])
    assert numbers.shape == (len(text),) and bits.shape == (len(text), BITS)
    assert not len(text) or (numbers.min() >= 0 and numbers.max() < BUCKETS and set(np.unique(bits)) <= {0, 1})


def test_what_the_rules_say_stands_in_the_verdict_columns_alone():
    plain, told = (describe("Dr Quill, bed", found, [])[1] for found in ([], [Span(3, 8, "NAME")]))
    changed = np.argwhere(plain != told)
    assert set(changed[:, 0]) == set(range(3, 8))
    assert all(VERDICT_BITS.start <= column < VERDICT_BITS.stop for column in changed[:, 1])


def test_words_of_one_kind_look_the_same_whatever_their_letters():
    columns = [describe(f"seen by {name} today", [], [])[1][8:16, WORD_BITS] for name in ("Xqwertzu", "Vbnmasdf")]
    assert np.array_equal(*columns)
    assert not np.array_equal(columns[0], describe("seen by Fracture today", [], [])[1][8:16, WORD_BITS])
