"""The words of imaging reports, as tokens."""

import pytest

from dataset_builders.document import STRUCTURES
from dataset_builders.generate.rules.report_words import _WORDS, tokenize
from dataset_builders.taxonomy import FINDINGS


def test_the_table_names_findings_and_structures_that_exist():
    assert set(_WORDS["findings"]) - set(FINDINGS) == {"postoperative", "abnormality"}
    assert set(_WORDS["structures"]) <= set(STRUCTURES)


@pytest.mark.parametrize(
    ("sentence", "kinds"),
    [
        ("L4-L5: left protrusion", ["level", "filler", "side", "finding"]),
        ("severe canal stenosis", ["degree", "finding"]),
        ("no cord compression", ["negated", "structure", "contact"]),
        ("左侧L5神经根受压", ["side", "root", "structure", "contact"]),
        ("3*1.5 cm web", ["unread", "filler", "size", "unread"]),
    ],
)
def test_each_word_is_read_once(sentence, kinds):
    assert [token.kind for token in tokenize(sentence)] == kinds
