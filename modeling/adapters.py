"""Choose which layers get LoRA or QLoRA adapters, and merge trained adapters into a whole model.

A stage trained with adapters leaves both: ``adapter/`` for peft, and merged weights beside it that load without peft, so that
the next stage and every other user of a checkpoint do not need to know how it was trained.
"""

import shutil
from pathlib import Path

from peft import LoraConfig, PeftModel
from torch import nn
from transformers import PreTrainedModel
from trl import ModelConfig, get_peft_config

from modeling.arguments import RecipeArguments

ADAPTER = "adapter"
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
_PATTERNS = {
    "train_vision_tower": r".*visual\.(?!merger\.|deepstack_merger_list\.).*",
    "train_projector": r".*visual\.(merger|deepstack_merger_list)\..*",
    "train_language_model": r".*language_model\..*",
}


def adapter_config(stage: RecipeArguments, model_config: ModelConfig) -> LoraConfig | None:
    """Return peft's configuration for the parts that the stage trains, or None without ``use_peft``."""
    if model_config.use_peft and model_config.lora_target_modules is None:
        model_config.lora_target_modules = "all-linear"  # type: ignore[assignment]
    config = get_peft_config(model_config)
    if not isinstance(config, LoraConfig):
        return None
    frozen = [pattern for name, pattern in _PATTERNS.items() if not getattr(stage, name)]
    config.exclude_modules = "|".join(frozen) or None
    return config


def keep_adapters_in_float32(model: nn.Module) -> None:
    """Undo TRL's rounding of trained parameters to bf16 beside quantized weights; call it once the trainer is made.

    AdamW has no float32 masters there, so that a bf16 adapter loses each step below 1/256 of its weight; and peft reads the
    adapters of a checkpoint in float32, so that a resumed run would differ from a straight one.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def keep_layout_on_cpu(model: nn.Module) -> None:
    """Stop 4-bit layers on a CPU from packing their weights anew at the first evaluation.

    On a CPU with AVX512-BF16 bitsandbytes packs them for inference: for good, also for the training that goes on, with rounded
    scales, and only if their widths are multiples of 64 and 32 (Qwen2.5-VL's vision tower has 3,420).
    """
    from bitsandbytes.nn import Linear4bit  # optional, and slow to import

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def merge_adapter(folder: Path, base: PreTrainedModel) -> None:
    """Merge the adapter saved in ``folder`` into ``base``: whole weights in ``folder``, the adapter in ``folder/adapter``.

    ``base`` is the model that the adapter was trained on, with whole weights; it is changed in place.
    """
    adapter = folder / ADAPTER
    adapter.mkdir()
    for name in _ADAPTER_FILES:
        shutil.move(folder / name, adapter / name)
    merged = PeftModel.from_pretrained(base, str(adapter)).merge_and_unload()
    merged.save_pretrained(folder)
