"""Build SpineBench: sample its items (sampling.py), and keep them apart from training by document and case."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from dataset_builders.document import Reject
from dataset_builders.engine.shards import read_records
from dataset_builders.engine.store import ImageStore
from dataset_builders.item import Item, question_of
from dataset_builders.overlap.decontaminate import find_contamination
from dataset_builders.publish.cards import Counts, write_benchmark_card
from dataset_builders.publish.guesses import find_guessable
from dataset_builders.publish.sampling import Sampling, group_items, sample_benchmark, stratum_of
from dataset_builders.publish.shards import replace_folder, shared_columns, write_partition
from dataset_builders.schema import BENCHMARK_TASKS, find_benchmark_task, spinebench_features


def split_items(
    read: Callable[[], Iterator[dict[str, Any]]], image_of: Callable[[str], bytes], sampling: Sampling
) -> Iterator[dict[str, Any] | Reject]:
    """Set ``split`` of each item to "train" or "benchmark"; a global step.

    Items with an image by which a rule can be guessed without it leave first ("guessable_without_image", guesses.py).
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
    for name, why in find_guessable((item for item, _ in items.values()), groups).items():
        item, _ = items.pop(name)
        detail = f"{item.generation.prompt_id}: {why}"
        yield Reject(item.provenance.source_id, "guessable_without_image", detail, name)
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


def build_spinebench(items: Iterable[Item], store: ImageStore, output: Path, facts: dict[str, Any]) -> Counts:
    """Write ``output`` (Parquet by task, and the card) from the benchmark items; return what the card counts.

    ``facts``: see ``describe_build``. Raises ValueError naming an item's task if schema.BENCHMARK_TASKS has no entry for it.
    """
    counts, strata = Counts(), Counter[tuple[str, ...]]()
    rows: dict[str, list[dict[str, Any]]] = {task: [] for task in BENCHMARK_TASKS}
    for item in items:
        row = _row(item, store)
        counts.add(row)
        strata[stratum_of(item)] += 1
        rows[find_benchmark_task(item.task).name].append(row)
    with replace_folder(output) as folder:
        for task, task_rows in rows.items():
            write_partition(task_rows, spinebench_features(), folder / "data" / task, "test")
        write_benchmark_card(folder, counts, facts, strata)
    return counts


def _row(item: Item, store: ImageStore) -> dict[str, Any]:
    return {
        "question": question_of(item),
        "rubric": [{"dimension": line.dimension, "criterion": line.criterion} for line in item.rubric],
        **shared_columns(item, store),
        # If the answer is neither a letter nor a report, the item's own reply is the reference.
        "answer": item.messages[-1].text if item.answer is None else item.answer,
    }


def _wording(item: Item) -> bytes:
    words = "\x1f".join((item.task, *(message.text for message in item.messages), *item.options, *item.images))
    return hashlib.sha256(words.encode()).digest()
