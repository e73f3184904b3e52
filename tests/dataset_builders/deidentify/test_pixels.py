import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from dataset_builders.deidentify.pixels import MAX_SHARE, fill_boxes, find_writing, mask_figures, mask_image, mask_writing
from dataset_builders.document import Document, Figure, Masking, Provenance, SourceError
from dataset_builders.pages.bundled import RecognisedLine
from tests.support.written_images import make_slice, outside, png, still_read, write


def pixels(image):
    return np.asarray(Image.open(io.BytesIO(image)))


def hospital(image, kind="hospital_case"):
    figure = Figure("Figure 1", "a slice", image=image)
    text = f"![Figure 1]({figure.image_sha256})"
    return Document(Provenance(kind, "case:1", "LicenseRef-Hospital", "", "0" * 64), "en", text, (figure,))


def test_a_slice_without_writing_keeps_every_pixel():
    image, boxes = mask_image(png(make_slice()))
    assert boxes == () and (pixels(image) == np.asarray(make_slice())).all()


def test_names_and_dates_of_several_sizes_shades_and_directions_cannot_be_read_afterwards():
    image = make_slice().copy()
    width, height = image.size
    write(image, "QUILL ORLA 1961-04-02", (4, 4), 10, 255)
    write(image, "TAVISH", (width - 110, height - 34), 22, 170)
    write(image, "ID 77120093", (2, 90), 14, 200, turned=90)
    write(image, "DOB 1961-04-02", (width // 2 - 40, height // 2), 12, 250)  # on anatomy
    before = np.asarray(image)
    assert len(still_read(before[None])) == 6
    masked, boxes = mask_writing(before[None])
    assert still_read(masked) == []
    untouched = outside(boxes, before.shape)
    assert untouched.mean() > 1 - MAX_SHARE and (masked[0][untouched] == before[untouched]).all()


def test_a_side_marker_stays_and_what_stands_beside_a_name_goes():
    image = write(Image.new("L", (400, 300), 20), "QUILL ORLA", (10, 10), 20, 240)
    write(image, "L", (350, 120), 26, 240)
    write(image, "7B", (20, 250), 20, 240)
    found = {line.text for line in find_writing(image)}
    assert any("QUILL" in text for text in found) and "7B" in found and "L" not in found
    assert find_writing(write(Image.new("L", (400, 300), 20), "L5", (180, 120), 26, 240)) == ()


@pytest.mark.slow
def test_a_page_of_writing_is_refused():
    page = Image.new("L", (400, 300), 250)
    for line in range(12):
        write(page, "Orla Quill was admitted on 1961-04-02 and went home", (4, 4 + 24 * line), 15, 10)
    with pytest.raises(SourceError, match=r"burned_in_text: writing covers .* a page or screenshot"):
        mask_image(png(page))


def test_writing_that_stays_readable_is_refused(monkeypatch):
    line = RecognisedLine("QUILL ORLA", 0.99, 12.0, (4, 4, 40, 16))
    monkeypatch.setattr("dataset_builders.deidentify.pixels.find_writing", lambda image, again: (line,))
    with pytest.raises(SourceError, match="still read after 4 rounds"):
        mask_writing(np.zeros((1, 300, 300), dtype=np.uint8))


def test_boxes_take_the_value_around_them_in_each_frame():
    frames = np.stack([np.full((40, 40), value, dtype=np.uint16) for value in (300, 4000)])
    frames[:, 10:20, 10:30] = 65535
    filled = fill_boxes(frames, [(8, 8, 32, 22)])
    assert (filled[0] == 300).all() and (filled[1] == 4000).all() and filled.dtype == np.uint16


def test_hospital_images_lose_their_metadata_and_keep_their_depth(monkeypatch):
    monkeypatch.setattr("dataset_builders.deidentify.pixels.find_writing", lambda image, again: ())
    exif = Image.Exif()
    exif[0x010E] = "Orla Quill"
    deep = Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64))
    image, _ = mask_image(png(deep, exif=exif))
    assert b"Orla Quill" not in image and (pixels(image) == np.asarray(deep)).all()


def test_a_hospitals_document_gets_the_masked_image_and_says_where():
    document = hospital(b"as it came")
    before, after = document.figures[0].image_sha256, "0" * 64
    clean, rejects = mask_figures(document, {before: (after, ((4, 4, 90, 20),))}.__getitem__)
    assert rejects == [] and clean.figures[0].image_sha256 == after and clean.markdown == f"![Figure 1]({after})"
    assert clean.deidentification.maskings == (Masking(before, ((4, 4, 90, 20),)),)
    without_writing, _ = mask_figures(document, lambda _: (after, ()))
    assert without_writing.figures == clean.figures and without_writing.deidentification.maskings == ()

    def refuse(_):
        raise SourceError("broken_image", "cannot be decoded")

    refused, rejects = mask_figures(document, refuse)
    assert refused.figures == () and before not in refused.markdown
    assert [reject.reason for reject in rejects] == ["broken_image"]

    article = dataclasses.replace(document, provenance=dataclasses.replace(document.provenance, source_kind="article"))
    assert mask_figures(article, refuse) == (article, [])
