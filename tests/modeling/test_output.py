import os
import signal
import sys
from pathlib import Path

import pytest

from modeling.checkpoints import read_stages
from modeling.output import SAVING, STATE, SUMMARY, check_resume, check_start, last_checkpoint, publish, saving_into

FILES = ("config.json", "model.safetensors", "tokenizer.json", SUMMARY)


def save(output: Path, run: str, names=FILES) -> None:
    """What a final save has written just before its files are moved in."""
    (output / SAVING).mkdir(parents=True)
    for name in names:
        (output / SAVING / name).write_text(run)


def publish_and_die(output: Path, operations: int) -> bool:
    """``publish`` in a process that SIGKILL ends before its file operation ``operations``; whether it was killed."""
    child = os.fork()
    if not child:
        left = operations

        def count(event, arguments):
            nonlocal left
            if event in ("os.rename", "os.remove", "os.rmdir"):
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

        sys.addaudithook(count)
        publish(output)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_a_kill_while_a_model_is_moved_in_leaves_nothing_to_start_from(tmp_path):
    for operations in range(20):
        output = tmp_path / str(operations)
        save(output, "first")
        publish(output)
        check_start(2, str(output))
        save(output, "second")
        if not publish_and_die(output, operations):
            break
        with pytest.raises(ValueError, match=r"cut off while its model was saved.*--resume_from_checkpoint latest"):
            check_start(2, str(output))
    # An old summary and model out, four files in, and the marker: a kill before each of seven operations.
    assert operations == 7
    check_start(2, str(output))
    assert {file.name: file.read_text() for file in output.iterdir()} == dict.fromkeys(FILES, "second")


def test_the_summary_comes_last(tmp_path):
    save(tmp_path, "x")
    assert publish_and_die(tmp_path, 4)  # after looking for an old summary and moving three files
    assert {file.name for file in (tmp_path / SAVING).iterdir()} == {SUMMARY}
    with pytest.raises(FileNotFoundError, match="has not finished"):
        read_stages(tmp_path)


def test_weights_of_an_earlier_run_in_other_shards_are_removed(tmp_path):
    save(
        tmp_path,
        "first",
        ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"),
    )
    publish(tmp_path)
    (tmp_path / "checkpoint-6").mkdir()
    save(tmp_path, "second")
    publish(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {*FILES, "checkpoint-6"}


def test_an_incomplete_checkpoint_is_passed_over(tmp_path):
    for step in (3, 12):
        (tmp_path / f"checkpoint-{step}").mkdir()
    (tmp_path / "checkpoint-3" / "trainer_state.json").write_text("{}")
    assert last_checkpoint(tmp_path).name == "checkpoint-3"
    with pytest.raises(FileNotFoundError, match="no whole checkpoint"):
        last_checkpoint(tmp_path / "empty")


@pytest.mark.parametrize(("files", "saved"), [(["rng_state.pth"], 1), (["rng_state_0.pth", "rng_state_1.pth"], 2)])
def test_another_number_of_processes_does_not_resume_and_is_told_the_way_out(files, saved, tmp_path):
    for name in ["trainer_state.json", "config.json", *files]:
        (tmp_path / name).write_text("{}")
    check_resume(str(tmp_path), adapters=False, ranks=saved)
    with pytest.raises(
        ValueError, match=f"saved by {saved} processes, .* has 8. .*--num_processes {saved}.* --model_name_or_path"
    ):
        check_resume(str(tmp_path), adapters=False, ranks=8)
    (tmp_path / "config.json").rename(tmp_path / "adapter_config.json")  # no whole weights to start from
    with pytest.raises(ValueError, match=r"--num_processes (?!.*--model_name_or_path)"):
        check_resume(str(tmp_path), adapters=True, ranks=8)


def test_a_save_over_an_earlier_one_of_the_same_step_counts_only_if_it_ends(tmp_path):
    for step in (2, 4):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / STATE).write_text("{}")
    fix = r"output_dir: saving .*checkpoint-4 failed \(\[Errno 28\] .*make room"
    with pytest.raises(OSError, match=fix), saving_into(tmp_path / "checkpoint-4"):
        raise OSError(28, "No space left on device")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-2"
