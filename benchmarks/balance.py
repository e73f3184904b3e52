"""Simulate how long ranks wait for one another in stages 1 to 3, dealt as the recipes deal and with one sample each.

    python benchmarks/balance.py --dataset spinemed-450k --processor runs/demo/tiny

Lengths are the built data set's, counted with the processor of ``--processor``; the time of a pack is that of
modeling/packs.py for the 7B, so nothing is trained. A round ends with its slowest rank. Samples a step are the recipe's.
Written to benchmarks/results/balance.json.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
import yaml  # noqa: E402
from common import write_result  # noqa: E402
from transformers import Qwen2_5_VLConfig  # noqa: E402

from modeling.curriculum import StageData, Steps, parse_sources, prepare_stage  # noqa: E402
from modeling.packs import busy_share, sample_costs  # noqa: E402
from modeling.spinegpt import load_processor  # noqa: E402

# Qwen2.5-VL-7B-Instruct's config.json
CONFIG = Qwen2_5_VLConfig(
    text_config={
        "hidden_size": 3584,
        "num_hidden_layers": 28,
        "intermediate_size": 18_944,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152_064,
    },
    vision_config={"hidden_size": 1280, "depth": 32, "intermediate_size": 3420, "out_hidden_size": 3584},
)


def main() -> None:
    """Deal each stage's samples and write how busy the ranks are."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="spinemed-450k")
    parser.add_argument("--processor", default="runs/demo/tiny")
    parser.add_argument("--ranks", type=int, default=8)
    options = parser.parse_args()
    processor = load_processor(options.processor)
    figures: dict[str, Any] = {"ranks": options.ranks, "stages": {}}
    for number in (1, 2, 3):
        recipe = yaml.safe_load((REPO / "recipes" / f"stage{number}.yaml").read_text(encoding="utf-8"))
        steps = Steps(recipe["samples_a_step"], options.ranks, recipe["pack_tokens"], CONFIG)
        entries = [{**entry, "dataset": options.dataset} for entry in recipe["datasets"]]
        sources = parse_sources(entries)
        data = prepare_stage(
            sources, processor, max_length=recipe["max_length"], order=recipe["order"], packing=True, steps=steps
        )
        figures["stages"][number] = describe(data, steps)
    write_result("balance", figures, ("numpy", "transformers"))


def describe(data: StageData, steps: Steps) -> dict[str, Any]:
    """Measure the dealt packs, and one random sample a rank, as without packing."""
    costs = sample_costs(data.tokens, data.image_tokens, steps.config)
    units = data.units["rows"]
    samples = [number for unit in units for number in unit]
    alone = np.random.default_rng(0).permutation(samples)
    rounds = [
        [[number] for number in alone[first : first + steps.ranks]]
        for first in range(0, len(alone) - steps.ranks + 1, steps.ranks)
    ]
    packs = [sum(data.tokens[number] for number in unit) for unit in units]
    assert data.accumulation and data.busy_share
    a_step = len(samples) * data.accumulation * steps.ranks / len(units)
    return {
        "samples": len(samples),
        "tokens": {"mean": round(float(np.mean(data.tokens))), "longest": max(data.tokens)},
        "busy_share": {
            "dealt": round(data.busy_share, 3),
            "one_sample_a_rank": round(busy_share(rounds, costs, steps.ranks), 3),
        },
        "samples_a_step": {"wanted": steps.samples, "dealt": round(a_step, 1)},
        "pack_tokens": {"mean": round(float(np.mean(packs))), "most": max(packs)},
        "accumulation": data.accumulation,
    }


if __name__ == "__main__":
    main()
