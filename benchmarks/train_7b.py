"""Measure tokens a second, utilisation and memory of training steps at the 7B's shape, with random weights, on one GPU.

    python benchmarks/train_7b.py                       # 16,384 and 49,152 tokens a step; some 100 GiB of GPU memory
    python benchmarks/train_7b.py --shape small --tokens 2048         # on a CPU, to check that it runs

The recipes' own path (recipes/stage3.yaml in one process: activation checkpointing, TRL's fused LM head, bf16, AdamW, packs of
twelve mixed samples). The weights are random and are written once to a temporary folder (17 GB) in Qwen2.5-VL-7B's shape, on
which time and memory depend. Utilisation is the model's arithmetic, without what checkpointing computes again, as a share of
what one large bf16 matrix product reaches on the same device just before. Writes benchmarks/results/train_7b.json.
"""

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from common import write_result  # noqa: E402
from training_rows import image, row, text, write_rows, write_tiny  # noqa: E402
from transformers import (  # noqa: E402
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    TrainerCallback,
)
from trl import ModelConfig  # noqa: E402

from modeling.arguments import parse_stage  # noqa: E402
from modeling.curriculum import Source, prepare_stage  # noqa: E402
from modeling.sft import StageTrainer, load_start  # noqa: E402
from modeling.spinegpt import load_processor  # noqa: E402

# config.json of Qwen/Qwen2.5-VL-7B-Instruct
TEXT_7B = {
    "vocab_size": 152_064,
    "hidden_size": 3584,
    "intermediate_size": 18_944,
    "num_hidden_layers": 28,
    "layer_types": ["full_attention"] * 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
}
VISION_7B = {
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "out_hidden_size": 3584,
    "fullatt_block_indexes": [7, 15, 23, 31],
    "window_size": 112,
}
PATCHES_A_TOKEN = 4
SAMPLES, STEPS = 12, 4  # all steps but the first are timed, because the first one allocates


def main() -> None:
    """Write the weights, measure each number of tokens, and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=("7b", "small"), default="7b")
    parser.add_argument("--tokens", type=int, nargs="+", default=[16_384, 49_152])
    options = parser.parse_args()
    if options.shape == "7b" and not torch.cuda.is_available():
        sys.exit("no GPU: the 7B's shape needs some 100 GiB of its memory; --shape small runs on a CPU")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        model = write_shape(work / "model", options.shape)
        peak = product_flops()
        figures: dict[str, Any] = {
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            "shape": options.shape,
            "matrix_product_teraflops": round(peak / 1e12, 2),
        }
        for tokens in options.tokens:
            figures[f"{tokens:,} tokens"] = measure(model, tokens, work / str(tokens), peak)
    write_result("train_7b", figures, ("torch", "transformers", "trl"))


def write_shape(folder: Path, shape: str) -> Path:
    """Write a random checkpoint of ``shape`` with a small tokenizer."""
    write_tiny(folder, max_pixels=1_003_520)
    if shape == "small":
        return folder
    config = Qwen2_5_VLConfig.from_pretrained(folder)
    config.text_config.update(TEXT_7B)
    config.vision_config.update(VISION_7B)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    torch.set_default_dtype(torch.float32)
    torch.cuda.empty_cache()
    return folder


def product_flops(size: int = 8192) -> float:
    """Measure the operations a second of bf16 products of square matrices (on a CPU: small float32 ones)."""
    on_gpu = torch.cuda.is_available()
    size, dtype, device = (size, torch.bfloat16, "cuda") if on_gpu else (1024, torch.float32, "cpu")
    a, b = (torch.randn(size, size, dtype=dtype, device=device) for _ in range(2))
    for _ in range(3):
        a @ b
    _wait()
    began = time.monotonic()
    for _ in range(20):
        a @ b
    _wait()
    return 20 * 2 * size**3 / (time.monotonic() - began)


def measure(start: Path, tokens: int, work: Path, peak: float) -> dict[str, Any]:
    """Run STEPS steps on one pack of at most ``tokens`` tokens, and measure all but the first."""
    rng = np.random.default_rng(0)
    processor = load_processor(start)
    budget = tokens // SAMPLES
    rows = []
    for number in range(SAMPLES):
        # An image of about a third of the sample, and words of the tokenizer's making for the rest.
        side = 28 * max(2, int((budget / 3) ** 0.5))
        images = [image(side, side, rng)] * (number % 2)
        rows.append(row(str(number), [(text(40, rng), text(max(10, budget // 2), rng))], images))
    stage, _, training = parse_stage(
        REPO / "recipes" / "stage3.yaml",
        f"--output_dir {work / 'out'} --max_steps {STEPS} --gradient_accumulation_steps 1 --save_strategy no --logging_steps 1"
        f" --packing true --max_length {tokens} --disable_tqdm true --eval_strategy no --loss_samples 1 --sample_generations 0"
        f" --validation_share 0 --dataset_num_proc 1 --dataloader_num_workers 0".split()
        + (["--deepspeed", ""] if torch.cuda.is_available() else []),
    )
    model_config = ModelConfig(model_name_or_path=str(start), attn_implementation="sdpa")
    data = prepare_stage([Source(str(write_rows(work / "rows", rows)))], processor, max_length=tokens, packing=True)
    pack = data.units[0]["rows"]
    data = dataclasses.replace(data, units=data.units.select([0] * STEPS))  # every step the same, full pack
    model = load_start(stage, model_config, training)
    trainer = StageTrainer(model, training, data, processor, stage=stage, model_config=model_config)
    trainer.args.eval_on_start = False
    clock = _Clock()
    trainer.add_callback(clock)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    trainer.train()
    seconds = (clock.ends[-1] - clock.ends[0]) / (len(clock.ends) - 1)
    used, image_tokens = [data.tokens[number] for number in pack], sum(data.image_tokens[number] for number in pack)
    flops = step_flops(model, used, image_tokens)
    return {
        "samples": len(used),
        "tokens": sum(used),
        "image_tokens": image_tokens,
        "seconds_a_step": round(seconds, 3),
        "tokens_a_second": round(sum(used) / seconds, 1),
        "utilisation": round(flops / seconds / peak, 3),
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 1) if torch.cuda.is_available() else None,
        "parameters": model.num_parameters(),
    }


def step_flops(model: Qwen2_5_VLForConditionalGeneration, lengths: list[int], image_tokens: int) -> float:
    """Count the floating-point operations of one forward and backward pass.

    6 a parameter and token (2 forward, 4 backward; the embedding table only looks up), and for causal attention within each
    sample 6 × width × length² a layer. The vision tower's attention is left out.
    """
    text_config = model.config.text_config
    vision = sum(p.numel() for name, p in model.named_parameters() if "visual." in name)
    table = model.get_input_embeddings().weight.numel()
    language = model.num_parameters() - vision - table
    attention = 6 * text_config.num_hidden_layers * text_config.hidden_size * sum(length**2 for length in lengths)
    return 6.0 * language * sum(lengths) + 6.0 * vision * PATCHES_A_TOKEN * image_tokens + attention


class _Clock(TrainerCallback):
    """Records when each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        _wait()
        self.ends.append(time.monotonic())


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
