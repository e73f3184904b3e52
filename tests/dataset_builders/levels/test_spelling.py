import pytest

from dataset_builders.levels.spelling import SURE, spell


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("the fourth and fifth lumbar vertebrae", "the *L4 and *L5 vertebrae"),
        ("thoracic vertebrae 7 to 9", "vertebrae *T7 to 9"),
        ("C six seven", "C6-7"),
        ("L five S one", "L5-S1"),
        ("LIV/LV and CI/CIII", "L4/L5 and CI/CIII"),
        ("disc L4.5, dose L4.8", "disc L4-5, dose L4.8"),
        ("body of the axis", "body of the *C2"),
        ("第3～5胸椎结核", "*T3~*T5结核"),
        ("腰四五间盘", "*L4-*L5间盘"),
        ("頸椎５－６", "*C5-*C6"),
        ("寰枢关节", "*C1、*C2关节"),
        ("L₄₋₅", "L4-5"),
        ("L4² disc", "L4  disc"),
        ("no level at all", "no level at all"),
    ],
)
def test_levels_become_letter_and_number(text, spelled):
    assert spell(text).text.replace(SURE, "*") == spelled


@pytest.mark.parametrize(
    ("text", "level", "said"),
    [
        ("the fourth and fifth lumbar vertebrae", "L4", "fourth"),
        ("the fourth and fifth lumbar vertebrae", "L5", "fifth lumbar"),
        ("5 ㎜ at C six seven", "C6-7", "C six seven"),
        ("㎜㎜ LⅣ/Ⅴ", "L4/L5", "LⅣ/Ⅴ"),
        ("\u200b第4\u200b腰椎，Ｌ５", "L4", "第4\u200b腰椎"),
        ("\u200b第4\u200b腰椎，Ｌ５", "L5", "Ｌ５"),
        ("plain L5", "L5", "L5"),
    ],
)
def test_a_spelled_level_leads_back_to_its_words(text, level, said):
    spelled = spell(text)
    start = spelled.text.index(level)
    first, last = spelled.input_span(start, start + len(level))
    assert text[first:last] == said


def test_the_mark_of_sure_levels_is_taken_out_of_the_input():
    assert SURE not in spell(f"a {SURE}L4 lead").text
