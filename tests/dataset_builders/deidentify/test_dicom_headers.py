import hashlib
import io

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, RLELossless

from dataset_builders.deidentify import dicom_headers
from dataset_builders.deidentify.dicom_headers import clean_dicom, deidentify_dicom
from dataset_builders.deidentify.pixels import render_frames
from dataset_builders.document import SourceError
from dataset_builders.pages.bundled import recognise_lines
from tests.support.dicom_files import headers
from tests.support.written_images import make_slice, outside, still_read, write

PLANTED = ("QUILL", "ORLA", "TAVISH", "77120093", "PENHALIGON")


def identified():
    dataset = headers()
    dataset.PatientName, dataset.PatientID = "QUILL^ORLA", "77120093"
    dataset.StudyDescription = "LUMBAR for Orla Quill"
    dataset.InstitutionName = "Penhaligon Infirmary"
    item = pydicom.Dataset()
    item.PatientName = "QUILL^ORLA"
    inner = pydicom.Dataset()
    inner.ReferringPhysicianName = "TAVISH^ORRIN"
    item.ReferencedStudySequence = [inner]
    dataset.ReferencedStudySequence = [item]
    block = dataset.private_block(0x0011, "OURS", create=True)
    block.add_new(1, "LO", "QUILL ORLA")
    hidden = pydicom.Dataset()
    hidden.PatientName = "QUILL^ORLA"
    block.add_new(2, "SQ", [hidden])
    return dataset


def with_pixels(pixels, photometric="MONOCHROME2", bits=None):
    """An MR image of ``pixels``, (rows, columns), (frames, rows, columns) or (rows, columns, 3)."""
    dataset = identified()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    bits = bits or 8 * pixels.dtype.itemsize
    pydicom.pixels.set_pixel_data(dataset, pixels, photometric, bits, generate_instance_uid=False)
    return dataset


def small():
    """A small slice without writing, quick to read."""
    return np.asarray(make_slice().resize((96, 96)))


def named_slice():
    image = write(make_slice().copy(), "QUILL ORLA", (4, 4), 14, 250)
    return np.asarray(write(image, "1961-04-02", (150, 230), 14, 180))


@pytest.fixture
def nothing_written(monkeypatch):
    """OCR finds nothing; it is tested elsewhere and takes its time."""
    monkeypatch.setattr(dicom_headers, "mask_writing", lambda frames: (frames, ()))


def test_no_identifier_is_left_in_a_header_and_methods_are_written():
    cleaned = clean_dicom(identified())
    text = str(cleaned.dataset).upper()
    assert [word for word in PLANTED if word in text] == []
    assert cleaned.dataset.PatientIdentityRemoved == "YES"
    assert [code.CodeValue for code in cleaned.dataset.DeidentificationMethodCodeSequence] == ["113100", "113105"]
    assert not any(element.tag.is_private for element in cleaned.dataset)
    assert cleaned.removed["PatientName"] == 2 and cleaned.removed["private"] >= 2
    assert [word for word in PLANTED if word in str(cleaned.removed).upper()] == []


def test_uids_change_alike_in_every_file_and_call():
    first, second = deidentify_dicom(identified()), deidentify_dicom(identified())
    assert first.StudyInstanceUID == second.StudyInstanceUID != identified().StudyInstanceUID
    assert first.SOPClassUID == identified().SOPClassUID


@pytest.mark.usefixtures("nothing_written")
def test_pixels_without_writing_stay_and_are_signed_as_clean():
    dataset = with_pixels(small().astype(np.uint16) * 16, bits=12)
    clean = deidentify_dicom(dataset)
    assert (clean.pixel_array == dataset.pixel_array).all()
    assert clean.BurnedInAnnotation == "NO" and clean.LongitudinalTemporalInformationModified == "REMOVED"
    assert [code.CodeValue for code in clean.DeidentificationMethodCodeSequence] == ["113100", "113101", "113105"]


@pytest.mark.slow
def test_burned_in_names_are_masked_in_every_frame_of_compressed_inverted_pixels():
    named = 255 - named_slice()
    frames = np.stack([np.full_like(named, 220), named]).astype(np.uint16) * 16
    dataset = with_pixels(frames, "MONOCHROME1", bits=12)
    dataset.compress(RLELossless, generate_instance_uid=False)
    cleaned = clean_dicom(dataset)
    after = cleaned.dataset.pixel_array
    assert still_read(frames[1:]) and still_read(after) == []
    untouched = outside(cleaned.boxes, named.shape)
    assert (after[:, untouched] == frames[:, untouched]).all() and (after[0] == frames[0]).all()
    assert not cleaned.dataset.file_meta.TransferSyntaxUID.is_compressed


@pytest.mark.slow
def test_burned_in_names_are_masked_in_colour():
    pixels = np.stack([named_slice()] * 3, axis=-1)
    cleaned = clean_dicom(with_pixels(pixels, "RGB"))
    after = cleaned.dataset.pixel_array
    assert still_read(after[None]) == []
    untouched = outside(cleaned.boxes, pixels.shape[:2])
    assert 0.7 < untouched.mean() < 1 and (after[untouched] == pixels[untouched]).all()


def write_and_read(dataset):
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return pydicom.dcmread(buffer)


def colours(frames=1):
    """(frames, 24, 32, 3) of 8 bits; another colour in every frame."""
    rows, columns = np.mgrid[0:24, 0:32]
    one = np.stack([rows * 8, columns * 7, (rows + columns) * 3], axis=-1).astype(np.uint8)
    return np.stack([np.roll(one, number, axis=-1) for number in range(frames)])


def planar(frames):
    """RGB whose samples lie plane by plane."""
    dataset = with_pixels(frames, "RGB")
    dataset.PlanarConfiguration = 1
    dataset.PixelData = np.moveaxis(frames, -1, 1).tobytes()
    return dataset


def ybr(frames):
    return with_pixels(pydicom.pixels.convert_color_space(frames, "RGB", "YBR_FULL"), "YBR_FULL")


@pytest.mark.parametrize("make", [lambda frames: with_pixels(frames, "RGB"), planar, ybr])
@pytest.mark.parametrize("number", [1, 3])
def test_colour_frames_are_all_looked_at_masked_and_stored_as_plain_rgb(monkeypatch, make, number):
    seen = []

    def fill(frames):
        seen.append(frames.shape)
        filled = frames.copy()
        filled[:, :4, :4] = 9
        return filled, ((0, 0, 4, 4),)

    monkeypatch.setattr(dicom_headers, "mask_writing", fill)
    frames = colours(number)
    clean = write_and_read(deidentify_dicom(make(frames)))
    after = clean.pixel_array.reshape(frames.shape)
    assert seen == [(number, 24, 32, 3)]
    assert (clean.PhotometricInterpretation, clean.PlanarConfiguration) == ("RGB", 0)
    assert int(clean.get("NumberOfFrames", 1)) == number
    assert (after[:, :4, :4] == 9).all()
    assert np.abs(after[:, 4:].astype(int) - frames[:, 4:]).max() <= 2  # YBR rounds


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("number", [1, 2])
def test_indexed_colours_become_rgb_without_their_palette(number):
    indices = np.stack([np.arange(64, dtype=np.uint8).reshape(8, 8)] * number)
    dataset = with_pixels(indices if number > 1 else indices[0], "PALETTE COLOR")
    table = np.arange(0, 65536, 256, dtype=np.uint16)
    for turn, colour in enumerate(("Red", "Green", "Blue")):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", np.roll(table, turn).tobytes())
    clean = write_and_read(deidentify_dicom(dataset))
    after = clean.pixel_array.reshape(number, 8, 8, 3)
    assert (after[..., 0] == indices).all() and (after[..., 1] == np.roll(np.arange(256), 1)[indices]).all()
    assert clean.PhotometricInterpretation == "RGB" and "Palette" not in str(clean)


@pytest.mark.usefixtures("nothing_written")
def test_overlays_in_the_unused_bits_of_pixels_are_gone():
    stored = small().astype(np.uint16)
    dataset = with_pixels(stored | 0x8000, bits=16)
    dataset.BitsStored, dataset.HighBit = 12, 11
    assert (deidentify_dicom(dataset).pixel_array == stored).all()


def set_transfer_syntax(dataset, uid):
    dataset.file_meta.TransferSyntaxUID = uid
    return dataset


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize(
    ("reason", "make"),
    [
        ("undecodable", lambda: set_transfer_syntax(with_pixels(small()), "1.2.3.4")),
        ("undecodable", lambda: set_transfer_syntax(with_pixels(small()), JPEGLSLossless)),
        ("undecodable", lambda: with_pixels(small(), "PALETTE COLOR")),
        ("burned_in_text", lambda: change(with_pixels(small()), BurnedInAnnotation="YES")),
        ("face_in_volume", lambda: change(with_pixels(small()), BodyPartExamined="HEAD")),
    ],
)
def test_what_cannot_be_vouched_for_is_refused(reason, make):
    with pytest.raises(SourceError) as error:
        deidentify_dicom(make())
    assert error.value.reason == reason
    assert [word for word in PLANTED if word in str(error.value).upper()] == []


def change(dataset, **values):
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def test_descriptions_keep_listed_words_alone_and_codes_of_public_schemes():
    dataset = identified()
    dataset.SeriesDescription, dataset.ProtocolName = "SAG T2 TSE Quill 3mm WU 04/03", "颈椎 平扫 王明"
    public, local = pydicom.Dataset(), pydicom.Dataset()
    public.CodeValue, public.CodingSchemeDesignator, public.CodeMeaning = "122496007", "SCT", "Lumbar spine structure"
    local.CodeValue, local.CodingSchemeDesignator, local.CodeMeaning = "QX1", "99OURS", "Dr Tarn's lumbar"
    dataset.AnatomicRegionSequence, dataset.ProcedureCodeSequence = [public], [local]
    clean = deidentify_dicom(dataset)
    assert clean.StudyDescription == "LUMBAR"
    assert (clean.SeriesDescription, clean.ProtocolName) == ("SAG T2 TSE 3mm", "颈椎 平扫")
    assert clean.AnatomicRegionSequence[0].CodeMeaning == "Lumbar spine structure"
    assert [element.value for element in clean.ProcedureCodeSequence[0]] == ["lumbar"]


def test_overlays_curves_icons_graphics_and_private_blocks_are_gone_at_any_depth():
    dataset = identified()
    dataset.add_new(0x60000010, "US", 4)
    dataset.add_new(0x60020022, "LO", "overlay")
    dataset.add_new(0x50000010, "US", 4)
    item = pydicom.Dataset()
    item.add_new(0x60003000, "OW", b"QUILL ORLA")
    item.RescaleSlope = "1"
    item.private_block(0x0013, "OURS", create=True).add_new(1, "UN", b"QUILL")
    dataset.IconImageSequence = dataset.GraphicAnnotationSequence = [pydicom.Dataset()]
    dataset.PixelValueTransformationSequence = [item]
    clean = deidentify_dicom(dataset)
    assert [element.keyword for element in clean.PixelValueTransformationSequence[0]] == ["RescaleSlope"]
    assert not {0x50, 0x60, 0x70, 0x88} & {element.tag.group >> 8 for element in clean} - {0}
    assert "IconImageSequence" not in clean and "GraphicAnnotationSequence" not in clean


def test_the_files_own_header_names_no_sender():
    dataset = with_pixels(small())
    del dataset.PixelData
    dataset.file_meta.SourceApplicationEntityTitle = "QUILL_MR"
    dataset.file_meta.PrivateInformationCreatorUID, dataset.file_meta.PrivateInformation = "1.2.3", b"QUILL"
    meta = deidentify_dicom(dataset).file_meta
    assert {element.keyword for element in meta} == {
        *("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID"),
    }


@pytest.mark.parametrize(
    "values",
    [
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33"},  # a report
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"},  # a PDF
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.11.1"},  # a presentation state
        {"EncapsulatedDocument": b"%PDF Quill"},
        {"ContentSequence": []},
    ],
)
def test_reports_documents_and_presentation_states_are_refused(values):
    with pytest.raises(SourceError, match="may_show_identity: a report, document"):
        clean_dicom(change(identified(), **values))


def test_a_head_that_is_declared_defaced_passes_and_says_so():
    clean = deidentify_dicom(change(identified(), BodyPartExamined="HEAD"), defaced=True)
    assert clean.RecognizableVisualFeatures == "NO"
    assert [code.CodeValue for code in clean.DeidentificationMethodCodeSequence] == ["113100", "113102", "113105"]


IDENTIFYING = (
    *("PatientName", "PatientID", "AccessionNumber", "PatientBirthDate", "InstitutionName", "ReferringPhysicianName"),
    *("PatientAddress", "PatientTelephoneNumbers", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
)


def planted_in(dataset):
    """Words of identifying elements, as a reader of the file would search for them."""
    values = (str(dataset.get(keyword, "") or "") for keyword in IDENTIFYING)
    return [word for value in values for word in value.upper().split("^") if len(word) > 2]


@pytest.mark.usefixtures("nothing_written")
def test_no_identifier_of_the_pseudo_phi_files_is_left_in_headers(sources):
    folder = sources / "hospital" / "dicom"
    for path in sorted([*folder.glob("pseudo-phi-mr/1-*.dcm"), folder / "pseudo-phi" / "0_ORIGINAL_no_pixels.dcm"]):
        dataset = pydicom.dcmread(path)
        text = str(deidentify_dicom(dataset)).upper()
        words = planted_in(dataset)
        assert len(words) > 5 and [word for word in words if word in text] == []


@pytest.mark.slow
def test_name_and_birth_date_burned_into_the_pseudo_phi_radiograph_cannot_be_read(sources):
    dataset = pydicom.dcmread(sources / "hospital" / "dicom" / "pseudo-phi" / "0_ORIGINAL_compressed.dcm")
    cleaned = clean_dicom(dataset)
    before, after = dataset.pixel_array, cleaned.dataset.pixel_array
    untouched = outside(cleaned.boxes, before.shape)
    assert untouched.mean() > 0.9 and (before[untouched] == after[untouched]).all()

    read = " ".join(line.text.upper() for line in recognise_lines(next(render_frames(after[None]))))
    birth = dataset.PatientBirthDate
    parts = [*str(dataset.PatientName).upper().split("^"), birth[:4], f"{birth[4:6]}.{birth[6:]}"]
    assert [part for part in parts if part and part in read] == []
    assert [word for word in planted_in(dataset) if word in str(cleaned.dataset).upper()] == []


def test_uids_are_hashed_under_a_key_and_stay_equal_under_it():
    uid = "1.2.840.99999.1"
    dataset = Dataset()
    dataset.StudyInstanceUID, dataset.PatientName = uid, "Quibble"
    one, again, other = (deidentify_dicom(dataset, key=key).StudyInstanceUID for key in (b"a" * 32, b"a" * 32, b"b" * 32))
    assert one == again != other and one.startswith("2.25.") and len(one) <= 64
    guess = "2.25." + str(int.from_bytes(hashlib.sha256(uid.encode()).digest()[:16], "big"))
    assert guess not in (one, other, deidentify_dicom(dataset).StudyInstanceUID)
    assert deidentify_dicom(dataset).StudyInstanceUID == deidentify_dicom(dataset).StudyInstanceUID
