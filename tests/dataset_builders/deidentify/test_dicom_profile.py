from collections import Counter

import pytest
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from dataset_builders.deidentify import dicom_headers
from dataset_builders.deidentify.dicom_headers import deidentify_dicom
from dataset_builders.deidentify.dicom_profile import clean_description, clean_elements, identifying_words
from tests.support.scripts import load_benchmark

KEY = b"k" * 32
planted_dicom = load_benchmark("planted_dicom")


def cleaned(**values):
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    clean_elements(dataset, identifying_words(dataset), KEY)
    return dataset


@pytest.mark.filterwarnings("ignore")
def test_planted_elements_of_all_kinds_get_the_action_that_the_standard_wants(monkeypatch):
    monkeypatch.setattr(dicom_headers, "mask_writing", lambda frames: (frames, ()))
    results, uids = [], {}
    for number, planted in enumerate(planted_dicom.planted_files(40, seed=1)):
        clean, data = planted_dicom.write_and_read(deidentify_dicom(planted.dataset, key=KEY), implicit=number % 2 == 1)
        if "PixelData" in clean:
            assert clean.pixel_array.size
        odd = {secret for plant in planted.plants if _may_stay(plant) for secret in plant.secrets}
        assert planted_dicom.secrets_left(planted, data) <= odd
        results += planted_dicom.score(planted, clean, uids)
    assert Counter(plant.action for plant, _ in results).keys() == set(planted_dicom.ACTIONS)
    assert len({plant.vr for plant, _ in results}) >= 30
    assert [plant for plant, right in results if not right and not _may_stay(plant)] == []
    right, count = planted_dicom.tally(results)["place"]["odd"]
    assert right >= 0.8 * count


def _may_stay(plant):
    """A code element other than those often typed by hand that holds the name of somebody whom the header does not name."""
    return plant.place == "odd" and plant.path[-1] == Tag("ScanOptions")


def test_a_plant_that_is_left_as_it_is_scores_wrong():
    planted = next(iter(planted_dicom.planted_files(1, seed=2, pixels=False)))
    results = planted_dicom.score(planted, planted.dataset, {})
    assert {plant.action for plant, right in results if right} == {"keep"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("MR Lumbar Spine w/o contrast Zimove", "MR Lumbar Spine contrast"),
        ("L-SPINE_T2 3 mm 12/04/1961", "L SPINE T2 3 mm"),
        ("腰椎平扫 王明", ""),  # words are not told apart without blanks: all goes
        ("腰椎 平扫 王明", "腰椎 平扫"),
        ("19610402", ""),
    ],
)
def test_only_listed_words_of_a_description_stay(text, left):
    assert clean_description(text) == left


def test_a_listed_word_that_is_the_patients_name_goes():
    assert cleaned(PatientName="HEAD^LUMBAR", SeriesDescription="SAG LUMBAR T2").SeriesDescription == "SAG T2"


@pytest.mark.parametrize("value", ["B60s", "*tse2d1_17", "GE MEDICAL SYSTEMS", "Signa HDxt", "syngo MR E11"])
def test_technical_text_stays(value):
    assert cleaned(SoftwareVersions=value).SoftwareVersions == value


@pytest.mark.parametrize("value", ["John Zimove", "Z77120093", "patched by Tarn"])
def test_what_is_no_technical_text_goes(value):
    assert "SoftwareVersions" not in cleaned(SoftwareVersions=value)


def test_numbers_of_the_patient_go_wherever_they_stand():
    clean = cleaned(PatientID="77120093", SeriesNumber="77120093", InstanceNumber="12")
    assert "SeriesNumber" not in clean and clean.InstanceNumber == 12
