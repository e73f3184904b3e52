"""Make rows and a tiny model for the training benchmarks: our own sentences, drawn images, lengths like the data set's."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, Features, Image, List, Value
from PIL import Image as Pillow
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from modeling.spinegpt import make_tiny

FEATURES = Features(
    {
        "id": Value("string"),
        "messages": List({"role": Value("string"), "content": List({"type": Value("string"), "text": Value("string")})}),
        "images": List(Image()),
    }
)
SENTENCES = (
    "The disc at L4/L5 has lost half of its height and bulges to the left.",
    "No fracture is seen from T11 to L2; alignment is kept.",
    "Exercise and analgesics come first, and an operation is discussed when weakness progresses.",
    "腰4/5椎间盘高度变窄，左侧神经根受压。",
    "颈5-6椎间隙变窄，建议复查磁共振。",
)


def text(words: int, rng: np.random.Generator) -> str:
    """Make sentences of about ``words`` words."""
    chosen = [SENTENCES[number] for number in rng.integers(0, len(SENTENCES), max(1, words // 10))]
    return " ".join(chosen)


def image(width: int, height: int, rng: np.random.Generator) -> dict[str, Any]:
    """Draw an image of ``width`` × ``height`` pixels, as PNG."""
    stream = io.BytesIO()
    squares = rng.integers(0, 255, (height // 28 + 1, width // 28 + 1, 3), dtype=np.uint8)
    Pillow.fromarray(squares.repeat(28, 0).repeat(28, 1)[:height, :width]).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": None}


def row(identifier: str, turns: list[tuple[str, str]], images: list[dict[str, Any]]) -> dict[str, Any]:
    """Make a conversation of (question, answer) turns whose first question shows ``images``."""
    messages = []
    for number, (question, answer) in enumerate(turns):
        shown = [{"type": "image", "text": None}] * (len(images) if number == 0 else 0)
        messages.append({"role": "user", "content": [*shown, {"type": "text", "text": question}]})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return {"id": identifier, "messages": messages, "images": images}


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a folder that ``load_dataset`` reads as one train split."""
    folder.mkdir(parents=True)
    Dataset.from_list(rows, features=FEATURES).to_parquet(folder / "train.parquet")
    return folder


def write_tiny(folder: Path, *, vocab_size: int | None = None, max_pixels: int = 112 * 112, **sizes: int) -> Path:
    """Write a tiny random model to ``folder``; ``vocab_size`` widens its embeddings and head beyond its tokenizer."""
    make_tiny(folder, SENTENCES, max_pixels=max_pixels, **sizes)
    if vocab_size is not None:
        config = Qwen2_5_VLConfig.from_pretrained(folder)
        config.text_config.vocab_size = vocab_size
        Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    return folder
