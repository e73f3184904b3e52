"""Tests mirror the packages: who looks for the test of a module finds it, and who finds a test finds its module."""

import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import DATA

PACKAGES = ("dataset_builders", "modeling", "evaluation")
MODULE_LINES = 100  # a module of more has a test file of its own
EXCEPTIONS = yaml.safe_load((DATA / "test_layout.yaml").read_text(encoding="utf-8"))


def places_of_test(module: Path) -> list[Path]:
    """Where the test of ``a/b.py`` may lie: tests/a/test_b.py; of a package ``a/b``: in its folder or beside it.

    A module with its package's name (an evaluate module) is tested with the package.
    """
    folder, name = module.parent, module.stem.strip("_")
    if name == "init" or folder.name == name:
        return [Path("tests") / place / f"test_{folder.name}.py" for place in (folder, folder.parent)]
    return [Path("tests") / folder / f"test_{name}.py"]


@pytest.fixture(scope="module")
def modules(repo):
    return [path.relative_to(repo) for package in PACKAGES for path in sorted((repo / package).rglob("*.py"))]


@pytest.fixture(scope="module")
def tests(repo):
    return [path.relative_to(repo) for path in sorted((repo / "tests").rglob("test_*.py"))]


def test_every_test_mirrors_a_module(modules, tests):
    mirrors = {test for module in modules for test in places_of_test(module)}
    assert {str(test) for test in tests if test not in mirrors} == set(EXCEPTIONS["tests_without_a_module"])


def test_every_module_of_weight_has_a_test(repo, modules, tests):
    heavy = [path for path in modules if len((repo / path).read_text(encoding="utf-8").splitlines()) > MODULE_LINES]
    untested = {str(module) for module in heavy if not set(places_of_test(module)) & set(tests)}
    assert untested == set(EXCEPTIONS["modules_without_a_test"])


def test_every_exception_has_its_reason():
    assert all(reason for exceptions in EXCEPTIONS.values() for reason in exceptions.values())


def test_benchmarks_use_nothing_of_the_tests(repo):
    """They are run by whoever checks a figure; what both use lies beside them (tests.support.scripts loads it)."""
    paths = sorted((repo / "benchmarks").glob("*.py"))
    using = [path.name for path in paths if re.search(r"^\s*(?:from|import) tests\b|['\"]tests['\"/]", path.read_text(), re.M)]
    assert paths and using == []
