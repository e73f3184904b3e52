"""Split one long pack over the devices of a group, so that each holds a share of the activations (Ulysses).

    check_sequence_parallel   refuses a size that the model or the ranks do not allow, before the first step
    SequenceParallel          slices the language model's tokens, exchanges heads around attention, slices the labels
    repeated                  the units of the data set, so that the ranks of a group get the same one

The ranks of a group read the same pack, embed it and run the vision tower on all of its images. Then each keeps its n / size
tokens: norms, projections, MLPs, LM head and loss see no others. Around attention an all-to-all turns (all heads, own
tokens) into (own heads, all tokens) and back, so attention itself, with its bounds between packed samples, is unchanged
(DeepSpeed-Ulysses, arXiv 2309.14509). Every parameter's gradient is then the sum over the group, which the engine's mean over
all ranks gives if the loss divides by the supervised tokens of the real batch (StageTrainer).

Evaluation and generation run unsplit, each rank on samples of its own: they keep no activations. Ulysses of DeepSpeed and
accelerate is not used: it splits the batch before the embedding, where image tokens and pixels no longer match, and leaves
changed head counts in the attention layers.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from datasets import Dataset
from torch.distributed._functional_collectives import all_to_all_single, wait_tensor  # the one that torch keeps
from torch.nn.functional import pad
from transformers import AttentionInterface, PretrainedConfig, PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from modeling.collator import IGNORE

# The keyword under which the text positions of the whole pack travel through the decoder layers to attention.
WHOLE_POSITIONS = "whole_position_ids"

Attention = Callable[..., tuple[torch.Tensor, torch.Tensor | None]]


def check_sequence_parallel(size: int, config: PretrainedConfig, *, ranks: int, packing: bool) -> None:
    """Check that ``size`` ranks can share a pack.

    Raises ValueError naming sequence_parallel_size if ``size`` does not divide ``ranks`` or the attention heads of ``config``,
    if it neither divides the key/value heads nor is a multiple of them, or if samples are not packed.
    """
    text = config.get_text_config()
    heads, shared = text.num_attention_heads, text.num_key_value_heads
    if size < 1:
        raise ValueError(f"sequence_parallel_size: {size} is no number of ranks; 1 splits nothing.")
    if size == 1:
        return
    if ranks % size:
        raise ValueError(
            f"sequence_parallel_size: {ranks} ranks cannot form groups of {size}. Start a multiple of {size} ranks, or set 1."
        )
    if heads % size or (shared % size and size % shared):
        fitting = [n for n in range(2, heads + 1) if not heads % n and (not shared % n or not n % shared)]
        raise ValueError(
            f"sequence_parallel_size: {heads} attention heads and {shared} key/value heads cannot be dealt to {size} ranks. "
            f"This model takes 1{''.join(f', {n}' for n in fitting)}."
        )
    if not packing:
        raise ValueError(
            f"sequence_parallel_size: {size} ranks share a packed row; set packing: true (a sample of full length is then a "
            "pack of its own)."
        )


class SequenceParallel:
    """Run the language part of ``model`` on this rank's share of each pack, while it trains.

    Groups are ``size`` ranks in a row. torch.distributed has to be started, and every rank has to make one. The attention
    function that the language model uses is replaced in transformers' table for this process; other calls of it pass through.
    """

    def __init__(self, model: PreTrainedModel, size: int) -> None:
        self.size = size
        self.group = _own_group(size)
        self.rank = dist.get_rank(self.group)
        decoder = model.get_decoder()
        name = decoder.config._attn_implementation
        AttentionInterface.register(name, _exchanging(ALL_ATTENTION_FUNCTIONS[name], self.group))
        decoder.register_forward_pre_hook(self._own_tokens, with_kwargs=True)

    def own(self, whole: torch.Tensor, *, filling: int = 0) -> torch.Tensor:
        """Return this rank's share of ``whole`` (…, n) along its last dimension, padded with ``filling`` to equal shares."""
        # A copy: a view would keep the whole alive as long as its share.
        padded = pad(whole, (0, -whole.shape[-1] % self.size), value=filling)
        return padded.chunk(self.size, dim=-1)[self.rank].clone()

    def own_labels(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Replace ``labels`` (1, n) by this rank's ``shift_labels``: each token's next one, also beyond the share's end."""
        rest = {name: value for name, value in inputs.items() if name != "labels"}
        following = pad(inputs["labels"][:, 1:], (0, 1), value=IGNORE)
        return {**rest, "shift_labels": self.own(following, filling=IGNORE)}

    def _own_tokens(self, decoder: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Slice what the decoder gets; the padding is one more packed sample, after all others."""
        if not decoder.training:
            return None
        whole, positions = kwargs["inputs_embeds"], kwargs["position_ids"]
        if positions is None or positions.shape[:2] != (4, 1) or kwargs.get("attention_mask") is not None:
            raise ValueError(
                "sequence_parallel_size: takes one packed row with text positions, no mask (collator.Collator, packing=True)."
            )
        padding = torch.arange(-whole.shape[1] % self.size, device=positions.device).expand(4, 1, -1)
        positions = torch.cat([positions, padding], dim=2)
        own = {
            "inputs_embeds": self.own(whole.transpose(1, 2)).transpose(1, 2).contiguous(),
            "position_ids": self.own(positions),
            WHOLE_POSITIONS: positions[0].contiguous(),
        }
        if kwargs.get("visual_pos_masks") is not None:
            own |= self._own_image_features(kwargs["visual_pos_masks"], kwargs["deepstack_visual_embeds"])
        return args, {**kwargs, **own}

    def _own_image_features(self, is_image: torch.Tensor, features: list[torch.Tensor]) -> dict[str, Any]:
        """Slice what Qwen3-VL adds to the image tokens (1, n) of its first layers: a row of features an image token."""
        own = self.own(is_image)
        before = int(is_image[0, : self.rank * own.shape[1]].sum())
        rows = slice(before, before + int(own.sum()))
        return {"visual_pos_masks": own, "deepstack_visual_embeds": [layer[rows] for layer in features]}


def repeated(units: Dataset, size: int) -> Dataset:
    """Repeat each unit ``size`` times: accelerate deals units to ranks in turn, so each group gets the same one."""
    return units.select([number for number in range(len(units)) for _ in range(size)]) if size > 1 else units


def _own_group(size: int) -> Any:
    """Make all groups, as torch wants of every rank, and return the one of this rank."""
    ranks = dist.get_world_size()
    groups = [dist.new_group(range(start, start + size)) for start in range(0, ranks, size)]
    return groups[dist.get_rank() // size]


def _exchanging(attention: Attention, group: Any) -> Attention:
    """Wrap ``attention``: (1, heads, n / size, features) → (1, heads / size, n, features) → attention → back.

    Calls without the whole pack's positions, such as the vision tower's and evaluation's, pass through.
    """
    size = dist.get_world_size(group)

    def exchanged(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        whole_positions = kwargs.pop(WHOLE_POSITIONS, None)
        if whole_positions is None:
            return attention(module, query, key, value, attention_mask, **kwargs)
        if key.shape[1] < size:  # each rank needs the key/value head that its query heads share
            key, value = (tensor.repeat_interleave(size // key.shape[1], dim=1) for tensor in (key, value))
        query, key, value = (_all_tokens(tensor, group, size) for tensor in (query, key, value))
        output, _ = attention(module, query, key, value, None, **{**kwargs, "position_ids": whole_positions})
        return _all_heads(output, group, size), None

    return exchanged


def _all_tokens(states: torch.Tensor, group: Any, size: int) -> torch.Tensor:
    """(1, heads, n / size, features) → (1, heads / size, n, features)."""
    _, heads, tokens, features = states.shape
    received = _exchange(states.reshape(size, heads // size, tokens, features), group)
    return received.transpose(0, 1).reshape(1, heads // size, size * tokens, features)


def _all_heads(states: torch.Tensor, group: Any, size: int) -> torch.Tensor:
    """(1, n, heads / size, features) → (1, n / size, heads, features), as attention functions return them."""
    _, tokens, heads, features = states.shape
    received = _exchange(states.reshape(size, tokens // size, heads, features), group)
    return received.transpose(0, 1).reshape(1, tokens // size, size * heads, features)


def _exchange(parts: torch.Tensor, group: Any) -> torch.Tensor:
    """Send ``parts[r]`` to rank r, and return what the ranks sent, in their order; gradients go the way back."""
    return wait_tensor(all_to_all_single(parts.contiguous(), None, None, group))
