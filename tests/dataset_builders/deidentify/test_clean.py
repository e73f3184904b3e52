import pytest

from dataset_builders.deidentify.clean import clean_document
from dataset_builders.deidentify.known_masks import KnownMasks
from dataset_builders.document import Document, Provenance
from dataset_builders.engine.store import ImageStore

HOSPITAL = Provenance("hospital_case", "hospital:1", "LicenseRef-Hospital", "", "0" * 64)


@pytest.mark.parametrize(("dates", "shown"), [("year", "[DATE 1: 2021]"), ("shift", "-")])
def test_a_case_is_masked_with_what_is_known_of_it_and_its_dates_as_asked(tmp_path, dates, shown):
    document = Document(HOSPITAL, "en", "Field had a laminectomy of L4 on 2021-03-31.", known=(("surname", "Field"),))
    masks = KnownMasks.of_todays_code(ImageStore(tmp_path / "images"), tmp_path / "masks")
    (clean,) = clean_document(document, masks, dates=dates)
    assert clean.markdown.startswith("[NAME 1] had a laminectomy of L4 on ") and shown in clean.markdown
    assert "2021-03-31" not in clean.markdown and clean.known == ()
