"""One pack split over two gloo ranks is computed as on one."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from accelerate.data_loader import BatchSamplerShard
from datasets import Dataset
from torch.utils.data import BatchSampler, SequentialSampler

from modeling.output import SUMMARY
from modeling.sequence_parallel import check_sequence_parallel, repeated
from tests.modeling.test_deepspeed import command, engine_config, losses

WORKER = Path(__file__).parents[1] / "support" / "sequence_worker.py"
SEVEN_B = {"num_attention_heads": 28, "num_key_value_heads": 4}


def config(**text):
    return SimpleNamespace(get_text_config=lambda: SimpleNamespace(**text))


@pytest.mark.parametrize("kv_heads", [2, 1], ids=["a key/value head a rank", "fewer key/value heads than ranks"])
def test_two_ranks_get_the_logits_loss_and_gradients_of_one(kv_heads, launch, tiny, synthetic_dataset, tmp_path):
    output = tmp_path / "told.json"
    launch([str(WORKER), str(tiny), str(synthetic_dataset), str(output), str(kv_heads)])
    told = json.loads(output.read_text())
    assert {pack["tokens"] % 2 for pack in told.values()} == {0, 1}  # some do not divide by the ranks
    for name, pack in told.items():
        assert pack["own tokens"] == -(-pack["tokens"] // 2), name
        for quantity in ("logits", "loss", "gradients", "evaluation"):
            assert pack[quantity] <= 1e-5, (name, quantity, pack)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ds_zero2", "ds_zero3"])
def test_a_stage_whose_two_ranks_share_packs_trains_as_one_process_does(engine, launch, synthetic_dataset, tiny, tmp_path):
    """The same losses, tokens and steps: of the shared pack once, whichever rank counts."""
    options = {"packing": True, "max_length": 601, "max_steps": 3, "gradient_accumulation_steps": 2}
    options |= {"sample_generations": 0, "loss_samples": 2, "validation_samples": 2, "save_strategy": "no"}
    config = engine_config(engine, tmp_path)
    shared, single = tmp_path / "shared", tmp_path / "single"
    printed = launch(command("stage2", synthetic_dataset, tiny, shared, **options, deepspeed=config, sequence_parallel_size=2))
    assert "2 accumulated × 1 groups of 2 devices that share each" in printed
    launch(command("stage2", synthetic_dataset, tiny, single, **options), ranks=1)
    assert losses(shared) == pytest.approx(losses(single), rel=1e-5) and len(losses(shared)) == 3
    got, expected = (json.loads((output / SUMMARY).read_text()) for output in (shared, single))
    assert got["sequence_parallel_size"] == 2 and got["engine"]["ranks"] == 2
    for name in ("steps", "tokens", "units", "samples"):
        assert got[name] == expected[name], name
    for name in ("start_model", "trained"):
        assert got["loss"][name] == pytest.approx(expected["loss"][name], rel=1e-5)


def test_ranks_of_a_group_get_the_same_units_in_order():
    units = repeated(Dataset.from_dict({"rows": [[number] for number in range(7)]}), 2)
    sampler = BatchSampler(SequentialSampler(units), batch_size=1, drop_last=False)
    dealt = []
    for rank in range(4):
        shard = BatchSamplerShard(sampler, num_processes=4, process_index=rank)
        dealt.append([units[batch[0]]["rows"][0] for batch in shard])
    assert dealt[0] == dealt[1] == [0, 2, 4, 6]
    assert dealt[2] == dealt[3] == [1, 3, 5, 0]  # the last step is filled from the start, for both alike


@pytest.mark.parametrize(
    ("size", "ranks", "packing", "text", "message"),
    [
        (0, 8, True, SEVEN_B, "0 is no number of ranks"),
        (2, 5, True, SEVEN_B, "5 ranks cannot form groups of 2"),
        (8, 8, True, SEVEN_B, "28 attention heads and 4 .* to 8 ranks. This model takes 1, 2, 4, 28"),
        (7, 7, True, SEVEN_B, "cannot be dealt to 7 ranks"),
        (2, 8, False, SEVEN_B, "set packing: true"),
    ],
)
def test_a_size_that_cannot_be_is_refused(size, ranks, packing, text, message):
    with pytest.raises(ValueError, match=f"sequence_parallel_size: .*{message}"):
        check_sequence_parallel(size, config(**text), ranks=ranks, packing=packing)


def test_sizes_that_fit_are_taken():
    for size in (1, 2, 4):
        check_sequence_parallel(size, config(**SEVEN_B), ranks=8, packing=True)
    check_sequence_parallel(1, config(**SEVEN_B), ranks=3, packing=False)
    check_sequence_parallel(8, config(num_attention_heads=16, num_key_value_heads=2), ranks=8, packing=True)
