"""Hostile packs on one rank and split over all, a script for forked_ranks: sequence_worker.py MODEL DATASET OUTPUT KV_HEADS.

Rank 0 writes to OUTPUT (JSON), for each pack, its tokens and the largest relative differences of logits, loss and gradients.
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from datasets import load_dataset
from transformers import Qwen2_5_VLForConditionalGeneration
from trl.trainer.utils import add_fused_lm_head

from modeling.attention import PACKED_SDPA, register_packed_sdpa
from modeling.collator import Collator, encode
from modeling.pixels import normalised
from modeling.sequence_parallel import SequenceParallel
from modeling.spinegpt import load_config, load_model, load_processor

# Images of each sample in a pack.
PACKS = {
    "text only": [0],
    "one token short": [0, 0, 0],
    "all kinds": [0, 2, 0, 1, 3, 1],
    "images at both ends": [3, 0, 0, 2],
}


def build(name: str, kv_heads: int) -> Qwen2_5_VLForConditionalGeneration:
    """Load the tiny model, or a random one like it with other key/value heads."""
    register_packed_sdpa()
    attention = {"text_config": PACKED_SDPA, "vision_config": "sdpa"}
    config = load_config(name)
    if config.text_config.num_key_value_heads == kv_heads:
        model = load_model(name, attn_implementation=attention)
    else:
        config.text_config.num_key_value_heads = kv_heads
        torch.manual_seed(0)
        model = Qwen2_5_VLForConditionalGeneration._from_config(config, attn_implementation=attention)
        model.config.use_cache = False
    add_fused_lm_head(model)
    return model.train()


def batches(model: str, dataset: str) -> dict[str, dict[str, torch.Tensor]]:
    processor = load_processor(model)
    rows = load_dataset(dataset, "spine", split="train")
    shown = {count: [row for row in rows if len(row["images"]) == count] for count in (0, 1, 2)}
    collator = Collator(rows, processor, packing=True)
    made = {}
    for name, counts in PACKS.items():
        samples = []
        for index, count in enumerate(counts):
            taken = shown[min(count, 2)][index]
            if count == 3:
                content = [{"type": "image", "text": None}, *taken["messages"][0]["content"]]
                messages = [{"role": "user", "content": content}, *taken["messages"][1:]]
                taken = {**taken, "messages": messages, "images": [*taken["images"], taken["images"][0]]}
            samples.append(encode(taken, processor))
        made[name] = dict(normalised(collator.collate(samples), processor.image_processor))
    return made


def difference(got: torch.Tensor, expected: torch.Tensor) -> float:
    return float((got - expected).norm() / expected.norm().clamp(min=1e-8))


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    found = {}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient on this rank"
        found[name], parameter.grad = parameter.grad, None
    return found


def main(name: str, dataset: str, output: str, kv_heads: int) -> None:
    model = build(name, kv_heads)
    packs = batches(name, dataset)
    expected = {}
    for pack, batch in packs.items():
        supervised = (batch["labels"][:, 1:] >= 0).sum()
        inputs = {key: tensor for key, tensor in batch.items() if key != "labels"}
        logits = model(**inputs, use_cache=False).logits.detach()
        loss = model(**batch, num_items_in_batch=supervised, fused_lm_head=True).loss
        loss.backward()
        expected[pack] = (supervised, logits, loss.detach(), gradients(model))

    size = dist.get_world_size()
    model.gradient_checkpointing_enable()  # as in the recipes: attention and its exchanges run again in the backward pass
    parallel = SequenceParallel(model, size)
    told = {}
    for pack, batch in packs.items():
        supervised, logits, loss, grads = expected[pack]
        inputs = {key: tensor for key, tensor in batch.items() if key != "labels"}
        own = model(**inputs, use_cache=False).logits.detach()
        shares = [torch.empty_like(own) for _ in range(size)]
        dist.all_gather(shares, own)
        got = torch.cat(shares, dim=1)[:, : logits.shape[1]]
        own_loss = model(**parallel.own_labels(batch), num_items_in_batch=supervised, fused_lm_head=True).loss
        own_loss.backward()
        total = own_loss.detach()
        dist.all_reduce(total)
        apart = {}
        for parameter, gradient in gradients(model).items():
            dist.all_reduce(gradient)
            if "visual" not in parameter or any(PACKS[pack]):  # a text-only pack gives the vision tower none
                apart[parameter] = difference(gradient, grads[parameter])
            else:
                apart[parameter] = float(gradient.norm())
        model.eval()
        unsplit = model(**inputs, use_cache=False).logits.detach()
        model.train()
        told[pack] = {
            "tokens": logits.shape[1],
            "own tokens": own.shape[1],
            "logits": difference(got, logits),
            "loss": difference(total, loss),
            "gradients": max(apart.values()),
            "evaluation": difference(unsplit, logits),
        }
    if dist.get_rank() == 0:
        Path(output).write_text(json.dumps(told))


if __name__ == "__main__":
    dist.init_process_group("gloo")
    main(*sys.argv[1:4], int(sys.argv[4]))
