import dataclasses
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dataset_builders.deidentify.pixels import MAX_SHARE, fill_boxes, find_writing, mask_figures, mask_image, mask_writing
from dataset_builders.document import Document, Figure, Masking, Provenance, SourceError
from dataset_builders.pages.bundled import RecognisedLine
from dataset_builders.phantom.sketch import FONT_FOLDER
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


def line(text, score, box):
    left, top, right, bottom = box
    return RecognisedLine(text, score, float(min(right - left, bottom - top)), box)


@pytest.mark.parametrize("name", ["WU", "Ng Bo", "王明"])
def test_names_of_two_letters_and_two_characters_are_masked(name):
    image = Image.new("L", (400, 300), 20)
    font = ImageFont.truetype(next(FONT_FOLDER.glob("*.otf")), 18) if not name.isascii() else ImageFont.load_default(18)
    ImageDraw.Draw(image).text((10, 8), name, font=font, fill=230)
    write(image, "L5", (180, 120), 26, 240)
    masked, boxes = mask_writing(np.asarray(image)[None])
    assert boxes and (masked[0, :60, :150] < 60).all()
    assert (masked[0, 100:] == np.asarray(image)[100:]).all()


@pytest.mark.parametrize(
    ("read", "masked"),
    [
        (line("WU", 0.6, (8, 8, 30, 24)), True),  # short, and not read well
        (line("", 0.0, (8, 8, 60, 24)), True),  # found and not read
        (line("1", 0.2, (8, 8, 60, 24)), True),  # wider than what was read
        (line("王", 0.95, (8, 8, 24, 24)), True),
        (line("0", 0.95, (8, 8, 40, 44)), False),  # a ring of bone
        (line("20", 0.85, (14, 57, 42, 97)), False),  # higher than type
        (line("L5/S1", 0.95, (8, 8, 60, 24)), False),
        (line("L", 0.4, (8, 8, 60, 24)), True),  # a marking by an unsure reading
    ],
)
def test_what_is_small_and_no_marking_is_writing_however_well_it_is_read(monkeypatch, read, masked):
    monkeypatch.setattr("dataset_builders.deidentify.pixels.recognise_lines", lambda image: [read])
    image = Image.fromarray(np.full((300, 300), 20, dtype=np.uint8))
    assert find_writing(image) == ((read, read) if masked else ())


def test_a_marking_that_one_look_reads_well_stays_though_another_reads_it_badly(monkeypatch):
    looks = iter([[line("L4", 0.99, (80, 80, 110, 100))], [line("74", 0.74, (79, 80, 111, 101))]])
    monkeypatch.setattr("dataset_builders.deidentify.pixels.recognise_lines", lambda image: next(looks))
    assert find_writing(Image.new("L", (300, 300), 20)) == ()


@pytest.mark.slow
def test_a_page_of_writing_is_refused():
    page = Image.new("L", (400, 300), 250)
    for line in range(12):
        write(page, "Orla Quill was admitted on 1961-04-02 and went home", (4, 4 + 24 * line), 15, 10)
    with pytest.raises(SourceError, match=r"burned_in_text: writing covers .* a page or screenshot"):
        mask_image(png(page))


def test_writing_that_stays_readable_is_refused(monkeypatch):
    read = line("QUILL ORLA", 0.99, (4, 4, 40, 16))
    monkeypatch.setattr("dataset_builders.deidentify.pixels.find_writing", lambda image, again: (read,))
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
