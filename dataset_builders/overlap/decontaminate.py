"""Find what would give a benchmark item away, in SpineMed (SpineBench ∩ SpineMed = ∅) or in any other corpus.

The build holds train and benchmark apart by source document and case first (spinebench.py); what remains is the same
question, passage or image reached another way. Kinds of overlap, the surest first:

    same_source, same_case   one document or patient on both sides
    same_image             equal bytes
    similar_image          pHash within deduplicate.IMAGE_BITS, if neither is a slice of a case
    same_passage             half of the benchmark text's n-grams stand in the other text
    near_duplicate           the same question but for letter case, punctuation or a word more (shingles.py)

Words of a question count only if all its levels, sides, grades and numbers stand in the other text too: the same
question about another level is another question. If both sides show images the images decide, and if both are
cases their case ids do: "Which level is marked?" is asked of many images, and normal studies are reported alike.
"""

import functools
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dataset_builders.document import HOSPITAL_LICENCE
from dataset_builders.item import Item
from dataset_builders.overlap.deduplicate import ImageIndex, image_hash
from dataset_builders.overlap.shingles import SHINGLE, Encoded, Vocabulary, band_keys, hash_windows, minhash, similarity

NGRAM = 13  # words or Han characters: the length usual in contamination checks of language models
SHARED = 0.5  # of the n-grams of a benchmark text (ours): half of it cannot stand elsewhere by chance
KINDS = ("same_source", "same_case", "same_image", "similar_image", "same_passage", "near_duplicate")
_HASH_BITS = 64  # of a perceptual hash
_BATCH = 100  # samples: with their images they are in memory at once
_OPTION = re.compile(r"^[ \t]*[(（]?[A-J][.)、．:：）][ \t]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SampleImage:
    """An image by the SHA-256 of its encoded bytes; ``load`` reads them when they are needed."""

    sha256: str
    load: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Sample:
    """The parts of a benchmark item or a corpus row in which leaks are looked for.

    asked     questions, each option on a line of its own.
    said      replies, or running text. For a benchmark item the reference report only: a right option gives nothing away.
    passages  the source passages from which it was made, if they are known (inside a build).
    quotable  whether its words may be quoted in a report; False for hospital records.
    """

    id: str
    asked: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    images: tuple[SampleImage, ...] = ()
    source_id: str | None = None
    case_id: str | None = None
    quotable: bool = True

    @property
    def words(self) -> str:
        """Join all its words, for an excerpt."""
        return " ".join((*self.asked, *self.said, *self.passages))


@dataclass(frozen=True, slots=True)
class Overlap:
    """A corpus sample, the benchmark item it gives away, how, and how closely (0–1)."""

    benchmark: Sample
    corpus: Sample
    kind: str
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Contamination:
    """A training item, the benchmark item it gives away, and how."""

    train_id: str
    benchmark_id: str
    reason: str
    overlap: float = 1.0


def find_contamination(
    train: Iterable[Item], benchmark: Sequence[Item], image_of: Callable[[str], bytes]
) -> Iterator[Contamination]:
    """Find the training items that give a benchmark item away; yield at most one Contamination for each, its surest.

    image_of   gives the bytes of an image by its SHA-256.
    """
    index = BenchmarkIndex([_item_sample(item, image_of, benchmark=True) for item in benchmark])
    overlaps = index.find(_item_sample(item, image_of, benchmark=False) for item in train)
    for name, found in itertools.groupby(overlaps, key=lambda overlap: overlap.corpus.id):
        first = next(found)
        yield Contamination(name, first.benchmark.id, first.kind, first.score)


class BenchmarkIndex:
    """A benchmark of some hundred items, indexed once; corpora of any size stream past it.

    ``unread`` counts images that could not be decoded, by "benchmark" and "corpus": only their bytes were compared.
    """

    def __init__(self, benchmark: Sequence[Sample]) -> None:
        self.unread: Counter[str] = Counter()
        self._sources = {sample.source_id: sample for sample in benchmark if sample.source_id}
        self._cases = {sample.case_id: sample for sample in benchmark if sample.case_id}
        self._images = {image.sha256: sample for sample in benchmark for image in sample.images}
        self._by_id = {sample.id: sample for sample in benchmark}
        self._looks = ImageIndex()
        self._hashes: dict[str, int | None] = {}
        for sample in benchmark:
            for image in () if sample.case_id else sample.images:
                if (value := self._hash_image(image, "benchmark")) is not None:
                    self._looks.find_or_add(value, sample.id)
        self._words = _WordIndex(benchmark)

    def find(self, corpus: Iterable[Sample]) -> Iterator[Overlap]:
        """Yield every benchmark item that a sample gives away, each by its surest kind; a sample's overlaps come together."""
        for batch in _batches(corpus):
            words = self._words.find(batch)
            for number, sample in enumerate(batch):
                found: dict[str, Overlap] = {}
                for overlap in (*self._find_plain(sample), *words[number]):
                    found.setdefault(overlap.benchmark.id, overlap)
                yield from sorted(found.values(), key=lambda overlap: (KINDS.index(overlap.kind), -overlap.score))

    def _find_plain(self, sample: Sample) -> Iterator[Overlap]:
        if owner := self._sources.get(sample.source_id or ""):
            yield Overlap(owner, sample, "same_source")
        if owner := self._cases.get(sample.case_id or ""):
            yield Overlap(owner, sample, "same_case")
        for image in sample.images:
            if owner := self._images.get(image.sha256):
                yield Overlap(owner, sample, "same_image")
            elif not sample.case_id and (value := self._hash_image(image, "corpus")) is not None:
                name, bits = self._looks.find(value), self._looks.distance(value)
                if name is not None and bits is not None:
                    yield Overlap(self._by_id[name], sample, "similar_image", 1 - bits / _HASH_BITS)

    def _hash_image(self, image: SampleImage, side: str) -> int | None:
        """Return an image's perceptual hash, None if it cannot be decoded."""
        if image.sha256 not in self._hashes:
            data = image.load()
            try:
                self._hashes[image.sha256] = image_hash(data)
            except (OSError, ValueError, Image.DecompressionBombError):
                self._hashes[image.sha256] = None
                self.unread[side] += 1
        return self._hashes[image.sha256]


@dataclass(frozen=True, slots=True)
class _Text:
    """One text of a benchmark sample: its words and, if it is a question, the guards that the other text must have."""

    owner: Sample
    ids: tuple[int, ...]
    guards: tuple[int, ...]
    is_question: bool


class _WordIndex:
    """N-grams and MinHash bands of the benchmark's texts."""

    def __init__(self, benchmark: Sequence[Sample]) -> None:
        self._vocabulary = Vocabulary()
        questions = [(sample, text) for sample in benchmark for text in (*_questions(sample), *sample.said)]
        passages = [(sample, text) for sample in benchmark if (text := "\n".join(sample.passages))]
        encoded = self._vocabulary.encode(text for _, text in (*questions, *passages))
        grams, offsets = hash_windows(encoded, NGRAM)
        self._texts = [
            _Text(sample, ids := _row(encoded, number), self._vocabulary.guards(ids), number < len(questions))
            for number, (sample, _) in enumerate((*questions, *passages))
        ]
        self._grams = _Owners(grams, np.repeat(np.arange(len(self._texts)), np.diff(offsets)))
        keys = self._band_keys(encoded) if len(encoded) else np.empty((0, 1), np.uint64)
        asked = keys[: len(questions)]
        self._bands = _Owners(asked.ravel(), np.repeat(np.arange(len(asked)), asked.shape[1]))

    def find(self, batch: Sequence[Sample]) -> list[list[Overlap]]:
        """Return the overlaps in words of each sample, passages before near duplicates."""
        found: list[list[Overlap]] = [[] for _ in batch]
        if self._texts:
            for number, text, score in self._find_passages(batch):
                found[number].append(Overlap(text.owner, batch[number], "same_passage", score))
            for number, text, score in self._find_near(batch):
                found[number].append(Overlap(text.owner, batch[number], "near_duplicate", score))
        return found

    def _find_passages(self, batch: Sequence[Sample]) -> Iterator[tuple[int, _Text, float]]:
        encoded = self._vocabulary.encode(
            "\n".join((*map(_without_marks, sample.asked), *sample.said, *sample.passages)) for sample in batch
        )
        grams, offsets = hash_windows(encoded, NGRAM)
        number, is_met = _look_up(grams, self._grams.keys)
        met = np.flatnonzero(is_met)
        rows = np.searchsorted(offsets, met, side="right") - 1
        for row, owner, score in self._grams.find_shared(rows, number[met]):
            text = self._texts[owner]
            if not _words_count(text, batch[row]):
                continue
            places = met[(rows == row) & self._grams.owned_by(number[met], owner)] - offsets[row]
            around = _row(encoded, row)[max(0, int(places.min()) - NGRAM) : int(places.max()) + 2 * NGRAM]
            if self._asks_the_same(text, around):
                yield row, text, score

    def _asks_the_same(self, text: _Text, around: Sequence[int]) -> bool:
        """Tell whether all levels, sides, grades and numbers of a question occur, in order, where its n-grams were found."""
        rest = iter(self._vocabulary.guards(around))
        return not text.is_question or all(guard in rest for guard in text.guards)

    def _find_near(self, batch: Sequence[Sample]) -> Iterator[tuple[int, _Text, float]]:
        parts = [(number, text) for number, sample in enumerate(batch) for text in (*_questions(sample), *sample.said)]
        if not parts:
            return
        encoded = self._vocabulary.encode(text for _, text in parts)
        keys = self._band_keys(encoded)
        number, is_met = _look_up(keys, self._bands.keys)
        for part in np.flatnonzero(is_met.any(axis=1)).tolist():
            sample = parts[part][0]
            ids = _row(encoded, part)
            for owner in self._bands.of(number[part][is_met[part]]):
                text = self._texts[owner]
                if ids and _words_count(text, batch[sample]) and self._vocabulary.is_near_duplicate(text.ids, ids):
                    yield sample, text, similarity(text.ids, ids)

    def _band_keys(self, encoded: Encoded) -> NDArray[np.uint64]:
        return band_keys(minhash(*hash_windows(encoded, SHINGLE)), self._vocabulary.hash_guards(encoded))


def _item_sample(item: Item, image_of: Callable[[str], bytes], *, benchmark: bool) -> Sample:
    """Make the sample of a build's item. If it is a benchmark item and no report, its reply is left out: it is the answer."""
    turns = {role: tuple(message.text for message in item.messages if message.role == role) for role in ("user", "assistant")}
    is_report = item.task == "report"
    return Sample(
        item.id,
        asked=() if benchmark and is_report else turns["user"],  # every report is asked for in the same few words
        said=turns["assistant"] if is_report or not benchmark else (),
        passages=item.context,
        images=tuple(SampleImage(image, functools.partial(image_of, image)) for image in item.images),
        source_id=item.provenance.source_id,
        case_id=item.provenance.case_id,
        quotable=item.provenance.source_licence != HOSPITAL_LICENCE,
    )


def _words_count(text: _Text, corpus: Sample) -> bool:
    """Tell whether equal words mean an overlap between the owner of a benchmark text and a corpus sample."""
    images_decide = text.is_question and text.owner.images and corpus.images
    return not images_decide and not (text.owner.case_id and corpus.case_id)


def _questions(sample: Sample) -> Iterator[str]:
    """Yield each question with its options, and a long one also without: other options do not make it another question."""
    for text in sample.asked:
        yield _without_marks(text)
        if (mark := _OPTION.search(text)) and len(text[: mark.start()].split()) >= NGRAM:
            yield text[: mark.start()]


def _without_marks(text: str) -> str:
    """Remove "A." before each option, since other corpora letter them differently."""
    return _OPTION.sub("", text)


class _Owners:
    """Which texts have a key: ``owners[starts[i]:starts[i + 1]]`` have ``keys[i]``; keys are sorted."""

    def __init__(self, keys: NDArray[np.uint64], owners: NDArray[np.int64]) -> None:
        self.keys, numbers = np.unique(keys, return_inverse=True)
        pairs = np.unique(np.column_stack((numbers, owners)), axis=0)
        self.owners = pairs[:, 1]
        self.starts = np.searchsorted(pairs[:, 0], np.arange(len(self.keys) + 1))
        self.counts = np.bincount(self.owners)

    def of(self, numbers: NDArray[np.int64]) -> list[int]:
        """Return the texts that have any of the keys, in order."""
        return sorted(
            {int(owner) for number in numbers for owner in self.owners[self.starts[number] : self.starts[number + 1]]}
        )

    def owned_by(self, numbers: NDArray[np.int64], owner: int) -> NDArray[np.bool_]:
        """Tell which of the keys the text ``owner`` has."""
        return np.isin(numbers, np.searchsorted(self.starts, np.flatnonzero(self.owners == owner), side="right") - 1)

    def find_shared(self, rows: NDArray[np.int64], numbers: NDArray[np.int64]) -> Iterator[tuple[int, int, float]]:
        """Yield row, text and the share of the text's keys that the row has, if it is SHARED or more, from pairs (row, key)."""
        rows, numbers = np.divmod(np.unique(rows * len(self.keys) + numbers), max(1, len(self.keys)))
        counts = self.starts[numbers + 1] - self.starts[numbers]
        places = np.arange(counts.sum()) + np.repeat(self.starts[numbers] - (np.cumsum(counts) - counts), counts)
        texts = len(self.counts)
        cells = np.bincount(np.repeat(rows, counts) * texts + self.owners[places])
        share = cells / np.resize(np.maximum(self.counts, 1), len(cells))
        for cell in np.flatnonzero(share >= SHARED).tolist():
            yield cell // texts, cell % texts, float(share[cell])


def _look_up(values: NDArray[np.uint64], keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the position of each value among the sorted ``keys``, and whether it is one of them."""
    if not len(keys):
        return np.zeros(values.shape, np.int64), np.zeros(values.shape, np.bool_)
    number = np.minimum(np.searchsorted(keys, values), len(keys) - 1)
    return number, np.asarray(keys[number] == values)


def _row(encoded: Encoded, number: int) -> tuple[int, ...]:
    return tuple(encoded.ids[encoded.offsets[number] : encoded.offsets[number + 1]].tolist())


def _batches(corpus: Iterable[Sample]) -> Iterator[list[Sample]]:
    samples = iter(corpus)
    while batch := list(itertools.islice(samples, _BATCH)):
        yield batch
