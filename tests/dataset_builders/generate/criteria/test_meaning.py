"""What two texts have in common, and what one denies."""

import re

import pytest

from dataset_builders.generate.criteria.meaning import affirmed, is_negated, level_option, same_order

FRACTURE = re.compile("fracture|骨折")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("There is a fracture of L2.", True),
        ("No tumour, infection or fracture.", False),
        ("A fracture was excluded.", False),
        ("No tumour, but there is a fracture.", True),
        ("A fracture is not excluded.", True),
        ("未见骨折。", False),
        ("未见肿瘤，可见骨折。", True),
        ("不能排除骨折。", True),
    ],
)
def test_denials_and_doubts_of_a_finding(text, said):
    assert affirmed(FRACTURE, text) is said


@pytest.mark.parametrize("text", ["not more than 2 weeks", "instability", "腰椎不稳", "下肢无力", "不超过2周"])
def test_words_that_only_look_negative(text):
    assert not is_negated(text)


def test_options_that_are_levels_are_read_whatever_their_spelling():
    assert level_option("L4-5 disc") == ("disc", ("L4/L5",)) == level_option("第4-5腰椎间盘")
    assert level_option("C2/C3") == ("disc", ("C2/C3",))
    assert level_option("fusion of L4/L5") is None


def test_word_order_and_inflection_do_not_hide_a_twin():
    assert same_order("fracture of the vertebra", "vertebral fracture")
    assert not same_order("flexion before extension", "extension before flexion")
