"""What an item may say: only what its quotes carry."""

from dataclasses import replace

import pytest

from dataset_builders.item import Quote
from tests.support.grounded_items import failed, make_choice, make_dialogue

SOURCE = (
    "At L4/L5 there is a left foraminal disc herniation with mild stenosis; at L5/S1 a right bulge of 4 mm. "
    "There is no fracture. Naproxen is suggested for no more than 2 weeks; we suggest against opioids. "
    "The anterior ligament limits extension."
)
SOURCE_ZH = "L4/L5左侧椎间盘突出，轻度椎管狭窄；L5/S1膨出4毫米。未见骨折。建议使用萘普生不超过2周。"


def answer(text: str, source: str = SOURCE, language: str = "en") -> str:
    question = {"en": "What is found in this spine, and what is advised?", "zh": "该腰椎有何表现，如何处理？"}[language]
    return failed(make_dialogue(question, text, task="open_ended", source=source, language=language))


@pytest.mark.parametrize(
    "text",
    [
        "At L4/L5 there is a left foraminal disc herniation with mild stenosis.",
        "There is no fracture. Naproxen is suggested for no more than two weeks.",
        "The bulge at L5/S1 measures 4 mm. We suggest against opioids.",
    ],
)
def test_what_the_quotes_carry_stays(text):
    assert answer(text) == ""


@pytest.mark.parametrize(
    ("text", "criterion"),
    [
        ("Kyphoplasty restores vertebral height by inflation of balloons in cancellous bone.", "advice_carried"),
        ("The capital of France is Paris, which lies on the river Seine.", "answer_in_source"),
        ("The bulge at L5/S1 measures 7 mm.", "numbers_in_source"),
        ("The bulge at L5/S1 measures 4 cm.", "numbers_in_source"),
        ("Naproxen is suggested for at least 2 weeks.", "numbers_in_source"),
        ("At L3/L4 there is a disc herniation with stenosis.", "levels_in_source"),
        ("At L5/S1 there is a disc herniation.", "levels_in_source"),
        ("At L4/L5 there is a right foraminal disc herniation.", "sides_in_source"),
        ("At L4/L5 there is a disc herniation with severe stenosis.", "grades_in_source"),
        ("At L4/L5 there is a disc herniation of Pfirrmann grade IV.", "grades_in_source"),
        ("Celecoxib is suggested for no more than 2 weeks.", "drugs_in_source"),
        ("There is a fracture, and naproxen is suggested.", "negations_in_source"),
        ("We suggest opioids.  Naproxen is suggested.", "negations_in_source"),
        ("There is no stenosis at L4/L5, and a foraminal disc herniation.", "negations_in_source"),
        ("The posterior ligament limits extension.", "opposites_in_source"),
        ("Naproxen is suggested for no more than 2 weeks, as Kowalski et al. say.", "names_in_source"),
        ("At L4/L5 there is a left foraminal disc herniation and scoliosis.", "findings_in_source"),
    ],
)
def test_what_they_do_not_carry_leaves(text, criterion):
    assert answer(text) == criterion


@pytest.mark.parametrize(
    ("text", "criterion"),
    [
        ("L4/L5左侧椎间盘突出，轻度椎管狭窄。未见骨折。", ""),
        ("L5/S1膨出4毫米。建议使用萘普生不超过两周。", ""),
        ("L4/L5右侧椎间盘突出。", "sides_in_source"),
        ("L4/L5左侧椎间盘突出，重度椎管狭窄。", "grades_in_source"),
        ("可见骨折，建议使用萘普生。", "negations_in_source"),
        ("建议使用萘普生至少2周。", "numbers_in_source"),
        ("建议使用塞来昔布不超过2周。", "drugs_in_source"),
        ("L3/L4左侧椎间盘突出。", "levels_in_source"),
    ],
)
def test_the_same_in_chinese(text, criterion):
    assert answer(text, SOURCE_ZH, "zh") == criterion


def test_facts_are_compared_across_languages_too():
    assert answer("L4/L5左侧椎间盘突出，L5/S1膨出4毫米。", SOURCE, "zh") == ""
    assert answer("L4/L5右侧椎间盘突出。", SOURCE, "zh") == "sides_in_source"
    assert answer("L4/L5椎间盘突出，建议使用塞来昔布。", SOURCE, "zh") == "drugs_in_source"


def test_an_item_quotes_its_source():
    assert failed(make_choice(source="")) == "evidence_exists"
    good = make_choice()
    assert failed(replace(good, evidence=(*good.evidence, Quote(0, 5, 4000)))) == "evidence_exists"


def test_quotes_that_do_not_cover_an_answer_are_seen():
    item = make_dialogue(
        "What is found in this spine?", "At L4/L5 there is a left disc herniation.", task="open_ended", source=SOURCE
    )
    assert failed(item) == ""
    assert failed(replace(item, evidence=(Quote(0, SOURCE.index("There is no"), len(SOURCE)),))) == "answer_in_source"
