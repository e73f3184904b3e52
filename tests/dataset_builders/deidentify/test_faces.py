import pytest

from dataset_builders.deidentify.faces import check_face, region_of, region_of_dicom
from dataset_builders.document import SourceError
from tests.support.dicom_files import headers

MM = (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("words", "region"),
    [
        ("MRI BRAIN W/O", "head"),
        ("CT_HEAD_NECK", "head"),
        ("头颅CT", "head"),
        ("MRI C-SPINE", "neck"),
        ("CERVICAL SPINE", "neck"),
        ("颈椎MRI", "neck"),
        ("WHOLE SPINE", "neck"),
        ("hospital/lumbar/4711_t2.nii.gz", "below"),
        ("LSPINE", "below"),
        ("胸腰椎", "below"),
        ("CERVICAL AND THORACIC SPINE", "neck"),
        ("hospital/4711.nii.gz", None),
        ("OVERHEAD", None),
    ],
)
def test_the_region_is_what_names_and_headers_say(words, region):
    assert region_of(words) == region


def test_a_radiograph_is_a_projection():
    dataset = headers()
    dataset.BodyPartExamined = "SKULL"
    assert region_of_dicom(dataset) == "head"
    dataset.Modality = "CR"
    assert region_of_dicom(dataset) == "below"


@pytest.mark.parametrize(
    ("region", "shape", "centres"),
    [
        ("head", (10, 10, 10), {}),
        ("head", (200, 200, 300), {"L4": (100, 100, 20)}),
        ("neck", (60, 240, 240), {}),
        (None, (60, 240, 240), {}),
        ("neck", (60, 240, 240), {"C1": (30, 120, 200), "C2": (30, 120, 180)}),
        ("below", (200, 300, 500), {"T1": (100, 150, 350)}),  # labelled from T1 down, and reaching the eyes
    ],
)
def test_volumes_that_may_hold_a_face_are_refused(region, shape, centres):
    with pytest.raises(SourceError, match=r"face_in_volume: .* defaced: true"):
        check_face(region, shape, MM, centres)


@pytest.mark.parametrize(
    ("region", "shape", "centres"),
    [
        ("below", (60, 240, 240), {}),
        (None, (240, 240, 40), {}),  # a thin axial stack
        ("neck", (60, 240, 240), {"C1": (30, 120, 230)}),  # ends at the atlas
        ("neck", (60, 150, 240), {"C1": (30, 120, 180)}),  # ends before the skin
        (None, (60, 300, 400), {"T11": (30, 150, 380), "L3": (30, 150, 200)}),
    ],
)
def test_volumes_that_hold_none_pass(region, shape, centres):
    check_face(region, shape, MM, centres)
