"""Carry images as bytes to the device, and make the model's numbers of them there.

    rgb            an image of any mode of 8 bits ─▶ RGB
    patches_of     images ─▶ patches of uint8 (in a worker of the data loader)
    normalised     a batch with such patches ─▶ the batch with the processor's own numbers (on the device)

Float32 patches would take four times the bytes, in /dev/shm above all, where each worker keeps several batches.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image

COLOURS = 3
# Pillow's modes of more than 8 bits: converting them to RGB turns all above 255 white.
DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")


def rgb(image: Image.Image) -> Image.Image:
    """Convert an image to RGB, transparent parts over white as vLLM does. Raises ValueError for more than 8 bits a pixel."""
    if image.mode in DEEP_MODES:
        raise ValueError(f"its pixels have mode {image.mode}, more than 8 bits; window it to 8 bits in the data set")
    if image.mode == "RGB":
        return image
    if not image.has_transparency_data:
        return image.convert("RGB")
    shown = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")


def patches_of(images: Sequence[Image.Image], image_processor: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Resize and cut RGB ``images`` as the processor does: patches (patches, 1176) uint8 and their grids (images, 3) int64."""
    tensors = image_processor(images, do_rescale=False, do_normalize=False, return_tensors="pt")
    return tensors["pixel_values"].round().to(torch.uint8), tensors["image_grid_thw"]


def normalised(batch: Mapping[str, Any], image_processor: Any) -> dict[str, Any]:
    """Replace uint8 ``pixel_values`` (patches, 1176) by the float32 ones of the processor, on the device that they are on."""
    pixels = batch["pixel_values"]
    if pixels.dtype != torch.uint8:
        return dict(batch)
    mean, std = (
        torch.tensor(values, dtype=torch.float32, device=pixels.device).view(1, COLOURS, 1)
        for values in (image_processor.image_mean, image_processor.image_std)
    )
    values = pixels.view(len(pixels), COLOURS, -1).float().mul_(image_processor.rescale_factor).sub_(mean).div_(std)
    return {**batch, "pixel_values": values.view_as(pixels)}
