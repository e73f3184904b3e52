"""Steps for tests of the engine: they split, die, hang or stop where they are told to; and what a run left, for comparison."""

import faulthandler
import os
import signal
from pathlib import Path

from dataset_builders.document import Reject
from dataset_builders.engine.shard_runner import StopRun
from dataset_builders.engine.shards import write_records

FAULTY = ("5.txt", "6.txt", "17.txt", "22.txt", "38.txt")
"""What ``die`` does not survive."""


def write_source(folder: Path, count: int = 60) -> Path:
    """``count`` records over the shards of ``folder``: {"file": "0.txt", "n": 0} and so on."""
    write_records(({"file": f"{n}.txt", "n": n} for n in range(count)), folder)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """Every shard, reject and manifest of a step's folder, by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.json*")) if "engine" not in p.parts}


def split_in_two(record):
    if record["n"] % 10 == 0:
        yield Reject(record["file"], "round_number", "ends in zero")
    elif record["n"] % 7 == 0:
        raise ValueError("Jane Doe, born 1950-02-03")
    else:
        yield {**record, "half": 1}
        yield {**record, "half": 2}


def die(record):
    """Ends its process, or never ends, at the records of FAULTY; says before it does that it was there."""
    faulthandler.disable()  # pytest's would print the stack of a death that is meant
    yield {"n": record["n"], "part": 1}
    match record["n"]:
        case 5:
            os.kill(os.getpid(), signal.SIGSEGV)
        case 6:
            os._exit(0)
        case 22:
            raise MemoryError
        case 38:
            os.kill(os.getpid(), signal.SIGKILL)
        case 17:
            while True:
                pass
    yield {"n": record["n"], "part": 2}


def die_once(marker, record):
    if record["n"] == 7 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    yield record


def stop(marker, record):
    if record["n"] == 20 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGTERM)
    yield record


# The modules that each step of the pipeline names, and the module of its own function; test_pipeline holds the manifests of a
# build to them.
CODE_OF_STEPS = {
    "documents": (("sources.inventory",), "dataset_builders.sources.inventory"),
    "figures": (("figures",), "dataset_builders.figures"),
    "clean": (("deidentify.clean",), "dataset_builders.deidentify.clean"),
    "distinct": (("overlap.deduplicate",), "dataset_builders.overlap.deduplicate"),
    "classified": (("classify",), "dataset_builders.generate"),
    "drafts": (("generate.rules",), "dataset_builders.generate"),
    "revised": (("generate.checks",), "dataset_builders.generate"),
    "reviewed": (("review.verdicts",), "dataset_builders.review.verdicts"),
    "split": (("publish.spinebench",), "dataset_builders.publish.spinebench"),
}


def stop_until(marker: Path, record):
    """Stops the run at records of two shards until ``marker`` is there."""
    if record["n"] in (7, 24) and not marker.exists():
        raise StopRun("max_calls: 9 requests were sent")
    yield {**record, "half": 1}
