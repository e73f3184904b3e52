import random
import re

import pytest

from dataset_builders.deidentify.tagger.surrogates import Surrogates


@pytest.mark.parametrize(
    ("text", "kind", "manner"),
    [
        ("O'NEILL, Mary", "NAME", r"[^\W\d_]'[^\W\d_]+, [^\W\d_]+"),
        ("van der Berg", "NAME", r"van der [^\W\d_]+"),
        ("王小明", "NAME", r"[\u4e00-\u9fff]{3}"),
        ("欧阳修", "NAME", r"[\u4e00-\u9fff]{3}"),
        ("李某", "NAME", r"[\u4e00-\u9fff]某"),
        ("555-0142", "PHONE", r"\d{3}-\d{4}"),
        ("AB12-889", "MRN", r"[A-Z]{2}\d{2}-\d{3}"),
        ("four four oh nine", "MRN", r"[a-z]+ [a-z]+ [a-z]+ [a-z]+"),
        ("12th of March", "DATE", r"\d{1,2}th of [A-Z][a-z]+"),
        ("2021年3月5日", "DATE", r".*\d.*"),
        ("93", "AGE90", r"9\d|10\d"),
        ("青河市第二人民医院", "ORG", r"[\u4e00-\u9fff]+医院"),
    ],
)
def test_a_surrogate_keeps_the_manner_of_writing(text, kind, manner):
    written = {Surrogates(random.Random(seed)).write(text, kind) for seed in range(20)}
    assert all(re.fullmatch(manner, words) for words in written), written
    assert len(written) > 3 and sum(words == text for words in written) <= 1


def test_the_same_word_becomes_the_same_other_word_within_a_note():
    surrogates = Surrogates(random.Random(3))
    full, family = surrogates.write("Orla Quill", "NAME"), surrogates.write("QUILL", "NAME")
    assert full.split()[-1].upper() == family
    assert surrogates.write("王小明", "NAME")[0] == surrogates.write("王某", "NAME")[0]
