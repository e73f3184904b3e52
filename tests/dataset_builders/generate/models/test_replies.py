"""Replies, strictly read, and items as models write them."""

import pytest

from dataset_builders.generate import Rules
from dataset_builders.generate.models.replies import BadReply, Passage, read_items, to_item, to_record
from tests.support.model_items import CHOICE, CONSULTATION, OPEN, TALK, images, make_bank, make_document, make_figures


@pytest.mark.parametrize(
    "turns",
    [
        TALK[:2],
        TALK[1:] + TALK[:1],
        TALK[:3],
        [*TALK[:3], {"role": "assistant", "text": "x", "figures": ["F1"]}],
        [1, 2, 3, 4],
        "talk",
    ],
)
def test_turns_must_alternate(turns):
    document = make_document("open_dataset", figures=make_figures(2))
    (generation,) = [item.generation for item in Rules().draft(make_bank(), images(document))]
    with pytest.raises(BadReply):
        to_item({**CONSULTATION, "turns": turns}, Passage(document, "", document.figures), generation, ("consultation",))


def test_an_item_survives_the_way_to_a_model_and_back():
    for record in (CHOICE, {**OPEN, "figures": []}):
        document = make_document()
        (generation,) = [item.generation for item in Rules().draft(make_bank(), {}.__getitem__)]
        item = to_item(record, Passage(document, "", ()), generation, (record["task"],))
        assert to_record(item) == record


def test_reasoning_before_the_object_is_put_aside():
    assert read_items('<think>hm {"items": 1}</think>\n{"items": [1]}') == [1]
