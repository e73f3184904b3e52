"""Compare this project's packed training with ms-swift's and LLaMA-Factory's, each in an environment of its own.

    python -m venv swift && swift/bin/pip install ms-swift==4.6.0 "transformers<5.20" qwen-vl-utils torch==2.13.0 torchvision
    python -m venv factory && factory/bin/pip install llamafactory==0.9.5 torch==2.13.0 torchvision torchaudio
    python benchmarks/other_trainers.py --dataset spinemed-450k --swift swift/bin/python --llamafactory factory/bin/python

All train the same rows of a built data set with the same tiny random Qwen2.5-VL (as `python -m modeling tiny` makes, or of
other sizes), whole and in float32, in packs of the same token budget, with activation checkpointing and fused AdamW; one
process, one thread, no worker. Theirs accumulate the packs that come nearest to the samples a step of recipes/stage2.yaml.

    ours                 recipes/stage2.yaml as shipped, on one rank
    ours_whole_logits    the same, but the logits of all supervised tokens at once, as both others take them: TRL's head takes
                         them in tiles, and twice, to save memory, which is most of the time of a model as narrow as this
    ms_swift             its packing
    llamafactory         its neat packing

FlashAttention, over which both others pack on a GPU, is not to be had on a CPU. This project's attention stands in for it, so
what differs is how samples are read, packed, batched and stepped. Without FlashAttention ms-swift refuses to pack, and
LLaMA-Factory 0.9.5 takes an n² mask and stops at a pack without images (its mask is 8 tokens longer than the row).

First each trains one step on all samples: the loss, before any update, and the supervised tokens have to agree. Then they
train an epoch in turn, `--rounds` times; the first epoch is timed like the others. Seconds a token count samples' own tokens,
never padding. CPU seconds are of the process that trains, and hold on a machine with other work; wall seconds do not. Written
to benchmarks/results/other_trainers.json, or as `--name` says.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from common import write_result  # noqa: E402

ONE_STEP = 10**6  # packs accumulated, more than an epoch has
LOSSES_AGREE = 1e-3  # share of the loss; images are resized by other code
PACKAGES = ("torch", "transformers", "trl", "accelerate", "ms-swift", "llamafactory")
# Offline, and on one thread: nothing waits for a hub or for a core.
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def main() -> None:
    """Train with each in turn, and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="spinemed-450k", help="data set to take samples from, by name or folder")
    parser.add_argument("--swift", help="python of an environment with ms-swift")
    parser.add_argument("--llamafactory", help="python of an environment with LLaMA-Factory")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--budget", type=int, default=16_384, help="tokens of a pack (16,384: as stages 1 and 2)")
    parser.add_argument("--hidden_size", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument(
        "--vocab_size", type=int, default=4096, help="of the tokenizer trained on the data set's texts, at most"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--name", default="other_trainers", help="of the file in benchmarks/results")
    options = parser.parse_args()
    own = [sys.executable, __file__, "--in-this-process"]
    trainers = {"ours": own, "ours_whole_logits": own}
    if options.swift:
        trainers["ms_swift"] = [options.swift, str(REPO / "benchmarks" / "epoch_ms_swift.py")]
    if options.llamafactory:
        trainers["llamafactory"] = [options.llamafactory, str(REPO / "benchmarks" / "epoch_llamafactory.py")]
    if not (options.swift or options.llamafactory):
        parser.error("--swift, --llamafactory: give the python of at least one environment to compare with.")
    with tempfile.TemporaryDirectory() as folder:
        wanted, samples = prepare(options, Path(folder))
        checked = {name: train(command, {**wanted, "accumulation": ONE_STEP}, name) for name, command in trainers.items()}
        rounds = {name: [told] for name, told in checked.items()}
        for _ in range(options.rounds):
            for name, command in trainers.items():
                rounds[name].append(train(command, wanted, name))
    figures = {
        "samples": samples,
        "budget_tokens": options.budget,
        "hidden_size": options.hidden_size,
        "layers": options.layers,
        "vocab_size": options.vocab_size,
        "trainers": {name: describe(runs, checked[name], samples) for name, runs in rounds.items()},
        "theirs_against": {
            own: {name: compare(runs, rounds[own]) for name, runs in rounds.items() if not name.startswith("ours")}
            for own in ("ours", "ours_whole_logits")
        },
        "losses_agree": agree(list(checked.values())),
        "environments": {name: versions(command[0]) for name, command in trainers.items()},
    }
    write_result(options.name, shorten(figures), ("torch", "transformers", "trl"))
    if not figures["losses_agree"]:
        sys.exit("the trainers do not learn the same: supervised tokens or the first loss differ")


def prepare(options: argparse.Namespace, work: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make the model and the rows for all, and return what is wanted of a trainer, and what the samples are."""
    import yaml

    from modeling.spinegpt import dataset_texts, make_tiny

    recipe = yaml.safe_load((REPO / "recipes" / "stage2.yaml").read_text(encoding="utf-8"))
    sizes = {"hidden_size": options.hidden_size, "layers": options.layers, "vocab_size": options.vocab_size}
    tiny = make_tiny(work / "tiny", dataset_texts(options.dataset), max_pixels=336 * 336, **sizes)
    wanted = {
        "dataset": options.dataset,
        "samples": options.samples,
        "model": str(tiny),
        "rows": str(work / "rows.jsonl"),
        "output": str(work / "output"),
        "budget": options.budget,
        "learning_rate": recipe["learning_rate"],
        "min_pixels": 56 * 56,
        "max_pixels": 336 * 336,
    }
    data = prepare_ours(wanted)
    export(data.rows, work)
    tokens, packs = sum(data.tokens), -(-sum(data.tokens) // options.budget)
    wanted["accumulation"] = max(1, round(recipe["samples_a_step"] * packs / len(data.tokens)))
    samples = {
        "count": len(data.tokens),
        "tokens": tokens,
        "supervised": sum(data.supervised_tokens),
        "image": sum(data.image_tokens),
        "median": statistics.median(data.tokens),
        "longest": max(data.tokens),
    }
    return wanted, samples


def export(rows: Any, work: Path) -> None:
    """Write ``rows`` as the JSON lines that both others read, an ``<image>`` where an image stands, and the images as files."""
    (work / "images").mkdir()
    with (work / "rows.jsonl").open("w", encoding="utf-8") as lines:
        for number, row in enumerate(rows):
            images = []
            for image in row["images"]:
                images.append(str(work / "images" / f"{number}-{len(images)}.png"))
                Path(images[-1]).write_bytes(image["bytes"])
            messages = [
                {
                    "role": message["role"],
                    "content": "".join("<image>" if part["type"] == "image" else part["text"] for part in message["content"]),
                }
                for message in row["messages"]
            ]
            lines.write(json.dumps({"messages": messages, "images": images}, ensure_ascii=False) + "\n")


def train(command: Sequence[str], wanted: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Run ``command`` on a file of what is ``wanted``, and return what it prints as its last line of JSON."""
    specification = Path(wanted["output"]).with_suffix(".json")
    chosen = {**wanted, "whole_logits": name == "ours_whole_logits"}
    specification.write_text(json.dumps(chosen), encoding="utf-8")
    done = subprocess.run(
        [*command, str(specification)], env={**os.environ, **ENVIRONMENT}, stdout=subprocess.PIPE, text=True, check=True
    )
    told: dict[str, Any] = json.loads([line for line in done.stdout.splitlines() if line.startswith('{"seconds"')][-1])
    print(name, told, file=sys.stderr, flush=True)
    return told


def prepare_ours(wanted: Mapping[str, Any]) -> Any:
    """Prepare the samples as the recipe does."""
    from train_throughput import RECIPE

    from modeling.curriculum import Source, Steps, prepare_stage
    from modeling.spinegpt import load_config, load_processor

    steps = Steps(RECIPE["samples_a_step"], 1, wanted["budget"], load_config(wanted["model"]))
    source = Source(wanted["dataset"], max_samples=wanted["samples"])
    processor = load_processor(wanted["model"])
    return prepare_stage([source], processor, max_length=wanted["budget"], packing=True, steps=steps)


def train_ours(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Train an epoch through the recipes' trainer."""
    import torch
    from epoch import measure_epoch
    from train_throughput import packed_trainer

    from modeling.spinegpt import load_processor

    torch.set_num_threads(1)
    data = prepare_ours(wanted)
    accumulation = data.accumulation if wanted["accumulation"] != ONE_STEP else len(data.units)
    assert accumulation
    model, output = Path(wanted["model"]), Path(wanted["output"])
    trainer = packed_trainer(model, data, load_processor(model), wanted["budget"], output, accumulation, logging_steps=1)
    if wanted["whole_logits"]:
        trainer.compute_loss = whole_logits  # type: ignore[method-assign]
    return measure_epoch(trainer)


def whole_logits(model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
    """Compute the loss as ms-swift does: the logits of the supervised tokens of a pack, and their cross-entropy."""
    import torch

    del return_outputs
    following = inputs.pop("labels")[0, 1:]
    kept = (following != -100).nonzero().flatten()
    logits = model(**inputs, use_cache=False, logits_to_keep=kept).logits[0]
    return torch.nn.functional.cross_entropy(logits.float(), following[kept], reduction="sum") / num_items_in_batch


def describe(runs: Sequence[Mapping[str, Any]], checked: Mapping[str, Any], samples: Mapping[str, Any]) -> dict[str, Any]:
    """Describe one trainer's epochs: the median and all rounds, in seconds a token."""
    by_round = {name: [run[name] / samples["tokens"] for run in runs] for name in ("cpu_seconds", "seconds")}
    one = runs[-1]
    return {
        "cpu_seconds_a_token": statistics.median(by_round["cpu_seconds"]),
        "cpu_seconds_a_token_by_round": by_round["cpu_seconds"],
        "seconds_a_token": statistics.median(by_round["seconds"]),
        "seconds_a_token_by_round": by_round["seconds"],
        "padding_share": 1 - samples["tokens"] / one["positions"],
        "micro_batches": one["micro_batches"],
        "steps": one["steps"],
        "samples_a_step": samples["count"] / one["steps"],
        "supervised_tokens": one["supervised"],
        "untrained_loss": checked["losses"][0],
    }


def compare(theirs: Sequence[Mapping[str, Any]], ours: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return their time over ours: the median, least and most over the rounds; above 1 we are faster."""
    figures: dict[str, Any] = {}
    for name in ("cpu_seconds", "seconds"):
        ratios = sorted(one[name] / other[name] for one, other in zip(theirs, ours))
        figures[name] = {"median": statistics.median(ratios), "least": ratios[0], "most": ratios[-1]}
    return figures


def agree(checked: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether all learned the same tokens, and had the same loss on them before any update."""
    losses = [run["losses"][0] for run in checked]
    return len({run["supervised"] for run in checked}) == 1 and max(losses) - min(losses) <= LOSSES_AGREE * max(losses)


def versions(python: str) -> dict[str, str]:
    """Ask an environment for the versions of PACKAGES that it has."""
    code = (
        "import importlib.metadata as m, json, sys; have = {d.name.lower().replace('_', '-'): d.version for d in "
        "m.distributions()}; print(json.dumps({n: have[n] for n in sys.argv[1:] if n in have}))"
    )
    done = subprocess.run([python, "-c", code, *PACKAGES], stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, str] = json.loads(done.stdout)
    return told


def shorten(value: Any) -> Any:
    """Round the numbers of a result to four digits; a loss keeps six."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: round(one, 5) if name == "untrained_loss" else shorten(one) for name, one in value.items()}
    return [shorten(one) for one in value] if isinstance(value, list) else value


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in-this-process"]:
        print(json.dumps(train_ours(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))))
    else:
        main()
