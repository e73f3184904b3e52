"""SpineBench ∩ SpineMed = ∅: training items that would give a benchmark item away.

Held apart by source document and case first (spinebench.py); what remains is the same passage, question or picture
reached through another source. Reasons, in the order they are looked for:

    same_source, same_case   one document or patient on both sides
    same_picture             equal bytes, or pHash within deduplicate.PICTURE_BITS where neither is a slice of a case
    same_passage             half of the benchmark item's source n-grams stand in the training item's source passage
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from dataset_builders.deduplicate import PictureIndex, picture_hash
from dataset_builders.document import Item
from dataset_builders.shingles import guard_tokens, tokenise

NGRAM = 13  # words or Han characters: the length usual in contamination checks of language models
SHARED = 0.5


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
    """Yield at most one Contamination a training item."""
    sources = {item.provenance.source_id: item.id for item in benchmark}
    cases = {item.provenance.case_id: item.id for item in benchmark if item.provenance.case_id}
    pictures = {image: item.id for item in benchmark for image in item.images}
    looks = PictureIndex()
    for image, owner in sorted((image, item.id) for item in benchmark if not item.provenance.case_id for image in item.images):
        looks.find_or_add(picture_hash(image_of(image)), owner)
    grams = _GramIndex(benchmark)
    seen: dict[str, str | None] = {}

    def looks_like(image: str) -> str | None:
        if image not in seen:
            seen[image] = looks.find(picture_hash(image_of(image)))
        return seen[image]

    for item in train:
        if source := sources.get(item.provenance.source_id):
            yield Contamination(item.id, source, "same_source")
        elif case := cases.get(item.provenance.case_id or ""):
            yield Contamination(item.id, case, "same_case")
        elif shown := next((pictures[image] for image in item.images if image in pictures), None):
            yield Contamination(item.id, shown, "same_picture")
        elif not item.provenance.case_id and (alike := next(filter(None, map(looks_like, item.images)), None)):
            yield Contamination(item.id, alike, "same_picture")
        elif match := grams.closest(item):
            yield Contamination(item.id, match[0], "same_passage", match[1])


def source_text(item: Item) -> str:
    """What an item was made from: its source passages, or the words of a question that has none."""
    if item.context:
        return "\n".join(item.context)
    return "\n".join((*(message.text for message in item.messages), *item.options))


class _GramIndex:
    """N-grams of the benchmark's source texts; a text shorter than one n-gram is one gram of its own."""

    def __init__(self, benchmark: Sequence[Item]) -> None:
        self._owners: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._sizes: dict[str, int] = {}
        self._guards: dict[str, tuple[str, ...]] = {}
        for item in benchmark:
            if item.provenance.case_id:
                continue  # a case's words are templates or one patient's; its source and pictures tell it apart
            tokens = tokenise(source_text(item))
            grams = _grams(tokens)
            self._sizes[item.id] = len(grams)
            self._guards[item.id] = guard_tokens(tokens)
            for gram in sorted(grams):
                self._owners[gram].append(item.id)

    def closest(self, item: Item) -> tuple[str, float] | None:
        """The benchmark item that shares most of its n-grams with ``item``, where that is at least SHARED of them."""
        tokens = tokenise(source_text(item))
        shared = Counter(owner for gram in _grams(tokens) for owner in self._owners.get(gram, ()))
        ranked = sorted(((count / self._sizes[owner], owner) for owner, count in shared.items()), reverse=True)
        guards = guard_tokens(tokens)
        for overlap, owner in ranked:
            if overlap < SHARED:
                return None
            # Short questions that differ in a level or grade share most of their n-grams and are different questions.
            if item.context or self._guards[owner] == guards:
                return owner, overlap
        return None


def _grams(tokens: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(tokens[i : i + NGRAM]) for i in range(max(1, len(tokens) - NGRAM + 1))}
