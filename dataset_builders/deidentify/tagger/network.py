"""The tagger's networks: residual dilated convolutions over characters, run with numpy.

    character number -> 32 values, beside the bits (features) -> linear to ``width`` -> blocks -> linear to the classes

A block adds relu(convolution of three characters, ``dilation`` apart) to its input. Batch normalisation is in the convolutions'
weights already (train.export). Several networks, trained from different seeds, vote by the mean of their probabilities; the
weights' names begin with the network's number. Weights are half precision in the file, single precision in memory.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

CLASSES = ("NONE", "NAME", "GEO", "ORG", "DATE", "NUMBER", "AGE90", "WEB")
DILATIONS = (1, 2, 4, 8, 16, 32, 2, 1)
NETWORKS = 2
REACH = sum(DILATIONS)
"""Characters on either side that decide a character's class."""
GAP = 20
"""Blank characters (number and bits 0) before and after a text: its beginning and end, in training as in use."""

Array = NDArray[np.float32]


def run_networks(weights: Mapping[str, Array], numbers: NDArray[np.int16], bits: NDArray[np.uint8]) -> Array:
    """Return the probability of each class for each character, (length, classes).

    numbers   (length,), below features.BUCKETS.
    bits      (length, features.BITS), each 0 or 1.
    """
    dense = bits.astype(np.float32)
    total = np.zeros((len(numbers), len(CLASSES)), np.float32)
    for number in range(NETWORKS):
        total += _run(weights, f"{number}.", numbers, dense)
    total /= NETWORKS
    return total


def _run(weights: Mapping[str, Array], own: str, numbers: NDArray[np.int16], bits: Array) -> Array:
    length, middle = len(numbers), max(DILATIONS)
    x = weights[f"{own}embedding"][numbers] + bits @ weights[f"{own}bits"] + weights[f"{own}bias"]
    width = x.shape[1]
    around = np.zeros((length + 2 * middle, width), np.float32)
    x = np.maximum(x, 0, out=around[middle : middle + length])
    y, tap = np.empty((2, length, width), np.float32)
    for block, dilation in enumerate(DILATIONS):
        before, here, after = weights[f"{own}block{block}"].reshape(3, width, width)
        np.matmul(x, here, out=y)
        y += np.matmul(around[middle - dilation :][:length], before, out=tap)
        y += np.matmul(around[middle + dilation :][:length], after, out=tap)
        y += weights[f"{own}block{block}_bias"]
        x += np.maximum(y, 0, out=y)
    scores = x @ weights[f"{own}classes"] + weights[f"{own}classes_bias"]
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    return scores / scores.sum(axis=1, keepdims=True)
