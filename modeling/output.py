"""Manage a stage's output_dir, so that a whole model in it can be told from a partial one.

output_dir/
  checkpoint-N/            to resume from: model, optimizer and sampler states; trainer_state.json is written last
  saving/                  there while the final save has begun and not ended
  samples/                 what the model said at each evaluation (modeling.samples)
  model.safetensors, config.json, tokenizer and processor files, trainer_state.json, dropped.json
  adapter/                 of a stage trained with LoRA: what model.safetensors holds merged
  training_summary.json    moved in last: the stage has finished
"""

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from modeling.memory import readable

SUMMARY = "training_summary.json"
STATE = "trainer_state.json"
SAVING = "saving"
logger = logging.getLogger(__name__)


def check_start(number: int, start: str) -> None:
    """Check that the start of stage ``number`` is a whole model. Raises ValueError naming the argument and the fix."""
    if not start:
        raise ValueError("model_name_or_path: not set; give a Hub id or a folder.")
    folder = Path(start)
    # A Hub id has at most one slash and does not begin with a folder that exists here.
    local = folder.is_absolute() or len(folder.parts) != 2 or Path(folder.parts[0]).is_dir()
    if local and not (folder / "config.json").is_file():
        before = f" Run recipes/stage{number - 1}.py first, or" if number > 1 else ""
        raise ValueError(
            f"model_name_or_path: stage {number} starts from {start}, and there is no model in that folder.{before} pass "
            "--model_name_or_path with the folder or Hub id of the model to start from."
        )
    if local and (folder / SAVING).exists():
        raise ValueError(
            f"model_name_or_path: {start} was cut off while its model was saved, and may hold parts of two. Run that stage "
            "again with --resume_from_checkpoint latest."
        )


def check_resume(checkpoint: str, *, adapters: bool, ranks: int) -> None:
    """Check that ``ranks`` processes can resume from ``checkpoint``.

    Raises ValueError, naming the argument and the fix, if it holds no weights, weights of another kind of run (whole ones for
    a run with adapters, or the reverse), or the states of another number of processes: DeepSpeed's share of the optimizer
    belongs to a rank, and the samples of a step to their number.
    """
    folder = Path(checkpoint)
    whole, adapted = ((folder / name).is_file() for name in ("config.json", "adapter_config.json"))
    if not (folder / STATE).is_file() or not (whole or adapted):
        raise ValueError(
            f"resume_from_checkpoint: {checkpoint} is no checkpoint of a recipe. Give a checkpoint-N folder, or latest."
        )
    if adapted != adapters:
        kind, fix = ("adapters", "true") if adapted else ("a whole model", "false")
        raise ValueError(
            f"resume_from_checkpoint: {checkpoint} holds {kind}. Resume with --use_peft {fix}, as that run had it."
        )
    # The Trainer writes each rank's random state: rng_state.pth of one process, rng_state_0.pth and so on of several.
    saved = len(list(folder.glob("rng_state_*.pth"))) or 1
    if saved != ranks:
        weights = f" Or start anew from its weights: --model_name_or_path {checkpoint}, without --resume_from_checkpoint."
        raise ValueError(
            f"resume_from_checkpoint: {checkpoint} was saved by {saved} processes, and this run has {ranks}. Launch {saved} "
            f"(accelerate launch --num_processes {saved}), as optimizer states and the order of samples belong to that number."
            + ("" if adapted else weights)
        )


@contextmanager
def saving_into(folder: Path, *, first_rank: bool = True) -> Iterator[None]:
    """Save a checkpoint or a model into ``folder`` in this block, which is not whole until trainer_state.json is in it.

    An earlier save of the same step loses that file first. Raises OSError, naming the argument and the fix, if writing fails,
    as it does on a disk that is full.
    """
    if first_rank:
        (folder / STATE).unlink(missing_ok=True)
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors have errors of their own for a full disk
        free = shutil.disk_usage(folder.parent).free
        raise OSError(
            f"output_dir: saving {folder} failed ({error}); its disk has {readable(free)} free. Earlier checkpoints are whole: "
            "make room, or lower save_total_limit, and resume with --resume_from_checkpoint latest."
        ) from error


def publish(output: Path) -> None:
    """Move the files of ``output/saving`` into ``output``, replacing those of an earlier run.

    If it is killed at any point, ``saving`` stays behind, which ``check_start`` refuses, and there is no summary until all
    files are in place.
    """
    staging = output / SAVING
    for old in [output / SUMMARY, *output.glob("*.safetensors"), *output.glob("*.safetensors.index.json")]:
        old.unlink(missing_ok=True)
    shutil.rmtree(output / "adapter", ignore_errors=True)
    for file in sorted(staging.iterdir(), key=lambda file: (file.name == SUMMARY, file.name)):
        file.replace(output / file.name)
    staging.rmdir()


def last_checkpoint(output_dir: str | Path) -> Path:
    """Find the newest whole checkpoint: trainer_state.json is written last, so a checkpoint without it was cut off.

    Raises FileNotFoundError if there is none.
    """
    folders = sorted(Path(output_dir).glob("checkpoint-*"), key=lambda folder: -int(folder.name.rpartition("-")[2]))
    for folder in folders:
        try:
            json.loads((folder / STATE).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            logger.warning("resume_from_checkpoint: %s is incomplete and is passed over.", folder)
            continue
        return folder
    raise FileNotFoundError(
        f"resume_from_checkpoint: no whole checkpoint in {output_dir}. Leave the argument out to start anew."
    )
