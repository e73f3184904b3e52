"""Turn rows of the data set into tensors.

    measure          row ─▶ exact token counts, or why it cannot be trained on (before training)
    encode           row ─▶ EncodedSample: ids, labels on assistant turns, M-RoPE positions, pixels
    pack             token counts ─▶ groups of samples that fit the budget (first-fit decreasing)
    Collator         row numbers ─▶ a padded batch, or one packed row

The data set that the trainer shuffles and shards holds row numbers only; the collator reads the rows themselves.
Every batch touches the vision tower, so DDP and ZeRO ranks stay in step: a text-only batch ends in one dummy image token
after its last token, unsupervised, and causal attention lets no other token see it.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset, Image

from modeling.families import SpineGPTProcessor
from modeling.pixels import DEEP_MODES, patches_of, rgb

IGNORE = -100
IMAGE_TOKEN = "<|image_pad|>"
DUMMY_TOKENS = 1
# One merged patch: 2 × 2 patches of 14 × 14 pixels, the smallest image that the vision tower takes.
DUMMY_GRID = (1, 2, 2)

_SPECIAL = re.compile(r"<\|[a-z_]+\|>")
# A turn of the rendered template; row texts hold no special token (measure), so the first <|im_end|> ends the turn.
_ASSISTANT_TURN = re.compile(r"<\|im_start\|>assistant\n(.*?<\|im_end\|>\n)", re.DOTALL)


class BlankStart(ValueError):
    """An answer's first token would begin before the answer."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The exact size of a row in tokens. ``problem`` is "" or a slug that says why the row cannot be trained on."""

    tokens: int = 0
    image_tokens: int = 0
    supervised_tokens: int = 0
    problem: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EncodedSample:
    """One conversation of n tokens.

    input_ids       (n,) int64
    labels          (n,) int64: the token itself in assistant turns up to and with ``<|im_end|>\\n``, else -100
    position_ids    (3, n) int64: M-RoPE positions in time, height and width
    pixel_values    (patches, 1176; Qwen3-VL: 1536) uint8, for modeling.pixels.normalised; no rows without images
    image_grid_thw  (images, 3) int64, in patches
    """

    input_ids: torch.Tensor
    labels: torch.Tensor
    position_ids: torch.Tensor
    pixel_values: torch.Tensor
    image_grid_thw: torch.Tensor

    def __len__(self) -> int:
        return len(self.input_ids)


def measure(row: Mapping[str, Any], processor: SpineGPTProcessor) -> Measurement:
    """Count the tokens of ``row`` (``messages`` and decoded or undecoded ``images``) exactly, without making pixels.

    Problems: null_field, no_assistant_turn, blank_start (an answer's first token would hold the line break before it),
    special_token_in_text, image_count (image parts and ``images`` differ), corrupt_image, image_depth (more than 8 bits a
    pixel), image_shape (sides differ more than 200-fold, which Qwen2-VL's resize refuses). ``images`` may be null: none.
    """
    if null := _null_field(row["messages"]):
        return Measurement(problem="null_field", detail=f"{null} is null")
    messages, images = row["messages"], row["images"] or []
    parts = [part for message in messages for part in message["content"]]
    for part in parts:
        if part["type"] == "text" and (found := _SPECIAL.search(part["text"])):
            return Measurement(problem="special_token_in_text", detail=f"{found.group()!r} in a message's text")
    if not any(message["role"] == "assistant" for message in messages):
        return Measurement(problem="no_assistant_turn", detail="nothing to learn from")
    shown = sum(part["type"] == "image" for part in parts)
    if shown != len(images):
        return Measurement(problem="image_count", detail=f"{shown} image parts, {len(images)} images")
    grids = []
    for number, image in enumerate(images, 1):
        try:
            decoded = decode_image(image)
        except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises on damaged files
            return Measurement(problem="corrupt_image", detail=f"image {number}: {error}")
        if decoded.mode in DEEP_MODES:
            fix = "window it to 8 bits in the data set"
            return Measurement(problem="image_depth", detail=f"image {number} has pixels of mode {decoded.mode}; {fix}")
        width, height = decoded.size
        try:
            grids.append(processor.image_processor.get_number_of_image_patches(height, width))
        except ValueError as error:
            return Measurement(problem="image_shape", detail=f"image {number} of {width} × {height} pixels: {error}")
    image_tokens = [patches // processor.image_processor.merge_size**2 for patches in grids]
    try:
        input_ids, labels = _tokenize(messages, image_tokens, processor)
    except BlankStart as error:
        return Measurement(problem="blank_start", detail=str(error))
    supervised = int((labels[1:] != IGNORE).sum())
    if not supervised:
        return Measurement(problem="no_assistant_turn", detail="the assistant's turns are empty")
    return Measurement(tokens=len(input_ids), image_tokens=sum(image_tokens), supervised_tokens=supervised)


def encode(row: Mapping[str, Any], processor: SpineGPTProcessor) -> EncodedSample:
    """Return the tensors of a row in which ``measure`` found no problem."""
    images = [rgb(decode_image(image)) for image in row["images"] or []]
    if images:
        pixel_values, grids = patches_of(images, processor.image_processor)
    else:
        pixel_values = torch.zeros(0, _patch_size(processor), dtype=torch.uint8)
        grids = torch.zeros(0, 3, dtype=torch.int64)
    merge_size = processor.image_processor.merge_size
    image_tokens = (grids.prod(dim=1) // merge_size**2).tolist()
    input_ids, labels = _tokenize(row["messages"], image_tokens, processor)
    is_image = input_ids == processor.image_token_id
    return EncodedSample(
        input_ids=torch.from_numpy(input_ids),
        labels=torch.from_numpy(labels),
        position_ids=mrope_positions(is_image, grids.tolist(), merge_size),
        pixel_values=pixel_values,
        image_grid_thw=grids,
    )


def mrope_positions(is_image: Sequence[bool] | np.ndarray, grids: Sequence[Sequence[int]], merge_size: int = 2) -> torch.Tensor:
    """Compute the M-RoPE positions (3, n) of one sample as Qwen2.5-VL's ``get_rope_index`` does for still images.

    Text advances all three rows by one a token. An image keeps one time and counts rows and columns of its merged patches;
    the text after it continues from its longer side (Qwen2-VL report, section 2.1).
    """
    positions: list[torch.Tensor] = []
    offset, remaining = 0, iter(grids)
    for image, run in itertools.groupby(is_image):
        length = sum(1 for _ in run)
        if not image:
            positions.append(torch.arange(offset, offset + length).expand(3, -1))
            offset += length
            continue
        # Images that touch share a run of image tokens; the template never makes one, so a mismatch is an error.
        _, height, width = next(remaining)
        height, width = height // merge_size, width // merge_size
        if height * width != length:
            raise ValueError(f"{length} image tokens in a row for an image of {height} × {width} merged patches.")
        rows = torch.arange(height).repeat_interleave(width)
        columns = torch.arange(width).repeat(height)
        positions.append(torch.stack([torch.zeros_like(rows), rows, columns]) + offset)
        offset += max(height, width)
    return torch.cat(positions, dim=1)


def pack(tokens: Sequence[int], budget: int) -> list[list[int]]:
    """Group sample numbers so that each group's tokens fit ``budget``: first-fit decreasing, deterministic.

    Raises ValueError if one sample alone is over the budget; the caller has to drop such samples first.
    """
    # A tournament tree over the packs' free room finds the first pack that fits in log time; untouched packs are full-size.
    leaves = 1 << max(len(tokens) - 1, 0).bit_length()
    room = [budget] * (2 * leaves)
    groups: list[list[int]] = []
    for index in sorted(range(len(tokens)), key=lambda index: (-tokens[index], index)):
        size = tokens[index]
        if size > budget:
            raise ValueError(f"sample {index} has {size} tokens, over the budget of {budget}.")
        node = 1
        while node < leaves:
            node = 2 * node if room[2 * node] >= size else 2 * node + 1
        slot = node - leaves
        if slot == len(groups):
            groups.append([])
        groups[slot].append(index)
        room[node] -= size
        while node > 1:
            node //= 2
            room[node] = max(room[2 * node], room[2 * node + 1])
    return [sorted(group) for group in groups]


class Collator:
    """Turns batches of {"rows": [row numbers]} into model inputs.

    Unpacked, the samples of a batch are padded on the right: ``input_ids``, ``labels``, ``attention_mask`` (batch, n),
    ``position_ids`` (3, batch, n). Packed, they stand one after another in a batch of one, with ``position_ids``
    (4, 1, n) whose first row is the text position: it restarts at each sample, and attention stays between restarts
    (modeling.attention). Both carry ``pixel_values`` (patches, 1176) uint8, which ``modeling.pixels.normalised`` makes the
    model's numbers of on the device, and ``image_grid_thw`` (images, 3).
    """

    def __init__(self, dataset: Dataset, processor: SpineGPTProcessor, *, packing: bool = False) -> None:
        self.dataset = dataset
        self.processor = processor
        self.packing = packing

    def __call__(self, batch: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, Any]:
        """Read and encode the rows, in order."""
        samples = [encode(self.dataset[number], self.processor) for item in batch for number in item["rows"]]
        return self.collate(samples)

    def collate(self, samples: Sequence[EncodedSample]) -> dict[str, Any]:
        """Batch encoded samples."""
        samples = list(samples)
        has_image = any(len(sample.image_grid_thw) for sample in samples)
        if self.packing:
            return _packed(samples if has_image else [*samples, self._dummy()])
        if not has_image:
            shortest = min(range(len(samples)), key=lambda index: len(samples[index]))
            samples[shortest] = _joined(samples[shortest], self._dummy())
        return _padded(samples, self.processor.tokenizer.pad_token_id)

    def _dummy(self) -> EncodedSample:
        return EncodedSample(
            input_ids=torch.full((DUMMY_TOKENS,), self.processor.image_token_id),
            labels=torch.full((DUMMY_TOKENS,), IGNORE),
            position_ids=torch.zeros(3, DUMMY_TOKENS, dtype=torch.int64),
            pixel_values=torch.zeros(int(np.prod(DUMMY_GRID)), _patch_size(self.processor), dtype=torch.uint8),
            image_grid_thw=torch.tensor([DUMMY_GRID]),
        )


def decode_image(image: Any) -> Any:
    """Return a Pillow image from a value of the data set: an image, or {"bytes", "path"} if decoding is off.

    Only embedded bytes are read: a path in a data set is data, not a file to open. Raises ValueError if there is none.
    """
    if image is None:
        raise ValueError("it is null")
    if isinstance(image, Mapping):
        if not image["bytes"]:
            raise ValueError("the data set holds no bytes of it")
        image = Image().decode_example({"bytes": image["bytes"], "path": None})
    image.load()
    return image


def _null_field(messages: Sequence[Mapping[str, Any]] | None) -> str:
    """Return the name of the first field of a conversation that is null and may not be, or ""."""
    if messages is None:
        return "messages"
    for message in messages:
        for name in ("role", "content"):
            if message[name] is None:
                return f"a message's {name}"
        if any(part["type"] is None or (part["type"] == "text" and part["text"] is None) for part in message["content"]):
            return "a message's type or text"
    return ""


def _tokenize(
    messages: Sequence[Mapping[str, Any]], image_tokens: Sequence[int], processor: SpineGPTProcessor
) -> tuple[np.ndarray, np.ndarray]:
    text = processor.tokenizer.apply_chat_template(messages, chat_template=processor.chat_template, tokenize=False)
    head, *rest = text.split(IMAGE_TOKEN)
    if len(rest) != len(image_tokens):
        raise ValueError(f"the chat template shows {len(rest)} images but the row has {len(image_tokens)}.")
    text = head + "".join(IMAGE_TOKEN * count + after for count, after in zip(image_tokens, rest))
    encoded = processor.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    input_ids = np.asarray(encoded["input_ids"], dtype=np.int64)
    starts = np.asarray([start for start, _ in encoded["offset_mapping"]], dtype=np.int64)
    labels = np.full_like(input_ids, IGNORE)
    ends = np.asarray([end for _, end in encoded["offset_mapping"]], dtype=np.int64)
    for turn in _ASSISTANT_TURN.finditer(text):
        if ((starts < turn.start(1)) & (ends > turn.start(1))).any():
            raise BlankStart("an answer begins with a line break, which its first token joins with the one before; strip it")
        spoken = (starts >= turn.start(1)) & (starts < turn.end(1))
        labels[spoken] = input_ids[spoken]
    labels[input_ids == processor.image_token_id] = IGNORE
    return input_ids, labels


def _patch_size(processor: SpineGPTProcessor) -> int:
    """Numbers in a patch: 3 colours × 2 frames × 14 × 14 pixels = 1176, or of 16 × 16 pixels = 1536."""
    settings = processor.image_processor
    return 3 * settings.temporal_patch_size * settings.patch_size**2


def _joined(sample: EncodedSample, tail: EncodedSample) -> EncodedSample:
    after = int(sample.position_ids.max()) + 1
    return EncodedSample(
        input_ids=torch.cat([sample.input_ids, tail.input_ids]),
        labels=torch.cat([sample.labels, tail.labels]),
        position_ids=torch.cat([sample.position_ids, tail.position_ids + after], dim=1),
        pixel_values=torch.cat([sample.pixel_values, tail.pixel_values]),
        image_grid_thw=torch.cat([sample.image_grid_thw, tail.image_grid_thw]),
    )


def _padded(samples: Sequence[EncodedSample], pad_token_id: int) -> dict[str, Any]:
    longest = max(len(sample) for sample in samples)
    input_ids = torch.full((len(samples), longest), pad_token_id)
    labels = torch.full((len(samples), longest), IGNORE)
    attention_mask = torch.zeros(len(samples), longest, dtype=torch.int64)
    position_ids = torch.zeros(3, len(samples), longest, dtype=torch.int64)
    for row, sample in enumerate(samples):
        input_ids[row, : len(sample)] = sample.input_ids
        labels[row, : len(sample)] = sample.labels
        attention_mask[row, : len(sample)] = 1
        position_ids[:, row, : len(sample)] = sample.position_ids
    return {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "labels": labels,
        "position_ids": position_ids,
        **_pixels(samples),
    }


def _packed(samples: Sequence[EncodedSample]) -> dict[str, Any]:
    lengths = [len(sample) for sample in samples]
    text = torch.cat([torch.arange(length) for length in lengths]).expand(1, -1)
    return {
        "input_ids": torch.cat([sample.input_ids for sample in samples]).unsqueeze(0),
        "labels": torch.cat([sample.labels for sample in samples]).unsqueeze(0),
        "position_ids": torch.cat([text, torch.cat([sample.position_ids for sample in samples], dim=1)]).unsqueeze(1),
        **_pixels(samples),
    }


def _pixels(samples: Sequence[EncodedSample]) -> dict[str, torch.Tensor]:
    return {
        "pixel_values": torch.cat([sample.pixel_values for sample in samples]),
        "image_grid_thw": torch.cat([sample.image_grid_thw for sample in samples]),
    }
