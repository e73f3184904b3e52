import os
import subprocess
import sys

import pytest

from dataset_builders.engine.shards import read_records
from dataset_builders.engine.steps import Step, run_step
from tests.conftest import REPO
from tests.support.processes import fresh_python
from tests.support.steps import content, die, split_in_two

SBATCH = """#!/bin/bash
# A stand-in for Slurm's sbatch: runs every task of the job array at once, then says so as sbatch does.
script="${@: -1}"
cp "$script" "$FAKE_SLURM/script.slurm"
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$script")
touch "$FAKE_SLURM/queued"
(
    for task in $(seq 0 "$last"); do
        SLURM_ARRAY_TASK_ID=$task SLURM_NODELIST=node1 SLURM_JOB_ID=7 bash "$FAKE_SLURM/script.slurm" >>"$FAKE_SLURM/log" 2>&1
    done
    rm "$FAKE_SLURM/queued"
) >/dev/null 2>&1 &
echo "Submitted batch job 7"
"""


SQUEUE = """#!/bin/bash
echo "$@" >>"$FAKE_SLURM/squeue.log"
if [ -e "$FAKE_SLURM/queued" ]; then echo "7 spinemed R"; fi
"""


SCONTROL = "#!/bin/bash\necho node1\n"


SRUN = """#!/bin/bash
while [[ $1 == -* ]]; do if [[ $1 == -n ]]; then shift; fi; shift; done
exec "$@"
"""


@pytest.mark.slow
def test_slurm_waits_for_its_jobs_and_gives_the_same_bytes(died, source, tmp_path, monkeypatch):
    """On stand-ins for sbatch, squeue, scontrol and srun that run the script here."""
    commands = tmp_path / "fake"
    commands.mkdir()
    launch = f'#!/bin/bash\nexec {sys.executable} -m datatrove.tools.launch_pickled_pipeline "$@"\n'
    stand_ins = {"sbatch": SBATCH, "squeue": SQUEUE, "scontrol": SCONTROL, "srun": SRUN, "launch_pickled_pipeline": launch}
    for name, text in stand_ins.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    monkeypatch.setenv("FAKE_SLURM", str(commands))
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    run_step(Step("die", die), source, tmp_path / "slurm", executor="slurm", workers=2, timeout=1.0)
    assert (commands / "squeue.log").exists(), "the run must ask for its jobs"
    script = (commands / "script.slurm").read_text()
    assert "--array=0-15%2" in script and "--partition" not in script
    assert content(tmp_path / "slurm") == content(died)


def test_an_executor_without_its_library_or_name_says_what_to_do(source, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="choose local, slurm or ray"):
        run_step(Step("halves", split_in_two), source, tmp_path / "1", executor="dask")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"spinemed\[ray\]"):
        run_step(Step("halves", split_in_two), source, tmp_path / "2", executor="ray")


PRELOADED = """
import importlib, sys
from pathlib import Path
from dataset_builders.engine.steps import Step, run_steps
def first(record):
    yield {**record, "second_is_there": "steps_of_the_second" in sys.modules}
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    steps = (Step("first", first), Step("second", importlib.import_module("steps_of_the_second").second))
    folders = {"first": folder / "1", "second": folder / "2"}
    run_steps(steps, folder / "0", folders, executor="local", workers=2, timeout=60)
"""


def test_processes_of_the_first_step_find_the_modules_of_all_steps_imported(source, tmp_path):
    (tmp_path / "preloaded.py").write_text(PRELOADED)
    (tmp_path / "steps_of_the_second.py").write_text("def second(record):\n    yield record\n")
    command = [fresh_python(), str(tmp_path / "preloaded.py"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    assert {record["second_is_there"] for record in read_records(tmp_path / "2")} == {True}
