"""Where real data and gold sets lie (tests that need them skip, saying so, if not there); sources and builds for many tests.

The small embedded sources and their build are made once a test run, for all that look at a whole build.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.few_sources import take_few
from tests.support.processes import start_server
from tests.support.shared import make_once

REPO = Path(__file__).resolve().parents[1]
DATA = REPO / "tests" / "data"
# Test files of minutes, the longest first; the notebooks start from a build that the first one makes.
LONGEST = [
    REPO / "tests" / name
    for name in ("dataset_builders/test_pipeline.py", "modeling/test_deepspeed.py", "notebooks/test_notebooks.py")
]


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
    """A build with two workers. Others read it, too: a test must not write into it."""

    sources: Path
    work: Path
    output: Path


@pytest.fixture(scope="session")
def small_sources(tmp_path_factory) -> Path:
    from dataset_builders.phantom import make_sources  # not above: the process that only starts the others needs it not

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
    from dataset_builders.pipeline import build

    folder = make_once(factory, name, lambda folder: build(sources, folder / "work", folder, workers=2))
    return Built(sources, folder / "work", folder)


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors, as a third of the tests' time is waiting for ranks, servers and kills."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_xdist_setupnodes(config: pytest.Config, specs: list) -> None:
    """Fork the processes that run the tests from one that has imported all that they need: else each would import it.

    The server takes what Linux alone has; elsewhere each process imports what it needs.
    """
    if sys.platform != "linux":
        return
    folder = tempfile.TemporaryDirectory(prefix="spinemed-")
    config.add_cleanup(folder.cleanup)
    server, python = start_server(Path(folder.name))
    config.add_cleanup(server.communicate)
    for spec in specs:
        spec.python = python


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, then those with slow tests: no process is left with one while the others are idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    order = {path: number for number, path in enumerate(LONGEST)}
    items.sort(key=lambda item: (order.get(item.path, len(LONGEST)), item.path not in slow))
