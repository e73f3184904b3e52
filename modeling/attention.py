"""Attention without FlashAttention: over packed samples without an n² mask, and over an image's windows in one call.

    check_attention          refuse an ``attn_implementation`` that cannot run here
    packed_sdpa_attention    causal SDPA within each packed sample, for the language model
    windowed_sdpa_attention  SDPA over all windows of the vision tower, those of equal length in one call

Qwen's text model hands each attention layer the text positions, which restart at 0 with each packed sample. No token sees
another sample's, and neither memory nor time is spent on pairs across samples. The vision tower hands over the bounds of its
windows (most layers) or images (the others): transformers calls SDPA once for each, 2,272 times for one image of 1,225 tokens.
FlashAttention reads the same positions and bounds for its variable-length kernel and needs none of this.
"""

import itertools
from importlib.util import find_spec
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

PACKED_SDPA = "packed_sdpa"
# transformers hands all windows over at once only to an implementation with "flash" in its name.
WINDOWED_SDPA = "windowed_sdpa_called_like_flash"
# attn_implementation → the package to import, and how to install it
FLASH_PACKAGES = {
    "flash_attention_2": ("flash_attn", "pip install flash-attn --no-build-isolation"),
    "flash_attention_3": ("flash_attn_interface", "install FlashAttention's hopper/ folder, for H100 and later"),
}
IMPLEMENTATIONS = ("sdpa", *FLASH_PACKAGES)


def check_attention(implementation: str | None, *, bf16: bool) -> None:
    """Raise ValueError, naming ``attn_implementation`` and the fix, if it is unknown or cannot run on this machine.

    FlashAttention needs its package, an NVIDIA GPU and bf16. Without the package transformers would fetch a kernel from the
    Hub when the model is loaded.
    """
    name = implementation or "sdpa"
    if name not in IMPLEMENTATIONS:
        raise ValueError(f"attn_implementation: {name!r} is none of {', '.join(IMPLEMENTATIONS)}.")
    if name not in FLASH_PACKAGES:
        return
    package, install = FLASH_PACKAGES[name]
    if find_spec(package) is None:
        raise ValueError(f"attn_implementation: {name} needs the package {package} ({install}); or set it to sdpa.")
    if not torch.cuda.is_available():
        raise ValueError(f"attn_implementation: {name} runs on an NVIDIA GPU and there is none here; set it to sdpa.")
    if not bf16:
        raise ValueError(f"attn_implementation: {name} computes in bf16; set bf16: true, or attn_implementation: sdpa.")


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


def windowed_sdpa_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    cu_seq_lens_q: torch.Tensor,
    scaling: float,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Apply attention within each window, in one call for all windows of the same length.

    ``query`` (1, heads, n, size), ``cu_seq_lens_q`` (windows + 1,) their bounds → (1, n, heads, size). The windows of an image
    have 64 patches, and fewer at its right and lower edge: at most four lengths an image size.
    """
    del attention_mask, kwargs  # windows have no mask; the rest repeats the bounds for FlashAttention
    starts, lengths = cu_seq_lens_q[:-1], cu_seq_lens_q.diff()
    outputs, order = [], []
    for length in lengths.unique().tolist():
        if length == 0:
            continue
        inside = torch.arange(length, device=query.device)
        places = starts[lengths == length].unsqueeze(1) + inside  # (windows, length)
        q, k, v = (tensor[0][:, places].transpose(0, 1) for tensor in (query, key, value))
        output, _ = sdpa_attention_forward(module, q, k, v, None, dropout=dropout, scaling=scaling, is_causal=False)
        outputs.append(output.flatten(0, 1))
        order.append(places.flatten())
    return torch.cat(outputs)[torch.cat(order).argsort()].unsqueeze(0), None


def register_packed_sdpa() -> None:
    """Make ``attn_implementation="packed_sdpa"`` known to transformers, without a mask function because it needs no mask."""
    AttentionInterface.register(PACKED_SDPA, packed_sdpa_attention)


def batch_windows(model: Any) -> None:
    """Let the vision tower of ``model``, loaded with SDPA, attend to all windows of the same length in one call."""
    config = model.model.visual.config
    if config._attn_implementation == "sdpa":
        AttentionInterface.register(WINDOWED_SDPA, windowed_sdpa_attention)
        config._attn_implementation = WINDOWED_SDPA  # not at loading: transformers would look for a Flash package
