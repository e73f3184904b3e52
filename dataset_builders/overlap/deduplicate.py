"""Find duplicates across sources and languages: equal and near-equal texts (MinHash), and images (SHA-256, then pHash).

Which copy stays is a rule: one that may be published, then the fullest provenance, then the freest licence, then the most
images, then the smallest id; the others become Rejects that name it. Texts that differ in a number, level, side, grade or
negation are never duplicates, however alike the rest is: MinHash only proposes pairs, ``Vocabulary.is_near_duplicate``
decides.
"""

import dataclasses
import hashlib
import io
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dataset_builders.characters import comparable
from dataset_builders.document import HOSPITAL_LICENCE, UNKNOWN_LICENCE, Document, Reject
from dataset_builders.licences import PUBLIC_DOMAIN, US_GOVERNMENT
from dataset_builders.overlap.shingles import (
    BANDS,
    SHINGLE,
    SIGNATURE,
    Vocabulary,
    band_keys,
    hash_spans,
    hash_windows,
    minhash,
)

IMAGE_BITS = 4  # of 64; recompression moves a pHash by at most 2 bits, another image by many more
_CHUNK_BITS = 64 // (IMAGE_BITS + 1) + 1  # five chunks of 13 bits, the last of 12
_BATCH = 1 << 20  # characters encoded at a time
_CROWD = 16  # from so many candidates on, comparing signatures first is cheaper than comparing words
# At NEAR_THRESHOLD a pair agrees in less than half of its signature with a chance below 1e-8 (binomial, 120 of 0.75).
_LIKELY = SIGNATURE // 2
_CROWDED = 200  # texts in a bucket
_UNCOMMON_PART = 4  # a word is uncommon in a bucket that has four times as many texts as the word has uses
_UNCOMMON = 32  # words; a text with more is looked for under all of them together
_FREE = (PUBLIC_DOMAIN, US_GOVERNMENT, "CC0-1.0", "CC-PDM-1.0")


def near_duplicates(texts: Mapping[str, str] | Iterable[tuple[str, str]], order: Sequence[int] | None = None) -> dict[str, str]:
    """Find the texts that repeat an earlier one; return key of the copy -> key of the text that stays.

    texts   key and text, read once and not kept; memory is about 0.5 kB a text and 4 bytes a word. A text without words
            repeats none.
    order   positions of the texts by rank, those to keep first; by default in the order given.

    Copies are exact (the same words) or near (``Vocabulary.is_near_duplicate``).
    """
    corpus = _Corpus()
    corpus.add(texts.items() if isinstance(texts, Mapping) else texts)
    return corpus.find_copies(range(len(corpus.keys)) if order is None else order)


def image_hash(image: bytes) -> int:
    """Return the 64-bit perceptual hash of an encoded image."""
    import imagehash
    from PIL import Image

    with Image.open(io.BytesIO(image)) as opened:
        return int(str(imagehash.phash(opened.convert("L"))), 16)


class ImageIndex:
    """Finds an image within IMAGE_BITS of one seen before."""

    def __init__(self) -> None:
        self._hashes = array("Q")
        self._owners: list[str] = []
        # Cut 64 bits into IMAGE_BITS + 1 chunks: hashes that differ in IMAGE_BITS bits share at least one whole chunk.
        # A chunk leads to the numbers of the images that have it.
        self._chunks: dict[tuple[int, int], array[int]] = defaultdict(lambda: array("q"))

    def find(self, value: int) -> str | None:
        """Return the owner of the first remembered image that looks the same, None if there is none."""
        found = self._search(value)
        return None if found is None else self._owners[found[0]]

    def distance(self, value: int) -> int | None:
        """Return how many bits lie between ``value`` and the image that ``find`` names, None if it names none."""
        found = self._search(value)
        return None if found is None else found[1]

    def find_or_add(self, value: int, owner: str) -> str | None:
        """Do as ``find`` does; if nothing is found, remember the image as ``owner``'s."""
        found = self.find(value)
        if found is None:
            for key in self._keys(value):
                self._chunks[key].append(len(self._owners))
            self._hashes.append(value)
            self._owners.append(owner)
        return found

    def _search(self, value: int) -> tuple[int, int] | None:
        """Return number and distance of the first remembered image within IMAGE_BITS, None if there is none."""
        numbers = [np.frombuffer(self._chunks[key], np.int64) for key in self._keys(value) if key in self._chunks]
        if not numbers:
            return None
        candidates = np.concatenate(numbers)
        distances = np.bitwise_count(np.frombuffer(self._hashes, np.uint64)[candidates] ^ np.uint64(value))
        near = distances <= IMAGE_BITS
        if not near.any():
            return None
        first = int(candidates[near].min())
        return first, (self._hashes[first] ^ value).bit_count()

    def _keys(self, value: int) -> list[tuple[int, int]]:
        return [(number, value >> _CHUNK_BITS * number & (1 << _CHUNK_BITS) - 1) for number in range(IMAGE_BITS + 1)]


def deduplicate_documents(
    read: Callable[[], Iterator[dict[str, Any]]], image_of: Callable[[str], bytes]
) -> Iterator[dict[str, Any] | Reject]:
    """Drop copies of documents, and images that another document also shows; the global step "distinct".

    read       gives the records of all documents, as often as it is called.
    image_of   gives the bytes of an image by its SHA-256.

    A case (``case_id``) is one patient's. It is dropped only if its text and all its images equal another's, and its slices
    are not compared with each other: neighbouring slices look alike but are not the same. A question about an image is
    dropped by the same rule: "What does the image show?" is another question under another image.
    """
    facts: dict[str, _Facts] = {}

    def texts() -> Iterator[tuple[str, str]]:
        for record in read():
            document = Document.from_dict(_without_shard(record))
            if document.id not in facts:
                facts[document.id] = _Facts.of(document)
                if words := _words_compared(document):
                    yield document.id, words

    corpus = _Corpus()
    corpus.add(texts())
    ranked = sorted(facts.values(), key=lambda fact: fact.rank)
    copies = _exact_copies(ranked)
    position = {key: number for number, key in enumerate(corpus.keys)}
    order = [position[fact.id] for fact in ranked if fact.id in position and fact.id not in copies]
    copies |= corpus.find_copies(order)
    repeated = _repeated_images((fact for fact in ranked if fact.id not in copies), image_of)

    seen: set[str] = set()
    for record in read():
        document = Document.from_dict(_without_shard(record))
        if document.id in seen:
            yield Reject(document.id, "duplicate_id", "another source gives the same id", document.provenance.source_locator)
        elif document.id in copies:
            yield Reject(document.id, "duplicate_document", f"same as {_kept(document.id, copies)}")
        else:
            figures = []
            for figure in document.figures:
                if owner := repeated.get((document.id, figure.image_sha256 or "")):
                    where = figure.label or figure.locator
                    yield Reject(document.id, "duplicate_image", f"same as an image of {owner}", where)
                else:
                    figures.append(figure)
            if len(figures) < len(document.figures):
                record = {**dataclasses.replace(document, figures=tuple(figures)).to_dict(), "_shard": record["_shard"]}
            yield record
        seen.add(document.id)


_Place = int | tuple[int, frozenset[int], bool]  # a bucket, or a part of a crowded one: its words, and whether all of them


class _Corpus:
    """What is kept of each text once it is read: word ids, signatures and bucket keys."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._vocabulary = Vocabulary()
        self._ids = array("I")
        self._offsets = array("q", [0])
        self._buckets = array("Q")  # (texts, 1 + BANDS): a key of the whole text, then one a band
        self._signatures = array("H")  # (texts, SIGNATURE): 16 of 32 bits, enough to tell unlike texts apart

    def add(self, texts: Iterable[tuple[str, str]]) -> None:
        for batch in _batches(texts):
            self.keys.extend(key for key, _ in batch)
            encoded = self._vocabulary.encode(text for _, text in batch)
            signatures = minhash(*hash_windows(encoded, SHINGLE))
            whole = hash_spans(encoded.ids, encoded.offsets[:-1], encoded.offsets[1:])
            bands = band_keys(signatures, self._vocabulary.hash_guards(encoded))
            self._buckets.frombytes(np.column_stack((whole, bands)).tobytes())
            self._signatures.frombytes(signatures.astype(np.uint16).tobytes())
            self._offsets.frombytes((encoded.offsets[1:] + len(self._ids)).tobytes())
            self._ids.frombytes(encoded.ids.tobytes())

    def find_copies(self, order: Sequence[int]) -> dict[str, str]:
        """Return key of every copy -> key of the text that stays. Texts that ``order`` leaves out are not compared.

        Thousands of texts that share a long form of words ("Answer as a spine surgeon would: …") fall into one bucket and
        would all be compared. A crowded bucket is cut by its texts' uncommon words: equal, or one more on either side.
        """
        buckets, sizes = _shared_buckets(np.frombuffer(self._buckets, np.uint64).reshape(-1, 1 + BANDS), order)
        signatures = np.frombuffer(self._signatures, np.uint16).reshape(-1, SIGNATURE)
        frequency = np.bincount(np.frombuffer(self._ids, np.uint32)) if self._ids else np.empty(0, np.int64)
        kept: dict[_Place, list[int]] = defaultdict(list)
        copies: dict[str, str] = {}
        for place, (text, shared) in enumerate(zip(order, buckets, strict=True)):
            mine = shared[shared >= 0]
            words = np.frombuffer(self._ids, np.uint32)[self._offsets[text] : self._offsets[text + 1]]
            if not len(mine) or not len(words):
                continue
            crowded = sizes[mine] > _CROWDED
            look: list[_Place] = mine[~crowded].tolist()
            put = look[:]
            for bucket in mine[crowded].tolist():
                uncommon = frozenset(words[frequency[words] <= sizes[bucket] // _UNCOMMON_PART].tolist())
                less = [uncommon - {word} for word in uncommon] if len(uncommon) <= _UNCOMMON else []
                look += [(bucket, uncommon, True), (bucket, uncommon, False), *((bucket, fewer, True) for fewer in less)]
                put += [(bucket, uncommon, True), *((bucket, fewer, False) for fewer in less)]
            candidates = sorted(set().union(*(kept[at] for at in look if at in kept)))
            if len(candidates) > _CROWD:
                rows = np.array([order[candidate] for candidate in candidates])
                likely = (signatures[rows] == signatures[text]).sum(axis=1) >= _LIKELY
                candidates = [candidate for candidate, alike in zip(candidates, likely.tolist(), strict=True) if alike]
            for candidate in candidates:
                if self._same(order[candidate], text):
                    copies[self.keys[text]] = self.keys[order[candidate]]
                    break
            else:
                for at in put:
                    kept[at].append(place)
        return copies

    def _same(self, one: int, other: int) -> bool:
        first, second = (self._ids[self._offsets[text] : self._offsets[text + 1]] for text in (one, other))
        return first == second or self._vocabulary.is_near_duplicate(first, second)


def _shared_buckets(keys: NDArray[np.uint64], order: Sequence[int]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Number shared keys, -1 for those of one text alone, shape (texts in order, keys); return them and the buckets' sizes."""
    rows = np.array(order, np.int64)
    numbers = np.full((len(rows), keys.shape[1]), -1, np.int32)
    sizes: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    used = 0
    for column in range(keys.shape[1]):
        _, place, count = np.unique(keys[rows, column], return_inverse=True, return_counts=True)
        shared = count > 1
        number = np.where(shared, used + np.cumsum(shared) - 1, -1)
        numbers[:, column] = number[place]
        sizes.append(count[shared])
        used += int(shared.sum())
    return numbers, np.concatenate(sizes)


def _batches(texts: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    batch: list[tuple[str, str]] = []
    size = 0
    for pair in texts:
        batch.append(pair)
        size += len(pair[1]) + 1
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is kept of a document while all are compared; ``images`` is () for cases."""

    id: str
    rank: tuple[bool, int, int, int, str]
    content: bytes
    images: tuple[str, ...]

    @classmethod
    def of(cls, document: Document) -> Self:
        images = tuple(figure.image_sha256 for figure in document.figures if figure.image_sha256)
        content = hashlib.sha256("\n".join((comparable(_words(document)), *sorted(images))).encode()).digest()
        is_case = document.provenance.case_id is not None
        return cls(document.id, _rank(document), content, () if is_case else images)


def _words(document: Document) -> str:
    if exchange := document.exchange:
        return "\n".join((exchange.question, *exchange.options, exchange.answer))
    return document.markdown


def _words_compared(document: Document) -> str:
    """Return the words that tell whether a document is a near copy, "" if words alone cannot tell."""
    shows = any(figure.image_sha256 for figure in document.figures)
    if document.provenance.case_id is not None or (document.exchange and shows):
        return ""
    return _words(document)


def _rank(document: Document) -> tuple[bool, int, int, int, str]:
    """Return a sort key; the smallest stays: publishable, fullest provenance, freest licence, most images, smallest id."""
    licence = document.provenance.source_licence
    known = sum(value is not None for value in dataclasses.astuple(document.provenance))
    withheld = licence in (UNKNOWN_LICENCE, HOSPITAL_LICENCE)
    return withheld, -known, _strictness(licence), -len(document.figures), document.id


def _strictness(licence: str) -> int:
    """Return 0 for the public domain, 1 for attribution only, 2 for share-alike and what is stricter, 3 for an unknown one."""
    if licence in _FREE:
        return 0
    if licence in ("MIT", "Apache-2.0") or (licence.startswith("CC-BY") and not set(licence.split("-")) & {"SA", "NC", "ND"}):
        return 1
    return 3 if licence == UNKNOWN_LICENCE else 2


def _exact_copies(ranked: Iterable[_Facts]) -> dict[str, str]:
    first: dict[bytes, str] = {}
    return {fact.id: first[fact.content] for fact in ranked if first.setdefault(fact.content, fact.id) != fact.id}


def _kept(name: str, copies: Mapping[str, str]) -> str:
    """Follow copies to the document that stays: an exact copy's original can itself be a near copy of another."""
    while name in copies:
        name = copies[name]
    return name


def _repeated_images(ranked: Iterable[_Facts], image_of: Callable[[str], bytes]) -> dict[tuple[str, str], str]:
    """Return (document id, image) -> the earlier document that shows it, with one image in memory at a time."""
    index = ImageIndex()
    owners: dict[str, str] = {}
    repeated: dict[tuple[str, str], str] = {}
    for fact in ranked:
        for image in fact.images:
            if image not in owners:
                owners[image] = index.find_or_add(image_hash(image_of(image)), fact.id) or fact.id
            if owners[image] != fact.id:
                repeated[fact.id, image] = owners[image]
    return repeated


def _without_shard(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "_shard"}
