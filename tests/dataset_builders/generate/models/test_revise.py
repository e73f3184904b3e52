"""Revision by models: verdicts on each criterion, corrections, and the checks behind them."""

import json

import pytest

from dataset_builders.document import Reject
from dataset_builders.generate.criteria import reviser_criteria
from dataset_builders.generate.models import load_models
from dataset_builders.generate.models import revise as revise_module
from dataset_builders.item import Item
from tests.support.chat_server import write_models
from tests.support.model_items import CHOICE, OPEN, drafts, images, make_document, make_figures, verdict


@pytest.fixture
def revise(server, tmp_path, monkeypatch):
    """Draft CHOICE and let a model answer about it; what becomes of it before the checks of code."""
    monkeypatch.setattr(revise_module, "check_item", lambda item, _: item)

    def revise(answer) -> Item | Reject:
        url = f"http://127.0.0.1:{server.server_port}/v1"
        generator = load_models(write_models(tmp_path, url, "draft: {external: m}\n  revise: {external: m}"))
        document = make_document(figures=make_figures())
        server.answer = drafts(CHOICE)
        (item,) = generator.draft(document, images(document))
        server.requests.clear()
        server.answer = answer
        return generator.revise(item, images(document))

    return revise


def test_a_model_may_accept_and_its_verdicts_and_reasoning_are_kept(revise, server):
    item = revise(verdict())
    assert item.generation.revise_model == "served-name" and item.generation.checks == ("revise_multiple_choice_en@1",)
    revision = item.generation.revision
    assert revision.decision == "accept" and revision.reasoning.startswith("L4/L5 bears") and len(revision.generation_id) == 64
    assert [(v.criterion, v.met) for v in revision.verdicts] == [(criterion.id, True) for criterion in reviser_criteria()]
    assert Item.from_dict(json.loads(json.dumps(item.to_dict()))) == item
    system = server.requests[0]["messages"][0]["content"]
    assert all(criterion.demand["en"] in system for criterion in reviser_criteria())


def test_a_model_may_correct(revise):
    item = revise(verdict("correct", {**CHOICE, "explanation": "It carries most load and moves most."}))
    assert "moves most" in item.messages[1].text and item.generation.draft_model == "served-name"
    assert item.generation.revision.decision == "correct"


def test_the_checks_of_code_come_after_a_model_that_accepts(server, tmp_path):
    url = f"http://127.0.0.1:{server.server_port}/v1"
    generator = load_models(write_models(tmp_path, url, "draft: {external: m}\n  revise: {external: m}"))
    server.answer = drafts({**CHOICE, "options": ["L4/L5", "l4/l5 ", "L3/L4", "L2/L3"], "answer": "A"})
    (item,) = generator.draft(make_document(), {}.__getitem__)
    server.answer = verdict()
    assert generator.revise(item, {}.__getitem__).reason == "revise_options_distinct"


def test_a_rejection_names_the_criteria_that_fail(revise):
    name = reviser_criteria()[0].id
    reject = revise(verdict("reject", failed=[name], reason="two right answers"))
    assert (reject.file, reject.reason, reject.detail) == ("book:1", "revise_by_model", f"{name}: two right answers")


LAST = reviser_criteria()[-1].id


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda _: '{"verdict": "accept"}', "lacks the field reasoning, criteria, reason, item"),
        (verdict("perhaps"), "verdict is not accept"),
        (verdict("correct"), "item must be the whole corrected item"),
        (verdict("accept", CHOICE), "else null"),
        (verdict("accept", failed=[LAST]), f"accepts an item that fails {LAST}"),
        (verdict("reject"), "fails no criterion"),
        (verdict(reasoning=" "), "reasoning or reason is no text"),
        (verdict(criteria={}), "criteria lacks the field"),
        (verdict("correct", {**CHOICE, "language": "zh"}), "language is not 'en'"),
        (verdict("correct", {**OPEN, "figures": []}), "lacks the field"),
    ],
)
def test_an_answer_out_of_form_is_repaired_once_and_then_a_reject(revise, server, answer, complaint):
    reject = revise(answer)
    assert isinstance(reject, Reject) and reject.reason == "revise_bad_reply" and complaint in reject.detail
    assert len(server.requests) == 2 and complaint in server.requests[1]["messages"][3]["content"]
