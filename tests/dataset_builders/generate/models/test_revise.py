"""Revision by models: verdicts, corrections, and the checks behind them."""

import json

import pytest

from dataset_builders.document import Reject
from dataset_builders.generate.models import load_models
from dataset_builders.item import Item
from tests.support.chat_server import write_models
from tests.support.model_items import CHOICE, OPEN, images, make_document, make_figures


def revise_with(server, tmp_path, answer: str) -> Item | Reject:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    generator = load_models(write_models(tmp_path, url, "draft: {external: m}\n  revise: {external: m}"))
    document = make_document(figures=make_figures())
    server.answer = lambda _: json.dumps({"items": [CHOICE]})
    (item,) = generator.draft(document, images(document))
    server.answer = lambda _: answer
    return generator.revise(item, images(document))


def test_a_model_may_accept(server, tmp_path):
    revised = revise_with(server, tmp_path, '{"verdict": "accept"}')
    assert revised.generation.revise_model == "served-name"
    assert revised.generation.checks[:2] == ("revise@1", "known_names")


def test_a_model_may_correct_and_the_rules_still_check(server, tmp_path):
    better = {**CHOICE, "explanation": "It carries most load and moves most."}
    revised = revise_with(server, tmp_path, json.dumps({"verdict": "correct", "reason": "clearer", "item": better}))
    assert "moves most" in revised.messages[1].text and revised.generation.draft_model == "served-name"
    (tmp_path / "calls.sqlite").unlink()
    worse = {**CHOICE, "options": ["L4/L5", "l4/l5 ", "L3/L4", "L2/L3"], "answer": "A"}
    rejected = revise_with(server, tmp_path, json.dumps({"verdict": "correct", "reason": "?", "item": worse}))
    assert rejected.reason == "revise_options_distinct"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ('{"verdict": "reject", "reason": "two right answers"}', "revise_by_model"),
        ('{"verdict": "perhaps"}', "revise_bad_reply"),
        ('{"verdict": "correct"}', "revise_bad_reply"),
        (json.dumps({"verdict": "correct", "item": {**CHOICE, "language": "zh"}}), "revise_bad_correction"),
        (json.dumps({"verdict": "correct", "item": {**OPEN, "figures": []}}), "revise_bad_correction"),
    ],
)
def test_a_model_may_reject_and_must_answer_in_form(server, tmp_path, answer, reason):
    rejected = revise_with(server, tmp_path, answer)
    assert isinstance(rejected, Reject) and rejected.reason == reason and rejected.file == "book:1"
