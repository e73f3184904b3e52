"""Turn texts into integers, many at a time: words, the words that guard a text's meaning, n-grams, and MinHash bands.

    text ─▶ tokenise ─▶ word ids (Vocabulary) ─▶ hashes of n-grams (hash_windows) ─▶ MinHash bands (rensa)

What counts as the same text is decided here once, by ``guard_tokens`` and ``Vocabulary.is_near_duplicate``.
"""

import functools
import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import yaml
from numpy.typing import NDArray

from dataset_builders.characters import comparable

SHINGLE = 3  # words
NEAR_THRESHOLD = 0.75  # Jaccard similarity of shingles (ours): one word more inside a text of twenty, not inside one of fifteen
BANDS, BAND_ROWS = 20, 6  # at NEAR_THRESHOLD a pair shares a band with probability 0.98, at 0.85 with 0.9999
SIGNATURE = BANDS * BAND_ROWS
_LONG_WORD = 7  # letters: in shorter words one slip makes another word ("pain", "palm")

_SCALES = "grade|type|class|stage|group|category|level|scale|score|asia|ais|frankel|schizas|ao"
_HAN = "\u3400-\u9fff"
_TOKEN = re.compile(
    rf"(?:{_SCALES})\W{{1,3}}[a-h](?!\w)"  # "ASIA A", "type: B": the letter alone could be an article
    r"|[a-z] ?[级型期类组度]"
    r"|[a-z]{1,2}\d+(?:[.,]\d+)*(?:[a-z](?![a-z\d]))?"  # "L4", "Th12", "A3", "C5a"
    r"|\d+(?:[.,]\d+)*(?:[a-z](?![a-z\d]))?"
    rf"|[^\W\d_{_HAN}]+(?:['’][a-z]+)?"
    rf"|[{_HAN}]"
    r"|[≤≥±+↑↓]|[<>](?= ?=? ?\d)"
    r"|-(?=\))|(?<=\d)-(?=/)|(?<![\w)\]])-(?=\d)"  # a negative test, muscle power of 4-/5, a T-score of -2.5
)
_ROMAN = re.compile(r"[ivx]{1,5}")
_MULTIPLIER = 0x9E3779B97F4A7C15
_INVERSE = pow(_MULTIPLIER, -1, 1 << 64)

Hashes = NDArray[np.uint64]
Offsets = NDArray[np.int64]


def tokenise(text: str) -> list[str]:
    """Cut a text into words, levels, numbers, signs that carry meaning, and single Han characters, in comparable forms."""
    folded = " ".join(text.lower().split()) if text.isascii() else comparable(text).replace("\u2212", "-")
    return _TOKEN.findall(folded)


def guard_tokens(tokens: Iterable[str]) -> tuple[str, ...]:
    """Return the tokens that two texts must share, in order, to be the same: numbers, levels, sides, grades, negations."""
    return tuple(token for token in tokens if is_guard(token))


def is_guard(token: str) -> bool:
    """Tell whether a token guards a sentence's meaning: listed in guard_words.yaml, or a number, letter, numeral or sign."""
    if token in _guard_words():
        return True
    if len(token) == 1:
        return token != "a" and (token.isascii() or not token.isalpha())
    return not token.replace("'", "").replace("’", "").isalpha() or token[-1] in "级型期类组度" or bool(_ROMAN.fullmatch(token))


@dataclass(frozen=True, slots=True)
class Encoded:
    """Texts as word ids, function words left out: text i is ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: NDArray[np.uint32]
    offsets: Offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1


class Vocabulary:
    """Words numbered in the order they are met, so that the same texts give the same numbers in every run."""

    def __init__(self) -> None:
        self._numbers = _Numbers()
        for word in _word_lists()["function words"]["all"].split():
            self._numbers[word] = 0
        self._numbers.words.append("")
        self._numbers.guards.append(False)

    def encode(self, texts: Iterable[str]) -> Encoded:
        """Number every word of ``texts``."""
        ids = array("I")
        offsets = array("q", [0])
        number = self._numbers.__getitem__
        for text in texts:
            ids.extend(filter(None, map(number, tokenise(text))))
            offsets.append(len(ids))
        return Encoded(np.frombuffer(ids, np.uint32) if ids else np.empty(0, np.uint32), np.frombuffer(offsets, np.int64))

    def words(self, ids: Iterable[int]) -> list[str]:
        """Return the words of ``ids``."""
        return [self._numbers.words[number] for number in ids]

    def guards(self, ids: Iterable[int]) -> tuple[int, ...]:
        """Return the ``ids`` that are guard tokens."""
        return tuple(number for number in ids if self._numbers.guards[number])

    def hash_guards(self, encoded: Encoded) -> Hashes:
        """Hash each text's guard tokens, in order."""
        chosen = np.frombuffer(self._numbers.guards, np.bool_)[encoded.ids]
        places = np.concatenate(([0], np.cumsum(chosen)))[encoded.offsets]
        return hash_spans(encoded.ids[chosen], places[:-1], places[1:])

    def is_near_duplicate(self, one: Sequence[int], other: Sequence[int]) -> bool:
        """Tell whether two texts (word ids) say the same.

        They do if their guard tokens are equal and in the same order, the Jaccard similarity of their shingles is at least
        NEAR_THRESHOLD, and the shorter is what is left of the longer when words are taken out. A word put in place of
        another ("root" for "disc", another question under the same case) makes another text. Long words may differ by one
        slip of the pen or of the OCR.
        """
        if similarity(one, other) < NEAR_THRESHOLD:
            return False
        if self.guards(one) != self.guards(other):
            return False
        short, long = sorted((one, other), key=len)
        place = 0
        for number in long:
            if place < len(short) and (short[place] == number or self._is_misspelt(short[place], number)):
                place += 1
        return place == len(short)

    def _is_misspelt(self, one: int, other: int) -> bool:
        guards, words = self._numbers.guards, self._numbers.words
        return not guards[one] and not guards[other] and _one_slip(words[one], words[other])


def similarity(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the Jaccard similarity of the shingles of two texts (word ids)."""
    first, second = _shingles(one), _shingles(other)
    return len(first & second) / len(first | second)


def hash_windows(encoded: Encoded, size: int) -> tuple[Hashes, Offsets]:
    """Hash every ``size`` words in a row; return the hashes and each text's offsets. A shorter text is one window."""
    starts, ends = encoded.offsets[:-1], encoded.offsets[1:]
    counts = np.where(ends > starts, np.maximum(ends - starts - size + 1, 1), 0)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    begin = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
    return hash_spans(encoded.ids, begin, np.minimum(begin + size, np.repeat(ends, counts))), offsets


def hash_spans(ids: NDArray[np.uint32], starts: Offsets, ends: Offsets) -> Hashes:
    """Hash each ``ids[start:end]`` to 64 bits, by prefix sums of a polynomial modulo 2**64. An empty span hashes to 0."""
    powers = np.cumprod(np.full(len(ids) + 1, _MULTIPLIER, np.uint64), dtype=np.uint64)
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(_scramble(ids.astype(np.uint64)) * powers[:-1], dtype=np.uint64)))
    shift = np.cumprod(np.full(len(ids) + 1, _INVERSE, np.uint64), dtype=np.uint64)
    spans: Hashes = (sums[ends] - sums[starts]) * shift[starts]
    return _scramble(spans)


def minhash(windows: Hashes, offsets: Offsets) -> NDArray[np.uint32]:
    """Return (texts, SIGNATURE) MinHash signatures of each text's windows. Every text must have a window."""
    from rensa import RMinHash

    matrix = RMinHash.digest_matrix_from_flat_token_hashes(windows, offsets, num_perm=SIGNATURE, seed=1)
    return np.array(matrix.to_rows(), np.uint32)


def band_keys(signatures: NDArray[np.uint32], guards: Hashes) -> Hashes:
    """Return (texts, BANDS) keys; texts that share a key agree in a whole band and in all their guard tokens.

    Guards are part of the key because template texts that differ only in a level would all fall into one bucket.
    """
    bands = signatures.reshape(-1, BANDS, BAND_ROWS).astype(np.uint64)
    weights = np.cumprod(np.full(BAND_ROWS, _MULTIPLIER, np.uint64))
    numbers = _scramble(np.arange(1, BANDS + 1, dtype=np.uint64))
    bands_hash: Hashes = (_scramble(bands) * weights).sum(axis=2, dtype=np.uint64)
    return _scramble(_scramble(bands_hash) ^ guards[:, None] ^ numbers)


class _Numbers(dict[str, int]):
    """Word -> number; a new word gets the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.guards = bytearray()

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self.words)
        self.words.append(word)
        self.guards.append(is_guard(word))
        return number


@functools.cache
def _guard_words() -> frozenset[str]:
    lists = _word_lists()
    return frozenset(" ".join(lists["en"].values()).split()) | frozenset("".join(lists["zh"].values()))


def _word_lists() -> dict[str, dict[str, str]]:
    return yaml.safe_load(resources.files("dataset_builders.overlap").joinpath("guard_words.yaml").read_text(encoding="utf-8"))


def _shingles(ids: Sequence[int]) -> set[tuple[int, ...]]:
    return {tuple(ids[i : i + SHINGLE]) for i in range(max(1, len(ids) - SHINGLE + 1))}


def _one_slip(one: str, other: str) -> bool:
    """Tell whether long words that begin alike differ by one letter (added, left out, changed) or two swapped neighbours."""
    if min(len(one), len(other)) < _LONG_WORD or abs(len(one) - len(other)) > 1 or one[0] != other[0]:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    rest, also = one[start:], other[start:]
    swapped = rest[:2] == also[1::-1] and rest[2:] == also[2:]
    return swapped or rest[1:] == also[1:] or rest[1:] == also or rest == also[1:]


def _scramble(values: Hashes) -> Hashes:
    """SplitMix64's finaliser: neighbouring numbers become unlike."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
