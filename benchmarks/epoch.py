"""Measure an epoch of any transformers Trainer. Needs torch alone, so it runs in another trainer's environment, too.

measure_epoch       train, and return wall and CPU seconds, tokens, steps and losses
CountingCollator    a collator that counts what it makes
load_attention      this project's attention, without its other modules
"""

import importlib.util
import time
from pathlib import Path
from types import ModuleType
from typing import Any

IGNORE = -100
ATTENTION = Path(__file__).resolve().parents[1] / "modeling" / "attention.py"


def measure_epoch(trainer: Any) -> dict[str, Any]:
    """Train, and return seconds (wall, and of this process's CPU), positions computed, micro-batches, steps and losses.

    ``supervised`` are the positions whose next token is learned. ``losses`` are those of the steps that the trainer logged.
    """
    counted = CountingCollator(trainer.data_collator)
    trainer.data_collator = counted
    began, cpu = time.monotonic(), time.process_time()
    trainer.train()
    return {
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - cpu,
        "positions": counted.positions,
        "supervised": counted.supervised,
        "micro_batches": counted.micro_batches,
        "steps": trainer.state.global_step,
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
    }


class CountingCollator:
    """A collator that counts the positions, of samples and of padding, that the model computes."""

    def __init__(self, collator: Any) -> None:
        self.collator = collator
        self.positions = 0
        self.supervised = 0
        self.micro_batches = 0

    def __call__(self, batch: Any) -> Any:
        inputs = self.collator(batch)
        self.positions += inputs["input_ids"].numel()
        self.supervised += int((inputs["labels"][:, 1:] != IGNORE).sum())
        self.micro_batches += 1
        return inputs


def load_attention() -> ModuleType:
    """Load modeling/attention.py, which needs torch and transformers alone."""
    found = importlib.util.spec_from_file_location("project_attention", ATTENTION)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
