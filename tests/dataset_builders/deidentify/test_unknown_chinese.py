import pytest

from dataset_builders.deidentify.unknown_chinese import find_unknown_chinese


def found(text):
    return {(text[span.start : span.end], span.category) for span in find_unknown_chinese(text)}


@pytest.mark.parametrize(
    ("text", "words", "category"),
    [
        ("护士苗青禾，", "苗青禾", "NAME"),
        ("妻子乌云其其格，", "乌云其其格", "NAME"),
        ("今日谭雪梅到访", "谭雪梅", "NAME"),
        ("曾在苏州居住", "苏州", "GEO"),
    ],
)
def test_names_and_places_are_found(text, words, category):
    assert (words, category) in found(text)


@pytest.mark.parametrize("text", ["黄韧带肥厚，马尾神经走行自然", "患者腰痛，", "于北京市手术", "直腿抬高试验阳性"])
def test_medicine_and_whole_provinces_are_not(text):
    assert found(text) == set()
