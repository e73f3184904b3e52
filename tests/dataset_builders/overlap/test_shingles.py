import numpy as np
import pytest

from dataset_builders.overlap.shingles import Vocabulary, guard_tokens, hash_windows, tokenise

TEXT = (
    "The images of this baker show a bulge at L4/5 and a cyst beside the left joint; the other discs are as they should be. "
    "Rest, walking and a brace were offered first, with a visit in spring when the pain has not gone by then."
)


def near(one: str, other: str) -> bool:
    vocabulary = Vocabulary()
    encoded = vocabulary.encode([one, other])
    first, second = (encoded.ids[encoded.offsets[i] : encoded.offsets[i + 1]].tolist() for i in (0, 1))
    return vocabulary.is_near_duplicate(first, second)


def test_guard_tokens_must_be_the_same_even_where_words_were_only_added():
    assert near(TEXT, TEXT.replace("show", "clearly show"))
    assert not near(TEXT, TEXT.replace("a cyst", "no cyst"))
    assert not near(TEXT, TEXT.replace("a bulge", "a severe bulge"))


@pytest.mark.parametrize(
    ("text", "guards"),
    [
        ("ASIA  A after a fall", ("asia a", "after")),
        ("Power 4-/5, T-score -2.5, test (-)", ("4", "-", "5", "t", "-", "2.5", "-")),
        ("L4L5 and Lenke 1A", ("l4", "l5", "1a")),
        ("slip >= 3 mm", (">", "3")),
        ("腰４／５左侧，Ⅱ度", ("腰", "4", "5", "左", "侧", "ii", "度")),
        ("low-back pain", ("low", "back")),
    ],
)
def test_levels_letters_signs_and_numerals_are_guards(text, guards):
    assert guard_tokens(tokenise(text)) == guards


def test_windows_of_a_text_do_not_depend_on_its_neighbours():
    vocabulary = Vocabulary()
    texts = ["one two three four five", "six", "", "two three four"]
    hashes, offsets = hash_windows(vocabulary.encode(texts), 3)
    assert np.diff(offsets).tolist() == [3, 1, 0, 1]
    assert hashes[1] == hashes[4] and len(set(hashes.tolist())) == 4
