"""Estimate what a run takes of its machine beside the GPUs, and refuse or warn if the machine has less.

estimate_host     sizes, engine, workers ─▶ /dev/shm, memory, disk and threads that the ranks of one machine take
measure_host      what this machine has of them
check_host        both ─▶ warnings, or ValueError for what cannot end well
"""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from modeling.memory import ModelSize, readable

SHARED_MEMORY = Path("/dev/shm")
# RssAnon of a process that has imported what a recipe does (CPU build of torch 2.13, Python 3.11); CUDA adds to it.
PROCESS_BYTES = 360 * 2**20
# A worker of the data loader keeps as many batches ready (PyTorch's prefetch_factor); one more is on its way to the device.
BATCHES_A_WORKER = 2
COLOURS_AND_FRAMES = 3 * 2  # of a patch, in uint8 (modeling.pixels)
PATCHES_A_TOKEN = 4
NUMBERS_A_TOKEN = 6  # id, label, attention mask or text position, three M-RoPE positions: int64


@dataclass(frozen=True, slots=True)
class Host:
    """What a machine has: bytes free in /dev/shm and on output_dir's disk, bytes of memory, cores, threads of each process."""

    shared_memory: int
    memory: int
    disk: int
    cores: int
    threads: int


@dataclass(frozen=True, slots=True)
class HostNeeds:
    """What ``ranks`` ranks of one machine take, in bytes.

    shared_memory    /dev/shm: batches that the data loader's workers keep ready
    states           offloaded weights, gradients and optimizer states
    memory           states, and what loading, saving and the processes take with them
    checkpoint       one checkpoint-N
    disk             all that output_dir holds at its fullest: one checkpoint more than are kept, and the finished model
    workers          of each rank
    offloads         whether the optimizer steps on the CPU (DeepSpeed's CPUAdam)
    """

    ranks: int
    shared_memory: int
    states: int
    memory: int
    checkpoint: int
    disk: int
    workers: int
    offloads: bool

    def lines(self, host: Host | None) -> list[str]:
        """Describe the needs, beside what ``host`` has if it is given."""

        def beside(name: str, what: str) -> str:
            return "" if host is None else f" of {readable(getattr(host, name))} {what}"

        threads = f"{host.threads} a process, " if host else ""
        processes = f"{self.ranks} ranks × (1 + {self.workers} workers)"
        offloaded = f", {readable(self.states)} of it offloaded states" if self.states else ""
        return [
            f"  /dev/shm         {readable(self.shared_memory)}{beside('shared_memory', 'free')}",
            f"  machine's memory {readable(self.memory)}{beside('memory', 'in all')}{offloaded}; without CUDA's own",
            f"  disk             {readable(self.checkpoint)} a checkpoint, {readable(self.disk)} at most"
            f"{beside('disk', 'free')}",
            f"  threads          {threads}{processes}{f' on {host.cores} cores' if host else ''}"
            + (", the optimizer steps on them" if self.offloads else ""),
        ]


def batch_bytes(tokens: int, image_tokens: int, patch_size: int) -> int:
    """Compute the bytes of a batch as it leaves the collator; a patch has ``patch_size`` × ``patch_size`` pixels."""
    return 8 * NUMBERS_A_TOKEN * tokens + PATCHES_A_TOKEN * COLOURS_AND_FRAMES * patch_size**2 * image_tokens


def checkpoint_bytes(size: ModelSize, *, zero_stage: int = 0, adapters: bool = False) -> int:
    """Compute the bytes of a checkpoint-N: weights (of adapters alone, if there are any) and the optimizer's states.

    Without DeepSpeed those are two moments in the weights' type. DeepSpeed saves float32 masters and two moments, 12 bytes a
    trainable parameter over all ranks, and up to ZeRO-2 the weights a second time.
    """
    saved = size.trainable_bytes if adapters else size.weight_bytes
    if zero_stage == 0:
        return saved + 2 * size.trainable_bytes
    return saved * (1 if zero_stage == 3 else 2) + 12 * size.trainable


def estimate_host(
    size: ModelSize,
    *,
    ranks: int,
    states: int,
    largest_batch: int,
    workers: int,
    checkpoints: int,
    zero_stage: int = 0,
    adapters: bool = False,
    offloads: bool = False,
    evaluates: bool = True,
) -> HostNeeds:
    """Estimate what ``ranks`` ranks on one machine take.

    states           offloaded bytes of one rank (modeling.memory.MemoryEstimate.host)
    largest_batch    bytes (batch_bytes)
    checkpoints      checkpoints that output_dir holds at once, the one being written among them
    evaluates        the workers of an evaluation keep batches beside those of training, which wait

    Memory is the larger of loading (up to ZeRO-2 each rank holds the whole model there before it moves to the device; under
    ZeRO-3 its weights are read from the disk's cache) and training with a save, for which ZeRO-3 gathers the weights on a rank.
    """
    batches = (workers * BATCHES_A_WORKER + 1) * (2 if evaluates else 1) if workers else 0
    loading = 0 if zero_stage == 3 else ranks * size.weight_bytes
    saving = size.weight_bytes if zero_stage == 3 else 0
    checkpoint = checkpoint_bytes(size, zero_stage=zero_stage, adapters=adapters)
    return HostNeeds(
        ranks=ranks,
        shared_memory=ranks * batches * largest_batch,
        states=ranks * states,
        memory=ranks * (1 + workers) * PROCESS_BYTES + max(loading, ranks * states + saving),
        checkpoint=checkpoint,
        disk=checkpoints * checkpoint + size.weight_bytes + (size.trainable_bytes if adapters else 0),
        workers=workers,
        offloads=offloads,
    )


def measure_host(output_dir: str | Path, *, threads: int) -> Host:
    """Measure this machine. What ``output_dir`` holds already of an earlier part of the run counts as free disk."""
    held = sum(file.stat().st_size for file in Path(output_dir).rglob("*") if file.is_file())
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # of a container (cgroups 2 and 1)
        limit = Path("/sys/fs/cgroup", name)
        if limit.is_file() and (text := limit.read_text().strip()).isdigit():
            limits.append(int(text))
    return Host(
        shared_memory=shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else 0,
        memory=min(limits),
        disk=shutil.disk_usage(output_dir).free + held,
        cores=len(os.sched_getaffinity(0)),
        threads=threads,
    )


def check_host(needs: HostNeeds, host: Host) -> list[str]:
    """Return warnings, each with its fix. Raises ValueError, naming the argument and the fix, for what cannot end well.

    That is: less /dev/shm than the workers fill (they die of a bus error), less memory than the offloaded states take alone,
    and less disk than one checkpoint and the finished model.
    """
    if needs.shared_memory > host.shared_memory:
        raise ValueError(
            f"dataloader_num_workers: {needs.workers} workers a rank may keep {readable(needs.shared_memory)} of batches in "
            f"/dev/shm, which has {readable(host.shared_memory)}, and would die of a bus error. Lower it (0 needs none), or "
            "enlarge /dev/shm (docker run --shm-size, or --ipc=host)."
        )
    if needs.states > host.memory:
        raise ValueError(
            f"deepspeed: the offloaded states of {needs.ranks} ranks take {readable(needs.states)}, and the machine has "
            f"{readable(host.memory)}. Offload the optimizer alone, train over more GPUs or machines, or add --use_peft true."
        )
    if min(needs.checkpoint, needs.disk) > host.disk:  # a run may save no checkpoints
        raise ValueError(
            f"output_dir: a checkpoint takes {readable(needs.checkpoint)}, and its disk has {readable(host.disk)} free. Choose "
            "another folder, or add --use_peft true, whose checkpoints hold adapters alone."
        )
    return list(_warnings(needs, host))


def _warnings(needs: HostNeeds, host: Host) -> Iterable[str]:
    if needs.memory > host.memory:
        yield (
            f"memory: {readable(needs.memory)} are needed at most, and the machine has {readable(host.memory)}: it may end "
            "processes. Use fewer ranks or dataloader_num_workers, or ZeRO-3, which loads no whole model in each rank."
        )
    if needs.disk > host.disk:
        yield (
            f"output_dir: {readable(needs.disk)} are needed at its fullest, and its disk has {readable(host.disk)} free. Lower "
            "save_total_limit, or choose another folder."
        )
    spare = max(1, host.cores // needs.ranks - needs.workers)
    if needs.offloads and 2 * host.threads <= spare:
        yield (
            f"threads: the optimizer steps on {host.threads} of a rank's {spare} cores. Set OMP_NUM_THREADS={spare}, or "
            f"accelerate launch --num_cpu_threads_per_process {spare} (1 if not given)."
        )
    if needs.ranks * host.threads > host.cores and host.threads > 1:
        yield (
            f"threads: {needs.ranks} ranks of {host.threads} threads wait for one another on {host.cores} cores. Set "
            f"OMP_NUM_THREADS={spare}."
        )
