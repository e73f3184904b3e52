"""One build of the small embedded sources, shared by the tests that look at a whole build."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from dataset_builders.phantom import make_sources
from dataset_builders.pipeline import Build, build


@dataclass(frozen=True)
class Built:
    sources: Path
    work: Path
    output: Path
    result: Build


@pytest.fixture(scope="session")
def small_sources(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "sources"
    make_sources(folder, seed=0, size="small")
    return folder


@pytest.fixture(scope="session")
def built(small_sources, tmp_path_factory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    result = build(small_sources, folder / "work", folder, workers=2)
    return Built(small_sources, folder / "work", folder, result)
