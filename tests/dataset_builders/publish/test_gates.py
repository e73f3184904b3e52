"""The gate of publish: what leaves, and by which reason anything else stays."""

import pytest

from dataset_builders.publish.gates import REQUIRED, reason_to_withhold

ROW = {
    "source_kind": "textbook", "source_id": "10.1/x", "source_licence": "CC-BY-4.0", "source_locator": "page 3",
    "source_sha256": "0" * 64, "draft_model": "rules/2", "review_status": "unreviewed", "case_id": None, "images": [],
}  # fmt: skip
HOSPITAL = {**ROW, "source_kind": "hospital_case", "source_id": "hospital:3f", "source_licence": "LicenseRef-Hospital"}


@pytest.mark.parametrize("licence", ["CC-BY-4.0", "cc-by-4.0", "CC0-1.0", "MIT", "apache-2.0", "CC-BY-SA-3.0", "CC-BY-3.0-IGO"])
def test_a_row_of_a_known_kind_and_licence_leaves(licence):
    assert reason_to_withhold({**ROW, "source_licence": licence}) is None


@pytest.mark.parametrize(
    "licence",
    [
        None, "", "LicenseRef-Unknown", "licenseref-hospital", "LicenseRef-Hospital", "LicenseRef-Hospital ",
        "All rights reserved", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "ODbL-1.0", "CC-BY-4.0 ", "CC-BY-9.0", "MIT License",
        "released under CC-BY-4.0", "MIT OR GPL-3.0-only",
    ],
)  # fmt: skip
def test_a_licence_that_is_not_exactly_one_that_may_be_published_stays(licence):
    reason = reason_to_withhold({**ROW, "source_licence": licence})
    assert reason and (reason == licence or "source_licence" in reason)


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, "", "Unknown", " n/a "])
def test_a_field_that_is_not_known_keeps_the_row(name, value):
    assert reason_to_withhold({**ROW, name: value}) is not None


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0", "CC-BY-4.0", "LicenseRef-Hospital"])
def test_no_licence_lets_a_hospital_case_out(licence):
    assert reason_to_withhold({**HOSPITAL, "source_licence": licence}) == "source_kind hospital_case"


def test_an_id_of_a_hospital_under_another_kind_stays():
    assert reason_to_withhold({**ROW, "case_id": "hospital:3f"}) == "an id of a hospital case"
    assert reason_to_withhold({**ROW, "source_kind": "invented"}) == "source_kind is not one of ours"


def test_an_image_that_is_a_path_stays():
    for image in ({"bytes": None, "path": "/etc/hostname"}, {"bytes": b"x", "path": "Quibble.png"}, None):
        assert reason_to_withhold({**ROW, "images": [image]}) == "an image is not embedded, or names a file"
    assert reason_to_withhold({**ROW, "images": [{"bytes": b"x", "path": None}]}) is None


def test_a_sign_off_lets_hospital_rows_out_that_are_whole():
    assert reason_to_withhold(HOSPITAL, release_hospital=True) is None
    assert reason_to_withhold({**HOSPITAL, "source_licence": "MIT"}, release_hospital=True) is not None
    assert reason_to_withhold({**HOSPITAL, "source_locator": None}, release_hospital=True) is not None
    assert reason_to_withhold({**ROW, "source_licence": "LicenseRef-Unknown"}, release_hospital=True) == "LicenseRef-Unknown"


def test_no_reason_quotes_a_value_that_is_not_a_known_licence():
    assert "Quibble" not in str(reason_to_withhold({**ROW, "source_licence": "Quibble"}))
    assert "Quibble" not in str(reason_to_withhold({**ROW, "source_kind": "Quibble"}))
