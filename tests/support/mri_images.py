"""Small MR images as DICOM files, with an identity in their headers that must stay there."""

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

SAGITTAL = (0, 1, 0, 0, 0, -1)
AXIAL = (1, 0, 0, 0, 1, 0)
IDENTITY = ("Doe", "MRN-554433", "Springfield")


def write_image(path, study, series, number, orientation=SAGITTAL, description="", pixels=None, **tags):
    """An image of 60 × 60 pixels of 2 mm whose brightness grows to the right and downwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = f"{series}.{number}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.InstanceNumber = study, series, number
    dataset.PatientName, dataset.PatientID, dataset.InstitutionName = "Doe^Jane", "MRN-554433", "Springfield General"
    dataset.Modality, dataset.SeriesDescription = "MR", description
    if pixels is None:
        pixels = np.add.outer(np.arange(60) * 3, np.arange(60)).astype(np.uint16) + 1 + number
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelSpacing, dataset.SliceThickness = [2, 2], 4
    dataset.ImageOrientationPatient = list(orientation)
    dataset.ImagePositionPatient = [4 * number, -60, 60] if orientation == SAGITTAL else [-60, -60, 4 * number]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelData = pixels.tobytes()
    for name, value in tags.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path
