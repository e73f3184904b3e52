"""Terms that a text defines."""

import pytest

from dataset_builders.generate.rules.definitions import find_term
from tests.support.chapter import make_chapter
from tests.support.drafts import by_rule, draft_and_check


@pytest.mark.parametrize(
    ("sentence", "term"),
    [
        ("A synchondrosis (“joined by cartilage”) is a joint where bones are joined by cartilage.", ("a synchondrosis", False)),
        ("Spondylolisthesis means that a vertebra has moved forwards.", ("spondylolisthesis", False)),
        ("A joint where the bones are joined by fibrocartilage is called a symphysis.", ("a symphysis", False)),
        ("Uncinate processes are the ridges of the upper end plates of cervical bodies.", ("uncinate processes", True)),
        ("脊柱侧凸指冠状面Cobb角达到10°并伴椎体旋转。", ("脊柱侧凸", False)),
        ("Tuberculous tenosynovitis is an uncommon but well-documented condition.", None),
        ("The elbow joint is an example.", None),
        ("A temporary synchondrosis is the epiphyseal plate of a growing long bone.", None),
        ("A spinal fusion is the joining of two vertebrae by bone.", ("a spinal fusion", False)),
        ("The anterior column is the front of the body and disc.", None),
        ("Neurotomy is a procedure offered commonly in clinics.", None),
        ("This is a disease of the spine that nobody knows.", None),
        ("The most common cause of back pain is a strain of the muscles.", None),
        ("患者食指麻木，查体示反射减弱。", None),
    ],
)
def test_a_definition_names_a_term_and_what_sets_it_apart(sentence, term):
    assert find_term(sentence) == term


def test_the_answer_goes_on_until_another_thing_is_defined():
    text = (
        "## Slips\n\nSpondylolisthesis means that a vertebra has moved forwards on the one below. It is graded by quarters. "
        "A vertebra that has fallen off altogether is called spondyloptosis. It is rare in adults."
    )
    items = by_rule(draft_and_check(make_chapter(text)), "definition")
    assert {item.messages[1].text for item in items} == {
        "Spondylolisthesis means that a vertebra has moved forwards on the one below. It is graded by quarters.",
        "A vertebra that has fallen off altogether is called spondyloptosis. It is rare in adults.",
    }
    assert all(item.messages[1].text in item.quotes for item in items) and items[0].subfield == "spondylolisthesis"


def test_what_is_not_of_the_field_or_leans_back_is_not_asked():
    text = (
        "## Terms\n\nA budget is a plan of the money that a household has for the whole of the coming year.\n\n"
        "This slip of a vertebra is called spondylolisthesis and is common in adults of both sexes everywhere."
    )
    assert not by_rule(draft_and_check(make_chapter(text)), "definition")


def test_the_answer_goes_on_to_a_term_by_which_it_defines():
    text = (
        "## Joints\n\nSpondylolysis means that the pars interarticularis of a vertebra is broken. The pars "
        "interarticularis is the region that lies between the two facets of one side."
    )
    item = next(i for i in by_rule(draft_and_check(make_chapter(text)), "definition") if "spondylolysis" in i.messages[0].text)
    assert item.messages[1].text.endswith("between the two facets of one side.")
