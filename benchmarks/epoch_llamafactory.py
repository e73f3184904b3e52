"""Train an epoch with LLaMA-Factory's neat packing and print what it took: started by other_trainers.py, in its environment.

LLaMA-Factory packs as for FlashAttention, without mask, and the attention of modeling/attention.py stands in for
FlashAttention's variable-length kernels: within each packed sample, and within each window of an image.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from epoch import load_attention, measure_epoch
from llamafactory.data import SFTDataCollatorWith4DAttentionMask, get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from llamafactory.model import load_model, load_tokenizer
from llamafactory.train.sft.trainer import CustomSeq2SeqTrainer


def main(wanted: dict[str, Any]) -> None:
    """Train as ``wanted``, by the steps of llamafactory.train.sft.workflow, and print what it took as the last line."""
    torch.set_num_threads(1)
    model_args, data_args, training, finetuning, _ = get_train_args(settings(wanted))
    tokenizers = load_tokenizer(model_args)
    template = get_template_and_fix_tokenizer(tokenizers["tokenizer"], data_args)
    dataset = get_dataset(template, model_args, data_args, training, stage="sft", **tokenizers)
    model = load_model(tokenizers["tokenizer"], model_args, finetuning, training.do_train)
    attention = load_attention()
    attention.register_packed_sdpa()
    model.config.text_config._attn_implementation = attention.PACKED_SDPA
    attention.batch_windows(model)
    collator = SFTDataCollatorWith4DAttentionMask(
        template=template,
        model=model,
        pad_to_multiple_of=8,
        label_pad_token_id=-100,
        block_diag_attn=model_args.block_diag_attn,
        neat_packing=data_args.neat_packing,
        attn_implementation="flash_attention_2",
        compute_dtype=model_args.compute_dtype,
        **tokenizers,
    )
    trainer = CustomSeq2SeqTrainer(
        model=model, args=training, finetuning_args=finetuning, data_collator=collator, **dataset, **tokenizers
    )
    print(json.dumps(measure_epoch(trainer)), flush=True)


def settings(wanted: dict[str, Any]) -> dict[str, Any]:
    """Write LLaMA-Factory's YAML: full training of all parts in float32, all else as recipes/stage2.yaml has it."""
    folder = Path(wanted["output"])
    folder.mkdir(parents=True, exist_ok=True)
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    entry = {"file_name": wanted["rows"], "formatting": "sharegpt", "tags": tags}
    entry["columns"] = {"messages": "messages", "images": "images"}
    (folder / "dataset_info.json").write_text(json.dumps({"rows": entry}), encoding="utf-8")
    return {
        "model_name_or_path": wanted["model"],
        "template": "qwen2_vl",
        "dataset": "rows",
        "dataset_dir": str(folder),
        "output_dir": wanted["output"],
        "stage": "sft",
        "do_train": True,
        "neat_packing": True,
        "cutoff_len": wanted["budget"],
        "image_max_pixels": wanted["max_pixels"],
        "image_min_pixels": wanted["min_pixels"],
        "flash_attn": "sdpa",
        "gradient_accumulation_steps": wanted["accumulation"],
        "finetuning_type": "full",
        "freeze_vision_tower": False,
        "freeze_multi_modal_projector": False,
        "bf16": False,
        "fp16": False,
        "per_device_train_batch_size": 1,
        "num_train_epochs": 1,
        "optim": "adamw_torch_fused",
        "learning_rate": wanted["learning_rate"],
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "dataloader_num_workers": 0,
        "preprocessing_num_workers": 1,
        "overwrite_cache": True,
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": "none",
        "use_cpu": True,
    }


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
