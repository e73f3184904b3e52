"""Measure memory and time of one training step on 49,152 tokens of text and images, with the real vocabulary of 151,936.

    python benchmarks/long_context.py                  # both kinds, or the ones that you name:
    python benchmarks/long_context.py one_sample

Stage 3's code path (recipes/stage3.yaml: gradient checkpointing, TRL's fused LM head, SDPA) on a model of tiny width, in
float32 on the CPU: forward, backward, AdamW step. one_sample is one conversation with images, packed_samples as many
tokens packed from twelve. Each runs in a process of its own; the peak is that process's largest resident set. Writes
benchmarks/results/long_context.json.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from common import write_result  # noqa: E402

TOKENS = 49_152
VOCABULARY = 151_936
HIDDEN_SIZE = 64
LAYERS = 2
IMAGE = (1120, 896)  # pixels: 1,280 tokens, the recipes' max_pixels
KINDS = ("one_sample", "packed_samples")
LIMIT_GIB = 5.0
# Large buffers stay in the heap instead of being mapped and zeroed anew for each chunk of logits, which halves the time.
ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=8589934592"}


def main(kinds: Sequence[str]) -> None:
    """Measure each kind in a process of its own, and write the result."""
    figures: dict[str, Any] = {
        "tokens": TOKENS,
        "vocabulary": VOCABULARY,
        "hidden_size": HIDDEN_SIZE,
        "layers": LAYERS,
        "full_float32_logits_gib": round(TOKENS * VOCABULARY * 4 / 2**30, 1),
    }
    for kind in kinds:
        environment = {**os.environ, **ENVIRONMENT}
        command = [sys.executable, __file__, "--in-this-process", kind]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        figures[kind] = json.loads(done.stdout.splitlines()[-1])
    figures["within_limit"] = all(figures[kind]["peak_gib"] <= LIMIT_GIB for kind in kinds)
    write_result("long_context", figures, ("torch", "transformers", "trl"))
    if not figures["within_limit"]:
        sys.exit(f"over {LIMIT_GIB} GiB")


def measure(kind: str) -> dict[str, Any]:
    """Run one step of ``kind``, and return its memory in GiB and its time in seconds."""
    import numpy as np
    from training_rows import write_rows, write_tiny
    from trl import ModelConfig

    from modeling.arguments import parse_stage
    from modeling.curriculum import Source, prepare_stage
    from modeling.sft import StageTrainer, load_start
    from modeling.spinegpt import load_processor

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        tiny = write_tiny(
            work / "tiny", vocab_size=VOCABULARY, hidden_size=HIDDEN_SIZE, layers=LAYERS, max_pixels=IMAGE[0] * IMAGE[1]
        )
        processor = load_processor(tiny)
        rows = _rows(kind, processor, np.random.default_rng(0))
        stage, _, training = parse_stage(
            REPO / "recipes" / "stage3.yaml",
            f"--output_dir {work / 'out'} --max_steps 1 --gradient_accumulation_steps 1 --save_strategy no --logging_steps 1"
            f" --packing {kind == 'packed_samples'} --max_length {TOKENS + 1} --disable_tqdm true"
            " --eval_strategy no --loss_samples 1 --sample_generations 0".split(),
        )
        model_config = ModelConfig(model_name_or_path=str(tiny), attn_implementation="sdpa")
        data = prepare_stage(
            [Source(str(write_rows(work / "rows", rows)))], processor, max_length=TOKENS + 1, packing=training.packing
        )
        assert sum(data.tokens) == TOKENS and len(data.units) == 1, (sum(data.tokens), len(data.units))
        model = load_start(stage, model_config, training)
        trainer = StageTrainer(model, training, data, processor, stage=stage, model_config=model_config)
        trainer.args.eval_on_start = False
        before, began = _peak(), time.monotonic()
        trainer.train()
        return {
            "samples": len(data.rows),
            "image_tokens": sum(data.image_tokens),
            "peak_gib": round(_peak(), 2),
            "peak_before_training_gib": round(before, 2),
            "seconds": round(time.monotonic() - began, 1),
            "loss": next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry),
        }


def _rows(kind: str, processor: Any, rng: Any) -> list[dict[str, Any]]:
    """Make conversations of three turns, with and without images, that hold exactly ``TOKENS`` tokens together."""
    from training_rows import image, row, text

    from modeling.collator import measure as measure_row

    rows = []
    samples = 1 if kind == "one_sample" else 12
    for number in range(samples):
        images = [image(*IMAGE, rng) for _ in range(4 if samples == 1 else number % 2)]
        turns = [(text(40, rng), text(100, rng)) for _ in range(2)]
        question, filling = text(40, rng), text(2 * TOKENS // samples, rng)

        def filled(length: int, more: str = "") -> dict[str, Any]:
            return row(str(number), [*turns, (question, filling[:length] + more)], images)  # noqa: B023

        low, high = 1, len(filling)  # the longest filling that fits, in characters
        while low < high:
            middle = (low + high + 1) // 2
            fits = measure_row(filled(middle), processor).tokens <= TOKENS // samples
            low, high = (middle, high) if fits else (low, middle - 1)
        # No merge of the tokenizer holds "#": each is a token.
        rows.append(filled(low, "#" * (TOKENS // samples - measure_row(filled(low), processor).tokens)))
    return rows


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in-this-process"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        main(sys.argv[1:] or KINDS)
