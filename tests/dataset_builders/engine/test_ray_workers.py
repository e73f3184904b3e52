"""The Ray executor on a real cluster on this machine: two nodes of one core each, so that two workers need both."""

import importlib
import os
import shutil
import sys
import time
from functools import partial

import psutil
import pytest

from dataset_builders.deidentify.clean import clean_document
from dataset_builders.deidentify.known_masks import KnownMasks
from dataset_builders.document import Document
from dataset_builders.engine import executors, ray_workers
from dataset_builders.engine.shard_runner import Typed
from dataset_builders.engine.shards import SHARDS, read_rejects, write_records
from dataset_builders.engine.steps import Step, run_step
from dataset_builders.engine.store import ImageStore
from dataset_builders.figures import match_document
from dataset_builders.sources.inventory import SourceFile, list_sources, read_source
from tests.conftest import REPO
from tests.support.processes import fresh_python
from tests.support.steps import FAULTY, content, die, stop

pytestmark = pytest.mark.slow
pytest.importorskip("ray", reason="Ray is not installed (extra [ray])")
NODE = {"num_cpus": 1, "memory": 6 << 30, "object_store_memory": 80 << 20}


@pytest.fixture(scope="module")
def cluster():
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", fresh_python())  # a node is lost with the parents of its processes
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        cluster.add_node(**NODE)
        patch.setenv("RAY_ADDRESS", cluster.address)
        patch.setenv("PYTHONPATH", str(REPO), prepend=os.pathsep)  # workers find the steps below
        yield cluster
        ray.shutdown()
        cluster.shutdown()


def name_process(folder, record):
    time.sleep(0.1)  # so that one worker is not through before the other has started
    (folder / str(os.getpid())).touch()
    yield record


def lose_node(marker, record):
    """At one record, once: end the Ray worker, its interpreter and this process, as the loss of their node would."""
    if record["n"] == 20 and not marker.exists():
        marker.touch()
        this = psutil.Process()
        for process in (*this.parents()[1::-1], this):
            process.kill()
    yield record


def test_reading_matching_and_cleaning_give_the_same_bytes_as_locally(cluster, small_sources, tmp_path):
    for name in ("case_reports", "consensus", "question_banks"):
        shutil.copytree(small_sources / name, tmp_path / "sources" / name)
    steps = {}
    for executor in ("local", "ray"):
        work = tmp_path / executor
        store = ImageStore(work / "images")
        masks = KnownMasks.of_todays_code(store, work / "masks")
        write_records((source.to_dict() for source in list_sources(tmp_path / "sources")), work / "0")
        for number, (name, run) in enumerate(
            [
                ("documents", Typed(SourceFile, partial(read_source, sources=tmp_path / "sources", store=store))),
                ("figures", Typed(Document, match_document)),
                ("clean", Typed(Document, partial(clean_document, masks=masks))),
            ]
        ):
            manifest = run_step(Step(name, run), work / str(number), work / str(number + 1), executor=executor, workers=2)
            steps.setdefault(name, []).append(manifest)
        assert manifest.records_out > 10
    assert all(local == ray for local, ray in steps.values())
    for folder in ("1", "2", "3", "images"):
        assert content(tmp_path / "local" / folder) == content(tmp_path / "ray" / folder)


def test_two_workers_share_the_shards_and_a_third_is_not_waited_for(cluster, source, tmp_path):
    (tmp_path / "processes").mkdir()
    step = Step("name", partial(name_process, tmp_path / "processes"))
    assert run_step(step, source, tmp_path / "1", executor="ray", workers=3).records_out == 60
    assert len(list((tmp_path / "processes").iterdir())) == 2


def test_what_kills_or_holds_up_a_worker_is_that_records_reject_as_locally(cluster, source, tmp_path):
    for executor in ("local", "ray"):
        run_step(Step("die", die), source, tmp_path / executor, executor=executor, workers=2, timeout=1.0)
    assert {reject.file for reject in read_rejects(tmp_path / "ray")} == set(FAULTY)
    assert content(tmp_path / "ray") == content(tmp_path / "local")


def test_a_stopped_run_goes_on_at_the_shards_that_are_not_whole(cluster, source, tmp_path):
    step = Step("stop", partial(stop, tmp_path / "marker"))
    with pytest.raises(RuntimeError, match="did not finish"):
        run_step(step, source, tmp_path / "ray", executor="ray", workers=1)
    finished = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "ray").glob("[0-9]*.jsonl")}
    assert 2 <= len(finished) < SHARDS
    first, second = sorted(finished)[:2]
    (tmp_path / "ray" / "engine" / "completions" / first.removesuffix(".jsonl")).unlink()  # only its mark is lost
    (tmp_path / "ray" / second).unlink()
    finished.pop(second)
    assert run_step(step, source, tmp_path / "ray", executor="ray", workers=2).records_out == 60
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "ray").glob("[0-9]*.jsonl")}
    assert finished.items() <= again.items(), "whole shards were made again"
    run_step(step, source, tmp_path / "local")
    assert content(tmp_path / "ray") == content(tmp_path / "local")


def test_a_lost_workers_shard_goes_to_another(cluster, source, tmp_path):
    step = Step("lose", partial(lose_node, tmp_path / "marker"))
    assert run_step(step, source, tmp_path / "1", executor="ray", workers=2).records_out == 60
    assert (tmp_path / "marker").exists()


def test_a_cluster_without_room_is_named_instead_of_waited_for(cluster, source, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_workers, "PATIENCE", 2.0)
    monkeypatch.setattr(executors, "WORKER_MEMORY", 1000)
    with pytest.raises(RuntimeError, match=r"no worker of 1 CPU and 1000 GiB in 2 s; it has 2 CPUs and 12\.0 GiB"):
        run_step(Step("stop", partial(stop, tmp_path)), source, tmp_path / "1", executor="ray", workers=2)


def test_an_interpreter_that_cannot_load_the_step_says_where_it_says_why(cluster, source, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "steps_of_mine.py").write_text("def keep(record):\n    yield record\n")
    monkeypatch.syspath_prepend(tmp_path / "mine")  # of this process alone
    step = Step("keep", importlib.import_module("steps_of_mine").keep)
    with pytest.raises(RuntimeError, match="did not finish; see"):
        run_step(step, source, tmp_path / "1", executor="ray", workers=2)
    logs = "".join(path.read_text() for path in (tmp_path / "1" / "engine" / "logs").glob("ray_*.log"))
    assert "No module named 'steps_of_mine'" in logs
