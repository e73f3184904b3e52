import io

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from dataset_builders.phantom.painting import LABELS
from dataset_builders.phantom.volumes import make_volume
from dataset_builders.sources.imaging.nifti import load_volume
from dataset_builders.volumes import (
    BONE_WINDOW,
    PLANES,
    Slice,
    cut_labels,
    cut_point,
    label_areas,
    label_centres,
    mri_window,
    render_slice,
    reorient,
    reorient_point,
    sample_slices,
    spacing_of,
    visible_labels,
)


@pytest.fixture(scope="module")
def phantom():
    return make_volume(21, "ct", "lumbar", ())


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def test_four_orientations_on_disk_give_identical_images(tmp_path, phantom):
    """The phantom is asymmetric in every axis: aorta on the left, vena cava on the right, canal behind, sacrum below."""
    images = []
    for axes in ("RAS", "LPS", "PIR", "SLA"):
        turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(axes))
        stored = nib.orientations.apply_orientation(phantom.image, turn)
        affine = phantom.affine @ nib.orientations.inv_ornt_aff(turn, phantom.image.shape)
        assert "".join(nib.orientations.aff2axcodes(affine)) == axes
        nib.save(nib.Nifti1Image(stored, affine), tmp_path / f"{axes}.nii.gz")
        image, own = load_volume(tmp_path / f"{axes}.nii.gz")
        np.testing.assert_allclose(own, phantom.affine, atol=1e-4)
        wheres = [Slice(plane, image.shape[axis] // 3, image.shape[axis]) for plane, axis in PLANES.items()]
        images.append([render_slice(image, spacing_of(own), where, BONE_WINDOW) for where in wheres])
    assert len({tuple(pair) for pair in images}) == 1


@pytest.mark.parametrize(("plane", "index"), [("sagittal", 35), ("coronal", 55), ("axial", 75)])
def test_right_front_and_head_are_where_the_convention_puts_them(plane, index):
    voxels = np.zeros((40, 60, 80), dtype=np.float32)
    voxels[30:, 45:, 60:] = 1  # right, front, head: all of them top or left in every plane
    image = pixels(render_slice(voxels, (1, 1, 1), Slice(plane, index, 80), (0, 1)))
    rows, columns = image.shape
    assert image[: rows // 5, : columns // 5].min() > 200
    assert image[rows // 2 :].max() < 50
    assert image[:, columns // 2 :].max() < 50


def test_images_have_square_pixels():
    image = pixels(render_slice(np.zeros((10, 50, 20)), (1, 2, 4), Slice("sagittal", 5, 10), (0, 1), side=400))
    assert image.shape == (320, 400)


def test_points_follow_their_volume_through_reorientation():
    rng = np.random.default_rng(0)
    array = rng.random((4, 5, 6))
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt("PIR"))
    stored = nib.orientations.apply_orientation(array, turn)
    for index in ((0, 0, 0), (3, 1, 2)):
        x, y, z = (int(value) for value in reorient_point(index, ("P", "I", "R"), array.shape))
        assert array[x, y, z] == stored[index]


def test_centroids_fall_on_their_own_label_in_the_rendered_slice(phantom):
    spacing = spacing_of(phantom.affine)
    for level, point in phantom.centroids.items():
        own = (phantom.labels == LABELS[level]).astype(np.float32)
        for plane, axis in PLANES.items():
            where = Slice(plane, round(point[axis]), own.shape[axis])
            image = pixels(render_slice(own, spacing, where, (0, 1)))
            row, column = cut_point(point, plane, own.shape)
            across, up = (other for other in range(3) if other != axis)
            y = int((row + 0.5) / own.shape[up] * image.shape[0])
            x = int((column + 0.5) / own.shape[across] * image.shape[1])
            assert image[y, x] > 128, (level, plane)


def test_label_centres_lie_in_the_body_not_in_the_canal(phantom):
    centres = label_centres(phantom.labels, spacing_of(phantom.affine))
    for level, point in phantom.centroids.items():
        found = centres[LABELS[level]]
        assert phantom.labels[tuple(int(value) for value in found)] == LABELS[level]
        assert np.linalg.norm((np.array(found) - point) * spacing_of(phantom.affine)) < 8


def test_a_clipped_tip_does_not_show_its_vertebra():
    labels = np.zeros((20, 20, 20), dtype=np.uint16)
    labels[5:15, 5:15, 5:15] = 3
    labels[15, 9:11, 9:11] = 3
    areas = label_areas(labels, (2, 2, 2), "sagittal")
    assert areas[10, 3] == 400
    assert visible_labels(areas, 10) == (3,)
    assert visible_labels(areas, 15) == ()
    assert visible_labels(areas, 2) == ()


def test_a_label_at_the_upper_or_lower_edge_is_cut():
    labels = np.zeros((9, 9, 9), dtype=np.uint16)
    labels[2:5, 2:5, 7:] = 4
    labels[2:5, 2:5, 3:6] = 5
    labels[0, :, 5] = 6
    labels[2:5, 2:5, 0] = 9
    assert cut_labels(labels) == (4, 9)


def test_twenty_five_distinct_slices_through_findings_first(phantom):
    spacing = spacing_of(phantom.affine)
    finding = phantom.centroids["L2"]
    slices = sample_slices(phantom.image.shape, spacing, list(phantom.centroids.values()), [finding])
    assert len(slices) == len(set(slices)) == 25
    assert Slice("sagittal", round(finding[0]), phantom.image.shape[0]) in slices
    assert Slice("axial", round(finding[2]), phantom.image.shape[2]) in slices
    axial = {where.index for where in slices if where.plane == "axial"}
    assert {round(point[2]) for point in phantom.centroids.values()} <= axial
    assert {where.plane for where in slices} == set(PLANES)
    assert slices == tuple(sorted(slices))


def test_without_labels_slices_are_spread_over_the_volume():
    slices = sample_slices((100, 100, 100), (1, 1, 1), [], [])
    assert len(set(slices)) == 25
    indices = sorted(where.index for where in slices if where.plane == "sagittal")
    assert indices[0] < 20 and indices[-1] > 80
    assert max(np.diff(indices)) <= 12


def test_a_thin_slab_gives_only_its_acquired_plane():
    slices = sample_slices((512, 512, 20), (0.98, 0.98, 2.0), [(250, 250, 10)], [])
    assert [where.locator for where in slices] == [f"axial slice {number} of 20" for number in range(1, 21)]


def test_mri_window_ignores_background():
    image = np.concatenate([np.zeros(900), np.linspace(100, 200, 101)])
    low, high = mri_window(image)
    assert 100 <= low < 105 and 195 < high <= 200


def test_a_singular_affine_is_refused():
    with pytest.raises(ValueError, match="singular"):
        reorient(np.zeros((2, 2, 2)), np.diag([1.0, 1.0, 0.0, 1.0]))
