"""What a passage is about."""

from dataset_builders.generate.rules.subjects import with_subject
from tests.support.chapter import make_chapter


def test_an_item_is_about_its_own_words_and_not_its_book():
    document = make_chapter()
    assert with_subject(document, "A fracture of the distal radius is common.").specialty == "orthopaedics"
    assert with_subject(document, "Scoliosis is a curve.").subfield == "deformity"
    assert with_subject(document, "The kidney makes urine.") is None
