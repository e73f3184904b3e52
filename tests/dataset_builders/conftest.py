"""The small embedded sources and one build of them, made once a test run for all that look at a whole build."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from dataset_builders.phantom import make_sources
from dataset_builders.pipeline import build
from tests.support.few_sources import take_few
from tests.support.shared import make_once


@dataclass(frozen=True)
class Built:
    """A build with two workers. Others read it, too: a test must not write into it."""

    sources: Path
    work: Path
    output: Path


@pytest.fixture(scope="session")
def small_sources(tmp_path_factory) -> Path:
    return make_once(tmp_path_factory, "sources", lambda folder: make_sources(folder, seed=0, size="small"))


@pytest.fixture(scope="session")
def few_sources(small_sources, tmp_path_factory) -> Path:
    """Three images of a hospital instead of two dozen, for tests of bytes and kills."""
    return make_once(tmp_path_factory, "few_sources", lambda folder: take_few(small_sources, folder))


@pytest.fixture(scope="session")
def built(small_sources, tmp_path_factory) -> Built:
    return _build(tmp_path_factory, "built", small_sources)


@pytest.fixture(scope="session")
def few_built(few_sources, tmp_path_factory) -> Built:
    return _build(tmp_path_factory, "few_built", few_sources)


def _build(factory, name: str, sources: Path) -> Built:
    folder = make_once(factory, name, lambda folder: build(sources, folder / "work", folder, workers=2))
    return Built(sources, folder / "work", folder)
