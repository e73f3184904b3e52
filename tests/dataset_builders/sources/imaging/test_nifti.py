import gzip
import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from dataset_builders.document import Companion, Document, Finding, Reject, SourceError
from dataset_builders.phantom.painting import LABELS
from dataset_builders.phantom.volumes import make_volume, write_volume
from dataset_builders.sources.base import Declared
from dataset_builders.sources.imaging import nifti
from dataset_builders.sources.imaging.label_maps import name_labels
from dataset_builders.sources.imaging.nifti import load_labels, load_volume
from dataset_builders.sources.imaging.volume_case import PHANTOM_SLICES
from dataset_builders.volumes import spacing_of

WEDGE = Finding("wedge_fracture", "L2", "Genant 2", 34.0, "%")
NARROW = Finding("disc_narrowing", "L4/L5", "moderate", 50.0, "%")


@pytest.fixture(scope="module")
def phantom():
    return make_volume(7, "ct", "lumbar", (WEDGE, NARROW))


@pytest.fixture(scope="module")
def folder(phantom, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources") / "imaging" / "phantom"
    write_volume(phantom, folder)
    return folder


def read(path, root=None, **declared):
    return list(nifti.read(path, Declared(root=root or path.parent, **declared)))


def document(results):
    (found,) = [result for result in results if isinstance(result, Document)]
    return found


def save(path, array, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([2.0, 2.0, 2.0, 1.0]) if affine is None else affine), path)
    return path


def patch(path, offset, values):
    """Overwrite header bytes (NIfTI-1: dim at 40, qform_code 252, sform_code 254, srow_x 280)."""
    content = bytearray(path.read_bytes())
    content[offset : offset + values.nbytes] = values.tobytes()
    path.write_bytes(bytes(content))
    return path


@pytest.fixture(scope="module")
def case(folder):
    return document(read(folder / "sub-phantom007_ct.nii.gz", folder.parent.parent, source_kind="open_dataset"))


def test_a_case_is_one_document_with_its_provenance(case, folder):
    source = case.provenance
    assert (case.id, source.case_id, source.source_kind) == ("phantom:sub-phantom007", "sub-phantom007", "open_dataset")
    assert source.source_licence == "Apache-2.0"
    assert source.source_locator == "imaging/phantom/sub-phantom007_ct.nii.gz"
    assert case.levels == ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")
    assert case.discs[-2:] == ("L4/L5", "L5/S1")
    assert case.findings == (WEDGE, NARROW)
    assert case.ungraded == ()  # all of a phantom is labelled
    assert "L2 (Genant 2, 34 %)" in case.markdown


def test_images_state_plane_and_visible_levels(case):
    assert len({figure.locator for figure in case.figures}) == PHANTOM_SLICES
    assert all(figure.image.startswith(b"\x89PNG") and figure.image_modality == "ct" for figure in case.figures)
    for figure in case.figures:
        assert figure.locator in figure.caption
        assert all(level in figure.caption for level in figure.levels + figure.discs)
        assert set(figure.levels) <= set(case.levels) and set(figure.discs) <= set(case.discs)


def test_findings_are_on_the_images_that_show_them_and_on_no_other(case, phantom):
    centre, step = phantom.centroids["L2"][0], phantom.affine[0, 0]
    shown = [figure for figure in case.figures if WEDGE in figure.findings]
    assert shown
    for figure in case.figures:
        plane, index = figure.locator.split()[0], int(figure.locator.split()[2]) - 1
        assert (figure in shown) == (plane == "sagittal" and "L2" in figure.levels and abs(index - centre) * step <= 10)


def test_levels_of_an_axial_image_are_those_its_label_map_cuts(case, phantom):
    for figure in case.figures:
        plane, index = figure.locator.split()[0], int(figure.locator.split()[2]) - 1
        if plane == "axial":
            cut = set(np.unique(phantom.labels[:, :, index]))
            assert {LABELS[level] for level in figure.levels} <= cut


def test_the_same_case_gives_the_same_bytes(case, folder):
    again = document(read(folder / "sub-phantom007_ct.nii.gz", folder.parent.parent, source_kind="open_dataset"))
    assert again == case


def test_what_lies_beside_the_image_is_its_companion(folder):
    (folder / "README.md").write_text("A note on these volumes.")
    for name in ("seg-vert_msk.nii.gz", "seg-subreg_ctd.json", "findings.json"):
        path = folder / f"sub-phantom007_{name}"
        assert nifti.accepts(path, b"")
        assert read(path) == [Companion(path.name, "sub-phantom007_ct.nii.gz")]
    assert nifti.accepts(folder / "README.md", b"")
    assert read(folder / "README.md") == [Companion("README.md", "sub-phantom007_ct.nii.gz")]
    assert nifti.accepts(folder / "sub-phantom007_seg-vert_snp.png", b"")
    assert read(folder / "sub-phantom007_seg-vert_snp.png") == [
        Companion("sub-phantom007_seg-vert_snp.png", "sub-phantom007_ct.nii.gz")
    ]
    assert not nifti.accepts(folder / "notes.txt", b"") and not nifti.accepts(folder / "knee.png", b"")


def test_rawdata_and_derivatives_are_joined(folder, case, tmp_path):
    raw, derived = tmp_path / "rawdata" / "sub-phantom007", tmp_path / "derivatives" / "sub-phantom007"
    raw.mkdir(parents=True), derived.mkdir(parents=True)
    for path in folder.glob("sub-*"):
        shutil.copy(path, raw if path.name.endswith("_ct.nii.gz") else derived)
    assert document(read(raw / "sub-phantom007_ct.nii.gz", tmp_path)).figures == case.figures
    mask = derived / "sub-phantom007_seg-vert_msk.nii.gz"
    (companion,) = read(mask, tmp_path)
    assert companion.of == "rawdata/sub-phantom007/sub-phantom007_ct.nii.gz"


def test_miccai_names_and_isotropic_centroids(folder, phantom, tmp_path):
    shutil.copy(folder / "sub-phantom007_ct.nii.gz", tmp_path / "verse007.nii.gz")
    shutil.copy(folder / "sub-phantom007_seg-vert_msk.nii.gz", tmp_path / "verse007_seg.nii.gz")
    nx, _, _ = phantom.image.shape
    step = spacing_of(phantom.affine)
    points = [
        {"label": LABELS[level], "X": j * step[1], "Y": k * step[2], "Z": (nx - 1 - i) * step[0]}
        for level, (i, j, k) in phantom.centroids.items()
    ]
    (tmp_path / "verse007_iso-ctd.json").write_text(json.dumps([*points, {"label": 1, "X": float("nan"), "Y": 0, "Z": 0}]))
    results = read(tmp_path / "verse007.nii.gz")
    assert len(results) == 1  # no centroid lies outside its label
    found = document(results)
    assert (found.id, found.provenance.case_id) == ("verse:sub-verse007", "sub-verse007")
    assert found.provenance.source_licence == "CC-BY-SA-4.0"
    assert found.levels == ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")


def test_a_centroid_outside_its_label_is_rejected_and_the_labels_middle_used(folder, tmp_path):
    for path in folder.glob("sub-*"):
        shutil.copy(path, tmp_path)
    table = tmp_path / "sub-phantom007_seg-subreg_ctd.json"
    entries = json.loads(table.read_text())
    moved = next(entry for entry in entries if entry.get("label") == LABELS["L3"])
    moved["Y"] += 40
    table.write_text(json.dumps(entries))
    results = read(tmp_path / "sub-phantom007_ct.nii.gz")
    (reject,) = [result for result in results if isinstance(result, Reject)]
    assert (reject.reason, reject.where) == ("centroid_outside_label", "centroid of L3")
    assert "L3" in document(results).levels


def test_a_mask_on_another_grid_is_rejected_and_no_level_is_guessed(folder, tmp_path):
    shutil.copy(folder / "sub-phantom007_ct.nii.gz", tmp_path / "sub-x_ct.nii.gz")
    save(tmp_path / "sub-x_seg-vert_msk.nii.gz", np.full((9, 9, 9), 20, dtype=np.uint8))
    results = read(tmp_path / "sub-x_ct.nii.gz")
    assert [result.reason for result in results if isinstance(result, Reject)] == ["grid_mismatch"]
    assert document(results).levels == () and all(figure.levels == () for figure in document(results).figures)


def test_totalsegmentator_heights_become_fractures_by_genants_rule(folder, phantom, tmp_path):
    (tmp_path / "totalsegmentator").mkdir()
    shutil.copy(folder / "sub-phantom007_ct.nii.gz", tmp_path / "totalsegmentator" / "case9_ct.nii.gz")
    numbers = np.zeros(200, dtype=np.uint8)
    for level in ("L1", "L2", "L3", "L4", "L5"):
        numbers[LABELS[level]] = 32 - int(level[1])
    save(tmp_path / "totalsegmentator" / "case9_ct_totalseg.nii.gz", numbers[phantom.labels], phantom.affine)
    heights = {
        "L1": (26.0, 18.0),  # 31 % lower in front
        "L2": (26.0, 22.0),  # 15 %
        "L3": (22.0, 28.0),  # higher in front
        "L4": (9.0, 7.0),  # 22 %, but 2 mm is less than two voxels
    }
    results = {}
    for level, (posterior, anterior) in heights.items():
        results |= {f"vertebrae_{level}_height_posterior_mm": posterior, f"vertebrae_{level}_height_anterior_mm": anterior}
    (tmp_path / "totalsegmentator" / "case9_ct_spine_report.json").write_text(json.dumps({"results": results}))
    found = document(read(tmp_path / "totalsegmentator" / "case9_ct.nii.gz", tmp_path, labels="totalsegmentator-2"))
    assert found.id == "totalsegmentator:case9_ct"
    assert found.levels == ("L1", "L2", "L3", "L4", "L5")
    assert found.findings == (Finding("wedge_fracture", "L1", "Genant 2", 30.8, "%"),)
    middle = [figure for figure in found.figures if figure.locator.startswith("sagittal") and len(figure.levels) == 5]
    assert any("L3/L4" in figure.discs for figure in middle)  # it lies between two labelled bodies


def test_cord_labels_are_vertebral_levels_by_the_toolbox_convention(tmp_path):
    image = np.random.default_rng(0).integers(1, 900, (40, 40, 60)).astype(np.int16)
    cord = np.zeros(image.shape, dtype=np.uint8)
    for number in range(3, 9):  # C3 … C7, T1
        cord[15:25, 15:25, 55 - 8 * (number - 2) : 63 - 8 * (number - 2)] = number
    save(tmp_path / "t2.nii.gz", image)
    save(tmp_path / "t2_seg-manual_labeled.nii.gz", cord)
    found = document(read(tmp_path / "t2.nii.gz"))
    assert found.levels == ("C3", "C4", "C5", "C6", "C7", "T1")
    assert found.discs == () and "in the cord" in found.markdown
    assert all(figure.image_modality == "mri" for figure in found.figures)


def test_a_plain_volume_has_no_levels_and_its_modality_from_its_values(tmp_path):
    air = np.full((40, 40, 40), -1000, dtype=np.int16)
    save(tmp_path / "scan.nii.gz", air)
    found = document(read(tmp_path / "scan.nii.gz"))
    assert found.levels == () and found.figures[0].image_modality == "ct"
    assert found.provenance.source_licence == "LicenseRef-Unknown"
    save(tmp_path / "other" / "scan.nii.gz", np.abs(air))
    assert document(read(tmp_path / "other" / "scan.nii.gz")).figures[0].image_modality is None


def test_nothing_of_a_hospital_files_name_reaches_the_document(tmp_path):
    save(tmp_path / "hospital" / "DOE_JANE_19600101_ct.nii.gz", np.zeros((30, 30, 30), dtype=np.int16))
    found = document(read(tmp_path / "hospital" / "DOE_JANE_19600101_ct.nii.gz", tmp_path, source_kind="hospital_case"))
    assert "DOE" not in json.dumps(found.to_dict())
    assert found.provenance.source_licence == "LicenseRef-Hospital"


def test_labels_without_an_image_are_rejected(tmp_path):
    save(tmp_path / "sub-verse900_seg-vert_msk.nii.gz", np.ones((4, 4, 4), dtype=np.uint8))
    with pytest.raises(SourceError, match="no_image"):
        read(tmp_path / "sub-verse900_seg-vert_msk.nii.gz")


@pytest.mark.parametrize(
    ("reason", "array", "affine"),
    [
        ("bad_affine", np.zeros((4, 4, 4)), np.diag([1, 1, 900.0, 1])),
        ("not_3d", np.zeros((4, 4, 4, 3)), None),
        ("not_3d", np.zeros((4, 4)), None),
        ("not_scalar", np.zeros((4, 4, 4), dtype=np.complex64), None),
    ],
)
def test_bad_volumes_are_refused_with_the_reason(tmp_path, reason, array, affine):
    with pytest.raises(SourceError) as error:
        load_volume(save(tmp_path / "x.nii.gz", array, affine))
    assert error.value.reason == reason


def test_no_affine_and_a_nan_affine_are_refused(tmp_path):
    path = save(tmp_path / "x.nii", np.zeros((4, 4, 4), dtype=np.uint8))
    whole = path.read_bytes()
    with pytest.raises(SourceError, match="no_affine"):
        load_volume(patch(path, 252, np.array([0, 0], dtype="<i2")))
    path.write_bytes(whole)
    with pytest.raises(SourceError, match="bad_affine"):
        load_volume(patch(path, 280, np.array([np.nan], dtype="<f4")))


def test_a_truncated_or_foreign_file_is_refused(tmp_path):
    path = save(tmp_path / "x.nii.gz", np.random.default_rng(0).random((30, 30, 30)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match="truncated"):
        load_volume(path)
    path.write_bytes(gzip.compress(b"no volume" * 100))
    with pytest.raises(SourceError, match="not_nifti"):
        load_volume(path)


def test_a_volume_that_claims_to_be_huge_is_refused_before_it_is_read(tmp_path):
    path = save(tmp_path / "x.nii", np.zeros((4, 4, 4), dtype=np.uint8))
    with pytest.raises(SourceError, match=r"too_large.*limit is 268435456"):
        load_volume(patch(path, 42, np.array([8000, 8000, 8000], dtype="<i2")))


def test_real_verse_centroids_fall_on_their_own_label(sources):
    folder = sources / "imaging" / "verse"
    voxels, affine = load_volume(folder / "sub-verse004_seg-vert_msk.nii.gz")
    labels = load_labels(folder / "sub-verse004_seg-vert_msk.nii.gz", voxels.shape, affine)
    names = name_labels(folder / "sub-verse004_seg-vert_msk.nii.gz", labels, Declared(root=folder)).names
    points = nifti._read_centroids(folder / "sub-verse004_seg-subreg_ctd.json", labels.shape, spacing_of(affine))
    assert list(names.values()) == list(points) == ["T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"]
    number = {level: value for value, level in names.items()}
    assert all(labels[tuple(round(v) for v in point)] == number[level] for level, point in points.items())


def test_real_volumes_are_read_whole(sources):
    root = sources / "imaging"
    for name, levels, licence in (
        ("totalsegmentator/example_ct.nii.gz", ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"), "Apache-2.0"),
        ("sct/t2.nii.gz", ("C2", "C3", "C4", "C5"), "MIT"),
    ):
        results = read(root / name, root, source_kind="open_dataset")
        assert len(results) == 1
        found = document(results)
        assert (found.levels, len(found.figures), found.provenance.source_licence) == (levels, 25, licence)
