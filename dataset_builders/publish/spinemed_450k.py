"""Build SpineMed-450k: the training items as a data set folder, partitioned so that configurations are globs.

    spinemed-450k/README.md
    spinemed-450k/data/<specialty>/<task>/train-00000-of-00001.parquet

The default configuration leaves out the specialty "general": see cards.SPINEMED_CONFIGS.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from dataset_builders.engine.store import ImageStore
from dataset_builders.item import Item, Message
from dataset_builders.publish.cards import Counts, write_training_card
from dataset_builders.publish.shards import replace_folder, shared_columns, write_partition
from dataset_builders.schema import SPECIALTIES, TASKS, spinemed_features


def build_spinemed(read: Callable[[], Iterable[Item]], store: ImageStore, output: Path, facts: dict[str, Any]) -> Counts:
    """Write ``output`` from the training items; return what the card counts.

    ``read`` gives the items in a fixed order and is called once for each partition, so that only one shard's images are in
    memory at a time. ``facts`` goes to the card: versions of the steps, what was left out and why.
    """
    counts = Counts()

    def rows(specialty: str, task: str) -> Iterator[dict[str, Any]]:
        for item in read():
            if (item.specialty or "general", item.task) == (specialty, task):
                row = _row(item, store)
                counts.add(row)
                yield row

    with replace_folder(output) as folder:
        for specialty in SPECIALTIES:
            for task in TASKS:
                write_partition(rows(specialty, task), spinemed_features(), folder / "data" / specialty / task, "train")
        write_training_card(folder, counts, facts)
    return counts


def _row(item: Item, store: ImageStore) -> dict[str, Any]:
    return {
        "messages": [{"role": message.role, "content": _parts(message)} for message in item.messages],
        **shared_columns(item, store),
    }


def _parts(message: Message) -> list[dict[str, str | None]]:
    """Return the parts of a message as chat templates expect them: images first, then the words."""
    return [*({"type": "image", "text": None} for _ in message.images), {"type": "text", "text": message.text}]
