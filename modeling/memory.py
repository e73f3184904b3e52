"""Estimate the memory of each rank before activations: weights, gradients and AdamW's states.

measure_model     a model (partitioned by ZeRO-3 or not) ─▶ its sizes
estimate_memory   sizes, ZeRO level, ranks, offload ─▶ bytes on the device and in the machine's memory
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

LEFT_OUT = "activations, logits, communication buffers, fragmentation, data loader workers"


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Sizes of a model: ``trainable`` in parameters, all else in bytes of whole parameters, even if ZeRO-3 partitions them."""

    weight_bytes: int
    trainable: int
    trainable_bytes: int
    largest_layer_bytes: int


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes of one rank by purpose, on the device and (offloaded) in the machine's memory."""

    device: Mapping[str, int]
    host: Mapping[str, int]

    def __str__(self) -> str:
        places = [("on the device", self.device)] + ([("in the machine's memory", self.host)] if self.host else [])
        return "; ".join(
            f"{readable(sum(held.values()))} {place} ({', '.join(f'{name} {readable(size)}' for name, size in held.items())})"
            for place, held in places
        )


def readable(size: float) -> str:
    """Format bytes as MiB or GiB."""
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.1f} MiB"


def parameter_count(parameter: nn.Parameter) -> int:
    """Count the numbers in a parameter, also if ZeRO-3 has partitioned it or bitsandbytes has put two of them in a byte."""
    quantized = getattr(parameter, "quant_state", None)
    return _stored(parameter) if quantized is None else math.prod(quantized.shape)


def measure_model(model: nn.Module, *, engine_bf16: bool = False) -> ModelSize:
    """Measure a model whose frozen parts are set; a layer is what a module holds itself, as DeepSpeed gathers it.

    ``engine_bf16``: DeepSpeed will cast all floating-point parameters to bf16, whatever they were loaded in.
    """

    def size_of(parameter: nn.Parameter) -> int:
        cast = engine_bf16 and parameter.is_floating_point()
        return _stored(parameter) * (2 if cast else parameter.element_size())

    parameters = list(model.parameters())
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    layers = (sum(size_of(p) for p in module.parameters(recurse=False)) for module in model.modules())
    return ModelSize(
        weight_bytes=sum(size_of(parameter) for parameter in parameters),
        trainable=sum(parameter_count(parameter) for parameter in trained),
        trainable_bytes=sum(size_of(parameter) for parameter in trained),
        largest_layer_bytes=max(layers),
    )


def estimate_memory(
    size: ModelSize, *, zero_stage: int = 0, ranks: int = 1, offload_parameters: bool = False, offload_optimizer: bool = False
) -> MemoryEstimate:
    """Estimate the model states of one rank under AdamW; the memory that ``LEFT_OUT`` names comes on top.

    Without DeepSpeed (``zero_stage`` 0) each rank holds weights, gradients and two moments in the weights' type. DeepSpeed
    adds float32 masters, moments and gradients, 16 bytes a trainable parameter, shared out over ``ranks`` (Rajbhandari et
    al. 2020, section 3.1; the same sum as deepspeed.runtime.zero's estimators with a buffer factor of 1, but frozen
    parameters have neither gradients nor states). ZeRO-2 shares out the gradients, ZeRO-3 the weights too, and then one
    layer at a time is whole, with its gradient.
    """
    if zero_stage == 0:
        held = {"weights": size.weight_bytes, "gradients": size.trainable_bytes, "optimizer": 2 * size.trainable_bytes}
        return MemoryEstimate(device=held, host={})
    device: dict[str, int] = {}
    host: dict[str, int] = {}
    weights = size.weight_bytes // ranks if zero_stage == 3 else size.weight_bytes
    (host if offload_parameters else device)["weights"] = weights
    if zero_stage == 3:
        device["largest layer"] = 2 * size.largest_layer_bytes
    gradients = 4 * size.trainable // ranks
    if zero_stage < 3 and not offload_optimizer:
        gradients += size.trainable_bytes // (ranks if zero_stage == 2 else 1)
    states = host if offload_optimizer else device
    states["gradients"] = gradients
    states["optimizer"] = 12 * size.trainable // ranks
    return MemoryEstimate(device=device, host=host)


def _stored(parameter: nn.Parameter) -> int:
    """Count a parameter's elements. A partitioned one is itself empty; DeepSpeed keeps its size in ``ds_numel``."""
    return getattr(parameter, "ds_numel", parameter.numel())
