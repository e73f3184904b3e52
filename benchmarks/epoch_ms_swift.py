"""Train an epoch with ms-swift's packing and print what it took: started by other_trainers.py, in ms-swift's environment.

ms-swift packs over FlashAttention alone and refuses packing without it. Here, on a CPU, that check is passed over, and the
attention of modeling/attention.py stands in for FlashAttention's variable-length kernels: within each packed sample, and
within each window of an image, from the bounds that ms-swift and transformers would hand to those kernels.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from epoch import load_attention, measure_epoch
from swift.arguments import SftArguments
from swift.pipelines import SwiftSft
from swift.template.templates.qwen import Qwen2VLTemplate
from transformers import AttentionInterface

ATTENTION = load_attention()


def main(wanted: dict[str, Any]) -> None:
    """Train as ``wanted``, and print what it took as the last line."""
    torch.set_num_threads(1)
    os.environ["MAX_PIXELS"] = str(wanted["max_pixels"])  # read when the processor is loaded
    AttentionInterface.register(ATTENTION.PACKED_SDPA, from_bounds)
    SftArguments._check_padding_free = pass_over_flash
    MeasuredTraining(arguments(wanted)).main()


def arguments(wanted: dict[str, Any]) -> list[str]:
    """Write ms-swift's command line: full training of all parts in float32, all else as recipes/stage2.yaml has it."""
    fields = {
        "model": wanted["model"],
        "model_type": "qwen2_5_vl",
        "template": "qwen2_5_vl",
        "dataset": wanted["rows"],
        "output_dir": wanted["output"],
        "packing": "true",
        "packing_length": wanted["budget"],
        "max_length": wanted["budget"],
        "attn_impl": "sdpa",
        "gradient_accumulation_steps": wanted["accumulation"],
        "tuner_type": "full",
        "freeze_vit": "false",
        "freeze_aligner": "false",
        "torch_dtype": "float32",
        "bf16": "false",
        "fp16": "false",
        "gradient_checkpointing": "true",
        "vit_gradient_checkpointing": "true",
        "per_device_train_batch_size": 1,
        "num_train_epochs": 1,
        "optim": "adamw_torch_fused",
        "learning_rate": wanted["learning_rate"],
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "dataloader_num_workers": 0,
        "dataset_num_proc": 1,
        "load_from_cache_file": "false",
        "split_dataset_ratio": 0,
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": "none",
        "use_cpu": "true",
        "use_hf": "true",
    }
    return [part for name, value in fields.items() for part in (f"--{name}", str(value))]


def pass_over_flash(self: SftArguments) -> None:
    """Set what ms-swift's own check sets, without asking for FlashAttention."""
    self.padding_free = True


def from_bounds(module: Any, query: Any, key: Any, value: Any, mask: Any, **kwargs: Any) -> Any:
    """Attend within the bounds ``cu_seq_lens_q``, which ms-swift hands over in place of text positions."""
    positions = torch.cat([torch.arange(length) for length in kwargs["cu_seq_lens_q"].diff().tolist()]).unsqueeze(0)
    known = {name: kwargs[name] for name in ("scaling", "dropout")}
    return ATTENTION.packed_sdpa_attention(module, query, key, value, mask, position_ids=positions, **known)


class MeasuredTraining(SwiftSft):
    """ms-swift's training, measured; image tokens by the tokenizer's numbers, as a tiny one has not Qwen's own."""

    def _prepare_model_tokenizer(self, **kwargs: Any) -> None:
        super()._prepare_model_tokenizer(**kwargs)
        self.model.config.text_config._attn_implementation = ATTENTION.PACKED_SDPA
        ATTENTION.batch_windows(self.model)
        Qwen2VLTemplate.image_token_id = self.model.config.image_token_id
        Qwen2VLTemplate.video_token_id = self.model.config.video_token_id

    def train(self, trainer: Any) -> None:
        """Train, and print what it took."""
        print(json.dumps(measure_epoch(trainer)), flush=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
