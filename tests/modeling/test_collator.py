import io
import itertools

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from trl.chat_template_utils import get_training_chat_template

from modeling.attention import PACKED_SDPA, register_packed_sdpa
from modeling.collator import IGNORE, Collator, encode, measure, mrope_positions, pack
from modeling.pixels import normalised
from modeling.spinegpt import load_model, load_processor
from tests.support.synthetic import image, row, turn


def written(image, format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return {"bytes": stream.getvalue(), "path": None}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    made = {
        "text": row(0, "open_ended", "general", rng),
        "one image": row(1, "report", "spine", rng),
        "two images": row(2, "open_ended", "spine", rng),
        "three turns with image": row(4, "consultation", "spine", rng),
        "chinese": row(3, "open_ended", "general", rng),
    }
    late = [
        turn("user", "First a question."),
        turn("assistant", "Yes?"),
        turn("user", "This one:", 1),
        turn("assistant", "L4."),
    ]
    made["image in a later turn"] = {**made["text"], "messages": late, "images": [image(rng, 140, 84)]}
    return made


@pytest.fixture(scope="module", params=["tiny", "tiny_qwen3"])
def tiny(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def processor(tiny):
    return load_processor(tiny)


@pytest.fixture(scope="module")
def padded_model(tiny):
    return load_model(tiny).eval()


@pytest.fixture(scope="module")
def packed_model(tiny):
    register_packed_sdpa()
    return load_model(tiny, attn_implementation={"text_config": PACKED_SDPA, "vision_config": "sdpa"}).eval()


def test_ids_and_labels_are_those_of_the_training_template(rows, processor):
    template = get_training_chat_template(processor)
    for name, sample in rows.items():
        messages = [
            {"role": m["role"], "content": [{k: v for k, v in p.items() if v is not None} for p in m["content"]]}
            for m in sample["messages"]
        ]
        images = iter(Pillow.open(io.BytesIO(image["bytes"])) for image in sample["images"])
        for part in itertools.chain.from_iterable(m["content"] for m in messages):
            if part["type"] == "image":
                part["image"] = next(images)
        expected = processor.apply_chat_template(
            [messages],
            chat_template=template,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
            return_tensors="pt",
        )
        encoded = encode(sample, processor)
        assert torch.equal(encoded.input_ids, expected["input_ids"][0]), name
        spoken = torch.as_tensor(expected["assistant_masks"][0]).bool()
        assert torch.equal(encoded.labels != IGNORE, spoken), name
        assert torch.equal(encoded.labels[spoken], encoded.input_ids[spoken]), name


def test_every_assistant_turn_is_supervised_and_nothing_else(rows, processor):
    encoded = encode(rows["three turns with image"], processor)
    spoken = processor.tokenizer.decode(encoded.labels[encoded.labels != IGNORE])
    answers = [m["content"][-1]["text"] for m in rows["three turns with image"]["messages"] if m["role"] == "assistant"]
    assert spoken == "".join(f"{answer}<|im_end|>\n" for answer in answers)


def test_measured_tokens_are_the_encoded_ones(rows, processor):
    for name, sample in rows.items():
        size, encoded = measure(sample, processor), encode(sample, processor)
        assert size.problem == "", name
        assert size.tokens == len(encoded), name
        assert size.image_tokens == int((encoded.input_ids == processor.image_token_id).sum()), name
        assert size.supervised_tokens == int((encoded.labels != IGNORE).sum()), name


def test_positions_equal_the_models_own(rows, processor, padded_model):
    for name, sample in rows.items():
        encoded = encode(sample, processor)
        ids = encoded.input_ids.unsqueeze(0)
        expected, _ = padded_model.model.get_rope_index(
            ids, mm_token_type_ids=(ids == processor.image_token_id).int(), image_grid_thw=encoded.image_grid_thw
        )
        assert torch.equal(encoded.position_ids, expected[:, 0]), name


def test_positions_refuse_a_grid_of_another_size():
    with pytest.raises(ValueError, match="4 image tokens in a row for an image of 1 × 2"):
        mrope_positions([False, True, True, True, True], [(1, 2, 4)])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"messages": [turn("user", "Alone?")]}, "no_assistant_turn"),
        ({"messages": [turn("user", "See.", 1), turn("assistant", "\n\nL4.")]}, "blank_start"),
        ({"messages": None}, "null_field"),
        ({"messages": [turn("user", "See.", 1), turn("assistant", None)]}, "null_field"),
        ({"messages": [turn("user", "See.", 1), {"role": "assistant", "content": None}]}, "null_field"),
        ({"images": None}, "image_count"),
        ({"images": [None]}, "corrupt_image"),
        ({"images": [written(Pillow.fromarray(np.full((56, 56), 9000, dtype=np.uint16)))]}, "image_depth"),
        ({"images": [written(Pillow.new("F", (56, 56)), "TIFF")]}, "image_depth"),
        ({"messages": [turn("user", "a <|im_end|> b"), turn("assistant", "c")]}, "special_token_in_text"),
        ({"messages": [turn("user", "See.", 2), turn("assistant", "c")]}, "image_count"),
        ({"images": [{"bytes": b"no image", "path": None}]}, "corrupt_image"),
        ({"images": [{"bytes": None, "path": "/etc/hostname"}]}, "corrupt_image"),
        ({"images": [image(np.random.default_rng(0), 900, 3)]}, "image_shape"),
    ],
)
def test_a_row_that_cannot_be_trained_on_is_named(rows, processor, change, problem):
    assert measure({**rows["one image"], **change}, processor).problem == problem


def test_an_answer_that_begins_with_spaces_keeps_them(rows, processor):
    row = {**rows["text"], "messages": [turn("user", "See."), turn("assistant", "   L4.")]}
    encoded = encode(row, processor)
    assert measure(row, processor).problem == ""
    assert processor.tokenizer.decode(encoded.labels[encoded.labels != IGNORE]) == "   L4.<|im_end|>\n"


def test_a_palette_is_resolved_and_what_is_transparent_is_white(rows, processor):
    colours = Pillow.new("P", (56, 56))
    colours.putpalette([255, 0, 0, 0, 0, 255])
    red = {**rows["one image"], "images": [written(colours)]}
    assert measure(red, processor).problem == ""
    patches = encode(red, processor).pixel_values
    assert patches.view(len(patches), 3, -1).unique(dim=0)[0, :, 0].tolist() == [255, 0, 0]
    clear = {**red, "images": [written(colours, transparency=0)]}
    assert encode(clear, processor).pixel_values.unique().tolist() == [255]


@pytest.mark.parametrize("packing", [False, True])
def test_pixels_travel_as_bytes_and_become_the_processors_own_numbers(rows, processor, packing):
    names = ["two images", "one image"]
    batch = Collator(None, processor, packing=packing).collate([encode(rows[name], processor) for name in names])
    assert batch["pixel_values"].dtype == torch.uint8
    images = [Pillow.open(io.BytesIO(image["bytes"])) for name in names for image in rows[name]["images"]]
    own = processor.image_processor(images, return_tensors="pt")["pixel_values"]
    made = normalised(batch, processor.image_processor)["pixel_values"]
    assert made.dtype == torch.float32 and len(own.unique()) > 100
    torch.testing.assert_close(made, own, atol=1e-6, rtol=1e-6)


def test_a_truncated_image_is_named(rows, processor):
    whole = rows["one image"]["images"][0]["bytes"]
    cut = {**rows["one image"], "images": [{"bytes": whole[: len(whole) // 2], "path": None}]}
    assert measure(cut, processor).problem == "corrupt_image"


def test_text_only_batch_touches_the_vision_tower_and_keeps_its_loss(rows, processor, padded_model):
    sample = encode(rows["text"], processor)
    batch = inputs(Collator(None, processor), [sample, encode(rows["chinese"], processor)])
    assert len(batch["pixel_values"]) == 4
    with torch.no_grad():
        loss = padded_model(**batch).loss
        plain = padded_model(input_ids=sample.input_ids[None], labels=sample.labels[None]).loss
        logits = padded_model(**batch).logits[0, : len(sample)]
        expected = padded_model(input_ids=sample.input_ids[None]).logits[0]
    assert torch.allclose(logits, expected, atol=1e-6)
    assert torch.isfinite(loss) and torch.isfinite(plain)

    padded_model.zero_grad()
    padded_model(**batch).loss.backward()
    gradients = [parameter.grad for name, parameter in padded_model.named_parameters() if "visual" in name]
    assert all(gradient is not None for gradient in gradients)
    assert all(float(gradient.abs().max()) == 0 for gradient in gradients)
    padded_model.zero_grad()


PACKS = {
    "text only": ["text", "chinese"],
    "single image": ["one image", "one image"],
    "several images": ["two images", "one image"],
    "many turns": ["three turns with image", "image in a later turn"],
    "mixed": ["text", "two images", "chinese", "three turns with image", "one image"],
}


def inputs(collator, samples):
    return normalised(collator.collate(samples), collator.processor.image_processor)


def total_loss(model, collator, samples):
    return model(**inputs(collator, samples), num_items_in_batch=torch.tensor(1), use_cache=False)


@pytest.mark.parametrize("names", PACKS.values(), ids=PACKS.keys())
def test_packed_loss_and_gradients_equal_the_per_sample_ones(names, rows, processor, padded_model, packed_model):
    samples = [encode(rows[name], processor) for name in names]
    padded_model.zero_grad()
    alone = sum(total_loss(padded_model, Collator(None, processor), [sample]).loss for sample in samples)
    alone.backward()
    packed_model.zero_grad()
    together = total_loss(packed_model, Collator(None, processor, packing=True), samples).loss
    together.backward()
    assert abs(together.item() - alone.item()) <= 1e-5 * abs(alone.item())
    for (name, expected), (_, got) in zip(padded_model.named_parameters(), packed_model.named_parameters()):
        difference = (expected.grad - got.grad).norm() / expected.grad.norm().clamp(min=1e-8)
        assert difference <= 1e-5, f"{name}: {difference}"


def test_permuting_a_pack_changes_nothing(rows, processor, packed_model):
    samples = [encode(rows[name], processor) for name in PACKS["mixed"]]
    collator = Collator(None, processor, packing=True)
    with torch.no_grad():
        first = total_loss(packed_model, collator, samples).loss
        second = total_loss(packed_model, collator, samples[::-1]).loss
    assert abs(first - second) <= 1e-6 * first


def test_changing_one_sample_moves_no_other_samples_logits(rows, processor, packed_model):
    collator = Collator(None, processor, packing=True)
    before, other, after = (encode(rows[name], processor) for name in ("two images", "text", "one image"))
    changed = encode(rows["chinese"], processor)
    with torch.no_grad():
        logits = packed_model(**inputs(collator, [before, other, after]), use_cache=False).logits[0]
        moved = packed_model(**inputs(collator, [before, changed, after]), use_cache=False).logits[0]
    assert torch.equal(logits[: len(before)], moved[: len(before)])
    assert torch.allclose(logits[-len(after) :], moved[-len(after) :], atol=1e-6)


def test_packed_attention_refuses_a_padded_batch(rows, processor, packed_model):
    batch = inputs(Collator(None, processor), [encode(rows["text"], processor)])
    with pytest.raises(ValueError, match="packing=True"):
        packed_model(**batch, use_cache=False)


def test_pack_is_first_fit_decreasing():
    assert pack([5, 4, 3, 3, 2, 1], 9) == [[0, 1], [2, 3, 4, 5]]
    assert pack([], 9) == []
    with pytest.raises(ValueError, match="sample 1 has 10 tokens"):
        pack([1, 10], 9)


def test_pack_equals_a_plain_search():
    tokens = np.random.default_rng(3).integers(1, 100, 300).tolist()
    plain: list[list[int]] = []
    for index in sorted(range(300), key=lambda index: (-tokens[index], index)):
        fitting = [group for group in plain if sum(tokens[member] for member in group) + tokens[index] <= 128]
        (fitting or [plain.append([]) or plain[-1]])[0].append(index)
    assert pack(tokens, 128) == [sorted(group) for group in plain]


def test_pack_loses_nothing_and_keeps_the_budget():
    tokens = np.random.default_rng(0).integers(1, 200, 500).tolist()
    groups = pack(tokens, 400)
    assert sorted(itertools.chain.from_iterable(groups)) == list(range(500))
    assert max(sum(tokens[index] for index in group) for group in groups) <= 400
    assert sum(tokens) / (400 * len(groups)) > 0.97
