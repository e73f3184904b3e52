import dataclasses

import pytest
from torch.utils.data import DataLoader

from modeling.collator import Collator
from modeling.curriculum import parse_sources, prepare_stage
from modeling.host import Host, batch_bytes, check_host, checkpoint_bytes, estimate_host, measure_host
from modeling.memory import ModelSize
from modeling.plan import largest_batch

GIB = 2**30
SIZE = ModelSize(weight_bytes=16 * GIB, trainable=8 * GIB, trainable_bytes=16 * GIB, largest_layer_bytes=GIB)
ROOMY = Host(shared_memory=64 * GIB, memory=1024 * GIB, disk=4096 * GIB, cores=96, threads=8)
OFFLOADED = {
    "ranks": 8,
    "states": 17 * GIB,
    "largest_batch": GIB // 4,
    "workers": 4,
    "checkpoints": 3,
    "zero_stage": 3,
    "offloads": True,
}


def test_needs_are_those_of_all_ranks_of_a_machine():
    needs = estimate_host(SIZE, **OFFLOADED)
    assert needs.shared_memory == 8 * 2 * 9 * GIB // 4  # nine batches of training and of an evaluation: 4 workers × 2, and one
    assert needs.states == 8 * 17 * GIB and needs.memory > needs.states + 16 * GIB
    assert needs.checkpoint == (16 + 12 * 8) * GIB and needs.disk == 3 * needs.checkpoint + 16 * GIB
    assert check_host(needs, ROOMY) == []
    unsaved = estimate_host(SIZE, **{**OFFLOADED, "checkpoints": 0})
    assert check_host(unsaved, dataclasses.replace(ROOMY, disk=20 * GIB)) == []  # the finished model alone
    assert estimate_host(SIZE, **{**OFFLOADED, "workers": 0}).shared_memory == 0
    # Without ZeRO-3 each rank loads the whole model into the machine's memory first.
    assert estimate_host(SIZE, **{**OFFLOADED, "zero_stage": 2, "states": 0}).memory > 8 * 16 * GIB
    adapters = dataclasses.replace(SIZE, trainable=GIB // 4, trainable_bytes=GIB // 2)
    assert checkpoint_bytes(adapters, zero_stage=2, adapters=True) == 4 * GIB
    assert checkpoint_bytes(SIZE) == 48 * GIB


@pytest.mark.parametrize(
    ("host", "refusal"),
    [
        ({"shared_memory": GIB}, r"dataloader_num_workers: 4 workers .* 36.0 GiB of batches in /dev/shm, which has 1.0 GiB"),
        ({"memory": 128 * GIB}, r"deepspeed: the offloaded states of 8 ranks take 136.0 GiB, and the machine has 128.0 GiB"),
        ({"disk": 100 * GIB}, r"output_dir: a checkpoint takes 112.0 GiB, and its disk has 100.0 GiB free"),
    ],
)
def test_what_cannot_end_well_is_refused(host, refusal):
    with pytest.raises(ValueError, match=refusal):
        check_host(estimate_host(SIZE, **OFFLOADED), dataclasses.replace(ROOMY, **host))


@pytest.mark.parametrize(
    ("host", "warning"),
    [
        ({"memory": 150 * GIB}, "memory: 166.1 GiB are needed at most, and the machine has 150.0 GiB"),
        ({"disk": 200 * GIB}, "output_dir: 352.0 GiB are needed at its fullest, and its disk has 200.0 GiB"),
        ({"threads": 1}, "threads: the optimizer steps on 1 of a rank's 8 cores. Set OMP_NUM_THREADS=8"),
        ({"threads": 16}, "threads: 8 ranks of 16 threads wait for one another on 96 cores"),
    ],
)
def test_what_may_end_badly_is_warned_of(host, warning):
    (told,) = check_host(estimate_host(SIZE, **OFFLOADED), dataclasses.replace(ROOMY, **host))
    assert told.startswith(warning)


def test_a_batch_has_the_bytes_that_leave_a_worker(synthetic_dataset, processor):
    data = prepare_stage(parse_sources([{"dataset": str(synthetic_dataset)}]), processor, max_length=2048)
    batches = list(DataLoader(data.units, batch_size=1, collate_fn=Collator(data.rows, processor), num_workers=0))
    largest = max(sum(tensor.nbytes for tensor in batch.values()) for batch in batches)
    assert largest == pytest.approx(batch_bytes(*largest_batch(data, 1), processor.image_processor.patch_size), rel=0.01)


def test_this_machine_is_measured(tmp_path):
    (tmp_path / "held").write_bytes(b"0" * 4096)
    host = measure_host(tmp_path, threads=2)
    assert host.memory > GIB // 2 and host.cores >= 1 and host.threads == 2 and host.disk > 4096
