"""Compare tokens a second and padding of this project's packs with TRL's stock padding.

    python benchmarks/train_throughput.py                              # a drawn length mix
    python benchmarks/train_throughput.py --dataset spinemed-450k      # a built data set's own lengths

Both train on the same samples, with the same tiny model and token budget of a micro-batch, one epoch each, in turn, in one
run; gradient checkpointing, SDPA, float32 on the CPU. Packed: recipes/stage2.yaml as shipped on one rank, with its samples a
step; the budget is its pack_tokens. Stock: TRL's SFTTrainer as its users run it, with the largest batch whose worst case
(every sample as long as the longest) fits the budget, and a step a batch. Tokens a second count samples' own tokens, never
padding. The median of the rounds is written, with all of them, to benchmarks/results/train_throughput.json.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
import yaml  # noqa: E402
from common import write_result  # noqa: E402
from datasets import Image  # noqa: E402
from epoch import measure_epoch  # noqa: E402
from training_rows import image, row, text, write_rows, write_tiny  # noqa: E402
from trl import ModelConfig, SFTConfig, SFTTrainer  # noqa: E402

from modeling.arguments import parse_stage, set_accumulation  # noqa: E402
from modeling.curriculum import Source, StageData, Steps, prepare_stage  # noqa: E402
from modeling.families import SpineGPTProcessor  # noqa: E402
from modeling.sft import StageTrainer, load_start  # noqa: E402
from modeling.spinegpt import load_model, load_processor  # noqa: E402

RECIPE = yaml.safe_load((REPO / "recipes" / "stage2.yaml").read_text(encoding="utf-8"))
SIZES = {"hidden_size": 64, "layers": 2}
# Share of samples, words of an answer (from, to), turns, share with an image: short questions are most, reports are long.
MIX = ((0.6, 20, 80, 1, 0.3), (0.25, 100, 300, 1, 0.3), (0.1, 80, 200, 3, 0.3), (0.05, 600, 900, 1, 0.8))


def main() -> None:
    """Train both ways in turn, and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", help="data set to take samples from (default: a drawn length mix)")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--budget", type=int, default=16_384, help="tokens of a micro-batch (16,384: as stages 1 and 2)")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)  # with two on a shared machine, one waits for the other
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        tiny = write_tiny(work / "tiny", max_pixels=336 * 336, **SIZES)
        processor = load_processor(tiny)
        dataset = options.dataset or str(write_rows(work / "rows", drawn_rows(options.samples)))
        source = Source(dataset, max_samples=options.samples)
        steps = Steps(RECIPE["samples_a_step"], 1, options.budget, load_model(tiny).config)
        data = prepare_stage([source], processor, max_length=options.budget, packing=True, steps=steps)
        batch_size = options.budget // max(data.tokens)
        rounds: dict[str, list[dict[str, float]]] = {"packed": [], "stock": []}
        for _ in range(options.rounds):
            rounds["packed"].append(train_packed(tiny, data, processor, options.budget, work / "packed"))
            rounds["stock"].append(train_stock(tiny, data, processor, batch_size, work / "stock"))
    speeds = {kind: statistics.median(one["tokens_a_second"] for one in runs) for kind, runs in rounds.items()}
    figures = {
        "samples": len(data.tokens),
        "sample_tokens": {
            "total": sum(data.tokens),
            "median": statistics.median(data.tokens),
            "longest": max(data.tokens),
            "image": sum(data.image_tokens),
        },
        "budget_tokens": options.budget,
        "stock_batch_size": batch_size,
        "padding_share": {kind: runs[0]["padding_share"] for kind, runs in rounds.items()},
        "micro_batches": {kind: runs[0]["micro_batches"] for kind, runs in rounds.items()},
        "tokens_a_second": speeds,
        "tokens_a_second_by_round": {kind: [one["tokens_a_second"] for one in runs] for kind, runs in rounds.items()},
        "packed_against_stock": round(speeds["packed"] / speeds["stock"], 2),
        **SIZES,
    }
    write_result("train_throughput", figures, ("torch", "transformers", "trl"))


def drawn_rows(samples: int, seed: int = 0) -> list[dict[str, Any]]:
    """Make conversations with the lengths of ``MIX``."""
    rng = np.random.default_rng(seed)
    rows = []
    for share, shortest, longest, turns, with_image in MIX:
        for _ in range(round(share * samples)):
            images = [image(336, 336, rng)] * int(rng.random() < with_image)
            words = rng.integers(shortest, longest, turns)
            rows.append(row(str(len(rows)), [(text(30, rng), text(int(count), rng)) for count in words], images))
    return rows


def train_packed(tiny: Path, data: StageData, processor: SpineGPTProcessor, budget: int, output: Path) -> dict[str, float]:
    """Train one epoch through the recipes' trainer, in packs."""
    assert data.accumulation
    return run(packed_trainer(tiny, data, processor, budget, output, data.accumulation), sum(data.tokens))


def packed_trainer(
    tiny: Path,
    data: StageData,
    processor: SpineGPTProcessor,
    budget: int,
    output: Path,
    accumulation: int,
    *,
    logging_steps: int = 1000,
) -> StageTrainer:
    """Make stage 2's trainer as shipped, for ``data`` dealt to one rank."""
    stage, _, training = parse_stage(
        REPO / "recipes" / "stage2.yaml",
        f"--output_dir {output} --pack_tokens {budget} --max_length {budget} --save_strategy no --loss_samples 1"
        f" --logging_steps {logging_steps} --disable_tqdm true --eval_strategy no --sample_generations 0".split(),
    )
    model_config = ModelConfig(model_name_or_path=str(tiny), attn_implementation="sdpa")
    set_accumulation(training, accumulation)
    model = load_start(stage, model_config, training)
    trainer = StageTrainer(model, training, data, processor, stage=stage, model_config=model_config)
    trainer.args.eval_on_start = False
    return trainer


def train_stock(tiny: Path, data: StageData, processor: SpineGPTProcessor, batch_size: int, output: Path) -> dict[str, float]:
    """Train one epoch on the same rows through TRL's trainer and collator."""
    training = SFTConfig(
        output_dir=str(output),
        per_device_train_batch_size=batch_size,
        num_train_epochs=1,
        max_length=None,
        activation_checkpointing=True,
        use_cpu=True,
        bf16=False,
        save_strategy="no",
        logging_steps=1000,
        report_to="none",
        disable_tqdm=True,
    )
    model = load_model(tiny, attn_implementation="sdpa")
    rows = data.rows.cast_column("images", [Image()])
    return run(SFTTrainer(model, training, train_dataset=rows, processing_class=processor), sum(data.tokens))


def run(trainer: SFTTrainer, tokens: int) -> dict[str, float]:
    """Train and measure; ``tokens`` are the samples' own."""
    epoch = measure_epoch(trainer)
    return {
        "tokens_a_second": round(tokens / epoch["seconds"], 1),
        "padding_share": round(1 - tokens / epoch["positions"], 4),
        "micro_batches": epoch["micro_batches"],
    }


if __name__ == "__main__":
    main()
