"""What was found in an image is kept, and never taken for another image or for what other code would find."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset_builders.deidentify import known_masks
from dataset_builders.deidentify.known_masks import KnownMasks
from dataset_builders.deidentify.pixels import mask_figures, mask_image
from dataset_builders.document import Document, Figure, Provenance, SourceError
from dataset_builders.engine.store import ImageStore
from dataset_builders.pages.bundled import RecognisedLine
from tests.support.written_images import make_slice, png, write


@pytest.fixture
def masks(tmp_path):
    return KnownMasks(ImageStore(tmp_path / "images"), tmp_path / "masks")


@pytest.fixture
def searched(monkeypatch):
    """The images that were searched; each is "masked" by a word behind it."""
    images = []

    def search(image):
        images.append(image)
        if image == b"page":
            raise SourceError("burned_in_text", "a page or screenshot; leave it out")
        return image + b" masked", ((4, 4, 90, 20),)

    monkeypatch.setattr(known_masks, "mask_image", search)
    return images


@pytest.mark.slow
def test_a_known_image_gets_the_mask_that_was_found(masks):
    named = png(write(make_slice().copy(), "QUILL ORLA", (4, 4), 16, 255))
    first, second = (masks.mask(masks.store.put(named)) for _ in range(2))
    image, boxes = mask_image(named)
    assert first == second and boxes and first[1] == boxes and masks.store.get(first[0]) == image


def test_the_masked_image_of_a_document_is_flat_where_its_writing_was(masks, monkeypatch):
    line = RecognisedLine("QUILL ORLA", 0.99, 16.0, (4, 4, 90, 20))
    monkeypatch.setattr("dataset_builders.deidentify.pixels.find_writing", lambda image, again: () if again else (line,))
    figure = Figure("Figure 1", "a slice", image=png(write(make_slice().copy(), "QUILL ORLA", (4, 4), 16, 255)))
    before = masks.store.put(figure.image)
    hospital = Provenance("hospital_case", "case:1", "LicenseRef-Hospital", "", "0" * 64)
    clean, rejects = mask_figures(Document(hospital, "en", f"![Figure 1]({before})", (figure,)), masks.mask)
    after = clean.figures[0].image_sha256
    pixels = np.asarray(Image.open(io.BytesIO(masks.store.get(after))))
    assert rejects == [] and after != before and before not in clean.markdown
    assert (pixels[6:18, 6:88] == pixels[10, 10]).all()
    (masking,) = clean.deidentification.maskings
    assert masking.image == before and masking.boxes


def test_each_image_is_searched_once(masks, searched):
    one, other = masks.store.put(b"one"), masks.store.put(b"other")
    assert [masks.mask(image) for image in (one, other)] == [masks.mask(image) for image in (one, other)]
    assert searched == [b"one", b"other"]
    assert [masks.store.get(masks.mask(image)[0]) for image in (one, other)] == [b"one masked", b"other masked"]


def test_an_image_that_cannot_be_masked_stays_refused(masks, searched):
    page = masks.store.put(b"page")
    for _ in range(2):
        with pytest.raises(SourceError, match="burned_in_text: a page or screenshot"):
            masks.mask(page)
    assert searched == [b"page"]


def test_a_masked_image_that_was_lost_is_made_again(masks, searched):
    image = masks.store.put(b"one")
    before = masks.mask(image)
    masks.store.path(before[0]).unlink()
    assert masks.mask(image) == before and masks.store.get(before[0]) == b"one masked" and len(searched) == 2


@pytest.mark.parametrize(
    ("file", "is_another"),
    [
        ("deidentify/pixels.py", True),
        ("pages/bundled.py", True),
        ("source_kinds.py", True),
        ("deidentify/rules.py", False),
        ("deidentify/known_words.yaml", False),
        ("deidentify/clean.py", False),
        ("levels/__init__.py", False),
    ],
)
def test_what_other_code_found_is_not_taken(repo, tmp_path, masks, file, is_another):
    root = tmp_path / "code"
    shutil.copytree(repo / "dataset_builders", root / "dataset_builders", ignore=shutil.ignore_patterns("__pycache__"))
    before = KnownMasks.of_todays_code(masks.store, masks.folder, root)
    path: Path = root / "dataset_builders" / file
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert (KnownMasks.of_todays_code(masks.store, masks.folder, root) != before) is is_another
    assert before.folder.parent == masks.folder
