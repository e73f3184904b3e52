"""Where real data and gold sets lie; tests that need them skip, saying so, where they are not."""

import os
from pathlib import Path

import pytest

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no process is left with a long one while the others have nothing to do."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
