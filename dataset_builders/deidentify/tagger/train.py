"""Train the tagger: ``OMP_NUM_THREADS=1 python -m dataset_builders.deidentify.tagger.train`` (docs/tagger.md says how long).

Each note is written again in every round (augment), read as the clean step reads it, and described (features). Identifiers
weigh twice, marked look-alikes three times. The weights kept are a running mean of those on the way. --leave-out HAND trains
without a writer's notes, for measuring how notes of a new hospital will fare; it writes no weights unless --output is given.

The same notes and seed give the same weights only on the same processor and torch: sums of products are rounded differently.
"""

import argparse
import copy
import multiprocessing
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor, nn
from tqdm import tqdm

from dataset_builders.deidentify.fields import find_fields
from dataset_builders.deidentify.identifiers import fold
from dataset_builders.deidentify.labelled_notes import TRAP, Note, read_notes
from dataset_builders.deidentify.recognise import recognise
from dataset_builders.deidentify.tagger import WEIGHTS
from dataset_builders.deidentify.tagger.augment import augment
from dataset_builders.deidentify.tagger.features import BITS, BUCKETS, VERDICT_BITS, WORD_BITS, describe
from dataset_builders.deidentify.tagger.network import CLASSES, DILATIONS, GAP, NETWORKS, Array
from dataset_builders.deidentify.unknown_words import find_unknown

NOTES = Path(__file__).with_name("notes")
"""Labelled notes, a file a hand (docs/tagger.md says who wrote what)."""

ROUNDS = 28
"""How often each note is written again."""

EPOCHS = 2
"""How often each of these is seen."""

_WIDTH, _EMBEDDING = 128, 32
_CLASS_OF = {"NAME": "NAME", "GEO": "GEO", "ORG": "ORG", "DATE": "DATE", "AGE90": "AGE90"} | dict.fromkeys(
    ("EMAIL", "URL", "IP", "PHOTO"), "WEB"
)
_IDENTIFIER_WEIGHT, _TRAP_WEIGHT = 2.0, 3.0
_WINDOW, _BATCH = 384, 16  # characters, windows
_RATE, _DECAY = 2e-3, 0.998
_WITHOUT_WORDS, _WITHOUT_VERDICTS = 0.12, 0.25  # shares of notes whose word or verdict bits are hidden
_OTHERS = 3  # notes whose lines may be mixed into one


@dataclass(frozen=True, slots=True)
class Sample:
    """A described note, character by character: numbers and bits (features; packed), class, and weight in the loss."""

    numbers: NDArray[np.int16]
    bits: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    weights: Array


def read_hands(folder: Path, leave_out: Sequence[str] = ()) -> dict[str, list[Note]]:
    """Read the notes of each hand but those left out. Raises ValueError for a hand that is not there or a malformed row."""
    hands = {path.stem: path for path in sorted(folder.glob("*.jsonl"))}
    for hand in leave_out:
        if hand not in hands:
            raise ValueError(f"{folder}: no hand {hand}; it has {', '.join(hands)}")
    return {hand: read_notes(path) for hand, path in hands.items() if hand not in leave_out}


def make_samples(hands: Mapping[str, Sequence[Note]], rounds: int, seed: int, processes: int = 2) -> list[Sample]:
    """Write each note again ``rounds`` times and describe it; lines are mixed only between notes of one hand and language."""
    jobs = []
    for number in range(rounds):
        for notes in hands.values():
            for note in notes:
                own = f"{seed} {number} {note.id}"
                alike = [other for other in notes if other.language == note.language]
                jobs.append((note, random.Random(own).sample(alike, k=min(_OTHERS, len(alike))), own))
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        made = pool.imap(_make_sample, jobs, chunksize=32)
        return list(tqdm(made, total=len(jobs), desc="writing notes again", unit="note"))


def fit_networks(samples: Sequence[Sample], epochs: int) -> dict[str, Array]:
    """Train NETWORKS networks, each in a process of its own and from a seed of its own; see network.py for the names."""
    with multiprocessing.get_context("spawn").Pool(NETWORKS) as pool:
        trained = pool.starmap(fit, [(samples, epochs, seed) for seed in range(NETWORKS)])
    return {f"{number}.{name}": values for number, weights in enumerate(trained) for name, values in weights.items()}


def fit(samples: Sequence[Sample], epochs: int, seed: int) -> dict[str, Array]:
    """Train one network on ``samples`` and return its weights, in half precision's values."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = random.Random(seed)
    network = Network()
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=0.01)
    windows = sum(len(sample.numbers) + GAP for sample in samples) // _WINDOW
    steps = max(1, epochs * (windows // _BATCH))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps + 2, pct_start=0.1)
    with tqdm(total=steps, desc=f"training network {seed}", unit="step", position=seed) as progress:
        for _ in range(epochs):
            for batch in _batches(samples, rng):
                loss = _loss(network, batch)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                progress.update()
                _follow(average, network, min(_DECAY, progress.n / (progress.n + 20)))
                progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return export(average)


class Network(nn.Module):
    """The network of network.py, with batch normalisation and dropout for training."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(BUCKETS, _EMBEDDING)
        self.entry = nn.Linear(_EMBEDDING + BITS, _WIDTH)
        self.blocks = nn.ModuleList(_Block(dilation) for dilation in DILATIONS)
        self.drop = nn.Dropout(0.1)
        self.classes = nn.Linear(_WIDTH, len(CLASSES))

    def forward(self, numbers: Tensor, bits: Tensor) -> Tensor:
        """Score numbers (batch, length) and bits (batch, length, BITS): (batch, length, classes)."""
        # One layout in memory from here to the classes, forwards and back, takes two thirds of the time that two take.
        x = torch.relu(self.entry(torch.cat([self.embedding(numbers), bits], -1))).transpose(1, 2).contiguous()
        for block in self.blocks:
            x = block(x)
        return nn.functional.conv1d(self.drop(x), self.classes.weight[..., None], self.classes.bias).transpose(1, 2)


class _Block(nn.Module):
    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(_WIDTH, _WIDTH, 3, dilation=dilation, padding=dilation, bias=False)
        self.norm = nn.BatchNorm1d(_WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.norm(self.convolution(x)))

    def export(self) -> dict[str, Tensor]:
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None and variance is not None
        scale = self.norm.weight / torch.sqrt(variance + self.norm.eps)
        kernel = self.convolution.weight * scale[:, None, None]
        return {"": kernel.permute(2, 1, 0).reshape(-1, kernel.shape[0]), "_bias": self.norm.bias - mean * scale}


def export(network: Network) -> dict[str, Array]:
    """Return the weights of network.run_network: normalisation becomes part of the convolutions, the embedding of the entry."""
    entry, width = network.entry, network.embedding.embedding_dim
    weights = {
        "embedding": network.embedding.weight @ entry.weight[:, :width].T,
        "bits": entry.weight[:, width:].T,
        "bias": entry.bias,
        "classes": network.classes.weight.T,
        "classes_bias": network.classes.bias,
    }
    for number, block in enumerate(network.blocks):
        weights |= {f"block{number}{name}": values for name, values in block.export().items()}  # type: ignore[operator]
    return {name: values.detach().half().float().numpy().copy() for name, values in weights.items()}


def _make_sample(job: tuple[Note, Sequence[Note], str]) -> Sample:
    note, others, seed = job
    return describe_note(augment(note, others, random.Random(seed)))


def describe_note(note: Note) -> Sample:
    """Describe a labelled note as the clean step sees it."""
    view = fold(note.text)
    numbers, bits = describe(view.text, recognise(view.text, note.language, find_fields(view.text)), find_unknown(view.text))
    classes = np.zeros(len(note.text), np.uint8)
    weights = np.ones(len(note.text), np.float32)
    for start, end, kind in note.spans():
        if kind != TRAP:
            classes[start:end] = CLASSES.index(_CLASS_OF.get(kind, "NUMBER"))
        weights[start:end] = _TRAP_WEIGHT if kind == TRAP else _IDENTIFIER_WEIGHT
    if view.positions is not None:
        kept = np.array(view.positions, int)
        classes, weights = classes[kept], weights[kept]
    return Sample(numbers, np.packbits(bits, axis=1), classes, weights)


def _batches(samples: Sequence[Sample], rng: random.Random) -> Iterator[Sample]:
    """Join the samples in random order, blank characters between them, and cut windows of it: arrays (batch, window, …)."""
    packed = np.packbits(np.ones((1, BITS), np.uint8), axis=1)
    gap = Sample(
        np.zeros(GAP, np.int16),
        np.zeros((GAP, packed.shape[1]), np.uint8),
        np.zeros(GAP, np.uint8),
        np.zeros(GAP, np.float32),
    )
    pieces: list[Sample] = []
    for sample in rng.sample(samples, len(samples)):
        seen = np.ones((1, BITS), np.uint8)
        if rng.random() < _WITHOUT_WORDS:
            seen[:, WORD_BITS] = 0
        if rng.random() < _WITHOUT_VERDICTS:
            seen[:, VERDICT_BITS] = 0
        bits = sample.bits & np.packbits(seen, axis=1)
        pieces += [Sample(sample.numbers, bits, sample.classes, sample.weights), gap]
    joined = [np.concatenate([getattr(piece, name) for piece in pieces]) for name in Sample.__slots__]
    count = len(joined[0]) // _WINDOW
    windows = [values[: count * _WINDOW].reshape(count, _WINDOW, *values.shape[1:]) for values in joined]
    order = rng.sample(range(count), count)
    for start in range(0, count - _BATCH + 1, _BATCH):
        yield Sample(*(values[order[start : start + _BATCH]] for values in windows))


def _loss(network: Network, batch: Sample) -> Tensor:
    """Cross-entropy of the classes, and of "identifies or not": which class matters less than whether it is masked."""
    bits = np.unpackbits(batch.bits, axis=2, count=BITS)
    with torch.autocast("cpu", torch.bfloat16):
        scores = network(torch.from_numpy(batch.numbers.astype(np.int64)), torch.from_numpy(bits).float())
    logs = torch.log_softmax(scores.float(), -1)
    classes, weights = torch.from_numpy(batch.classes.astype(np.int64)), torch.from_numpy(batch.weights)
    of_class = -logs.gather(-1, classes[..., None])[..., 0]
    identifies = torch.log1p(-logs[..., 0].exp().clamp(max=1 - 1e-6))
    return ((of_class + torch.where(classes == 0, -logs[..., 0], -identifies)) * weights).sum() / weights.sum().clamp(min=1)


@torch.no_grad()
def _follow(average: Network, network: Network, decay: float) -> None:
    for mean, now in zip(average.state_dict().values(), network.state_dict().values()):
        if mean.dtype.is_floating_point:
            mean.lerp_(now, 1 - decay)


def main() -> None:
    """Train and write the weights."""
    parser = argparse.ArgumentParser(description="Train the tagger of de-identification on labelled notes.")
    parser.add_argument("--notes", type=Path, default=NOTES, help="a folder of labelled notes, a file a hand")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="HAND", help="hands to train without")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each note is written again")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="how often each of these is seen")
    parser.add_argument("--output", type=Path, help=f"where the weights go (default without --leave-out: {WEIGHTS.name} here)")
    arguments = parser.parse_args()
    output = arguments.output or (None if arguments.leave_out else WEIGHTS)
    if output is None:
        parser.error("--leave-out wants --output: weights trained without a hand are for measuring")
    samples = make_samples(read_hands(arguments.notes, arguments.leave_out), arguments.rounds, seed=0)
    weights = fit_networks(samples, arguments.epochs)
    save_file({name: values.astype(np.float16) for name, values in weights.items()}, output)


if __name__ == "__main__":
    main()
