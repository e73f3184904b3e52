import pytest

from dataset_builders.phantom.hospital import SCENARIOS, make_hospital_cases, planted_identifiers

COUNT = 4


@pytest.fixture(scope="module")
def cases():
    return make_hospital_cases(seed=0, count=COUNT)


def test_scenarios_cover_both_languages_and_modalities():
    assert len(SCENARIOS) >= 12
    assert {(scenario.language, scenario.modality) for scenario in SCENARIOS} == {
        (language, modality) for language in ("en", "zh") for modality in ("ct", "mri")
    }


def test_every_planted_identifier_stands_in_its_note(cases):
    planted = planted_identifiers(seed=0, count=COUNT)
    assert set(planted) == {case.case_id for case in cases}
    for case in cases:
        assert all(identifier in case.note for identifier in planted[case.case_id])
        assert len(planted[case.case_id]) >= 10


def test_notes_state_the_planted_finding_with_level_and_value(cases):
    for case in cases:
        finding = case.findings[0]
        assert finding.level in case.note
        assert f"{round(finding.value)}%" in case.note


def test_notes_have_no_gap_left_open(cases):
    assert not any("{" in case.note or "None" in case.note or "nan" in case.note.split() for case in cases)


def test_rows_name_the_images_beside_them(cases):
    for case in cases:
        assert case.to_row()["images"] == [image.name for image in case.images]
        assert all(image.png.startswith(b"\x89PNG") for image in case.images)


def test_chinese_identity_numbers_have_a_valid_check_digit():
    for case_id, identifiers in planted_identifiers(seed=0).items():
        if "-zh-" in case_id:
            number = next(text for text in identifiers if text.startswith("110199"))
            weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]  # GB 11643
            assert number[-1] == "10X98765432"[sum(w * int(d) for w, d in zip(weights, number)) % 11]
