from itertools import pairwise

import pytest

from dataset_builders.deidentify import deidentify_text, identifiers
from dataset_builders.deidentify.identifiers import Span, find_again, fold, merge
from dataset_builders.deidentify.measure import make_finder, run, score
from dataset_builders.deidentify.rules import load_rules
from tests.support.scripts import load_benchmark


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("姓名：陆桂芬　性别：女", "zh", ["陆桂芬"]),
        ("患者阿依古丽·买买提，女，45岁", "zh", ["阿依古丽·买买提"]),
        ("身份证号110199198503072316", "zh", ["110199198503072316"]),
        ("电话１３９００００１１１１", "zh", ["１３９００００１１１１"]),
        ("于二〇二二年十一月三日入院", "zh", ["二〇二二年十一月三日"]),
        ("农历正月初五摔伤", "zh", ["正月初五"]),
        ("患者系九十三岁老翁", "zh", ["九十三"]),
        ("车牌沪A·12C45", "zh", ["沪A·12C45"]),
        ("曾在青岚湖人民医院手术", "zh", ["青岚湖人民医院"]),
        ("MRN: 4471-0293 admitted", "en", ["4471-0293"]),
        ("his wife Orla drove", "en", ["Orla"]),
        ("Ring five five five, oh one seven two.", "en", ["five five five, oh one seven two"]),
        ("UDI (01)00812345678906(21)AB1234 used", "en", ["(01)00812345678906(21)AB1234"]),
        ("from 203.0.113.9 today", "en", ["203.0.113.9"]),
        ("NAME: Quill, Orla\nSEX: F", "en", ["Quill, Orla"]),
        ("August 15, 2023 visit", "en", ["August 15, 2023"]),
        ("a 93-year-old man", "en", ["93"]),
        ("MRN:00712\n94 seen", "en", ["00712\n94"]),
        ("tel 555\u200f-010\u200e-0199", "en", ["555\u200f-010\u200e-0199"]),
        ("联系136OOOO9241", "zh", ["136OOOO9241"]),
    ],
)
def test_identifiers_are_covered(text, language, words):
    for mode in ("standard", "strict"):
        covered = {i for span in deidentify_text(text, language, mode).spans for i in range(span.start, span.end)}
        for word in words:
            start = text.index(word)
            assert {i for i in range(start, start + len(word)) if not text[i].isspace()} <= covered, (mode, word)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Positive left Hoffmann and Babinski signs; Cobb 34°, Pfirrmann IV at L4/5, Meyerding grade II.", "en"),
        ("Power 4/5 in C7, VAS 7/10, ODI 46%, disc protrusion 7.5 mm, celecoxib 200 mg BID for 2 weeks.", "en"),
        ("T2-weighted images: Modic 2 changes at L5-S1, Schmorl node in L2, TR/TE 3500/100.", "en"),
        ("Spondylolisthesis of L5. Radiculopathy improved. She may march in place.", "en"),
        ("黄韧带肥厚4.8 mm，马尾神经走行自然，查体：Lasegue征阳性，曲马多100 mg口服，术后3月复查。", "zh"),
        ("L4/5椎间盘突出（Pfirrmann IV级），Cobb角32°，余椎体未见高信号，肌力4/5级。", "zh"),
        ("患者主诉腰痛3年，加重2周，直腿抬高试验35°阳性。", "zh"),
    ],
)
def test_medicine_stays(text, language):
    assert deidentify_text(text, language).text == text


def test_an_eponym_after_a_title_is_a_person():
    assert "Hoffmann" not in deidentify_text("Dr. Hoffmann noted a Babinski sign.").text


def test_invalid_unicode_does_not_survive():
    clean = deidentify_text("bulge \ud800 at L4, seen by Dr. Orla Quill")
    clean.text.encode("utf-8")
    assert "Quill" not in clean.text


def test_folding_keeps_positions():
    text = "１２\u200f３４"
    view = fold(text)
    assert view.text == "1234"
    assert tuple(view.positions) == (0, 1, 3, 4)


def test_spans_do_not_overlap():
    spans = deidentify_text("Dr. Orla Quill, MRN: 4471-0293, tel 555-010-0199, 2021-03-04", mode="standard").spans
    assert all(left.end <= right.start for left, right in pairwise(spans))


def test_recall_and_traps_on_the_labelled_notes(gold):
    notes = load_benchmark("deidentification").load_gold(gold / "deid" / "notes_dev.jsonl")
    result = score(run(notes, make_finder("strict")))
    assert result.direct.share >= 0.99
    assert result.recall.share >= 0.98
    assert result.intact.share >= 0.97


@pytest.mark.usefixtures("rules_alone")
@pytest.mark.parametrize("name", ["identifier_snippets.yaml", "identifier_snippets_second.yaml"])
def test_recall_and_traps_on_our_own_snippets(name):
    benchmark = load_benchmark("deidentification")
    notes = benchmark.load_snippets(benchmark.DATA / name)
    for language in ("en", "zh"):
        result = score(run([note for note in notes if note.language == language], make_finder("strict")))
        assert result.direct.share >= 0.98
        assert result.recall.share >= 0.97
        assert result.intact.share == 1.0
    assert score(run(notes, make_finder("standard"))).intact.share == 1.0


def test_the_order_of_rules_means_nothing(monkeypatch):
    text = "Dr. Orla Quill, MRN: 4471-0293, tel 555-010-0199, 2021-03-04, 患者陆桂芬，女，93岁，住青岚市湖滨路8号"
    spans = deidentify_text(text, "zh", "standard").spans
    rules = load_rules()
    monkeypatch.setattr(identifiers, "load_rules", lambda: rules[::-1])
    assert len(spans) > 6 and deidentify_text(text, "zh", "standard").spans == spans


def test_overlapping_spans_become_one_of_the_longest_and_most_direct_category():
    assert merge([Span(0, 4, "OTHER_ID"), Span(2, 9, "ORG")]) == [Span(0, 9, "ORG")]
    assert merge([Span(0, 4, "OTHER_ID"), Span(0, 4, "MRN")]) == [Span(0, 4, "MRN")]


def test_a_name_is_found_again_only_where_all_of_it_stands():
    names = frozenset({"Quill", "Quillon-Barre", "陆桂", "陆桂芬芳"})
    for text in ("seen by Quill", "主管陆桂"):
        (span,) = find_again(text, names)
        assert text[span.start :] in names and span.end == len(text)
