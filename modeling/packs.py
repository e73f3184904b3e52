"""Deal samples to ranks and steps: each step has the recipe's number of samples, and its ranks finish together.

    sample_costs    tokens and image tokens ─▶ the time that each sample takes, in tokens
    deal            samples ─▶ rounds of one pack a rank, and how many rounds make a step
    busy_share      how much of the ranks' time is work and not waiting

In each round every rank computes a pack of its own, and all wait for the slowest (ZeRO reduces gradients after each round).
Samples are sorted by cost; each group of ``ranks`` neighbours has nearly equal costs. A round takes one group from each slice
of the sorted groups, drawn at random: the rounds are alike in their mixture of short and long samples, and a long sample meets
others of its size. Its samples go to the rank with the least work, the costliest first. N log N for N samples; 450,000 take
seconds.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedConfig

from modeling.families import FAMILIES

# If cut rounds leave a step less than this share of its samples, packs are made smaller and more of them accumulated.
ENOUGH = 0.95


@dataclass(frozen=True)
class Deal:
    """Rounds in training order, each of ``ranks`` packs of sample numbers; ``accumulation`` of them make a step."""

    rounds: list[list[list[int]]]
    accumulation: int


def sample_costs(tokens: Sequence[int], image_tokens: Sequence[int], config: PreTrainedConfig) -> np.ndarray:
    """Estimate the time of each sample from the multiplications in the model, in units of one text token.

    A token passes the language model's matrices and its head; causal attention adds n² / 2 products of queries and keys, and of
    them and values, a layer. An image token stands for four patches, which pass the vision tower's blocks, and passes the
    mergers that lead from it into the language model. Left out is attention in the vision tower, for which images and not their
    tokens would have to be known: at 1,280 tokens an image at most a tenth of Qwen2.5-VL's tower (4 of 32 layers see the whole
    image); at 980, as many pixels, 0.6 of Qwen3-VL-4B's, where all do: an image token of it costs up to 1.5, not 1.3.

    The matrices are counted in a model without memory, built from ``config``, which must be of a family in modeling.families.
    """
    family = FAMILIES[config.model_type]
    with torch.device("meta"):
        model = family.model(family.config.from_dict(config.to_dict()))  # without the loaded model's attention
    layers, visual = model.get_decoder().layers, model.model.visual
    matrices = _weights(layers) + _weights(model.lm_head)
    width = layers[0].self_attn.q_proj.out_features  # of all heads; Qwen3's is not hidden_size
    mergers = sum(_weights(part) for name, part in visual.named_children() if "merger" in name)
    image = visual.spatial_merge_size**2 * _weights(visual.blocks) + mergers
    lengths = np.asarray(tokens, dtype=float)
    return lengths + lengths**2 * len(layers) * width / matrices + np.asarray(image_tokens, dtype=float) * image / matrices


def deal(
    tokens: Sequence[int] | np.ndarray,
    costs: Sequence[float] | np.ndarray,
    *,
    ranks: int,
    samples_a_step: int,
    pack_tokens: int,
    rng: np.random.Generator,
    accumulation: int = 0,
) -> Deal:
    """Deal samples so that a step has about ``samples_a_step`` and no pack more than ``pack_tokens``, but for a longer sample.

    Packs are made as large as that allows. If the samples of a step do not fit one pack a rank, several are accumulated, or as
    many as ``accumulation`` says. A round whose packs would be too large is cut in two, so steps can have fewer samples than
    asked for. Raises ValueError, naming the argument, if a step has fewer samples than there are ranks, or the data have.
    """
    if samples_a_step < ranks:
        raise ValueError(
            f"samples_a_step: {samples_a_step} samples do not give each of {ranks} ranks one. Raise it or use fewer processes."
        )
    if len(tokens) < ranks:
        raise ValueError(f"datasets: {len(tokens)} samples do not give each of {ranks} ranks one. Start fewer processes.")
    sizes, work = np.asarray(tokens), np.asarray(costs, dtype=float)
    tried = [accumulation] if accumulation else range(1, samples_a_step // ranks + 1)
    for accumulation in tried:
        samples = samples_a_step / accumulation
        count = max(1, min(round(len(sizes) / samples), len(sizes) // ranks))
        rounds = _rounds(sizes, work, ranks, count, pack_tokens, rng)
        if count >= ENOUGH * len(rounds):
            break
    return Deal(rounds, accumulation)


def busy_share(rounds: Sequence[Sequence[Sequence[int]]], costs: Sequence[float] | np.ndarray, ranks: int) -> float:
    """Return the share of the ranks' time that is work, when each round takes as long as its costliest pack."""
    loads = [[sum(costs[number] for number in pack) for pack in packs] for packs in rounds]
    return float(sum(map(sum, loads)) / (ranks * sum(map(max, loads))))


def _weights(part: torch.nn.Module) -> int:
    """Count the weights of the matrices in ``part``: norms and biases multiply nothing."""
    return sum(parameter.numel() for parameter in part.parameters() if parameter.dim() > 1)


def _rounds(
    sizes: np.ndarray, costs: np.ndarray, ranks: int, count: int, pack_tokens: int, rng: np.random.Generator
) -> list[list[list[int]]]:
    """Make ``count`` rounds, and more if packs would be too large."""
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-costs[order], kind="stable")]
    groups = [order[start : start + ranks] for start in range(0, len(order), ranks)]
    # The last slice is not full if the groups do not divide evenly, so some rounds have a short sample less.
    slices = [rng.permutation(np.arange(start, min(start + count, len(groups)))) for start in range(0, len(groups), count)]
    rounds: list[list[list[int]]] = []
    for number in range(count):
        own = [groups[one[number]] for one in slices if number < len(one)]
        rounds += _packs(own, sizes, costs, ranks, pack_tokens)
    # All ranks have a pack in every round but the last, so pack number n stays with rank n % ranks.
    shuffled = [rounds[number] for number in rng.permutation(len(rounds))]
    return sorted(shuffled, key=lambda packs: len(packs) < ranks)


def _packs(groups: Sequence[np.ndarray], sizes: Any, costs: Any, ranks: int, pack_tokens: int) -> list[list[list[int]]]:
    """Share the samples of ``groups`` out over ranks in one round, or in several if packs would be too large."""
    rounds = []
    while groups:
        for taken in range(len(groups), 0, -1):
            packs = _shared(groups[:taken], sizes, costs, ranks, pack_tokens)
            if packs or taken == 1:
                break
        rounds.append(packs or [[number] for number in groups[0].tolist()])
        groups = groups[taken:]
    return rounds


def _shared(groups: Sequence[np.ndarray], sizes: Any, costs: Any, ranks: int, pack_tokens: int) -> list[list[int]]:
    """Give each sample, the costliest first, to the rank with the least work; nothing if a pack would be too large."""
    packs: list[list[int]] = [[] for _ in range(ranks)]
    filled = [0] * ranks
    loads = [(0.0, rank) for rank in range(ranks)]
    for number in np.concatenate(groups).tolist():
        load, rank = heapq.heappop(loads)
        if filled[rank] and filled[rank] + sizes[number] > pack_tokens:
            return []
        packs[rank].append(number)
        filled[rank] += int(sizes[number])
        heapq.heappush(loads, (load + float(costs[number]), rank))
    return [pack for pack in packs if pack]
