import filecmp
import json
from pathlib import Path

import pytest
import torch
import trl
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from modeling.__main__ import main
from modeling.spinegpt import SPECIAL_TOKENS, dataset_texts, load_model, load_processor, make_tiny, set_trainable


def test_same_texts_and_seed_give_the_same_bytes(tiny, synthetic_dataset, tmp_path):
    again = make_tiny(tmp_path / "again", dataset_texts(str(synthetic_dataset)))
    names = sorted(file.name for file in tiny.iterdir())
    assert filecmp.cmpfiles(tiny, again, names, shallow=False) == (names, [], [])
    other = make_tiny(tmp_path / "other", dataset_texts(str(synthetic_dataset)), seed=1)
    assert (other / "model.safetensors").read_bytes() != (tiny / "model.safetensors").read_bytes()
    assert (other / "tokenizer.json").read_bytes() == (tiny / "tokenizer.json").read_bytes()


def test_special_tokens_are_single_tokens_and_text_survives(processor):
    for token in SPECIAL_TOKENS:
        assert len(processor.tokenizer.encode(token)) == 1
    text = "Pedicle screws at L4/L5; 腰椎滑脱 II°, naïve ☃"
    assert processor.tokenizer.decode(processor.tokenizer.encode(text)) == text
    assert processor.tokenizer.eos_token == "<|im_end|>" and processor.tokenizer.pad_token == "<|endoftext|>"


def test_the_chat_template_is_trls_packaged_one(tiny, processor):
    packaged = (Path(trl.__file__).parent / "chat_templates" / "qwen2_5_vl.jinja").read_text()
    assert processor.chat_template == packaged
    assert (tiny / "chat_template.jinja").read_text() == packaged


def test_plain_auto_classes_load_the_folder(tiny):
    model = AutoModelForImageTextToText.from_pretrained(tiny)
    assert type(model).__name__ == "Qwen2_5_VLForConditionalGeneration"
    assert len(AutoTokenizer.from_pretrained(tiny)) == model.config.text_config.vocab_size
    assert isinstance(Qwen2VLImageProcessorPil.from_pretrained(tiny), Qwen2VLImageProcessorPil)


def test_saved_processor_names_the_classes_of_a_full_one(tiny):
    """Plain AutoProcessor needs torchvision for its video half; the files that it reads there must name what exists."""
    config = json.loads((tiny / "processor_config.json").read_text())
    assert config["processor_class"] == "Qwen2_5_VLProcessor"
    assert config["image_processor"]["image_processor_type"] == "Qwen2VLImageProcessor"
    assert config["video_processor"]["video_processor_type"] == "Qwen2VLVideoProcessor"
    assert config["video_processor"]["size"] == config["image_processor"]["size"]


def test_with_torchvision_plain_auto_processor_reads_what_ours_reads(tiny, processor):
    """Both scalers are bicubic; torchvision's rounds otherwise, by up to 0.02 of a normalised pixel."""
    pytest.importorskip("torchvision", reason="the [gpu] extra; its wheels need a CUDA build of torch")
    full = AutoProcessor.from_pretrained(tiny)
    assert full.video_processor is not None
    noise = torch.randint(0, 255, (150, 200, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    conversation = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Which disc is narrow?"}]}]
    text = processor.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    ours, theirs = (
        reader(text=[text], images=[Image.fromarray(noise.numpy())], return_tensors="pt") for reader in (processor, full)
    )
    assert ours["input_ids"].tolist() == theirs["input_ids"].tolist()
    assert ours["image_grid_thw"].tolist() == theirs["image_grid_thw"].tolist()
    torch.testing.assert_close(ours["pixel_values"], theirs["pixel_values"], atol=0.02, rtol=0)


def test_a_processor_survives_saving(processor, tmp_path):
    processor.save_pretrained(tmp_path)
    again = load_processor(tmp_path)
    assert again.image_processor.to_dict() == processor.image_processor.to_dict()
    assert again.tokenizer.get_vocab() == processor.tokenizer.get_vocab()


def test_max_pixels_lowers_the_limit_and_never_raises_it(tiny):
    assert load_processor(tiny, max_pixels=56 * 84).image_processor.size["longest_edge"] == 56 * 84
    assert load_processor(tiny, max_pixels=10**6).image_processor.size["longest_edge"] == 112 * 112
    with pytest.raises(ValueError, match="max_pixels: 100 "):
        load_processor(tiny, max_pixels=100)


def test_frozen_parts_are_counted_and_get_no_gradient(tiny):
    model = load_model(tiny)
    counts = set_trainable(model, vision_tower=False, projector=True, language_model=False)
    assert counts["vision_tower"][0] == 0 and counts["language_model"][0] == 0
    assert counts["projector"][0] == counts["projector"][1] == sum(p.numel() for p in model.model.visual.merger.parameters())
    assert sum(total for _, total in counts.values()) == model.num_parameters()
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {
        f"model.visual.merger.{name}" for name, _ in model.model.visual.merger.named_parameters()
    }
    with pytest.raises(ValueError, match="nothing would be trained"):
        set_trainable(model, vision_tower=False, projector=False, language_model=False)


def test_another_architecture_or_no_model_is_refused_by_argument(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ValueError, match=r"model_name_or_path: .*'llama'"):
        load_model(tmp_path)
    with pytest.raises(ValueError, match="untrained_model: no model at"):
        load_model(tmp_path / "absent", argument="untrained_model")


def test_command_line_makes_the_same_model(tiny, synthetic_dataset, tmp_path, capsys):
    main(["tiny", "--dataset", str(synthetic_dataset), "--output", str(tmp_path / "tiny")])
    assert "parameters" in capsys.readouterr().out
    assert (tmp_path / "tiny" / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()


def test_a_model_generates(tiny, processor):
    model = load_model(tiny)
    ids = processor.tokenizer("<|im_start|>user\nL4?<|im_end|>\n<|im_start|>assistant\n", return_tensors="pt")
    generated = model.generate(**ids, max_new_tokens=3, do_sample=False, use_cache=True)
    assert generated.shape[1] > ids["input_ids"].shape[1] and generated.dtype == torch.int64
