import pytest

from dataset_builders.deidentify.markings import is_marking


@pytest.mark.parametrize(
    "text",
    [
        *("L", "R", "AP", "左", "L5", "L5/S1", "T11/12", "C3-4", "Th12", "10 cm", "3.0mm", "12", "(3)", "L  R"),
        *("Se 3", "Im: 12/45", "SE:4 IM:12", "W 400 L 40", "WW: 350 WL: 40", "窗宽 350 窗位 40", "TR 3000 TE 102", "120 kV"),
        *("SUPINE", "过屈", "T2", "STIR", "ST 4.0 mm", "Zoom 150%"),
    ],
)
def test_markings_of_the_device_are_told(text):
    assert is_marking(text)


@pytest.mark.parametrize(
    "text",
    [
        *("WU", "Ng Bo", "LI", "HA", "王明", "李", "JR", "L ROE", "LEE", "L5 WU", "56Y F", "551", "K-204", "M 7", ""),
        *("3/4/24", "03 04 61", "1961", "14-02-1961", "ID 12", "Im 12 WU", "Dr L"),
    ],
)
def test_names_dates_and_numbers_are_no_markings(text):
    assert not is_marking(text)
