import filecmp
import json
import logging
import os
import shutil
from pathlib import Path

import pytest
import torch
import trl
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
)
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.integrations.deepspeed import _load_state_dict_into_zero3_model
from transformers.modeling_utils import LoadStateDictConfig
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from modeling.__main__ import main
from modeling.families import FAMILIES
from modeling.spinegpt import SPECIAL_TOKENS, dataset_texts, load_model, load_processor, make_tiny, set_trainable
from tests.support.weights import missing_in, saved_names

OLDER = os.environ.get("SPINEMED_OLDER_TRANSFORMERS", "")


def renamed(start: Path, folder: Path, rename) -> Path:
    """A copy of ``start`` whose weights have the names that ``rename`` gives them, those renamed to None left out."""
    shutil.copytree(start, folder)
    weights = {rename(name): weight for name, weight in load_file(start / "model.safetensors").items()}
    weights.pop(None, None)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def inner(name: str) -> str:
    """The name of a parameter in the model itself, under which some fine-tunes were saved."""
    return name if name == "lm_head.weight" else "model." + name.replace("model.", "language_model.", 1)


@pytest.fixture
def zero3_loader(monkeypatch):
    """Let models load as under ZeRO-3, without partitioning: transformers' own loader decides which conversions are kept."""

    def load(cls, name_or_path, **options):
        model, report = super(cls, cls).from_pretrained(name_or_path, **options)
        config = LoadStateDictConfig(weight_mapping=get_model_conversion_mapping(model))
        _load_state_dict_into_zero3_model(model, load_file(Path(name_or_path) / "model.safetensors"), config)
        assert sum(not conversion.was_used() for conversion in model._weight_conversions)
        return model, report

    for family in FAMILIES.values():
        monkeypatch.setattr(family.model, "from_pretrained", classmethod(load))


@pytest.fixture(params=["plain", "zero3"])
def either_loader(request):
    if request.param == "zero3":
        request.getfixturevalue("zero3_loader")


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


@pytest.mark.parametrize("start", ["tiny", "tiny_qwen3"])
def test_a_processor_survives_saving(request, start, tmp_path):
    processor = load_processor(request.getfixturevalue(start))
    shutil.copy(request.getfixturevalue(start) / "config.json", tmp_path)
    processor.save_pretrained(tmp_path)
    again = load_processor(tmp_path)
    assert type(again) is type(processor) and again.chat_template == processor.chat_template
    assert again.image_processor.to_dict() == processor.image_processor.to_dict()
    assert again.tokenizer.get_vocab() == processor.tokenizer.get_vocab()


def test_max_pixels_lowers_the_limit_and_never_raises_it(tiny):
    assert load_processor(tiny, max_pixels=56 * 84).image_processor.size["longest_edge"] == 56 * 84
    assert load_processor(tiny, max_pixels=10**6).image_processor.size["longest_edge"] == 112 * 112
    with pytest.raises(ValueError, match="max_pixels: 100 "):
        load_processor(tiny, max_pixels=100)


@pytest.mark.parametrize(
    ("start", "mergers"), [("tiny", ["merger"]), ("tiny_qwen3", ["merger", "deepstack_merger_list"])], ids=["Qwen2.5", "Qwen3"]
)
def test_frozen_parts_are_counted_and_get_no_gradient(request, start, mergers):
    model = load_model(request.getfixturevalue(start))
    counts = set_trainable(model, vision_tower=False, projector=True, language_model=False)
    assert counts["vision_tower"][0] == 0 and counts["language_model"][0] == 0
    projector = {
        f"model.visual.{merger}.{name}": parameter.numel()
        for merger in mergers
        for name, parameter in getattr(model.model.visual, merger).named_parameters()
    }
    assert counts["projector"][0] == counts["projector"][1] == sum(projector.values())
    assert sum(total for _, total in counts.values()) == model.num_parameters()
    assert {name for name, p in model.named_parameters() if p.requires_grad} == projector.keys()
    with pytest.raises(ValueError, match="nothing would be trained"):
        set_trainable(model, vision_tower=False, projector=False, language_model=False)


def test_another_architecture_or_no_model_is_refused_by_argument(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ValueError, match=r"model_name_or_path: .*'llama'"):
        load_model(tmp_path)
    with pytest.raises(ValueError, match="untrained_model: no model at"):
        load_model(tmp_path / "absent", argument="untrained_model")


@pytest.mark.parametrize(
    ("model", "rename"),
    [("tiny", str), ("tiny", inner), ("tiny_qwen3", str)],
    ids=["published names", "inner names", "Qwen3-VL, tied"],
)
def test_a_model_saves_its_weights_under_the_names_that_it_was_read_from(
    request, either_loader, model, rename, tmp_path, caplog
):
    start = renamed(request.getfixturevalue(model), tmp_path / "start", rename)
    load_model(start).save_pretrained(tmp_path / "saved")
    expected, got = (load_file(folder / "model.safetensors") for folder in (start, tmp_path / "saved"))
    assert expected.keys() == got.keys() and all(torch.equal(expected[name], got[name]) for name in expected)
    assert "bear names" not in caplog.text


def test_names_that_a_faulty_save_left_are_mended_and_told(either_loader, tiny, tmp_path, caplog):
    faulty = renamed(tiny, tmp_path / "start", lambda name: name.replace("model.", "model.model.", 1))
    assert any(name.startswith("model.model.layers.0.") for name in saved_names(faulty))
    with caplog.at_level(logging.WARNING):
        model = load_model(faulty, argument="resume_from_checkpoint")
    assert f"resume_from_checkpoint: weights in {faulty} bear names" in caplog.text
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), load_model(tiny).state_dict().values()))
    model.save_pretrained(tmp_path / "saved")
    assert saved_names(tmp_path / "saved") == saved_names(tiny)


@pytest.mark.slow
@pytest.mark.skipif(not OLDER, reason="SPINEMED_OLDER_TRANSFORMERS: no folder with a transformers 4 is named")
def test_an_older_transformers_finds_every_weight(zero3_loader, tiny, tmp_path):
    load_model(tiny).save_pretrained(tmp_path / "saved")
    assert missing_in(OLDER, tmp_path / "saved") == 0
    faulty = renamed(tiny, tmp_path / "faulty", lambda name: name.replace("model.", "model.model.", 1))
    assert missing_in(OLDER, faulty) == 26


def test_weights_that_are_not_the_models_are_refused(tiny, tmp_path):
    """transformers would fill in random numbers and go on."""
    lacking = renamed(tiny, tmp_path / "lacking", lambda name: None if ".layers.1." in name else name)
    with pytest.raises(
        ValueError, match=r"untrained_model: 12 missing weights in .*lacking: model\.\S+layers\.1\.\S+, .*, …\."
    ):
        load_model(lacking, argument="untrained_model")
    other = renamed(tiny, tmp_path / "other", str)
    weights = {**load_file(tiny / "model.safetensors"), "lm_head.scale": torch.ones(1)}
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"model_name_or_path: 1 unexpected weights in .*other: lm_head\.scale\."):
        load_model(other)


def test_command_line_makes_the_same_model(tiny, synthetic_dataset, tmp_path, capsys):
    main(["tiny", "--dataset", str(synthetic_dataset), "--output", str(tmp_path / "tiny")])
    assert "parameters" in capsys.readouterr().out
    assert (tmp_path / "tiny" / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()


def test_a_model_generates(tiny, processor):
    model = load_model(tiny)
    ids = processor.tokenizer("<|im_start|>user\nL4?<|im_end|>\n<|im_start|>assistant\n", return_tensors="pt")
    generated = model.generate(**ids, max_new_tokens=3, do_sample=False, use_cache=True)
    assert generated.shape[1] > ids["input_ids"].shape[1] and generated.dtype == torch.int64
