"""Findings, levels and images in words."""

import re

from dataset_builders.document import Figure, Finding
from dataset_builders.generate.rules.naming import list_findings, name_image, name_structures, span_levels, state_findings
from dataset_builders.sources.imaging import rsna, spark, spider
from dataset_builders.sources.imaging.volume_case import UNGRADED_BY_LABEL_MAPS
from tests.support.labelled_case import DISCS, FRACTURE, VERTEBRAE


def test_spans_of_levels_are_written_short():
    assert span_levels(VERTEBRAE, "en") == "T11 to S1" and span_levels(DISCS, "zh") == "T11/T12～L5/S1"
    assert span_levels(("L1", "L2", "L3"), "en") == "L1, L2, L3"
    assert span_levels(("C2", "C5", "C6", "C7", "T1"), "en") == "C2, C5 to T1"


def test_findings_that_share_their_grade_share_a_line():
    bulges = [Finding("disc_bulge", level) for level in ("L5/S1", "L3/L4")]
    assert state_findings([*bulges, FRACTURE], "en") == (
        "disc bulge at L3/L4, L5/S1; vertebral wedge (compression) fracture at L1 (Genant grade 2, moderate, 31.5 %)"
    )


def test_images_are_named_by_what_is_known():
    figure = Figure("", "T2-weighted MRI, sagittal slice", image_modality="mri")
    assert (
        name_image(figure, "en") == "a sagittal T2-weighted MR image" and name_image(figure, "zh") == "矢状位 T2 加权 MRI 图像"
    )
    thoracic = Figure("", "axial MRI slice with T1 and T2 in view", image_modality="mri")
    assert name_image(thoracic, "en") == "an axial MR image"
    assert name_image(Figure("", "T1 mid-sagittal slice", image_modality="mri"), "en") == "a sagittal T1-weighted MR image"
    assert name_image(Figure("", "", image_modality="ct"), "en") == "a CT image"
    assert name_image(Figure("", "lateral view", image_modality="radiograph"), "zh") == "侧位X 线片"
    assert name_image(Figure("", ""), "en") == "a spine image"


def test_findings_whose_grades_have_no_words_are_listed_once():
    plates = [Finding("endplate_change", "L4/L5", "lower end plate"), Finding("endplate_change", "L1/L2", "upper end plate")]
    assert len(list_findings(plates, "en")) == 1 and list_findings(plates, "en")[0].endswith("at L1/L2, L4/L5")
    grades = [Finding("disc_degeneration", "L4/L5", "4"), Finding("disc_degeneration", "L1/L2", "3")]
    assert len(list_findings(grades, "en")) == 2


def test_every_structure_that_a_reader_leaves_ungraded_has_a_chinese_name():
    for structures in (UNGRADED_BY_LABEL_MAPS, spider._UNGRADED, spark._UNGRADED, rsna._UNGRADED):
        assert not re.search("[A-Za-z]", name_structures(structures, "zh"))
