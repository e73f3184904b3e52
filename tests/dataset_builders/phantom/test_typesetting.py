import io

import numpy as np
from PIL import Image

from dataset_builders.phantom.typesetting import scan


def test_a_scan_is_skewed_noisy_and_repeatable():
    page = Image.new("L", (400, 300), 255)
    page.paste(0, (100, 150, 300, 152))
    scanned = scan(page, seed=1)
    assert scanned == scan(page, seed=1) != scan(page, seed=2)
    with Image.open(io.BytesIO(scanned)) as image:
        grey = np.asarray(image, dtype=float)
    assert grey[:50].std() > 3
    left, right = grey[:, 110:130].mean(axis=1).argmin(), grey[:, 270:290].mean(axis=1).argmin()
    assert left != right
