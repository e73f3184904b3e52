import numpy as np
import torch

from dataset_builders.deidentify.tagger.features import BITS, BUCKETS
from dataset_builders.deidentify.tagger.network import CLASSES, NETWORKS, REACH, run_networks
from dataset_builders.deidentify.tagger.train import Network, export


def _random_networks():
    torch.manual_seed(0)
    networks = [Network().eval() for _ in range(NETWORKS)]
    for network in networks:
        for block in network.blocks:
            block.norm.running_mean.normal_(0, 0.1)
            block.norm.running_var.uniform_(0.5, 2)
    weights = {
        f"{number}.{name}": values for number, network in enumerate(networks) for name, values in export(network).items()
    }
    return networks, weights


def _random_text(length):
    rng = np.random.default_rng(1)
    return rng.integers(0, BUCKETS, length).astype(np.int16), rng.integers(0, 2, (length, BITS)).astype(np.uint8)


def test_numpy_gives_what_the_trained_network_gives():
    networks, weights = _random_networks()
    numbers, bits = _random_text(300)
    with torch.no_grad():
        scores = [
            network(torch.from_numpy(numbers.astype(np.int64))[None], torch.from_numpy(bits).float()[None])[0]
            for network in networks
        ]
    expected = torch.stack([torch.softmax(score, -1) for score in scores]).mean(0).numpy()
    found = run_networks(weights, numbers, bits)
    assert found.shape == (300, len(CLASSES)) and np.allclose(found.sum(axis=1), 1, atol=1e-5)
    assert np.abs(found - expected).max() < 0.01  # the weights are rounded to half precision


def test_a_character_further_off_than_the_reach_changes_nothing():
    _, weights = _random_networks()
    numbers, bits = _random_text(2 * REACH + 20)
    other = numbers.copy()
    other[-1] += 1
    change = np.abs(run_networks(weights, numbers, bits) - run_networks(weights, other, bits)).max(axis=1)
    assert change[: len(numbers) - 1 - REACH].max() == 0 and change[-1] > 0
