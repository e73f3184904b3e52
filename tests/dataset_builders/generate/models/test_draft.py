"""Drafting by models over a real loopback server: signed items, Rejects for what is not in form or not in the material."""

import json
import pickle

import pytest

from dataset_builders.document import Finding
from dataset_builders.generate.items import RULES_VERSION
from dataset_builders.generate.models import load_models
from dataset_builders.generate.models.ask import CLASS_OF_KIND
from dataset_builders.generate.models.draft import ITEMS_A_CALL, TASKS
from dataset_builders.generate.models.forms import EVIDENCE, PATIENT, SECTIONS_OF_DRAFT
from dataset_builders.generate.models.prompts import load_prompts
from dataset_builders.item import Item
from dataset_builders.taxonomy import SCORED_DIMENSIONS
from tests.support.chat_server import write_models
from tests.support.model_items import (
    CHOICE,
    CONSULTATION,
    OPEN,
    asked_for,
    drafts,
    images,
    make_bank,
    make_document,
    make_figures,
)


@pytest.fixture
def models(server, tmp_path):
    return load_models(write_models(tmp_path, f"http://127.0.0.1:{server.server_port}/v1"))


def test_a_model_s_reply_becomes_signed_items(server, models):
    server.answer = lambda request: "```json\n" + drafts(CHOICE, OPEN)(request) + "\n```"
    document = make_document(figures=make_figures())
    choice, described = models.draft(document, images(document))
    prompt = load_prompts().named("draft_external_multiple_choice_en")
    assert (choice.generation.draft_model, choice.generation.prompt_id) == ("served-name", prompt.id)
    assert choice.generation.prompt_sha256 == prompt.sha256 and len(choice.generation.generation_id) == 64
    assert described.generation.prompt_id == "draft_external_open_ended_zh@1" and choice.id != described.id
    assert (choice.answer, choice.discs, choice.provenance.source_locator) == ("C", ("L4/L5",), "book.pdf, section Discs")
    assert choice.quotes == tuple(CHOICE["quotes"])
    assert described.images == (document.figures[0].image_sha256,) and described.figure == "Figure 1"


def test_each_task_is_asked_for_in_both_languages_by_a_prompt_of_its_own(server, models):
    server.answer = drafts()
    assert list(models.draft(make_document(), {}.__getitem__)) == []
    asked = {asked_for(request) for request in server.requests}
    assert asked == {(task, language) for task in TASKS["external"] for language in ("en", "zh")}
    assert len({request["messages"][0]["content"] for request in server.requests}) == 4
    server.requests.clear()
    assert list(models.draft(make_document("hospital_case"), {}.__getitem__)) == []
    assert {asked_for(request) for request in server.requests} == {(task, "en") for task in TASKS["hospital"]}


def test_the_log_answers_a_second_build_with_the_same_items(server, models):
    server.answer = drafts(CHOICE)
    document = make_document()
    first = list(models.draft(document, images(document)))
    again = list(pickle.loads(pickle.dumps(models)).draft(document, images(document)))
    assert first == again and len(server.requests) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"answer": "E"}, {"answer": "CD"}, {"answer": 2}, {"options": ["one", "two"]}, {"options": "ABCD"},
        {"options": ["a", "b", None]}, {"options": ["a\nB. b", "b", "c"]}, {"figures": ["F9"]}, {"figures": ["../x"]},
        {"figures": "F1"}, {"figures": [["F1"]]}, {"language": "de"}, {"language": ["en"]}, {"axis": "mood"},
        {"question": " "}, {"task": "report"}, {"task": ["multiple_choice"]}, {"extra": 1}, {"quotes": []}, {"quotes": "all"},
        {"quotes": ["The L3/L4 disc bears most of the load of the trunk"]},
        {"question": "哪个腰椎间盘最常发生突出，除最低者以外？"},
    ],
)  # fmt: skip
def test_a_wrong_item_is_asked_for_once_more_then_one_reject_and_the_rest_stays(server, models, change):
    def answer(request):
        if asked_for(request) != ("multiple_choice", "en"):
            return '{"items": []}'
        return json.dumps({"items": [{**CHOICE, **change}, *([CHOICE] if len(request["messages"]) == 2 else [])]})

    server.answer = answer
    item, reject = models.draft(make_document(), {}.__getitem__)
    assert (reject.reason, isinstance(item, Item)) == ("draft_invalid_item", True)
    assert len(server.requests) == 5
    repair = server.requests[-1] if len(server.requests[-1]["messages"]) == 4 else server.requests[1]
    assert "item 1 of call" in next(r for r in server.requests if len(r["messages"]) == 4)["messages"][3]["content"], repair


def test_only_the_items_that_were_wrong_are_asked_for_again(server, models):
    wrong = {name: value for name, value in CHOICE.items() if name != "axis"}
    other = {**CHOICE, "question": "Which disc degenerates early, as the load of the trunk would have it?"}

    def answer(request):
        if asked_for(request) != ("multiple_choice", "en"):
            return '{"items": []}'
        if len(request["messages"]) == 2:
            return json.dumps({"items": [CHOICE, wrong]})
        assert (
            "item 2 of call" in request["messages"][3]["content"]
            and "lacks the field axis" in request["messages"][3]["content"]
        )
        return json.dumps({"items": [other]})

    server.answer = answer
    first, second = models.draft(make_document(), {}.__getitem__)
    assert (first.messages[0].text.startswith(CHOICE["question"]), second.messages[0].text.startswith(other["question"])) == (
        True,
        True,
    )
    assert first.id != second.id


def test_a_quote_may_differ_in_white_space_and_is_kept_as_the_source_has_it(server, models):
    server.answer = drafts({**CHOICE, "quotes": ["The L4/L5 disc bears   most of\nthe load"]})
    (item,) = models.draft(make_document(), {}.__getitem__)
    assert item.quotes == ("The L4/L5 disc bears most of the load",)


def test_labelled_imaging_becomes_consultations_that_quote_labels_in_their_language(server, models):
    server.answer = drafts(CONSULTATION)
    document = make_document("open_dataset", figures=make_figures(2), findings=(Finding("disc_herniation", "L4/L5"),))
    (item,) = models.draft(document, images(document))
    assert item.task == "consultation" and len(item.images) == 2 and item.quotes == ("disc herniation at L4/L5",)
    english, chinese = sorted(
        (request["messages"][1]["content"] for request in server.requests), key=lambda c: "标注" in c[0]["text"]
    )
    assert "Labelled: disc herniation at L4/L5." in english[0]["text"] and "标注：L4/L5 椎间盘突出。" in chinese[0]["text"]
    assert [part["type"] for part in english] == ["text", "text", "image_url", "text", "image_url"]


def test_a_report_has_six_sections_and_both_halves_of_the_treatment(server, models):
    text = "MRI: disc herniation at L4/L5 with compression of the left L5 root."
    report = {
        "task": "report", "language": "en", "axis": "surgical_planning", "figures": [],
        "question": "Write the report of a patient with left leg pain.",
        "sections": {name: f"Words about {name}: L4/L5." for name in SECTIONS_OF_DRAFT},
        "rubric": dict.fromkeys(SCORED_DIMENSIONS, "Names L4/L5."), "quotes": [text],
    }  # fmt: skip
    server.answer = drafts(report)
    (item,) = models.draft(make_document("hospital_case", text), {}.__getitem__)
    assert item.answer.count("## ") == 6 and len(item.rubric) == len(SCORED_DIMENSIONS)
    patient, evidence = (item.answer.index(f"Words about {name}") for name in (PATIENT, EVIDENCE))
    assert item.answer.index("For the patient:") < patient < item.answer.index("Evidence-based:") < evidence


def test_question_banks_and_classes_without_a_model_are_left_to_the_rules(server, tmp_path):
    path = write_models(tmp_path, f"http://127.0.0.1:{server.server_port}/v1", "draft: {hospital: m}")
    generator = load_models(path)
    (item,) = generator.draft(make_bank(), {}.__getitem__)
    assert item.generation.draft_model == RULES_VERSION
    assert generator.revise(item, {}.__getitem__).generation.revise_model == RULES_VERSION
    assert not server.requests


def test_every_class_that_models_draft_has_its_tasks_and_every_task_its_number_of_items():
    assert set(CLASS_OF_KIND.values()) == set(TASKS)
    assert {task for tasks in TASKS.values() for task in tasks} == set(ITEMS_A_CALL)
