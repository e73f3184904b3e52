"""Grades: which are abnormal, and how they are written."""

import pytest

from dataset_builders.document import Finding
from dataset_builders.generate.rules.grades import is_abnormal, name_grade
from tests.support.labelled_case import DEGENERATION, HERNIATION, NORMAL_DISC


def test_normal_grades_are_no_findings():
    assert not is_abnormal(NORMAL_DISC) and is_abnormal(DEGENERATION)
    assert not is_abnormal(Finding("canal_stenosis", "L4/L5", "Normal/Mild"))
    assert is_abnormal(Finding("canal_stenosis", "L4/L5", "Severe")) and is_abnormal(HERNIATION)


@pytest.mark.parametrize(
    ("finding", "words"),
    [(Finding("spondylolisthesis", "L4/L5", "Meyerding II"), "Meyerding grade II"),
     (Finding("modic_change", "L4/L5", "Modic 2"), "Modic type 2"),
     (Finding("disc_narrowing", "L4/L5", "severe"), "severe"),
     (Finding("disc_bulge", "L4/L5", "7"), "")],
)  # fmt: skip
def test_grades_in_words(finding, words):
    assert name_grade(finding, "en") == words
