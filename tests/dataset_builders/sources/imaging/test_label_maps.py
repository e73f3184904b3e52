"""What a label map's numbers mean: proven, or refused."""

import json

import nibabel as nib
import numpy as np
import pytest
import yaml

from dataset_builders.document import Companion, Document, Reject
from dataset_builders.sources import load_declarations
from dataset_builders.sources.base import Declared
from dataset_builders.sources.imaging import nifti
from dataset_builders.sources.imaging.label_maps import level_of_name

SHAPE = (24, 24, 40)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def save(path, array, names=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, AFFINE)
    if names:
        labels = "".join(f'<Label Key="{number}"><![CDATA[{name}]]></Label>' for number, name in names.items())
        xml = f'<?xml version="1.0" encoding="UTF-8"?><CaretExtension><LabelTable>{labels}</LabelTable></CaretExtension>'
        image.header.extensions.append(nib.nifti1.Nifti1Extension(0, xml.encode()))
    nib.save(image, path)
    return path


def ct(path):
    return save(path, np.random.default_rng(0).integers(-1000, 900, SHAPE).astype(np.int16))


def boxes(*numbers):
    """A map with one box a number, from tail to head."""
    labels = np.zeros(SHAPE, np.uint8)
    for place, number in enumerate(numbers):
        labels[6:18, 6:18, 4 + 10 * place : 12 + 10 * place] = number
    return labels


def read(path, root, **declared):
    results = list(nifti.read(path, Declared(root=root, source_kind="open_dataset", **declared)))
    return [r for r in results if isinstance(r, Document)], [r.reason for r in results if isinstance(r, Reject)]


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("vertebrae_L3", "L3"), ("L5", "L5"), ("vertebra T12", "T12"), ("disc_L4_L5", "L4/L5"), ("liver", None),
        ("rib_left_1", None), ("Lumbar 5", "L5"), ("L4 vertebra", "L4"),
        ("C9", None), ("disc_L4_L1", None), ("spinal_cord", None), ("", None),
    ],
)  # fmt: skip
def test_a_structure_s_name_says_its_level(name, level):
    assert level_of_name(name) == level


def test_the_names_in_a_map_s_own_header_prove_its_numbers(tmp_path):
    image = ct(tmp_path / "case_ct.nii.gz")
    save(tmp_path / "case_ct_totalseg.nii.gz", boxes(26, 27, 5), {26: "vertebrae_T9", 27: "vertebrae_T8", 5: "liver"})
    (found,), rejects = read(image, tmp_path)
    assert (found.levels, rejects) == (("T8", "T9"), [])


@pytest.mark.parametrize("name", ["case_ct_totalseg.nii.gz", "case_ct_seg.nii.gz"])
def test_numbers_that_nothing_explains_are_refused_and_can_be_declared(tmp_path, name):
    image = ct(tmp_path / "case_ct.nii.gz")
    save(tmp_path / name, boxes(26, 27))
    (found,), rejects = read(image, tmp_path)
    assert (found.levels, rejects) == ((), ["labels_of_unknown_meaning"])
    assert read(image, tmp_path, labels="totalsegmentator-1")[0][0].levels == ("T8", "T9")
    assert read(image, tmp_path, labels="totalsegmentator-2")[0][0].levels == ("L5", "S1")


def test_a_binary_mask_and_points_are_no_levels_and_no_fault(tmp_path):
    image = ct(tmp_path / "case_ct.nii.gz")
    points = np.zeros(SHAPE, np.uint8)
    points[3, 3, 3], points[5, 5, 5] = 3, 5
    save(tmp_path / "case_ct_labels.nii.gz", points)
    save(tmp_path / "case_ct_mask.nii.gz", boxes(1))
    (found,), rejects = read(image, tmp_path)
    assert (found.levels, rejects) == ((), [])


@pytest.mark.parametrize("classes", [{"background": 0, "L5": 1, "L4": 2}, {"0": "background", "1": "L5", "2": "L4"}])
def test_nnunet_s_labels_belong_to_its_images_and_dataset_json_names_them(tmp_path, classes):
    data_set = tmp_path / "Dataset501_Spine"
    image = ct(data_set / "imagesTr" / "spine_001_0000.nii.gz")
    ct(data_set / "imagesTr" / "spine_002_0000.nii.gz")
    labels = save(data_set / "labelsTr" / "spine_001.nii.gz", boxes(1, 2))
    table = data_set / "dataset.json"
    table.write_text(json.dumps({"labels": classes}))
    (found,), rejects = read(image, tmp_path)
    assert (found.levels, rejects, found.id) == (("L4", "L5"), [], "dataset501-spine:spine_001")
    for part in (labels, table):
        assert nifti.accepts(part, b"")
        (companion,) = nifti.read(part, Declared(root=tmp_path, source_kind="open_dataset"))
        assert isinstance(companion, Companion)
    table.write_text("[]")
    assert read(image, tmp_path)[1] == ["bad_json"]


def test_a_folder_of_masks_is_one_map_and_the_folder_is_the_case(tmp_path):
    for case in ("s0011", "s0012"):
        image = ct(tmp_path / "mine" / case / "ct.nii.gz")
        for place, name in enumerate(("vertebrae_L5", "vertebrae_L4", "liver")):
            save(tmp_path / "mine" / case / "segmentations" / f"{name}.nii.gz", (boxes(1, 2, 3) == place + 1).astype(np.uint8))
        (found,), rejects = read(image, tmp_path)
        assert (found.levels, rejects) == (("L4", "L5"), [])
        assert (found.id.rpartition(":")[2], found.provenance.case_id) == (case, case)
    (companion,) = nifti.read(
        tmp_path / "mine/s0012/segmentations/liver.nii.gz", Declared(root=tmp_path, source_kind="open_dataset")
    )
    assert companion.of == "mine/s0012/ct.nii.gz"


def test_declared_labels_of_no_known_scheme_are_refused(tmp_path):
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump([{"match": "*", "labels": "totalsegmentator-3"}]))
    with pytest.raises(ValueError, match="entry 1: labels is one of verse, totalsegmentator-2"):
        load_declarations(tmp_path)


@pytest.mark.parametrize("classes", [{"class1": 1, "class2": 2}, {"L5": 1}])
def test_a_table_that_does_not_name_the_labels_is_no_proof(tmp_path, classes):
    image = ct(tmp_path / "set" / "imagesTr" / "spine_001_0000.nii.gz")
    save(tmp_path / "set" / "labelsTr" / "spine_001.nii.gz", boxes(1, 2))
    (tmp_path / "set" / "dataset.json").write_text(json.dumps({"labels": classes}))
    (found,), rejects = read(image, tmp_path)
    assert (found.levels, rejects) == ((), ["labels_of_unknown_meaning"])


def test_numbers_that_verse_does_not_have_are_not_read_as_verse_s(tmp_path):
    image = ct(tmp_path / "sub-001_ct.nii.gz")
    save(tmp_path / "sub-001_seg-vert_msk.nii.gz", boxes(27, 28, 29))
    (found,), rejects = read(image, tmp_path)
    assert (found.levels, rejects) == ((), ["labels_of_unknown_meaning"])
