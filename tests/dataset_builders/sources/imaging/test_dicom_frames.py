import io

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MultiFrameGrayscaleWordSecondaryCaptureImageStorage

from dataset_builders.deidentify import dicom_headers
from dataset_builders.document import SourceError
from dataset_builders.sources.base import Declared
from dataset_builders.sources.imaging import dicom
from dataset_builders.sources.imaging.dicom_frames import MAX_FRAMES
from tests.support.written_images import write


def write_file(path, pixels, **tags):
    """A file of frames: (n, rows, columns), or one of colours (rows, columns, 3)."""
    colour = pixels.shape[-1] == 3
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.Modality = "1.2.9", "1.2.9.1", "CT"
    dataset.Rows, dataset.Columns = pixels.shape[:2] if colour else pixels.shape[1:]
    bits = 8 * pixels.dtype.itemsize
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits, bits - 1, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    if colour:
        dataset.PlanarConfiguration = 0
    else:
        dataset.NumberOfFrames = len(pixels)
    dataset.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(dataset, name, value)
    path.parent.mkdir(exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def read(path, kind="open_dataset", **declared):
    (found,) = dicom.read(path, Declared(root=path.parent.parent, source_kind=kind, **declared))
    return found


def shown(figure):
    return np.asarray(Image.open(io.BytesIO(figure.image)))


def frames(count, rows=40):
    return np.repeat(np.arange(count, dtype=np.uint16)[:, None, None] * 100 + 1000, rows, 1).repeat(rows, 2)


def test_frames_evenly_over_the_file_are_figures_that_say_which(tmp_path):
    found = read(write_file(tmp_path / "ct" / "a.dcm", frames(9), RescaleSlope=1, RescaleIntercept=-1000))
    assert [figure.locator for figure in found.figures] == [f"image {number} of 9" for number in (1, 3, 5, 7, 9)]
    assert len(found.figures) == MAX_FRAMES and found.figures[1].caption == "CT, frame 3 of 9."
    brightness = [shown(figure).mean() for figure in found.figures]
    assert brightness == sorted(brightness) and brightness[0] < brightness[-1] - 80


def test_a_frame_is_rescaled_by_its_own_numbers_before_the_files(tmp_path):
    groups = []
    for intercept in (-1000, 0):
        transformation, group = Dataset(), Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = 1, intercept
        group.PixelValueTransformationSequence = [transformation]
        groups.append(group)
    path = write_file(tmp_path / "ct" / "a.dcm", np.full((2, 40, 40), 1000, np.uint16), PerFrameFunctionalGroupsSequence=groups)
    water, bone = (shown(figure).mean() for figure in read(path).figures)
    assert water < bone - 80


def test_colours_stay_as_they_are(tmp_path):
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, :20, 0], pixels[:, 20:, 2] = 200, 120
    (figure,) = read(write_file(tmp_path / "us" / "a.dcm", pixels, Modality="US")).figures
    image = shown(figure)
    assert image[5, 5].tolist() == [200, 0, 0] and image[5, -5].tolist() == [0, 0, 120]


def test_writing_in_any_frame_of_a_hospitals_file_is_masked_in_all(tmp_path):
    pixels = np.full((2, 200, 320), 40, np.uint8)
    pixels[1] = np.asarray(write(Image.fromarray(pixels[1]), "ORLA QUILL 1962", (20, 20), 24, 220))
    found = read(write_file(tmp_path / "hospital" / "a.dcm", pixels, Modality="US"), "hospital_case")
    assert len(found.figures) == 2 and all(np.ptp(shown(figure)) < 10 for figure in found.figures)
    assert len(found.deidentification.maskings) == 1


@pytest.mark.parametrize(
    ("reason", "tags"),
    [("face_in_volume", {}), ("face_in_volume", {"BodyPartExamined": "HEAD"}), ("may_show_identity", {"Modality": "XC"})],
)
def test_a_hospitals_frames_that_may_show_a_person_need_a_declaration(tmp_path, monkeypatch, reason, tags):
    monkeypatch.setattr(dicom_headers, "mask_writing", lambda pixels: (pixels, ()))
    path = write_file(tmp_path / "hospital" / "a.dcm", frames(3), **tags)
    with pytest.raises(SourceError, match=reason):
        read(path, "hospital_case")
    assert len(read(path, "hospital_case", defaced=True).figures) == 3
    spine = write_file(tmp_path / "hospital" / "b.dcm", frames(3), BodyPartExamined="LSPINE", SeriesInstanceUID="1.2.9.2")
    assert len(read(spine, "hospital_case").figures) == 3


def test_a_header_that_says_more_frames_than_there_are_is_refused(tmp_path):
    path = write_file(tmp_path / "ct" / "a.dcm", frames(3))
    dataset = pydicom.dcmread(path)
    dataset.NumberOfFrames = 7
    dataset.save_as(path)
    with pytest.raises(SourceError, match="undecodable"):
        read(path)
