import numpy as np
import pytest
from transformers import Qwen2_5_VLConfig, Qwen3VLConfig

from modeling.packs import busy_share, deal, sample_costs

RNG = np.random.default_rng


def lengths(count=4000, longest=16_000):
    """Short questions and a long tail, as in the builds: 900 tokens on average."""
    return np.clip(RNG(0).lognormal(6.5, 0.75, count).astype(int), 60, longest)


@pytest.mark.parametrize(("ranks", "accumulation"), [(1, 2), (2, 1), (6, 1), (8, 1), (32, 1)])
def test_a_step_has_the_samples_asked_for_on_any_number_of_ranks(ranks, accumulation):
    tokens = lengths()
    dealt = deal(tokens, tokens, ranks=ranks, samples_a_step=32, pack_tokens=24_000, rng=RNG(1))
    numbers = [number for packs in dealt.rounds for pack in packs for number in pack]
    assert sorted(numbers) == list(range(len(tokens)))
    assert dealt.accumulation == accumulation
    assert len(tokens) * dealt.accumulation / len(dealt.rounds) == pytest.approx(32, rel=0.05)
    assert all(len(packs) == ranks for packs in dealt.rounds[:-1])


def test_ranks_finish_together_where_one_random_sample_each_leaves_them_waiting():
    tokens = lengths()
    dealt = deal(tokens, tokens, ranks=8, samples_a_step=32, pack_tokens=16_384, rng=RNG(1))
    assert busy_share(dealt.rounds, tokens, 8) >= 0.95
    alone = [[[number] for number in range(start, start + 8)] for start in range(0, len(tokens), 8)]
    assert busy_share(alone, tokens, 8) < 0.6


def test_the_next_sample_goes_to_the_rank_with_the_least_work():
    """Among few samples neighbours in cost differ, and one each, whoever has most, leaves the ranks busy 0.79 of the time."""
    tokens = np.clip(RNG(2).lognormal(5.5, 0.9, 96), 20, 16_000).astype(int)
    dealt = deal(tokens, tokens, ranks=8, samples_a_step=32, pack_tokens=16_384, rng=RNG(1))
    assert busy_share(dealt.rounds, tokens, 8) >= 0.9


def test_no_pack_is_over_the_limit_unless_one_sample_is():
    tokens = np.append(lengths(), [20_000, 30_000])
    dealt = deal(tokens, tokens, ranks=8, samples_a_step=64, pack_tokens=8192, rng=RNG(1))
    packs = [pack for packs in dealt.rounds for pack in packs]
    assert all(len(pack) == 1 or tokens[pack].sum() <= 8192 for pack in packs)
    assert dealt.accumulation > 1 and max(len(pack) for pack in packs) > 3


def test_rounds_mix_short_and_long_samples():
    tokens = lengths()
    dealt = deal(tokens, tokens, ranks=8, samples_a_step=32, pack_tokens=16_384, rng=RNG(1))
    totals = np.array([sum(tokens[pack].sum() for pack in packs) for packs in dealt.rounds])
    assert totals.std() < 0.5 * totals.mean()
    assert not np.array_equal(totals, np.sort(totals)) and not np.array_equal(totals, np.sort(totals)[::-1])


def test_too_few_samples_for_the_ranks_are_refused():
    with pytest.raises(ValueError, match="samples_a_step: 4 samples do not give each of 8 ranks one"):
        deal([1] * 99, [1] * 99, ranks=8, samples_a_step=4, pack_tokens=9, rng=RNG(0))
    with pytest.raises(ValueError, match=r"datasets: 3 samples .* 8 ranks one. Start fewer processes"):
        deal([1] * 3, [1] * 3, ranks=8, samples_a_step=16, pack_tokens=9, rng=RNG(0))


def test_the_7bs_costs_grow_with_length_and_patches():
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 3584, "num_hidden_layers": 28, "intermediate_size": 18_944, "num_attention_heads": 28,
            "num_key_value_heads": 4, "vocab_size": 152_064,
        },
        vision_config={"hidden_size": 1280, "depth": 32, "intermediate_size": 3420, "out_hidden_size": 3584},
    )  # fmt: skip
    short, long, with_image = sample_costs([1000, 49_152, 1000], [0, 0, 500], config)
    assert short == pytest.approx(1014, abs=1)  # 28 · 3584 / 7.07e9 = 1 / 70,450 a token
    assert long / 49_152 == pytest.approx(1.70, abs=0.01)
    merger = 5120 * (5120 + 3584)
    assert with_image - short == pytest.approx(500 * (4 * 0.629e9 + merger) / 7.07e9, rel=3e-3)


def test_qwen3_vl_costs_by_its_own_heads_vision_layers_and_mergers():
    """The 4B: 32 heads of 128 in a width of 2,560, two matrices in a vision MLP, four mergers."""
    config = Qwen3VLConfig(
        text_config={
            "hidden_size": 2560, "num_hidden_layers": 36, "intermediate_size": 9728, "num_attention_heads": 32,
            "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151_936,
        },
        vision_config={
            "hidden_size": 1024, "depth": 24, "intermediate_size": 4096, "num_heads": 16, "out_hidden_size": 2560,
            "deepstack_visual_indexes": [5, 11, 17],
        },
    )  # fmt: skip
    short, with_image = sample_costs([1000, 1000], [0, 500], config)
    matrices = 36 * 2560 * (2 * 4096 + 2 * 1024 + 3 * 9728) + 2560 * 151_936
    assert short == pytest.approx(1000 + 1000**2 * 36 * 4096 / matrices)
    towers, mergers = 4 * 24 * 1024 * (4 * 1024 + 2 * 4096), 4 * 4096 * (4096 + 2560)
    assert with_image - short == pytest.approx(500 * (towers + mergers) / matrices)
