import numpy as np
import pytest

from dataset_builders.document import Finding
from dataset_builders.phantom.painting import CORD, DISC, LABELS, THECAL_SAC
from dataset_builders.phantom.volumes import make_volume, write_volume
from dataset_builders.taxonomy import FINDINGS


def body_profile(volume, level):
    """Front-back positions (mm, towards the front) and mean heights (mm) of a body near its middle, from the label map."""
    i, j, k = (round(value) for value in volume.centroids[level])
    own = volume.labels[i - 2 : i + 3] == LABELS[level]
    row = own[2, :, k]
    back = front = j
    while row[back - 1]:
        back -= 1
    while row[front + 1]:
        front += 1
    step_y, step_z = volume.affine[1, 1], volume.affine[2, 2]
    columns = np.arange(back, front + 1)
    return columns * step_y, own[:, columns].sum(axis=2).mean(axis=0) * step_z


def anterior_loss(volume, level):
    """% of height lost at the front edge against the back edge: a line through the heights of the middle three quarters."""
    places, heights = body_profile(volume, level)
    inner = slice(len(places) // 8, len(places) - len(places) // 8)
    slope, offset = np.polyfit(places[inner], heights[inner], 1)
    return 100 * (1 - (slope * places[-1] + offset) / (slope * places[0] + offset))


def disc_volume(volume, disc):
    upper = disc.split("/")[0]
    return (volume.labels == DISC + LABELS[upper]).sum()


@pytest.fixture(scope="module")
def whole():
    return make_volume(11, "ct", "whole", ())


@pytest.fixture(scope="module")
def lumbar():
    return make_volume(5, "ct", "lumbar", ())


def test_same_seed_writes_the_same_bytes(tmp_path):
    first, second = (write_volume(make_volume(3, "mri", "cervical"), tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in first] == [
        "sub-phantom003_T2w.nii.gz",
        "sub-phantom003_seg-vert_msk.nii.gz",
        "sub-phantom003_seg-subreg_ctd.json",
        "sub-phantom003_findings.json",
    ]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    other = write_volume(make_volume(4, "mri", "cervical"), tmp_path / "c")
    assert other[0].read_bytes() != first[0].read_bytes()
    assert sum(path.stat().st_size for path in first) < 2 << 20


def test_the_whole_column_stands_in_anatomical_order(whole):
    assert list(whole.centroids) == [level for level, _ in sorted(LABELS.items(), key=lambda pair: pair[1])]
    heights = [point[2] for point in whole.centroids.values()]
    assert heights == sorted(heights, reverse=True)
    for level, point in whole.centroids.items():
        assert whole.labels[tuple(round(value) for value in point)] == LABELS[level]


def test_bodies_grow_downwards(whole):
    sizes = {level: (whole.labels == LABELS[level]).sum() for level in ("C4", "T4", "T10", "L3")}
    assert sizes["C4"] < sizes["T4"] < sizes["T10"] < sizes["L3"]


def test_curves_are_lordosis_kyphosis_lordosis(whole):
    depth = {level: point[1] * whole.affine[1, 1] for level, point in whole.centroids.items()}

    def bulge(top, middle, bottom):  # mm that the middle lies before the straight line
        return depth[middle] - (depth[top] + depth[bottom]) / 2

    assert bulge("C2", "C4", "C7") > 0
    assert bulge("T1", "T6", "T12") < -5
    assert bulge("L1", "L3", "S1") > 5


def test_canal_lies_behind_the_bodies_and_holds_the_cord_down_to_l1(whole):
    canal = np.argwhere(np.isin(whole.labels, (CORD, THECAL_SAC)))
    for level in ("C5", "T6", "L3"):
        point = whole.centroids[level]
        here = canal[np.abs(canal[:, 2] - point[2]) < 1]
        assert here[:, 1].max() < point[1]
    lowest = np.argwhere(whole.labels == CORD)[:, 2].min()
    assert whole.centroids["L3"][2] < lowest < whole.centroids["T12"][2]


def test_vertebrae_cut_by_the_field_of_view_are_not_labelled(lumbar):
    assert set(np.unique(lumbar.labels)) - {0, CORD, THECAL_SAC} <= {LABELS[level] for level in lumbar.centroids} | {
        DISC + LABELS[level] for level in lumbar.centroids
    }


@pytest.mark.parametrize(("grade", "value"), [("Genant 1", 23.0), ("Genant 2", 33.0), ("Genant 3", 48.0)])
def test_a_wedge_has_the_height_loss_it_says(lumbar, grade, value):
    wedged = make_volume(5, "ct", "lumbar", (Finding("wedge_fracture", "L1", grade, value, "%"),))
    assert anterior_loss(wedged, "L1") == pytest.approx(value, abs=6)
    assert abs(anterior_loss(lumbar, "L1")) < 6
    assert abs(anterior_loss(wedged, "L3")) < 6


@pytest.mark.parametrize(("grade", "value"), [("Meyerding I", 18.0), ("Meyerding II", 40.0)])
def test_a_slip_moves_the_upper_body_forward_by_what_it_says(lumbar, grade, value):
    slipped = make_volume(5, "ct", "lumbar", (Finding("spondylolisthesis", "L4/L5", grade, value, "%"),))

    def rear_step(volume):  # mm that L4's back wall lies before L5's, both at mid-height
        return body_profile(volume, "L4")[0][0] - body_profile(volume, "L5")[0][0]

    places = body_profile(lumbar, "L5")[0]
    depth = places[-1] - places[0]
    assert 100 * (rear_step(slipped) - rear_step(lumbar)) / depth == pytest.approx(value, abs=7)


@pytest.mark.parametrize(("grade", "value"), [("mild", 30.0), ("moderate", 50.0), ("severe", 70.0)])
def test_a_narrowed_disc_loses_the_height_it_says(lumbar, grade, value):
    narrowed = make_volume(5, "ct", "lumbar", (Finding("disc_narrowing", "L3/L4", grade, value, "%"),))
    left = disc_volume(narrowed, "L3/L4") / disc_volume(lumbar, "L3/L4")
    assert 100 * (1 - left) == pytest.approx(value, abs=7)
    assert disc_volume(narrowed, "L2/L3") / disc_volume(lumbar, "L2/L3") == pytest.approx(1, abs=0.08)


def test_a_degenerated_disc_is_dark_on_t2():
    volume = make_volume(8, "mri", "lumbar", (Finding("disc_degeneration", "L4/L5", "Pfirrmann 4"),))
    signal = {disc: volume.image[volume.labels == DISC + LABELS[disc]].mean() for disc in ("L3", "L4", "L5")}
    assert signal["L4"] < 0.6 * min(signal["L3"], signal["L5"])


@pytest.mark.slow
def test_seeds_choose_findings_inside_the_field_of_view():
    chosen = [make_volume(seed, "mri", "lumbar").findings for seed in range(6)]
    assert any(chosen)
    for finding in (finding for findings in chosen for finding in findings):
        assert finding.name in FINDINGS
        assert set(finding.level.split("/")) <= {"T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pet", "whole"), "modality"),
        (("ct", "pelvis"), "region"),
        (("ct", "cervical", (Finding("wedge_fracture", "L1", "Genant 1"),)), "field of view"),
        (("ct", "whole", (Finding("wedge_fracture", "L1/L2", "Genant 1"),)), "one vertebra"),
        (("ct", "whole", (Finding("disc_narrowing", "L1/L3", "mild"),)), "a disc"),
        (("ct", "whole", (Finding("modic_change", "L1/L2", "Modic 1"),)), "cannot be planted"),
    ],
)
def test_what_cannot_be_made_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_volume(1, *arguments)
