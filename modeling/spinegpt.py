"""Load SpineGPT's model and processor: any size of a family in modeling.families, or a tiny random one with the same classes.

    load_model, load_processor     from the Hub or a folder; its config.json says which family and size it is
    set_trainable                  freezes or trains each part of the model
    make_tiny, dataset_texts       a random model with a tokenizer trained on given texts, to prove the machinery

The processor is image-only (SpineMed has no video), so it works without torchvision. What it saves is the published
layout with the video processor's settings, so plain ``AutoProcessor`` loads it wherever torchvision is installed
(transformers has no video processor without it); ``load_processor`` loads it anywhere.
"""

import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

# transformers imports DeepSpeed, which warns on a machine without accelerator unless told that there is none.
if not torch.cuda.is_available():
    os.environ.setdefault("DS_ACCELERATOR", "cpu")

from datasets import get_dataset_config_names, load_dataset
from huggingface_hub.errors import StrictDataclassError
from tokenizers import pre_tokenizers
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedModel, Qwen2Tokenizer
from transformers.conversion_mapping import get_checkpoint_conversion_mapping
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from modeling.attention import batch_windows
from modeling.families import FAMILIES, Family, SpineGPTProcessor, find_family
from modeling.memory import parameter_count

BASE_MODEL = FAMILIES["qwen2_5_vl"].example

# Added tokens of Qwen2.5 and Qwen3, in the order of their vocabularies.
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
PARTS = ("vision_tower", "projector", "language_model")
logger = logging.getLogger(__name__)


def load_model(
    name_or_path: str | Path,
    *,
    revision: str = "main",
    dtype: str = "float32",
    attn_implementation: str | dict[str, str] | None = None,
    quantization_config: Any = None,
    argument: str = "model_name_or_path",
) -> Any:
    """Load a model of any family in modeling.families from the Hub or a folder, in ``dtype`` ("float32", "bfloat16").

    Saving it gives its weights the names that they were read from; names that only transformers 5 reads are mended,
    with a line in the log. Raises ValueError naming ``argument`` if there is no model there, if it is of no known family, if
    its configuration is not one of its family, or if its weights are not the model's (the first names are told).
    """
    config = load_config(name_or_path, revision=revision, argument=argument)
    loaded: Any = FAMILIES[config.model_type].model.from_pretrained(
        name_or_path,
        revision=revision,
        dtype=dtype,
        attn_implementation=attn_implementation,
        quantization_config=quantization_config,
        output_loading_info=True,
    )
    model, report = loaded
    check_weights(report, name_or_path, argument=argument)
    _keep_names(model, name_or_path, argument)
    model.config.use_cache = False
    batch_windows(model)
    return model


def load_config(name_or_path: str | Path, *, revision: str = "main", argument: str = "model_name_or_path") -> Any:
    """Load a model's configuration.

    Raises ValueError naming ``argument`` if there is none, or none of a family in modeling.families.
    """
    family = find_family(name_or_path, revision=revision, argument=argument)
    try:
        return family.config.from_pretrained(name_or_path, revision=revision)
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise ValueError(
            f"{argument}: config.json of {name_or_path} is none of {family.title} ({error}). Take the one of the model that "
            f"it was made from, such as {family.example}."
        ) from error


def check_weights(
    report: Mapping[str, Collection[str]],
    name_or_path: str | Path,
    *,
    argument: str,
    kinds: Iterable[str] = ("missing_keys", "unexpected_keys"),
) -> None:
    """Check ``from_pretrained``'s loading report: transformers fills missing weights with random numbers and only warns.

    Raises ValueError naming ``argument`` and the first weights if any of ``kinds`` is not empty. Under ZeRO-3 transformers
    reports no unexpected weights; missing ones it does.
    """
    for kind in kinds:
        if names := sorted(report[kind]):
            first = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            raise ValueError(
                f"{argument}: {len(names)} {kind.replace('_keys', '')} weights in {name_or_path}: {first}. It is another "
                "model, cut short, or saved under other names; give a whole one, or train that stage again."
            )


def load_processor(name_or_path: str | Path, *, revision: str = "main", max_pixels: int | None = None) -> SpineGPTProcessor:
    """Load tokenizer, chat template and image processor of the model at ``name_or_path``.

    ``max_pixels`` lowers the area to which a larger image is scaled down, in pixels (modeling.families says how many make one
    token); it never raises the processor's own limit. Raises ValueError as ``load_model`` does.
    """
    processor = find_family(name_or_path, revision=revision).processor.from_pretrained(name_or_path, revision=revision)
    if max_pixels is not None:
        size = processor.image_processor.size
        if max_pixels < size["shortest_edge"]:
            raise ValueError(f"max_pixels: {max_pixels} is under the smallest area, {size['shortest_edge']} pixels.")
        size["longest_edge"] = min(max_pixels, size["longest_edge"])
    return processor


def set_trainable(
    model: PreTrainedModel, *, vision_tower: bool = True, projector: bool = True, language_model: bool = True
) -> dict[str, tuple[int, int]]:
    """Freeze or train each part of ``model``, and return part → (trainable parameters, parameters).

    The projector is ``visual.merger`` and Qwen3-VL's ``visual.deepstack_merger_list``; the language model includes embeddings
    and LM head. Quantized weights are integers without gradients and stay frozen.
    """
    wanted = dict(zip(PARTS, (vision_tower, projector, language_model)))
    if not any(wanted.values()):
        raise ValueError("train_vision_tower, train_projector, train_language_model: all are false, nothing would be trained.")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(wanted[_part_of(name)] and parameter.is_floating_point())
    return count_parameters(model)


def count_parameters(model: torch.nn.Module) -> dict[str, tuple[int, int]]:
    """Count part → (trainable parameters, parameters); adapters count with the part that they sit in."""
    counts = dict.fromkeys(PARTS, (0, 0))
    for name, parameter in model.named_parameters():
        size = parameter_count(parameter)
        trainable, total = counts[_part_of(name)]
        counts[_part_of(name)] = (trainable + size * parameter.requires_grad, total + size)
    return counts


def make_tiny(
    output: str | Path,
    texts: Iterable[str],
    *,
    family: str = "qwen2_5_vl",
    seed: int = 0,
    vocab_size: int = 4096,
    hidden_size: int = 64,
    layers: int = 2,
    tied: bool = False,
    max_pixels: int | None = None,
) -> Path:
    """Write a tiny random model to ``output``: a family's real classes, a byte-level BPE trained on ``texts``.

    Deterministic in ``texts`` and ``seed``. ``hidden_size`` (a multiple of 32) is the language model's width, in features;
    ``vocab_size`` counts tokens and is an upper bound: few texts give fewer merges. ``tied`` lets the head be the embeddings,
    as in the smaller published sizes. ``max_pixels`` is by default the area of 16 tokens. Returns ``output``.
    Raises ValueError for a ``family`` that modeling.families does not name.
    """
    if hidden_size % 32:
        raise ValueError(f"hidden_size: {hidden_size} is no multiple of 32.")
    if family not in FAMILIES:
        raise ValueError(f"family: {family!r} is none of {', '.join(FAMILIES)}.")
    made = FAMILIES[family]
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    tokenizer = _train_tokenizer(texts, vocab_size, made.chat_template())
    side = made.token_side
    image_processor = Qwen2VLImageProcessorPil(
        min_pixels=(2 * side) ** 2, max_pixels=max_pixels or (4 * side) ** 2, **made.image_settings
    )
    processor = made.processor(image_processor, tokenizer, chat_template=made.chat_template())
    config = _tiny_config(made, tokenizer, hidden_size, layers, tied)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = made.model(config)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, tokenizer.pad_token_id]
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(output)
    processor.save_pretrained(output)
    return output


def dataset_texts(dataset: str, configs: Iterable[str] = ("default", "general"), *, rows: int = 5000) -> Iterator[str]:
    """Yield message texts of the first ``rows`` train rows of each config that the data set has, to train a tokenizer on."""
    available = get_dataset_config_names(dataset)
    wanted = [config for config in configs if config in available]
    if not wanted:
        raise ValueError(f"dataset: {dataset} has none of the configs {', '.join(configs)} (it has: {', '.join(available)}).")
    for config in wanted:
        split = load_dataset(dataset, config, split="train")
        if "messages" not in split.column_names:
            raise ValueError(
                f"dataset: {dataset} ({config}) has no column 'messages' (it has: {', '.join(split.column_names)})."
            )
        for messages in split.select(range(min(rows, len(split)))).select_columns("messages"):
            for message in messages["messages"]:
                yield from (part["text"] for part in message["content"] if part["type"] == "text")


def _tiny_config(family: Family, tokenizer: Qwen2Tokenizer, hidden_size: int, layers: int, tied: bool) -> Any:
    vocabulary = tokenizer.get_vocab()
    heads = hidden_size // 16
    return family.config(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": hidden_size,
            "intermediate_size": 3 * hidden_size,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads // 2,
            "max_position_embeddings": 128_000,
            "bos_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            **family.tiny_text,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": hidden_size,
            **family.tiny_vision,
        },
        image_token_id=vocabulary["<|image_pad|>"],
        video_token_id=vocabulary["<|video_pad|>"],
        vision_start_token_id=vocabulary["<|vision_start|>"],
        vision_end_token_id=vocabulary["<|vision_end|>"],
        tie_word_embeddings=tied,
    )


def _train_tokenizer(texts: Iterable[str], vocab_size: int, chat_template: str) -> Qwen2Tokenizer:
    # An empty Qwen2 tokenizer brings Qwen's normaliser, pre-tokeniser and decoder; only the merges are trained.
    backend = Qwen2Tokenizer().backend_tokenizer
    trainer = BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    trained = json.loads(backend.to_str())["model"]
    merges: Any = [tuple(merge) for merge in trained["merges"]]
    vocab = {token: index for token, index in trained["vocab"].items() if token not in SPECIAL_TOKENS}
    vocab = {token: index for index, token in enumerate(sorted(vocab, key=vocab.__getitem__))}
    for token in SPECIAL_TOKENS:
        vocab[token] = len(vocab)
    return Qwen2Tokenizer(
        vocab=vocab,
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=list(SPECIAL_TOKENS),
        model_max_length=131_072,
        chat_template=chat_template,
    )


def _keep_names(model: Any, name_or_path: str | Path, argument: str) -> None:
    """Make ``model`` save its weights under the names that they were read from.

    On saving, transformers undoes the renamings that it keeps on the model. Its own loader keeps those that matched a weight;
    its loader for ZeRO-3 keeps all that exist for the class, and undoing one that was never done renames what was right
    (``model.layers.0`` became ``model.model.layers.0``, which older releases and vLLM do not know). So those that matched
    nothing are dropped here, as without ZeRO-3. Legacy ones are dropped even if they matched: they read names of old or
    faulty saves, which are not to be written again.
    """
    legacy = {tuple(each.source_patterns) for each in get_checkpoint_conversion_mapping("legacy") or ()}
    used = [each for each in model._weight_conversions or () if each.was_used()]
    kept = [each for each in used if tuple(each.source_patterns) not in legacy]
    if len(kept) < len(used):
        logger.warning(
            "%s: weights in %s bear names that only transformers 5 reads (model.model.…, of an earlier version's ZeRO-3). They "
            "are read, and will be saved under the published names.",
            argument,
            name_or_path,
        )
    model._weight_conversions = kept


def _part_of(parameter_name: str) -> str:
    if "visual.merger." in parameter_name or "visual.deepstack_merger_list." in parameter_name:
        return "projector"
    return "vision_tower" if "visual." in parameter_name else "language_model"
