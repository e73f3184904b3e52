"""What can be judged on an image, and which of its levels can be numbered."""

import pytest

from dataset_builders.document import Figure, Finding
from dataset_builders.generate.rules.views import numbered_levels, numbered_together, plane_of, shows, weighting_of
from tests.support.labelled_case import VERTEBRAE, make_figure


def make_image(said, modality="mri", **values):
    return Figure("", said, image_modality=modality, **values)


@pytest.mark.parametrize(
    ("said", "plane", "weighting"),
    [("Mid-sagittal T2 MRI.", "sagittal", None), ("T1 mid-sagittal slice", "sagittal", "T1"),
     ("T2 SPACE sagittal slice 3 of 9", "sagittal", "T2"), ("T2/STIR sagittal slice 1 of 2", "sagittal", "T2"),
     ("axial MRI with T1 in view", "axial", None), ("T2-weighted MRI, coronal slice", "coronal", "T2")],
)  # fmt: skip
def test_plane_and_weighting_are_what_caption_and_locator_say(said, plane, weighting):
    assert (plane_of(make_image(said)), weighting_of(make_image(said))) == (plane, weighting)


@pytest.mark.parametrize(
    ("name", "said", "modality", "shown"),
    [("disc_degeneration", "T2-weighted sagittal", "mri", True), ("disc_degeneration", "T1-weighted sagittal", "mri", False),
     ("disc_degeneration", "T2-weighted axial", "mri", False), ("disc_herniation", "T2-weighted axial", "mri", True),
     ("disc_herniation", "sagittal", "ct", False), ("wedge_fracture", "axial", "ct", False),
     ("wedge_fracture", "sagittal", "ct", True), ("modic_change", "T1-weighted sagittal", "mri", False)],
)  # fmt: skip
def test_a_finding_is_judged_on_its_own_kind_of_image(name, said, modality, shown):
    finding = Finding(name, "L1" if name == "wedge_fracture" else "L4/L5")
    assert shows((make_image(said, modality, findings=(finding,)),), finding) == shown


@pytest.mark.parametrize(
    ("levels", "discs", "numbered"),
    [(VERTEBRAE, (), VERTEBRAE), (("L3", "L4", "L5"), ("L5/S1",), ("L3", "L4", "L5", "S1")), (("L2", "L3", "L4"), (), ()),
     (("L1", "L2", "L4", "L5", "S1"), (), ("L4", "L5", "S1")), (("C2", "C3", "C4"), (), ("C2", "C3", "C4")),
     (("L5", "L6", "S1"), (), ("L5", "L6", "S1")), (("L5", "S1"), (), ())],
)  # fmt: skip
def test_levels_are_numbered_in_an_unbroken_row_with_the_axis_or_the_sacrum(levels, discs, numbered):
    assert numbered_levels(make_image("sagittal", levels=levels, discs=discs)) == numbered


def test_axial_images_are_numbered_by_the_sagittal_one_of_their_set_or_by_a_whole_stack():
    axial = [make_figure("axial", place, (level,)) for place, level in enumerate(("L4", "L5", "S1"))]
    assert not numbered_levels(axial[2]) and numbered_together(axial) == ("L4", "L5", "S1")
    assert not numbered_together(axial[:2])
    assert numbered_together([*axial, make_figure("sagittal", 5)]) == VERTEBRAE
