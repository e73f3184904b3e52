import io
import json

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dataset_builders.deidentify import dicom_headers
from dataset_builders.document import Companion, Document, Masking, Reject, SourceError
from dataset_builders.sources.base import Declared
from dataset_builders.sources.imaging import dicom

SAGITTAL = [0, 1, 0, 0, 0, -1]


def write_slice(path, number, pixels=None, orientation=(1, 0, 0, 0, 1, 0), position=None, **tags):
    """A CT slice of 60 × 60 mm, 3 mm apart, counted upwards; pixel values are HU + 1000."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    if pixels is None:
        pixels = np.full((30, 30), 1000 + 10 * number, dtype=np.uint16)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.840.99.7", "1.2.840.99.7.1"
    dataset.PatientName, dataset.PatientID, dataset.Modality = "Doe^Jane", "MRN-554433", "CT"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelSpacing, dataset.SliceThickness = [2, 2], 3
    dataset.ImageOrientationPatient = list(orientation)
    dataset.ImagePositionPatient = position or [-30, -30, 3 * number]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1000
    dataset.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_series(folder, count=20, **tags):
    """File names run against the slices' positions."""
    folder.mkdir(parents=True, exist_ok=True)
    return [write_slice(folder / f"{count - number:03d}.dcm", number, **tags) for number in range(count)][::-1]


def read(path, root, kind="open_dataset", **declared):
    return list(dicom.read(path, Declared(root=root, source_kind=kind, **declared)))


def document(results):
    (found,) = [result for result in results if isinstance(result, Document)]
    return found


def brightness(figure):
    return np.asarray(Image.open(io.BytesIO(figure.image))).mean()


def test_a_series_is_one_document_sorted_by_position(tmp_path):
    files = write_series(tmp_path / "ct")
    found = document(read(files[0], tmp_path))
    axial = [figure for figure in found.figures if figure.locator.startswith("axial")]
    assert len(found.figures) == 25 and len(axial) >= 6
    assert [brightness(figure) for figure in axial] == sorted(brightness(figure) for figure in axial)
    assert axial[0].image_modality == "ct" and axial[0].levels == ()
    for file in files[1:]:
        assert read(file, tmp_path) == [Companion(f"ct/{file.name}", f"ct/{files[0].name}")]


def test_left_and_front_are_where_dicom_says(tmp_path):
    pixels = np.full((30, 30), 600, dtype=np.uint16)
    pixels[:8, :8] = 2000  # first row is the front, first column the patient's right
    files = write_series(tmp_path / "ct", pixels=pixels)
    axial = next(f for f in document(read(files[0], tmp_path)).figures if f.locator.startswith("axial"))
    image = np.asarray(Image.open(io.BytesIO(axial.image)))
    assert image[:80, :80].min() > 200 and image[200:].max() < 80 and image[:, 200:].max() < 80


def test_a_label_map_beside_the_slices_gives_levels(tmp_path):
    files = write_series(tmp_path / "totalsegmentator")
    mask = np.zeros((30, 30, 20), dtype=np.uint8)
    mask[8:22, 8:22, 2:9], mask[8:22, 8:22, 11:18] = 28, 29
    path = tmp_path / "totalsegmentator" / "case_seg.nii.gz"
    nib.save(nib.Nifti1Image(mask, np.array([[-2, 0, 0, 30], [0, -2, 0, 30], [0, 0, 3, 0], [0, 0, 0, 1]], dtype=float)), path)
    found = document(read(files[0], tmp_path, labels="totalsegmentator-2"))
    assert found.levels == ("L3", "L4")
    assert any(figure.levels == ("L3",) for figure in found.figures if figure.locator.startswith("axial"))
    nib.save(nib.Nifti1Image(mask, np.eye(4)), path)
    results = read(files[0], tmp_path, labels="totalsegmentator-2")
    assert [result.reason for result in results if isinstance(result, Reject)] == ["grid_mismatch"]
    assert document(results).levels == ()


def test_other_series_in_the_folder_are_documents_of_their_own(tmp_path):
    files = write_series(tmp_path / "ct", 3)
    lone = write_slice(tmp_path / "ct" / "zz.dcm", 0, SeriesInstanceUID="1.2.840.99.7.2")
    assert len(document(read(lone, tmp_path)).figures) == 1
    assert len(document(read(files[0], tmp_path)).figures) == 3


def test_radiographs_are_images_of_their_own(tmp_path):
    one, two = (write_slice(tmp_path / f"{n}.dcm", n, Modality="DX") for n in (1, 2))
    for path in (one, two):
        (figure,) = document(read(path, tmp_path)).figures
        assert figure.image_modality == "radiograph"


def test_a_hospital_series_keeps_no_identity(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_headers, "mask_writing", lambda frames: (frames, ()))
    files = write_series(tmp_path / "hospital" / "Doe_Jane", 2, InstitutionName="Clinic on the Hill", StudyDate="20240131")
    found = document(read(files[0], tmp_path, "hospital_case"))
    text = json.dumps(found.to_dict())
    for identity in ("Doe", "Jane", "MRN", "554433", "Hill", "20240131", "1.2.840.99"):
        assert identity not in text
    assert found.provenance.source_licence == "LicenseRef-Hospital" and found.id.startswith("hospital:")


def test_undeclared_dicom_is_treated_as_a_hospitals_and_a_study_is_one_case(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_headers, "mask_writing", lambda frames: (frames, ()))
    one = write_slice(tmp_path / "Doe.dcm", 0)
    other = write_slice(tmp_path / "Jane.dcm", 3, SeriesInstanceUID="1.2.840.99.7.9")
    first, second = (document(read(path, tmp_path, None)) for path in (one, other))
    assert first.provenance.source_kind == "hospital_case"
    assert first.provenance.case_id == second.provenance.case_id and first.id != second.id


def test_hospital_images_go_through_deidentification_first(tmp_path, monkeypatch):
    def refuse(dataset, *, defaced):
        raise ValueError("Doe^Jane")

    monkeypatch.setattr(dicom, "clean_dicom", refuse)
    path = write_slice(tmp_path / "a.dcm", 0)
    with pytest.raises(SourceError, match="may_show_identity: the header cannot be cleaned: ValueError"):
        read(path, tmp_path, "hospital_case")
    assert document(read(path, tmp_path, "open_dataset")).deidentification is None


def test_what_was_taken_out_of_a_hospitals_series_is_counted(tmp_path, monkeypatch):
    boxes = [(1, 2, 9, 8)]
    monkeypatch.setattr(dicom_headers, "mask_writing", lambda frames: (frames, tuple(boxes)))
    files = write_series(tmp_path / "hospital", 2)
    taken = document(read(files[0], tmp_path, "hospital_case")).deidentification
    assert taken.tags["PatientName"] == taken.tags["PatientID"] == 2
    assert taken.maskings == tuple(Masking(f"hospital/{file.name}", tuple(boxes)) for file in files)


def test_a_hospitals_volume_that_may_hold_a_face_needs_a_declaration(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_headers, "mask_writing", lambda frames: (frames, ()))
    pixels = np.full((70, 70), 1200, dtype=np.uint16)
    files = write_series(tmp_path / "hospital", 40, pixels=pixels)  # 140 mm deep, 120 mm high
    with pytest.raises(SourceError, match="face_in_volume: a volume of an unknown part of the body"):
        read(files[0], tmp_path, "hospital_case")
    assert document(list(dicom.read(files[0], Declared(root=tmp_path, source_kind="hospital_case", defaced=True))))
    spine = write_series(tmp_path / "spine", 40, pixels=pixels, BodyPartExamined="LSPINE")
    assert document(read(spine[0], tmp_path, "hospital_case"))
    assert document(read(files[0], tmp_path, "open_dataset"))


def change(**tags):
    return lambda dataset: [setattr(dataset, name, value) for name, value in tags.items()]


@pytest.mark.parametrize(
    ("reason", "edit"),
    [
        ("uneven_slices", change(ImagePositionPatient=[-30, -30, 300])),
        ("no_geometry", lambda dataset: delattr(dataset, "ImagePositionPatient")),
        ("no_pixels", lambda dataset: delattr(dataset, "PixelData")),
        ("multi_frame", change(NumberOfFrames=3)),
        ("not_scalar", change(SamplesPerPixel=3)),
        ("undecodable", lambda dataset: setattr(dataset, "PixelData", dataset.PixelData[:100])),
    ],
)
def test_a_series_that_is_no_volume_is_refused_with_the_reason(tmp_path, reason, edit):
    files = write_series(tmp_path / "ct", 5)
    dataset = pydicom.dcmread(files[2])
    edit(dataset)
    dataset.save_as(files[2])
    with pytest.raises(SourceError) as error:
        read(files[0], tmp_path)
    assert error.value.reason == reason
    assert "Doe" not in str(error.value)


def test_a_series_that_looks_in_two_directions_is_refused(tmp_path):
    files = write_series(tmp_path / "ct", 3)
    for number in (7, 8, 9):
        write_slice(tmp_path / "ct" / f"{number}.dcm", number, orientation=SAGITTAL)
    with pytest.raises(SourceError, match="mixed_orientations"):
        read(files[0], tmp_path)


def test_copies_of_a_slice_are_left_out_and_named(tmp_path):
    files = write_series(tmp_path / "ct", 5)
    (tmp_path / "ct" / "copy.dcm").write_bytes(files[1].read_bytes())
    results = read(files[0], tmp_path)
    assert [(r.file, r.reason) for r in results if isinstance(r, Reject)] == [("ct/copy.dcm", "duplicate_slice")]
    assert len(document(results).figures) == 5


def test_what_is_no_dicom_is_refused(tmp_path):
    path = tmp_path / "x.dcm"
    path.write_bytes(b"not an image" * 40)
    assert dicom.accepts(path, path.read_bytes())
    with pytest.raises(SourceError, match="not_dicom"):
        read(path, tmp_path)


def test_the_real_series_has_levels_that_no_image_shows_whole(sources):
    root = sources / "imaging"
    files = sorted((root / "ct-series-totalsegmentator").glob("*.dcm"))
    found = document(read(files[0], root))
    assert len(found.figures) == 20 and found.levels == ("T11", "T12")
    # Its 20 slices cut both vertebrae off: they are labelled, and no image shows one whole.
    assert not any(figure.levels for figure in found.figures)


def test_a_localizer_among_slices_is_left_out_and_the_series_kept(tmp_path):
    files = write_series(tmp_path / "ct", 6)
    write_slice(tmp_path / "ct" / "zz.dcm", 9, orientation=SAGITTAL)
    results = read(files[0], tmp_path)
    assert [(r.reason, r.file) for r in results if isinstance(r, Reject)] == [("localizer", "ct/zz.dcm")]
    assert len([f for f in document(results).figures if f.locator.startswith("axial")]) == 6


def test_no_plane_is_cut_through_slices_that_lie_far_apart_and_missing_ones_are_named(tmp_path):
    (tmp_path / "ct").mkdir()
    for number in range(8):
        place = [-30, -30, 9 * number]
        write_slice(tmp_path / "ct" / f"{number}.dcm", number, position=place, InstanceNumber=1 + 3 * number)
    results = read(tmp_path / "ct" / "0.dcm", tmp_path)
    assert [r.reason for r in results if isinstance(r, Reject)] == ["slices_missing"]
    assert {figure.locator.split()[0] for figure in document(results).figures} == {"axial"}


def test_interleaved_numbers_of_slices_that_touch_are_no_gap(tmp_path):
    (tmp_path / "ct").mkdir()
    for number in range(8):
        write_slice(tmp_path / "ct" / f"{number}.dcm", number, InstanceNumber=1 + 2 * number)
    assert [r.reason for r in read(tmp_path / "ct" / "0.dcm", tmp_path) if isinstance(r, Reject)] == []


def test_a_series_with_a_folder_a_slice_is_one_series(tmp_path):
    dicom._lone_files.cache_clear()
    for number in range(6):
        (tmp_path / "ct" / f"{number}").mkdir(parents=True)
        write_slice(tmp_path / "ct" / f"{number}" / "img.dcm", number)
    (tmp_path / "ct" / "other").mkdir()
    write_slice(tmp_path / "ct" / "other" / "img.dcm", 7, SeriesInstanceUID="1.2.840.99.7.2")
    found = document(read(tmp_path / "ct" / "0" / "img.dcm", tmp_path))
    assert len([figure for figure in found.figures if figure.locator.startswith("axial")]) == 6
    assert found.provenance.case_id == "ct"
    assert read(tmp_path / "ct" / "5" / "img.dcm", tmp_path) == [Companion("ct/5/img.dcm", "ct/0/img.dcm")]
    assert len(document(read(tmp_path / "ct" / "other" / "img.dcm", tmp_path)).figures) == 1
