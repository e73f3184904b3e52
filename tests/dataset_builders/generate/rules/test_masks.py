"""Masks of identifiers in quoted sentences."""

import pytest

from dataset_builders.generate.rules.masks import without_masks


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("MRI of the spine, [OTHER_ID 1], performed on [DATE 4].", "MRI of the spine."),
        ("MRI of the spine, performed on [DATE 4: 2021].", "MRI of the spine."),
        ("Signed: [NAME 5], [DATE 3: 2021], age [AGE90 1]", ""),
        ("[DATE 4]行脊柱CT平扫（骨窗）。", "行脊柱CT平扫（骨窗）。"),
        ("[EMAIL 2]。", ""),
        ("医师签名：[NAME 2]　[DATE 3]", ""),
        ("Signed: [NAME 5], [DATE 3]", ""),
        ("Results are sent to the patient at [EMAIL 1].", ""),
        ("[NAME 1] reports pain at L4/L5 since a fall.", "[NAME 1] reports pain at L4/L5 since a fall."),
        ("Lumbar strain. • [NAME 2]: He rests.", "Lumbar strain. He rests."),
        ("Pain since a fall.", "Pain since a fall."),
    ],
)
def test_masks_alone_say_nothing(said, left):
    assert without_masks(said) == left
