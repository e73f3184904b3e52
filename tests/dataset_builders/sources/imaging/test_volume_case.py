"""Which vertebrae of a labelled volume an image shows."""

import numpy as np

from dataset_builders.document import Provenance
from dataset_builders.sources.imaging.volume_case import UNGRADED_BY_LABEL_MAPS, ImagingCase, to_document

NAMES = {1: "T11", 2: "T12", 3: "L1", 4: "L2", 5: "L3"}


def sagittal_levels(labels):
    case = ImagingCase("case", np.ones(labels.shape, np.float32), (4.0, 2.0, 2.0), "ct", labels, NAMES)
    source = Provenance("open_dataset", "set:1", "CC0-1.0", "case", "0" * 64)
    found = to_document(case, source)
    assert found.ungraded == UNGRADED_BY_LABEL_MAPS
    return {level for figure in found.figures if figure.locator.startswith("sagittal") for level in figure.levels}


def column():
    labels = np.zeros((8, 40, 70), np.uint16)
    for number in NAMES:
        labels[:, 10:30, 66 - 12 * number : 75 - 12 * number] = number
    return labels


def test_a_vertebra_at_the_edge_of_the_volume_is_not_in_view():
    assert sagittal_levels(column()) == set(NAMES.values())
    assert sagittal_levels(column()[:, :, :62]) == set(NAMES.values()) - {"T11"}


def test_a_vertebra_of_which_only_a_process_is_cut_is_not_in_view():
    labels = column()
    labels[:, 16:, 54:63][labels[:, 16:, 54:63] == 1] = 0
    assert sagittal_levels(labels) == set(NAMES.values()) - {"T11"}
