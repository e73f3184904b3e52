"""The table of source kinds is whole, and a kind that it lacks is an error that names it."""

import pytest

from dataset_builders.publish import NEVER_PUBLISHED
from dataset_builders.source_kinds import (
    KIND_OF_FOLDER,
    KINDS,
    MODEL_CLASSES,
    UnknownKind,
    find_kind,
    is_inside_hospital,
    kind_of_parts,
)


def test_every_kind_has_a_class_of_model_and_folders_of_its_own():
    assert {kind.model_class for kind in KINDS.values()} == set(MODEL_CLASSES)
    assert all(kind.folders for kind in KINDS.values())
    assert len(KIND_OF_FOLDER) == sum(len(kind.folders) for kind in KINDS.values())


def test_the_readme_names_every_folder(repo):
    text = (repo / "README.md").read_text(encoding="utf-8").split("## Your own sources")[1].split("\n## ")[0]
    assert not [folder for folder in KIND_OF_FOLDER if f"`{folder}/`" not in text]


def test_a_kind_without_stated_licence_is_never_published():
    assert {kind.licence for kind in KINDS.values()} <= set(NEVER_PUBLISHED)


def test_hospital_cases_are_private_and_published_kinds_are_not():
    assert find_kind("hospital_case").is_private
    assert not any(find_kind(name).is_private for name in ("textbook", "article", "open_dataset", "question_bank"))


def test_an_unknown_kind_is_an_error_that_names_the_entry_and_the_table():
    with pytest.raises(UnknownKind, match=r"'invented_kind' has no entry in KINDS of dataset_builders/source_kinds.py"):
        find_kind("invented_kind")


@pytest.mark.parametrize(
    "parts",
    [
        ("hospital",), ("Hospital",), ("HOSPITALS", "imaging"), ("hospital", "general_medical"), ("articles", "hospital"),
        ("patient_007", "case_reports"), ("imaging", "Patients"), ("City Hospital", "textbooks"), ("hospital2024",),
        ("医院", "articles"), ("第三医院影像",), ("ｈｏｓｐｉｔａｌ", "articles"), ("患者",), ("病例", "articles"),
        ("hoſpital", "articles"),
    ],
)  # fmt: skip
def test_a_hospitals_folder_decides_wherever_it_stands(parts):
    assert kind_of_parts(parts) == "hospital_case"


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        (("articles",), "article"), (("Textbooks", "spine"), "textbook"), (("articles", "imaging"), "open_dataset"),
        (("case_reports", "hospitality"), "case_report"), (("papers",), None), ((), None),
        (("case_reports", "病例报告"), "case_report"),
    ],
)  # fmt: skip
def test_other_folders_name_their_kind_or_none(parts, kind):
    assert kind_of_parts(parts) == kind


def test_above_the_sources_a_hospital_is_told_from_a_project_about_one():
    assert all(
        is_inside_hospital(["data", name])
        for name in ("hospital", "Hospital 2024", "patient_records", "City Hospital", "XX医院")
    )
    assert not is_inside_hospital(["home", "hospital-llm", "test_hospital_rows0", "spinemed"])
