import pytest

from dataset_builders.engine.steps import Step, run_step
from tests.support.steps import die, write_source


@pytest.fixture
def source(tmp_path):
    return write_source(tmp_path / "0")


@pytest.fixture(scope="session")
def died(tmp_path_factory):
    """The folder of a run of ``die`` with one worker; the source is the folder "0" beside it."""
    folder = tmp_path_factory.mktemp("died")
    run_step(Step("die", die), write_source(folder / "0"), folder / "1", timeout=1.0)
    return folder / "1"
