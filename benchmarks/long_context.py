"""Measure memory and time of one training step on 49,152 tokens of text and images, with the real vocabulary of 151,936.

    python benchmarks/long_context.py                  # both kinds, or the ones that you name:
    python benchmarks/long_context.py one_sample
    python benchmarks/long_context.py shared_pack      # sequence_parallel_size: a pack on one rank, then on two over gloo

Stage 3's code path (recipes/stage3.yaml: gradient checkpointing, TRL's fused LM head, SDPA) on a model of tiny width, in
float32 on the CPU: forward, backward, AdamW step. one_sample is one conversation with images, packed_samples as many
tokens packed from twelve. Each runs in a process of its own; the peak is that process's largest resident set. Writes
benchmarks/results/long_context.json.

shared_pack takes more layers and a small vocabulary, so that the layers' activations outweigh what every rank holds whole
(weights, pixels, embeddings), and counts what training adds to a rank's memory, gradients included. Writes
benchmarks/results/sequence_parallel.json.
"""

import json
import os
import resource
import socket
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
SHARED = "shared_pack"
SHARED_SIZES = {"hidden_size": 256, "layers": 16}
LIMIT_GIB = 5.0
LIMIT_SHARE = 0.6  # of one rank's activations, on each of two
# Large buffers stay in the heap instead of being mapped and zeroed anew for each chunk of logits, which halves the time.
ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=8589934592"}
# What is freed goes back at once: the peak is then what was in use.
EXACT = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=65536:glibc.malloc.trim_threshold=65536", "OMP_NUM_THREADS": "1"}


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


def main_shared() -> None:
    """Measure the same pack on one rank and on two that share it, and write the result."""
    figures: dict[str, Any] = {"tokens": TOKENS, **SHARED_SIZES}
    for ranks in (1, 2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
        command = [sys.executable, __file__, "--in-this-process", SHARED]
        running = []
        for rank in range(ranks):
            place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks)}
            environment = {**os.environ, **EXACT, **(address | place if ranks > 1 else {})}
            running.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
        told = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]
        figures[f"{ranks} {'ranks' if ranks > 1 else 'rank'}"] = max(told, key=lambda figure: figure["training_adds_gib"])
    one, two = figures["1 rank"], figures["2 ranks"]
    figures["share"] = round(two["training_adds_gib"] / one["training_adds_gib"], 3)
    figures["loss_differs_by"] = abs(two["loss"] - one["loss"]) / one["loss"]
    figures["within_limit"] = figures["share"] <= LIMIT_SHARE and figures["loss_differs_by"] <= 1e-5
    write_result("sequence_parallel", figures, ("torch", "transformers", "trl"))
    if not figures["within_limit"]:
        sys.exit(f"over {LIMIT_SHARE} of one rank, or another loss")


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
        sizes: dict[str, Any] = {"vocab_size": VOCABULARY, "hidden_size": HIDDEN_SIZE, "layers": LAYERS}
        ranks = int(os.environ.get("WORLD_SIZE", "1"))
        tiny = write_tiny(work / "tiny", **(SHARED_SIZES if kind == SHARED else sizes), max_pixels=IMAGE[0] * IMAGE[1])
        processor = load_processor(tiny)
        rows = _rows(kind, processor, np.random.default_rng(0))
        stage, _, training = parse_stage(
            REPO / "recipes" / "stage3.yaml",
            f"--output_dir {work / 'out'} --max_steps 1 --gradient_accumulation_steps 1 --save_strategy no --logging_steps 1"
            f" --packing {kind != 'one_sample'} --sequence_parallel_size {ranks} --max_length {TOKENS + 1} --disable_tqdm true"
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
        before, resident, began = _peak(), _resident(), time.monotonic()
        trainer.train()
        return {
            "samples": len(data.rows),
            "image_tokens": sum(data.image_tokens),
            "peak_gib": round(_peak(), 2),
            "peak_before_training_gib": round(before, 2),
            "training_adds_gib": round(_peak() - resident, 3),
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


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**30


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in-this-process"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        named = sys.argv[1:] or [*KINDS, SHARED]
        if kinds := [kind for kind in named if kind != SHARED]:
            main(kinds)
        if SHARED in named:
            main_shared()
