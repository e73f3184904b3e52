"""Every published size of every family, shrunk: its own classes, its heads, tied or not, its windows or deep-stack layers."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import get_peft_model
from PIL import Image as Pillow
from trl import ModelConfig
from trl.trainer.utils import add_fused_lm_head

from modeling.__main__ import main
from modeling.adapters import adapter_config
from modeling.arguments import StageArguments
from modeling.attention import PACKED_SDPA, register_packed_sdpa
from modeling.collator import Collator, encode
from modeling.families import FAMILIES
from modeling.memory import estimate_memory, measure_model
from modeling.pixels import normalised
from modeling.spinegpt import load_model, load_processor, make_tiny, set_trainable
from tests.support.synthetic import row
from tests.support.weights import saved_names

# What config.json of each published size says, and the parameters that the Hub counts in its weights.
SIZES = json.loads((Path(__file__).parents[1] / "data" / "model_sizes.json").read_text())


def shrunk(config):
    """The size's configuration, 16 features a head, two language layers, and the first two of its special vision layers."""
    text, vision = config["text_config"], config["vision_config"]
    heads, groups = text["num_attention_heads"], text["num_attention_heads"] // text["num_key_value_heads"]
    small_text = {"num_attention_heads": groups, "num_key_value_heads": 1, "hidden_size": 16 * groups, "num_hidden_layers": 2}
    if "head_dim" in text:  # Qwen3-VL's heads together may be wider than the model: 4,096 beside 2,560 in the 4B
        wider = heads * text["head_dim"] / text["hidden_size"]
        small_text |= {"head_dim": 16, "hidden_size": round(16 * groups / wider / 2) * 2}
    rope = {**text["rope_parameters"], "mrope_section": [4, 2, 2] if "head_dim" in text else [2, 3, 3]}
    small_vision = {"hidden_size": 32, "intermediate_size": 68, "num_heads": 2, "out_hidden_size": small_text["hidden_size"]}
    if "deepstack_visual_indexes" in vision:
        small_vision |= {"depth": 3, "deepstack_visual_indexes": [0, 1]}
    else:
        small_vision |= {"depth": 3, "fullatt_block_indexes": [1]}
    return {
        **config,
        "text_config": {**text, **small_text, "intermediate_size": 48, "rope_parameters": rope},
        "vision_config": {**vision, **small_vision},
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny random model of each family, for its tokenizer and processor."""
    texts = ["Case 1: what does the image show at L4/L5? The disc L4/L5 has lost height. 腰椎间盘高度变窄。"] * 20
    return {name: make_tiny(tmp_path_factory.mktemp(name) / "tiny", texts, family=name) for name in FAMILIES}


@pytest.fixture(params=SIZES)
def sized(request, folders, tmp_path):
    """A folder with a random model of a published size's structure, and its processor."""
    config = shrunk(SIZES[request.param]["config"])
    family = FAMILIES[config["model_type"]]
    processor = load_processor(folders[config["model_type"]])
    tokens = {f"{name}_token_id": processor.tokenizer.convert_tokens_to_ids(f"<|{name}_pad|>") for name in ("image", "video")}
    config["text_config"]["vocab_size"] = len(processor.tokenizer)
    torch.manual_seed(0)
    family.model(family.config(**{**config, **tokens})).save_pretrained(tmp_path / "sized")
    processor.save_pretrained(tmp_path / "sized")
    return tmp_path / "sized"


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(2)
    shown = {"consultation": 4, "open_ended": 2, "report": 1}
    return [row(number, task, "spine", rng) for task, number in shown.items()] + [row(3, "open_ended", "general", rng)]


def batch_of(samples, processor, *, packing=False):
    return normalised(Collator(None, processor, packing=packing).collate(samples), processor.image_processor)


@pytest.mark.parametrize("name", SIZES)
def test_a_published_size_has_the_published_number_of_parameters_and_a_plan(name):
    config = dict(SIZES[name]["config"])
    family = FAMILIES[config.pop("model_type")]
    with torch.device("meta"):
        model = family.model(family.config(**config))
    assert model.num_parameters() == SIZES[name]["parameters"]
    held = estimate_memory(measure_model(model, engine_bf16=True), zero_stage=3, ranks=8).device
    assert held["weights"] + held["optimizer"] == pytest.approx((2 + 12) * SIZES[name]["parameters"] / 8, rel=1e-6)
    counts = set_trainable(model, vision_tower=False, projector=True, language_model=False)
    assert sum(trained for trained, _ in counts.values()) == counts["projector"][1] > 0


def test_packed_logits_loss_and_gradients_are_the_samples_own(sized, rows):
    processor = load_processor(sized)
    register_packed_sdpa()
    packed = load_model(sized, attn_implementation={"text_config": PACKED_SDPA, "vision_config": "sdpa"})
    alone = load_model(sized)
    samples = [encode(sample, processor) for sample in rows]
    options = {"num_items_in_batch": torch.tensor(1), "use_cache": False}
    together = packed(**batch_of(samples, processor, packing=True), **options)
    apart = [alone(**batch_of([sample], processor), **options) for sample in samples]
    expected = torch.cat([each.logits[0, : len(sample)] for each, sample in zip(apart, samples)])
    assert (together.logits[0] - expected).norm() <= 1e-5 * expected.norm()
    loss = sum(each.loss for each in apart)
    assert together.loss.item() == pytest.approx(loss.item(), rel=1e-6)
    together.loss.backward()
    loss.backward()
    for (name, one), (_, other) in zip(packed.named_parameters(), alone.named_parameters()):
        assert one.grad is not None and (one.grad - other.grad).norm() <= 2e-5 * other.grad.norm().clamp(min=1e-6), name


def test_names_and_the_fused_head_hold_for_every_size(sized, rows, tmp_path):
    model, processor = load_model(sized), load_processor(sized)
    model.save_pretrained(tmp_path / "saved")
    assert saved_names(tmp_path / "saved") == saved_names(sized)
    batch = batch_of([encode(sample, processor) for sample in rows], processor)
    with torch.no_grad():
        plain = model(**batch).loss
        add_fused_lm_head(model)
        fused = model(**batch, fused_lm_head=True).loss
    assert fused.item() == pytest.approx(plain.item(), rel=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_ids_and_pixels_are_the_processors_own(name, folders, rows):
    processor = load_processor(folders[name])
    published = FAMILIES[name]
    assert processor.chat_template == published.chat_template()
    for sample in rows:
        messages = [
            {"role": turn["role"], "content": [{k: v for k, v in part.items() if v is not None} for part in turn["content"]]}
            for turn in sample["messages"]
        ]
        text = processor.apply_chat_template(messages, tokenize=False)
        images = [Pillow.open(io.BytesIO(image["bytes"])) for image in sample["images"]]
        expected = processor(text=[text], images=images or None, return_tensors="pt")
        encoded = encode(sample, processor)
        assert encoded.input_ids.tolist() == expected["input_ids"][0].tolist()
        if images:
            pixels = normalised({"pixel_values": encoded.pixel_values}, processor.image_processor)["pixel_values"]
            torch.testing.assert_close(pixels, expected["pixel_values"], rtol=0, atol=1e-6)
            assert torch.equal(encoded.image_grid_thw, expected["image_grid_thw"])


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"model_type": "llama"}, r"is a 'llama' model; SpineGPT is trained from 'qwen2_5_vl' \(Qwen/.*'qwen3_vl'"),
        ({"model_type": "qwen3_vl_moe"}, "is a 'qwen3_vl_moe' model"),
        ({"hidden_size": 64}, "is a 'None' model"),
        ({"model_type": "qwen3_vl", "text_config": {"hidden_size": "wide"}}, r"config.json of .* is none of Qwen3-VL \("),
    ],
)
def test_an_unknown_model_or_configuration_names_argument_and_fix(config, told, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=f"resume_from_checkpoint: .*{told}.*") as refused:
        load_model(tmp_path, argument="resume_from_checkpoint")
    assert "Qwen/Qwen" in str(refused.value)


def test_a_family_that_is_not_known_is_refused(tmp_path, capsys):
    with pytest.raises(ValueError, match="family: 'qwen9' is none of qwen2_5_vl, qwen3_vl"):
        make_tiny(tmp_path, ["L4/L5"], family="qwen9")
    with pytest.raises(SystemExit):
        main(["tiny", "--output", str(tmp_path), "--family", "qwen9"])
    assert "qwen9" in capsys.readouterr().err


def test_adapters_sit_in_the_parts_that_are_trained(folders):
    """Deep-stack mergers are of the projector."""
    frozen = {"train_vision_tower": False, "train_language_model": False}
    stage = StageArguments(stage=1, train_projector=True, **frozen)
    adapted = get_peft_model(load_model(folders["qwen3_vl"]), adapter_config(stage, ModelConfig(use_peft=True)))
    places = {name.split(".lora_")[0].rpartition("visual.")[2] for name, _ in adapted.named_parameters() if ".lora_" in name}
    assert {place.split(".")[0] for place in places} == {"merger", "deepstack_merger_list"}
