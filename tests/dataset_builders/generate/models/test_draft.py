"""Drafting by models over a real loopback server: signed items, Rejects for what is not in form."""

import json
import pickle

import pytest

from dataset_builders.document import Finding
from dataset_builders.generate.items import RULES_VERSION
from dataset_builders.generate.models import load_models
from dataset_builders.generate.models.ask import CLASS_OF_KIND, load_prompt
from dataset_builders.generate.models.draft import ITEMS_A_CALL, TASKS
from dataset_builders.item import Item
from tests.support.chat_server import write_models
from tests.support.model_items import CHOICE, CONSULTATION, OPEN, images, make_bank, make_document, make_figures


@pytest.fixture
def models(server, tmp_path):
    return load_models(write_models(tmp_path, f"http://127.0.0.1:{server.server_port}/v1"))


def test_a_model_s_reply_becomes_signed_items(server, models):
    server.answer = lambda _: "```json\n" + json.dumps({"items": [CHOICE, OPEN]}) + "\n```"
    document = make_document(figures=make_figures())
    choice, described = models.draft(document, images(document))
    prompt = load_prompt("draft_external@1")
    for item in (choice, described):
        assert (item.generation.draft_model, item.generation.prompt_id) == ("served-name", "draft_external@1")
        assert item.generation.prompt_sha256 == prompt.sha256 and len(item.generation.generation_id) == 64
    assert choice.id != described.id
    assert (choice.answer, choice.discs, choice.provenance.source_locator) == ("C", ("L4/L5",), "book.pdf, section Discs")
    assert described.images == (document.figures[0].image_sha256,) and described.figure == "Figure 1"
    assert isinstance(models.revise(choice, images(document)), Item)


def test_the_log_answers_a_second_build_with_the_same_items(server, models):
    server.answer = lambda _: json.dumps({"items": [CHOICE]})
    document = make_document()
    first = list(models.draft(document, images(document)))
    again = list(pickle.loads(pickle.dumps(models)).draft(document, images(document)))
    assert first == again and len(server.requests) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"answer": "E"}, {"answer": "CD"}, {"answer": 2}, {"options": ["one", "two"]}, {"options": "ABCD"},
        {"options": ["a", "b", None]}, {"options": ["a\nB. b", "b", "c"]}, {"figures": ["F9"]}, {"figures": ["../x"]},
        {"figures": "F1"}, {"figures": [["F1"]]}, {"language": "de"}, {"language": ["en"]}, {"axis": "mood"}, {"question": " "},
        {"task": "report"}, {"task": ["multiple_choice"]}, {"extra": 1},
    ],
)  # fmt: skip
def test_a_wrong_item_is_one_reject_and_the_rest_stays(server, models, change):
    server.answer = lambda _: json.dumps({"items": [{**CHOICE, **change}, CHOICE]})
    reject, item = models.draft(make_document(), {}.__getitem__)
    assert (reject.reason, isinstance(item, Item)) == ("draft_invalid_item", True)


def test_labelled_imaging_becomes_consultations(server, models):
    server.answer = lambda _: json.dumps({"items": [CONSULTATION]})
    document = make_document("open_dataset", figures=make_figures(2), findings=(Finding("disc_herniation", "L4/L5"),))
    (item,) = models.draft(document, images(document))
    assert item.task == "consultation" and len(item.images) == 2 and isinstance(models.revise(item, images(document)), Item)
    parts = server.requests[0]["messages"][1]["content"]
    assert "disc herniation at L4/L5" in parts[0]["text"]
    assert [part["type"] for part in parts] == ["text", "text", "image_url", "text", "image_url"]


def test_question_banks_and_classes_without_a_model_are_left_to_the_rules(server, tmp_path):
    path = write_models(tmp_path, f"http://127.0.0.1:{server.server_port}/v1", "draft: {hospital: m}")
    generator = load_models(path)
    (item,) = generator.draft(make_bank(), {}.__getitem__)
    assert item.generation.draft_model == RULES_VERSION
    assert generator.revise(item, {}.__getitem__).generation.revise_model == RULES_VERSION
    assert not server.requests


def test_every_class_that_models_draft_has_its_tasks_prompt_and_number_of_items():
    assert set(CLASS_OF_KIND.values()) == set(ITEMS_A_CALL) == set(TASKS)
    assert all(load_prompt(f"draft_{source_class}@1").text for source_class in ITEMS_A_CALL)
