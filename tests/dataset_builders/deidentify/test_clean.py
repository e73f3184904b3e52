from dataclasses import replace

import pytest

from dataset_builders.deidentify.clean import clean_document
from dataset_builders.deidentify.known_masks import KnownMasks
from dataset_builders.document import Document, Figure, Provenance
from dataset_builders.engine.store import ImageStore

HOSPITAL = Provenance("hospital_case", "hospital:1", "LicenseRef-Hospital", "", "0" * 64)


@pytest.mark.parametrize(("dates", "shown"), [("year", "[DATE 1: 2021]"), ("shift", "-")])
def test_a_case_is_masked_with_what_is_known_of_it_and_its_dates_as_asked(tmp_path, dates, shown):
    document = Document(HOSPITAL, "en", "Field had a laminectomy of L4 on 2021-03-31.", known=(("surname", "Field"),))
    masks = KnownMasks.of_todays_code(ImageStore(tmp_path / "images"), tmp_path / "masks")
    (clean,) = clean_document(document, masks, dates=dates)
    assert clean.markdown.startswith("[NAME 1] had a laminectomy of L4 on ") and shown in clean.markdown
    assert "2021-03-31" not in clean.markdown and clean.known == ()


def test_a_text_in_another_language_is_refused_in_words_of_our_own_unless_masking_is_asked_for(tmp_path):
    masks = KnownMasks.of_todays_code(ImageStore(tmp_path / "images"), tmp_path / "masks")
    text = (
        "La paciente Ramona Quiroga refiere dolor lumbar desde hace tres años, con irradiación a la pierna derecha sin fiebre."
    )
    document = Document(HOSPITAL, "en", text)
    (reject,) = clean_document(document, masks)
    assert reject.reason == "unsupported_language" and "(es)" in reject.detail
    assert not any(word in reject.detail + reject.file + reject.where for word in ("Ramona", "Quiroga", "lumbar"))
    (masked,) = clean_document(document, masks, other_language="mask")
    assert not any(word in masked.markdown for word in ("Ramona", "Quiroga", "refiere", "sin fiebre", " sin"))
    assert masked.deidentification.other_language == "es"
    (reject,) = clean_document(replace(document, markdown="L4/5", figures=(Figure("", text),)), masks)
    assert reject.reason == "unsupported_language"
    (article,) = clean_document(Document(replace(HOSPITAL, source_kind="article"), "en", text), masks)
    assert article.markdown == text
