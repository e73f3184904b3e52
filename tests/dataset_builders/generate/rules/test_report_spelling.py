"""Misspelt words of imaging reports."""

import pytest

from dataset_builders.generate.rules.report_spelling import correct_spelling


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("Lt paracentral disc protruion", "left paracentral disc protrusion"),
        ("compressing teh thecal sca", "compressing the thecal sac"),
        ("spondylolithesis with ligamentum hyperatrophy", "spondylolisthesis with ligamentum hypertrophy"),
        ("hypintense lesion", "hypintense lesion"),  # hypo- or hyper-?
        ("atrophy of the dura", "atrophy of the dura"),
        ("[NAME 1] noted", "[NAME 1] noted"),
    ],
)
def test_only_a_word_with_one_meaning_is_corrected(written, right):
    assert correct_spelling(written) == right
