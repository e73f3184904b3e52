"""Build SpineBench: sample items by their source distribution, and keep them apart from training by document and case."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataset_builders.document import Reject
from dataset_builders.engine.shards import read_records
from dataset_builders.engine.store import ImageStore
from dataset_builders.item import Item, question_of
from dataset_builders.overlap.decontaminate import find_contamination
from dataset_builders.publish.cards import Counts, write_benchmark_card
from dataset_builders.publish.shards import replace_folder, shared_columns, write_partition
from dataset_builders.schema import BENCHMARK_TASKS, find_benchmark_task, spinebench_features


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many items the benchmark takes.

    most   task -> most items, by default those of schema.BENCHMARK_TASKS (the paper's 500 and 100).
    share  of the available items that are taken at most, 0-1 (ours).
    """

    most: Mapping[str, int] = field(default_factory=lambda: {name: task.most for name, task in BENCHMARK_TASKS.items()})
    share: float = 0.15
    seed: int = 0

    def target(self, task: str, available: int) -> int:
        """Return how many of ``available`` items of a task to take. Raises ValueError for a task that is not in ``most``."""
        if task not in self.most:
            raise ValueError(f"Sampling.most has no entry for the task {task!r}; it has {', '.join(self.most)}")
        return min(self.most[task], round(self.share * available))


def split_items(
    read: Callable[[], Iterator[dict[str, Any]]], image_of: Callable[[str], bytes], sampling: Sampling
) -> Iterator[dict[str, Any] | Reject]:
    """Set ``split`` of each item to "train" or "benchmark"; a global step.

    Items that share a source document, a case or an image form a group, and a whole group goes to one side. In the
    groups set aside for the benchmark, items that were not sampled become Rejects ("held_out_for_benchmark"): training
    on them would give their document away. Training items that still overlap become Rejects ("contaminated_…").
    """
    items: dict[str, tuple[Item, int]] = {}
    wordings: set[bytes] = set()
    for record in read():
        shard = record.pop("_shard")
        item = Item.from_dict(record)
        wording = _wording(item)
        if wording in wordings or item.id in items:
            yield Reject(item.provenance.source_id, "duplicate_item", "another item asks the same", item.id)
        else:
            wordings.add(wording)
            items[item.id] = (item, shard)

    groups = group_items(item for item, _ in items.values())
    reserved, chosen = sample_benchmark({name: item for name, (item, _) in items.items()}, groups, sampling)
    train = [item for item, _ in items.values() if groups[item.id] not in reserved]
    benchmark = [items[name][0] for name in sorted(chosen)]
    contaminated = {found.train_id: found for found in find_contamination(train, benchmark, image_of)}
    for name, (item, shard) in items.items():
        if name in chosen:
            yield {**item.to_dict(), "split": "benchmark", "_shard": shard}
        elif groups[name] in reserved:
            yield Reject(item.provenance.source_id, "held_out_for_benchmark", "its document or case is in SpineBench", name)
        elif found := contaminated.get(name):
            detail = f"{found.overlap:.2f} of {found.benchmark_id}"
            yield Reject(item.provenance.source_id, f"contaminated_{found.reason}", detail, name)
        else:
            yield {**item.to_dict(), "split": "train", "_shard": shard}


def read_split(folder: Path, split: str) -> Iterator[Item]:
    """Read the items of one side, "train" or "benchmark", from the folder of the step "split"."""
    for record in read_records(folder):
        if record.pop("split") == split:
            yield Item.from_dict(record)


def group_items(items: Iterable[Item]) -> dict[str, str]:
    """Group items linked by a source document, a case or an image; return item id -> the smallest source id of its group."""
    parent: dict[str, str] = {}

    def find(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    links: dict[str, list[str]] = {}
    for item in items:
        keys = [f"source {item.provenance.source_id}", *(f"image {image}" for image in item.images)]
        if item.provenance.case_id:
            keys.append(f"case {item.provenance.case_id}")
        links[item.id] = keys
        first = find(keys[0])
        for key in keys[1:]:
            parent[find(key)] = first
    names: dict[str, str] = {}
    for keys in links.values():
        root = find(keys[0])
        names[root] = min(names.get(root, keys[0]), keys[0])
    return {item: names[find(keys[0])] for item, keys in links.items()}


def sample_benchmark(items: dict[str, Item], groups: dict[str, str], sampling: Sampling) -> tuple[set[str], set[str]]:
    """Choose which groups to set aside and which of their items the benchmark takes; return the ids of both.

    Every source kind gives its share of each task. A kind with a single group gives none, because setting it aside would
    leave that kind out of training. Order is by a seeded hash, so that adding a source does not reshuffle the rest.
    """
    eligible = [item for item in items.values() if item.task in BENCHMARK_TASKS and item.specialty == "spine"]
    totals = Counter(item.task for item in eligible)
    by_kind: dict[str, dict[str, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for item in eligible:
        by_kind[item.provenance.source_kind][groups[item.id]].append(item)

    reserved: set[str] = set()
    chosen: set[str] = set()
    for _, kind_groups in sorted(by_kind.items()):
        counts = Counter(item.task for members in kind_groups.values() for item in members)
        targets = {
            task: round(sampling.target(task, totals[task]) * counts[task] / totals[task])
            for task in BENCHMARK_TASKS
            if counts[task]
        }
        kind_reserved = _reserve(kind_groups, targets, sampling.seed)
        reserved |= kind_reserved
        for task, target in targets.items():
            pool = [item for group in kind_reserved for item in kind_groups[group] if item.task == task]
            chosen |= _sample_evenly(pool, target, sampling.seed)
    return reserved, chosen


def build_spinebench(items: Iterable[Item], store: ImageStore, output: Path, facts: dict[str, Any]) -> Counts:
    """Write ``output`` (Parquet by task, and the card) from the benchmark items; return what the card counts.

    ``facts``: see ``describe_build``. Raises ValueError naming an item's task if schema.BENCHMARK_TASKS has no entry for it.
    """
    counts = Counts()
    rows: dict[str, list[dict[str, Any]]] = {task: [] for task in BENCHMARK_TASKS}
    for item in items:
        row = _row(item, store)
        counts.add(row)
        rows[find_benchmark_task(item.task).name].append(row)
    with replace_folder(output) as folder:
        for task, task_rows in rows.items():
            write_partition(task_rows, spinebench_features(), folder / "data" / task, "test")
        write_benchmark_card(folder, counts, facts)
    return counts


def _row(item: Item, store: ImageStore) -> dict[str, Any]:
    return {
        "question": question_of(item),
        "rubric": [{"dimension": line.dimension, "criterion": line.criterion} for line in item.rubric],
        **shared_columns(item, store),
        # If the answer is neither a letter nor a report, the item's own reply is the reference.
        "answer": item.messages[-1].text if item.answer is None else item.answer,
    }


def _reserve(groups: dict[str, list[Item]], targets: dict[str, int], seed: int) -> set[str]:
    """Choose groups until every target is met: first those that do not overshoot it, and never all of them."""
    wanted = sum(targets.values())
    if wanted == 0 or len(groups) < 2:
        return set()
    order = sorted(groups, key=lambda name: (len(groups[name]) > 2 * wanted, _hash(seed, name)))
    if len(groups[order[0]]) > 2 * wanted:
        order.sort(key=lambda name: (len(groups[name]), _hash(seed, name)))
    reserved: set[str] = set()
    have: Counter[str] = Counter()
    for name in order[: len(order) - 1]:
        tasks = Counter(item.task for item in groups[name])
        if any(have[task] < target and tasks[task] for task, target in targets.items()):
            reserved.add(name)
            have += tasks
    return reserved


def _sample_evenly(pool: list[Item], target: int, seed: int) -> set[str]:
    """Sample ``target`` items, in proportion to language and modality."""
    strata: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in sorted(pool, key=lambda item: _hash(seed, item.id)):
        strata[item.language, item.modality].append(item)
    ranked = [
        ((position + 0.5) / len(members), _hash(seed, item.id), item.id)
        for members in strata.values()
        for position, item in enumerate(members)
    ]
    return {name for _, _, name in sorted(ranked)[:target]}


def _wording(item: Item) -> bytes:
    words = "\x1f".join((item.task, *(message.text for message in item.messages), *item.options, *item.images))
    return hashlib.sha256(words.encode()).digest()


def _hash(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
