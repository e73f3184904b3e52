import pytest

from dataset_builders.characters import Rewritten, comparable, fold


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Ｌ４／５，（a）", "L4/5,(a)"),
        ("Ⅳ Ⅻ ㎜ ㎝", "IV XII mm cm"),
        ("ﬁfth ⾻", "fifth 骨"),
        ("1‐2‑3－4", "1-2-3-4"),
        ("1–2—3−4", "1–2–3–4"),
        ("1～2〜3", "1~2~3"),
        ("x² a\u00a0b\u3000c", "x  a b c"),
        ("H₂O", "H2O"),
        ("Fig. 3\u00ad2, frac\u00adture", "Fig. 3-2, fracture"),
        ("L\u200b4\u202c", "L4"),
        ("37℃ ① ½", "37℃ ① ½"),
        ("頸椎間盤", "颈椎间盘"),
        ("plain", "plain"),
    ],
)
def test_one_sign_for_what_means_the_same(text, plain):
    assert fold(text).text == plain


def test_every_character_leads_back_to_its_own():
    text = "a㎜\u200b\u200bⅣ–ﬃ９"
    folded = fold(text)
    assert folded.text == "ammIV–ffi9"
    said = [text[slice(*folded.input_span(place, place + 1))] for place in range(len(folded.text))]
    assert said == ["a", "㎜", "㎜", "Ⅳ", "Ⅳ", "–", "ﬃ", "ﬃ", "ﬃ", "９"]
    assert text[slice(*folded.input_span(1, 5))] == "㎜\u200b\u200bⅣ"


def test_replacements_after_replacements_lead_back_to_the_input():
    text = "the fourth lumbar one"
    first = Rewritten(text).replace([(4, 17, "L4")])
    second = first.replace([(0, 4, ""), (2 + 4, 2 + 4 + 4, "!")])
    assert second.text == "L4!"
    assert text[slice(*second.input_span(0, 2))] == "fourth lumbar"
    assert text[slice(*second.input_span(2, 3))] == " one"
    assert first.replace([]) is first


def test_texts_that_say_the_same_compare_equal():
    assert comparable("Ｆig.\u3000 3\nSTRASSE ②") == comparable("fig. 3 straße 2")
