"""Attention over packed samples without an n² mask, for machines without FlashAttention.

Qwen2.5-VL's text model hands each attention layer the text positions, which restart at 0 with each packed sample. This
one runs causal SDPA on each sample's own stretch, so no token sees another sample's, and neither memory nor time is spent
on pairs across samples. FlashAttention 2 reads the same positions for its variable-length kernel and needs none of this.
"""

import itertools
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

PACKED_SDPA = "packed_sdpa"


def packed_sdpa_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    position_ids: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Apply causal attention within each packed sample.

    ``query`` (1, heads, n, size), ``position_ids`` (1, n) → (1, n, heads, size). Raises ValueError for a batch that is not
    one packed row: its samples could not be told apart.
    """
    if position_ids is None or query.shape[0] != 1 or attention_mask is not None:
        raise ValueError(
            f"{PACKED_SDPA} takes one packed row with text positions and no mask (collator.Collator, packing=True)."
        )
    bounds = [*(position_ids[0] == 0).nonzero().flatten().tolist(), query.shape[2]]
    outputs = [
        sdpa_attention_forward(
            module, query[:, :, start:end], key[:, :, start:end], value[:, :, start:end], None, is_causal=True, **kwargs
        )[0]
        for start, end in itertools.pairwise(bounds)
    ]
    return torch.cat(outputs, dim=1), None


def register_packed_sdpa() -> None:
    """Make ``attn_implementation="packed_sdpa"`` known to transformers, without a mask function because it needs no mask."""
    AttentionInterface.register(PACKED_SDPA, packed_sdpa_attention)
