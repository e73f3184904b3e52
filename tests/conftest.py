"""Where real data and gold sets lie (tests that need them skip, saying so, if they are not there), and one build for many.

The build of the small embedded sources is shared by the tests that look at a whole build.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from dataset_builders.phantom import make_sources
from dataset_builders.pipeline import Build, build

REPO = Path(__file__).resolve().parents[1]
DATA = REPO / "tests" / "data"


def _folder(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable, REPO.parent / "shared" / default))
    if not folder.is_dir():
        pytest.skip(f"{variable} is not set and {folder} is not there")
    return folder


@pytest.fixture(scope="session")
def repo() -> Path:
    return REPO


@pytest.fixture(scope="session")
def sources() -> Path:
    """Real third-party sources (SPINEMED_SOURCES)."""
    return _folder("SPINEMED_SOURCES", "sources")


@pytest.fixture(scope="session")
def gold() -> Path:
    """Hand-labelled gold sets (SPINEMED_GOLD)."""
    return _folder("SPINEMED_GOLD", "gold")


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
