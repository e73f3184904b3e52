"""Duplicates: exact, near (MinHash) and pictures (pHash), across sources and languages.

Which copy stays is a rule: the freest licence, then the fullest provenance, then the smallest id; the others become
Rejects that name it. Texts that differ in a number, level, side, grade or negation are never duplicates, however alike
the rest is: MinHash only proposes pairs, ``guard_tokens`` decides.
"""

import dataclasses
import hashlib
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from dataset_builders.document import HOSPITAL_LICENCE, UNKNOWN_LICENCE, Document, Reject

NEAR_THRESHOLD = 0.85  # Jaccard similarity of word 3-shingles (ours)
PICTURE_BITS = 4  # of 64; recompression moves a pHash by at most 2 bits, another picture by many more
_PERMUTATIONS = 128
_BANDS = 16

_WORD = re.compile(r"[a-z]+(?:[’'][a-z]+)?|\d+(?:[.,]\d+)*|[\u4e00-\u9fff]|[^\W\d_]+")
_GUARD = re.compile(
    r"\d|^(?:left|right|bilateral|both|upper|lower|superior|inferior|anterior|posterior|medial|lateral|central|proximal|distal|"
    r"mild|moderate|severe|slight|marked|partial|complete|acute|chronic|no|not|nor|without|absent|negative|positive|normal|"
    r"first|second|third|fourth|fifth|sixth|seventh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"cervical|thoracic|lumbar|sacral|increased?|decreased?|except|[ivx]+|[左右双前后上下内外中轻重度无未不非阴阳颈胸腰骶一二三四五六七八九十])$"
)


def normalise(text: str) -> str:
    """NFKC, case-folded, runs of white space as one space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def tokenise(text: str) -> list[str]:
    """Words, numbers, and single Han characters of the normalised text."""
    return _WORD.findall(normalise(text))


def guard_tokens(tokens: Iterable[str]) -> tuple[str, ...]:
    """The tokens two texts must share, in order, to be the same: numbers, levels, sides, grades, negations."""
    return tuple(token for token in tokens if _GUARD.search(token))


def near_duplicates(texts: Mapping[str, str]) -> dict[str, str]:
    """Which texts repeat an earlier one: key of the copy -> key of the text that stays (the first in ``texts``).

    Exact copies (after ``normalise``) and near ones: at least NEAR_THRESHOLD Jaccard similarity of word 3-shingles
    with equal ``guard_tokens``.
    """
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=NEAR_THRESHOLD, num_perm=_PERMUTATIONS, num_bands=_BANDS)
    kept: list[tuple[str, frozenset[str], tuple[str, ...]]] = []
    exact: dict[bytes, str] = {}
    duplicates: dict[str, str] = {}
    for key, text in texts.items():
        tokens = tokenise(text)
        digest = hashlib.sha256(" ".join(tokens).encode()).digest()
        if digest in exact:
            duplicates[key] = exact[digest]
            continue
        exact[digest] = key
        shingles = frozenset(" ".join(tokens[i : i + 3]) for i in range(max(1, len(tokens) - 2)))
        guards = guard_tokens(tokens)
        signature = RMinHash(num_perm=_PERMUTATIONS, seed=1)
        signature.update(sorted(shingles))
        original = next(
            (
                kept[candidate]
                for candidate in sorted(index.query(signature))
                if kept[candidate][2] == guards and _jaccard(kept[candidate][1], shingles) >= NEAR_THRESHOLD
            ),
            None,
        )
        if original:
            duplicates[key] = original[0]
        else:
            index.insert(len(kept), signature)
            kept.append((key, shingles, guards))
    return duplicates


def picture_hash(image: bytes) -> int:
    """The 64-bit perceptual hash of an encoded picture."""
    import imagehash
    from PIL import Image

    with Image.open(io.BytesIO(image)) as picture:
        return int(str(imagehash.phash(picture.convert("L"))), 16)


class PictureIndex:
    """Finds a picture within PICTURE_BITS of one seen before."""

    def __init__(self) -> None:
        # Cut 64 bits into PICTURE_BITS + 1 chunks: hashes that differ in PICTURE_BITS bits share at least one whole chunk.
        self._chunks: dict[tuple[int, int], list[tuple[int, str]]] = defaultdict(list)

    def find(self, value: int) -> str | None:
        """The owner of a remembered picture that looks the same."""
        for key in self._keys(value):
            for other, owner in self._chunks[key]:
                if (value ^ other).bit_count() <= PICTURE_BITS:
                    return owner
        return None

    def find_or_add(self, value: int, owner: str) -> str | None:
        """As ``find``, but a picture that is not found is remembered as ``owner``'s."""
        found = self.find(value)
        if found is None:
            for key in self._keys(value):
                self._chunks[key].append((value, owner))
        return found

    def _keys(self, value: int) -> list[tuple[int, int]]:
        return [(number, value >> 13 * number & 0x1FFF) for number in range(PICTURE_BITS + 1)]


def deduplicate_documents(
    read: Callable[[], Iterator[dict[str, Any]]], image_of: Callable[[str], bytes]
) -> Iterator[dict[str, Any] | Reject]:
    """The global step: documents without copies, and pictures without copies in other documents.

    A case (``case_id``) is one patient's: it is dropped only where its text and all its pictures are exactly another's,
    and its slices are not compared with each other (neighbouring slices look alike and are not the same).
    """
    facts: dict[str, _Facts] = {}
    for record in read():
        document = Document.from_dict(_without_shard(record))
        facts.setdefault(document.id, _Facts.of(document))
    ranked = sorted(facts.values(), key=lambda fact: fact.rank)
    copies = _exact_copies(ranked)
    copies |= near_duplicates({fact.id: fact.text for fact in ranked if fact.text and fact.id not in copies})
    repeated = _repeated_pictures((fact for fact in ranked if fact.id not in copies), image_of)

    seen: set[str] = set()
    for record in read():
        document = Document.from_dict(_without_shard(record))
        if document.id in seen:
            yield Reject(document.id, "duplicate_id", "another source gives the same id", document.provenance.source_locator)
        elif document.id in copies:
            yield Reject(document.id, "duplicate_document", f"same as {copies[document.id]}")
        else:
            figures = []
            for figure in document.figures:
                if owner := repeated.get((document.id, figure.image_sha256 or "")):
                    where = figure.label or figure.locator
                    yield Reject(document.id, "duplicate_picture", f"same as a picture of {owner}", where)
                else:
                    figures.append(figure)
            yield {**dataclasses.replace(document, figures=tuple(figures)).to_dict(), "_shard": record["_shard"]}
        seen.add(document.id)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is kept of a document while all are compared. ``text`` is "" for cases, which are compared exactly only."""

    id: str
    rank: tuple[int, int, str]
    content: bytes
    text: str
    pictures: tuple[str, ...]

    @classmethod
    def of(cls, document: Document) -> Self:
        pictures = tuple(figure.image_sha256 for figure in document.figures if figure.image_sha256)
        words = document.markdown
        if document.exchange:
            words = "\n".join((document.exchange.question, *document.exchange.options, document.exchange.answer))
        content = hashlib.sha256("\n".join((normalise(words), *sorted(pictures))).encode()).digest()
        is_case = document.provenance.case_id is not None
        return cls(document.id, _rank(document), content, "" if is_case else words, () if is_case else pictures)


def _rank(document: Document) -> tuple[int, int, str]:
    """Smaller stays: freest licence, fullest provenance, smallest id."""
    licence = {UNKNOWN_LICENCE: 2, HOSPITAL_LICENCE: 1}.get(document.provenance.source_licence, 0)
    known = sum(value is not None for value in dataclasses.astuple(document.provenance))
    return licence, -known, document.id


def _exact_copies(ranked: Iterable[_Facts]) -> dict[str, str]:
    first: dict[bytes, str] = {}
    return {fact.id: first[fact.content] for fact in ranked if first.setdefault(fact.content, fact.id) != fact.id}


def _repeated_pictures(ranked: Iterable[_Facts], image_of: Callable[[str], bytes]) -> dict[tuple[str, str], str]:
    """(document id, picture) -> the earlier document that shows the same picture."""
    index = PictureIndex()
    repeated: dict[tuple[str, str], str] = {}
    for fact in ranked:
        for picture in fact.pictures:
            owner = index.find_or_add(picture_hash(image_of(picture)), fact.id)
            if owner and owner != fact.id:
                repeated[fact.id, picture] = owner
    return repeated


def _without_shard(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "_shard"}


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b)
