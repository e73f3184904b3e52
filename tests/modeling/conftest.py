"""A tiny model and a synthetic data set, made once."""

from pathlib import Path

import pytest
import torch

from tests.support.forked_ranks import forked_ranks

# Tiny models gain nothing from a second thread, and where other work shares the cores the threads wait on each other.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def synthetic_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.synthetic import write_dataset

    return write_dataset(tmp_path_factory.mktemp("data") / "spinemed-450k")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, synthetic_dataset: Path) -> Path:
    from modeling.spinegpt import dataset_texts, make_tiny

    return make_tiny(tmp_path_factory.mktemp("model") / "tiny", dataset_texts(str(synthetic_dataset)))


@pytest.fixture(scope="session")
def tiny_qwen3(tmp_path_factory: pytest.TempPathFactory, synthetic_dataset: Path) -> Path:
    """A tiny Qwen3-VL whose head is its embeddings, as in the published 2B and 4B."""
    from modeling.spinegpt import dataset_texts, make_tiny

    texts = dataset_texts(str(synthetic_dataset))
    return make_tiny(tmp_path_factory.mktemp("model") / "tiny_qwen3", texts, family="qwen3_vl", tied=True)


@pytest.fixture(scope="session")
def processor(tiny: Path):
    from modeling.spinegpt import load_processor

    return load_processor(tiny)


@pytest.fixture(scope="session")
def launch(tmp_path_factory: pytest.TempPathFactory):
    """Run a recipe under DeepSpeed: see forked_ranks."""
    with forked_ranks(tmp_path_factory.mktemp("ranks")) as launched:
        yield launched
