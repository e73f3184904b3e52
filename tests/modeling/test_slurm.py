"""The Slurm script with stand-ins for Slurm's commands: what accelerate is told, that nodes meet, and how a job goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from accelerate.commands.launch import launch_command, launch_command_parser
from torch.distributed.run import config_from_args

from modeling.arguments import parse_stage

REPO = Path(__file__).parents[2]
SCRIPT = REPO / "recipes" / "slurm.sbatch"
SCONTROL = """#!/bin/bash
if [[ $1 == show ]]; then printf '127.0.0.1\\n127.0.0.2\\n'; else echo "$@" >>"$LOGS/scontrol"; fi
"""
# Runs the command once a node, all at once, as srun does with one task a node.
SRUN = """#!/bin/bash
shift
for node in $(seq 0 $((SLURM_JOB_NUM_NODES - 1))); do SLURM_NODEID=$node "$@" & running+=($!); done
status=0
for task in "${running[@]}"; do wait "$task" || status=$?; done
exit $status
"""
# Writes down its arguments and threads, and ends as the next line of "ends" says.
ACCELERATE = f"""#!{sys.executable}
import json, os, pathlib, sys, time
logs = pathlib.Path(os.environ["LOGS"])
told = [*sys.argv[1:], os.environ["OMP_NUM_THREADS"]]
(logs / f"{{time.monotonic_ns()}}-{{os.environ['SLURM_NODEID']}}.json").write_text(json.dumps(told))
time.sleep(float(os.environ.get("SLEEP", 0)))
runs = len(list(logs.glob(f"*-{{os.environ['SLURM_NODEID']}}.json")))
sys.exit(int(os.environ.get("ENDS", "0").split(",")[runs - 1]))
"""
MEETING = """
import os, sys, torch
torch.distributed.init_process_group("gloo")
ranks = torch.tensor([2 ** torch.distributed.get_rank()])
torch.distributed.all_reduce(ranks)
with open(sys.argv[1] + os.environ["RANK"], "w") as file:
    file.write(f"{ranks.item()} {os.environ['WORLD_SIZE']} {os.environ['LOCAL_RANK']}")
torch.distributed.barrier()
os._exit(0)  # gloo's threads now and then abort a process that takes its interpreter down
"""


@pytest.fixture
def job(tmp_path):
    """Start the script in a folder of what it needs, and give the process; ``started`` are the commands it gave accelerate."""
    commands, repository = tmp_path / "bin", tmp_path / "repository"  # a .venv, whose accelerate is preferred, is not in it
    commands.mkdir()
    repository.mkdir()
    for name in ("recipes", "accelerate_configs", "modeling"):
        (repository / name).symlink_to(REPO / name)

    def start(*arguments, accelerate=ACCELERATE, nodes=2, gpus=4, **environment):
        for name, text in (("scontrol", SCONTROL), ("srun", SRUN), ("accelerate", accelerate)):
            (commands / name).write_text(text)
            (commands / name).chmod(0o755)
        slurm = {
            "SLURM_SUBMIT_DIR": str(repository), "SLURM_JOB_ID": "123456", "SLURM_JOB_NODELIST": "node[1-2]",
            "LOGS": str(tmp_path),
            "SLURM_JOB_NUM_NODES": str(nodes), "SLURM_GPUS_ON_NODE": str(gpus), "SLURM_CPUS_PER_TASK": "16",
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", **environment,
        }  # fmt: skip
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "ACCELERATE_"))}
        return subprocess.Popen(
            ["bash", str(SCRIPT), *map(str, arguments)], env={**plain, **slurm}, stderr=subprocess.PIPE, text=True
        )

    return start


@pytest.fixture
def launched(monkeypatch):
    """What torch's launcher would start for arguments of accelerate launch: its configuration, command and environment."""
    monkeypatch.chdir(REPO)
    monkeypatch.setattr("accelerate.utils.launch.is_port_in_use", lambda port: False)

    def launch(arguments):
        seen = []
        monkeypatch.setattr("torch.distributed.run.run", lambda read: seen.append((read, dict(os.environ))))
        launch_command(launch_command_parser().parse_args(arguments))
        ((read, environment),) = seen
        return config_from_args(read)[0], [read.training_script, *read.training_script_args], environment

    return launch


def started(logs):
    return [json.loads(file.read_text()) for file in sorted(logs.glob("*.json"))]


def test_it_is_a_bash_script():
    assert subprocess.run(["bash", "-n", str(SCRIPT)]).returncode == 0


def test_accelerate_takes_the_command_line_and_all_nodes_meet_at_the_first(job, launched, tmp_path):
    """Up to torch's own launcher: an endpoint that is empty would let each node wait at itself."""
    assert job("recipes/stage3.py", "--max_steps", "7", "--output_dir", "a b").wait(30) == 0
    ranks = set()
    for *command, threads in started(tmp_path):
        assert command[0] == "launch" and threads == "4"
        config, script, environment = launched(command[1:])
        assert script == ["recipes/stage3.py", "--max_steps", "7", "--output_dir", "a b"]
        assert environment["ACCELERATE_USE_DEEPSPEED"] == "true"
        assert environment["ACCELERATE_DEEPSPEED_CONFIG_FILE"] == "accelerate_configs/ds_zero3_offload.json"
        assert (config.min_nodes, config.max_nodes, config.nproc_per_node) == (2, 2, 4)
        assert config.rdzv_backend == "static" and config.rdzv_endpoint == f"127.0.0.1:{20000 + 3456}"
        ranks.add(config.rdzv_configs["rank"])
    assert ranks == {0, 1}


def test_by_hand_the_nodes_meet_at_the_first_one_too(launched):
    command = "--config_file accelerate_configs/multi_node.yaml --machine_rank 1 --main_process_ip node1 recipes/stage3.py"
    config, _, _ = launched(command.split())
    assert config.rdzv_endpoint == "node1:29500" and config.rdzv_configs["rank"] == 1 and config.nproc_per_node == 8


@pytest.mark.slow
def test_two_nodes_of_the_real_accelerate_meet(job, tmp_path):
    (tmp_path / "meeting.py").write_text(MEETING)
    real = f'#!/bin/bash\nexec {sys.executable} -m accelerate.commands.accelerate_cli "$@"\n'
    running = job(tmp_path / "meeting.py", tmp_path / "rank", accelerate=real, gpus=1, SLURM_JOB_ID=str(os.getpid()))
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors[-3000:]
    assert [(tmp_path / f"rank{rank}").read_text() for rank in (0, 1)] == ["3 2 0", "3 2 0"]


def test_a_run_that_failed_late_goes_on_from_the_latest_checkpoint(job, tmp_path):
    assert job("recipes/stage2.py", nodes=1, MIN_MINUTES="0", ENDS="9,9,0").wait(30) == 0
    first, *others = [command[command.index("recipes/stage2.py") + 1 : -1] for command in started(tmp_path)]
    assert first == [] and others == [["--resume_from_checkpoint", "latest_if_any"]] * 2


@pytest.mark.parametrize(
    ("environment", "runs", "told"),
    [
        ({"ENDS": "9"}, 1, "failed within 10 minutes (exit 9), so it is not started again"),
        ({"ENDS": "9,8", "MIN_MINUTES": "0", "RESTARTS": "1"}, 2, "failed 2 times (exit 8)"),
        ({"CONFIG": "accelerate_configs/none.yaml"}, 0, "accelerate_configs/none.yaml is not below"),
        ({"SLURM_GPUS_ON_NODE": ""}, 0, "ask for GPUs"),
    ],
)
def test_a_job_that_cannot_run_ends_with_the_reason(job, tmp_path, environment, runs, told):
    running = job("recipes/stage2.py", nodes=1, **environment)
    assert told in running.communicate(timeout=30)[1] and running.returncode
    assert len(started(tmp_path)) == runs


def test_a_job_that_slurm_queued_again_resumes_and_one_whose_time_runs_out_queues_itself(job, tmp_path):
    running = job("recipes/stage2.py", nodes=1, SLURM_RESTART_COUNT="1", SLEEP="3")
    until = time.monotonic() + 20
    while not started(tmp_path) and running.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    running.send_signal(signal.SIGUSR1)
    assert running.wait(10) == 0 and (tmp_path / "scontrol").read_text() == "requeue 123456\n"
    assert started(tmp_path)[0][-3:-1] == ["--resume_from_checkpoint", "latest_if_any"]


def test_latest_if_any_is_the_newest_whole_checkpoint_or_none(tmp_path, caplog):
    arguments = ["--output_dir", str(tmp_path), "--resume_from_checkpoint"]
    recipe = REPO / "recipes" / "stage2.yaml"
    assert parse_stage(recipe, [*arguments, "latest_if_any"])[2].resume_from_checkpoint is None
    assert "starts anew" in caplog.text
    with pytest.raises(FileNotFoundError, match="resume_from_checkpoint: no whole checkpoint"):
        parse_stage(recipe, [*arguments, "latest"])
    (tmp_path / "checkpoint-4").mkdir()
    (tmp_path / "checkpoint-4" / "trainer_state.json").write_text("{}")
    (tmp_path / "checkpoint-8").mkdir()  # cut off
    for asked in ("latest", "latest_if_any"):
        assert parse_stage(recipe, [*arguments, asked])[2].resume_from_checkpoint == str(tmp_path / "checkpoint-4")
