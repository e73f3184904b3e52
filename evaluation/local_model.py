"""Run a model on this machine with transformers, greedily, one batch at a time."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, GenerationConfig

from evaluation.predict import Reply, Request
from modeling.families import FAMILIES
from modeling.spinegpt import check_weights, load_processor


class LoadedModel:
    """A vision-language model and its processor, which stay as they are."""

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        self.id = name
        # no_grad throughout: ZeRO-3 keeps what it gathers, and in inference mode that would be of no use for training.
        self._model = model
        self._processor = processor

    def generate(self, requests: Sequence[Request], max_new_tokens: int) -> list[Reply]:
        """Answer one batch greedily, with at most ``max_new_tokens`` tokens each."""
        own = self._model.generation_config
        stops = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
        tokenizer = self._processor.tokenizer
        config = GenerationConfig(
            max_new_tokens=max_new_tokens,
            do_sample=False,
            use_cache=True,
            eos_token_id=stops,
            pad_token_id=tokenizer.pad_token_id,
        )
        inputs = self._inputs(requests)
        with torch.no_grad():
            sequences = self._model.generate(**inputs, generation_config=config)
        replies = []
        for tokens in sequences[:, inputs["input_ids"].shape[1] :].tolist():
            ends = [tokens.index(stop) for stop in stops if stop in tokens]
            kept = tokens[: min(ends)] if ends else tokens
            replies.append(Reply(tokenizer.decode(kept, skip_special_tokens=True).strip(), truncated=not ends))
        return replies

    def score_next(self, requests: Sequence[Request], words: Sequence[Sequence[str]]) -> list[list[float]]:
        """Return the log-probability of each of a request's ``words`` as the next token.

        Raises ValueError for a word that is not one token of the model's tokenizer.
        """
        inputs = self._inputs(requests)
        with torch.no_grad():
            logits = self._model(**inputs, use_cache=False, logits_to_keep=1).logits[:, -1].float()
        scores = torch.log_softmax(logits, dim=-1).cpu()
        return [[float(row[self._token(word)]) for word in asked] for row, asked in zip(scores, words)]

    def _token(self, word: str) -> int:
        tokens = self._processor.tokenizer.encode(word, add_special_tokens=False)
        if len(tokens) != 1:
            raise ValueError(f"--scoring likelihood: {word!r} is {len(tokens)} tokens of {self.id}; use --scoring generate")
        return tokens[0]

    def _inputs(self, requests: Sequence[Request]) -> Any:
        conversations = [
            [
                {
                    "role": "user",
                    "content": [*({"type": "image"} for _ in request.images), {"type": "text", "text": request.text}],
                }
            ]
            for request in requests
        ]
        texts = [
            self._processor.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
            for conversation in conversations
        ]
        images = [[_decode(image) for image in request.images] for request in requests]
        batch = self._processor(
            text=texts,
            images=images if any(images) else None,
            padding=True,
            padding_side="left",  # the next token must follow the prompt, not padding
            return_tensors="pt",
            add_special_tokens=False,
        )
        return batch.to(self._model.device)


class LocalModel(LoadedModel):
    """A model from a folder or the Hub.

    SpineGPT's families get the image-only processor of modeling.families, which needs no torchvision; others AutoProcessor.
    Raises ValueError naming ``--model`` if there is no model there, or only a part of its weights.
    """

    def __init__(self, name_or_path: str, device: str | None = None, dtype: str | None = None) -> None:
        try:
            config = AutoConfig.from_pretrained(name_or_path)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"--model {name_or_path}: neither a checkpoint folder (config.json, model.safetensors, processor files), nor a "
                f"model on the Hub, nor an address that starts with http:// or https:// ({error})"
            ) from error
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.dtype = dtype or ("bfloat16" if self.device.type == "cuda" else "float32")
        self.version = _version(name_or_path, config)
        load: Any = load_processor if config.model_type in FAMILIES else AutoProcessor.from_pretrained
        processor = load(name_or_path)
        loaded: Any = AutoModelForImageTextToText.from_pretrained(name_or_path, dtype=self.dtype, output_loading_info=True)
        model, report = loaded
        check_weights(report, name_or_path, argument="--model", kinds=["missing_keys"])
        super().__init__(name_or_path, model.to(self.device).eval(), processor)
        self.parameters: int | None = sum(parameter.numel() for parameter in model.parameters())


def _decode(image: bytes) -> Image.Image:
    return Image.open(io.BytesIO(image)).convert("RGB")


def _version(name_or_path: str, config: Any) -> str:
    """Identify what was measured: the commit of a Hub model, or the SHA-256 of a folder's configuration and weights."""
    folder = Path(name_or_path)
    if not folder.is_dir():
        return f"commit {config._commit_hash}"
    digest = hashlib.sha256()
    for path in sorted([folder / "config.json", *folder.glob("*.safetensors")]):
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return f"sha256 {digest.hexdigest()}"
