import numpy as np
import pytest
import torch
from transformers import AttentionInterface, Qwen2_5_VLForConditionalGeneration
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VisionTransformerPretrainedModel,
    Qwen2_5_VLVisionConfig,
)

import modeling.attention
from modeling.arguments import parse_stage
from modeling.attention import WINDOWED_SDPA, check_attention, windowed_sdpa_attention
from modeling.spinegpt import load_model


def tower(attention, depth=4):
    torch.manual_seed(0)
    config = Qwen2_5_VLVisionConfig(
        depth=depth,
        hidden_size=32,
        intermediate_size=32,
        num_heads=2,
        out_hidden_size=32,
        fullatt_block_indexes=[depth - 1] if depth < 32 else [7, 15, 23, 31],
    )
    model = Qwen2_5_VisionTransformerPretrainedModel(config)
    model.config._attn_implementation = attention
    return model


def run(attention, grid):
    model = tower(attention)
    pixels = torch.randn(int(grid.prod(1).sum()), 1176, generator=torch.Generator().manual_seed(1))
    output = model(pixels, grid_thw=grid).pooler_output
    output.pow(2).sum().backward()
    return output.detach(), {name: parameter.grad for name, parameter in model.named_parameters()}


# Whole windows; windows cut at the right and lower edges; images of several sizes; the dummy image of a text-only batch.
GRIDS = {"whole": [[1, 16, 16]], "cut": [[1, 18, 22]], "mixed": [[1, 16, 16], [1, 10, 26], [1, 18, 22]], "dummy": [[1, 2, 2]]}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_windows_in_one_call_give_the_outputs_and_gradients_of_one_call_each(grid):
    AttentionInterface.register(WINDOWED_SDPA, windowed_sdpa_attention)
    expected, expected_gradients = run("sdpa", torch.tensor(grid))
    got, gradients = run(WINDOWED_SDPA, torch.tensor(grid))
    assert torch.allclose(got, expected, rtol=1e-6, atol=1e-6)
    for name, gradient in expected_gradients.items():
        assert (gradients[name] - gradient).norm() <= 1e-5 * gradient.norm().clamp(min=1e-6), name


def test_an_image_of_the_7bs_size_takes_at_most_four_calls_a_layer(monkeypatch):
    calls = []

    def counted(*arguments, **options):
        calls.append(arguments[1].shape)
        return sdpa_attention_forward(*arguments, **options)

    monkeypatch.setattr(modeling.attention, "sdpa_attention_forward", counted)
    AttentionInterface.register(WINDOWED_SDPA, windowed_sdpa_attention)
    grid = torch.tensor([[1, 70, 70]])  # 1,225 tokens
    with torch.no_grad():
        tower(WINDOWED_SDPA, depth=32)(torch.zeros(4900, 1176), grid_thw=grid)
    assert len(calls) == 28 * 3 + 4  # whole windows, cut ones, the corner; transformers alone: 2,272


def test_a_loaded_model_batches_its_windows_and_saves_nothing_of_it(tiny, tmp_path):
    model = load_model(tiny)
    assert model.model.visual.blocks[0].attn.config._attn_implementation == WINDOWED_SDPA
    assert model.config.get_text_config()._attn_implementation == "sdpa"
    model.save_pretrained(tmp_path)
    assert WINDOWED_SDPA not in (tmp_path / "config.json").read_text()
    own = Qwen2_5_VLForConditionalGeneration.from_pretrained(tmp_path)
    image = {"pixel_values": torch.from_numpy(np.random.default_rng(0).normal(size=(96, 1176))).float()}
    image["image_grid_thw"] = torch.tensor([[1, 8, 12]])
    ids = torch.tensor([[5, *[model.config.image_token_id] * 24, 7]])
    with torch.no_grad():
        logits = [one(input_ids=ids, mm_token_type_ids=(ids != 5).int() * (ids != 7), **image).logits for one in (model, own)]
    assert torch.allclose(logits[0], logits[1], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("flash_attention_2", "attn_implementation: flash_attention_2 needs the package flash_attn .*pip install flash-attn"),
        ("flash_attention_3", "flash_attention_3 needs the package flash_attn_interface .*hopper.*or set it to sdpa"),
        ("flex_attention", "attn_implementation: 'flex_attention' is none of sdpa, flash_attention_2, flash_attention_3"),
    ],
)
def test_attention_that_cannot_run_here_is_refused_at_start(repo, tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        parse_stage(repo / "recipes" / "stage1.yaml", ["--output_dir", str(tmp_path), "--attn_implementation", name])


def test_flash_attention_needs_a_gpu_and_bf16(monkeypatch):
    monkeypatch.setattr(modeling.attention, "find_spec", lambda package: package)
    with pytest.raises(ValueError, match=r"flash_attention_2 runs on an NVIDIA GPU .* set it to sdpa"):
        check_attention("flash_attention_2", bf16=True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_attention("flash_attention_2", bf16=True)
    with pytest.raises(ValueError, match="computes in bf16; set bf16: true"):
        check_attention("flash_attention_2", bf16=False)
