import pydicom
from pydicom.uid import MRImageStorage, generate_uid


def headers():
    """The header of an MR slice without pixels."""
    dataset = pydicom.Dataset()
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["instance"])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["series"])
    dataset.Modality = "MR"
    dataset.StudyDate = "20210304"
    return dataset
