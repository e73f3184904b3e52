"""work/inventory.csv: what became of every file of a folder that the real readers read."""

import csv
import json
from functools import partial

import nibabel as nib
import numpy as np
import pytest

from dataset_builders.document import Document
from dataset_builders.engine.shard_runner import Typed
from dataset_builders.engine.shards import write_records
from dataset_builders.engine.steps import Step, run_step
from dataset_builders.engine.store import ImageStore
from dataset_builders.sources.inventory import SourceFile, list_sources, read_source, write_inventory


@pytest.fixture
def outcomes(tmp_path):
    """A mask without its image, with its centroids; and a whole case in another folder."""
    labels = np.zeros((20, 20, 20), dtype=np.int16)
    labels[5:15, 5:15, 5:15] = 20
    for name, parts in (("alone", ["seg-vert_msk"]), ("whole", ["ct", "seg-vert_msk"])):
        folder = tmp_path / "sources" / "imaging" / name
        folder.mkdir(parents=True)
        for part in parts:
            nib.save(nib.Nifti1Image(labels, np.diag([3.0, 3.0, 3.0, 1.0])), folder / f"{name}_{part}.nii.gz")
        centroids = [{"direction": ["R", "A", "S"]}, {"label": 20, "X": 9, "Y": 9, "Z": 9}]
        (folder / f"{name}_seg-subreg_ctd.json").write_text(json.dumps(centroids))
    work = tmp_path / "work"
    write_records((source.to_dict() for source in list_sources(tmp_path / "sources")), work / "files")
    read = partial(read_source, sources=tmp_path / "sources", store=ImageStore(work / "images"))
    run_step(Step("documents", Typed(SourceFile, read)), work / "files", work / "documents")
    write_inventory(work / "documents", work / "inventory.csv")
    with (work / "inventory.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"].rpartition("/")[2]: row["outcome"] for row in csv.DictReader(file)}


def test_a_part_of_what_was_left_out_is_not_called_read(outcomes):
    assert outcomes["alone_seg-vert_msk.nii.gz"].startswith("no_image: ")
    assert outcomes["alone_seg-subreg_ctd.json"] == "part of imaging/alone/alone_seg-vert_msk.nii.gz, which was left out"


def test_a_part_of_what_was_read_names_it(outcomes):
    assert outcomes["whole_ct.nii.gz"] == "read"
    for part in ("whole_seg-vert_msk.nii.gz", "whole_seg-subreg_ctd.json"):
        assert outcomes[part] == "read with imaging/whole/whole_ct.nii.gz"


@pytest.mark.parametrize(("kind", "known"), [("hospital", (("path", "hospital/Hope_Field/note.txt"),)), ("articles", ())])
def test_the_names_of_a_private_sources_folders_go_with_its_documents_to_be_masked(tmp_path, kind, known):
    path = tmp_path / kind / "Hope_Field" / ("note.txt" if kind == "hospital" else "a.md")
    path.parent.mkdir(parents=True)
    path.write_text("# Stenosis\n\nL4/5 stenosis was seen.\n")
    (source,) = list_sources(tmp_path)
    documents = [
        result for result in read_source(source, tmp_path, ImageStore(tmp_path / "images")) if isinstance(result, Document)
    ]
    assert [document.known for document in documents] == [known]
