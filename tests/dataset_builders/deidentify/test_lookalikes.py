import re

import pytest

from dataset_builders.deidentify.lookalikes import UNSEEN, plain


@pytest.mark.parametrize(
    ("text", "usual"),
    [
        ("\u041erla \u0420enhalig\u043en", "Orla Penhaligon"),  # Cyrillic O, er, o
        ("\u039frla", "Orla"),  # Greek omicron
        ("\U0001d40e\U0001d42b\U0001d425\U0001d41a", "Orla"),  # mathematical bold
        ("\u0660\u0667\u0660\u0660", "0700"),  # Arabic digits
        ("a\x1fb\u2028c", "a\nb\nc"),
    ],
)
def test_what_looks_alike_is_written_as_usual_in_the_same_places(text, usual):
    assert plain(text) == usual and len(text) == len(usual)


@pytest.mark.parametrize(
    "text", ["5 μg, α-blocker, β-lactam, 5 cm²", "腰4/5，（L4）", "Schmörl, 90°", "\u041f\u0435\u0442\u0440\u043e\u0432"]
)
def test_units_symbols_and_words_of_another_script_stay(text):
    assert plain(text) == text


def test_marks_that_nobody_sees_are_told_from_characters():
    unseen = re.compile(f"[{UNSEEN}]")
    assert all(map(unseen.match, "\u200b\u202e\u2066\ufeff\x00\x07\u0301\ufe0f\u3164\U000e0041"))
    assert not any(map(unseen.match, "aé王 \n\t1，"))
