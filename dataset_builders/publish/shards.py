"""Write rows as Parquet shards: embedded images, bounded size, the same bytes every time."""

import dataclasses
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataset_builders.engine.store import ImageStore
from dataset_builders.image_metadata import drop_metadata
from dataset_builders.item import Item

if TYPE_CHECKING:
    from datasets import Features

SHARD_BYTES = 400 << 20  # below the Hub viewer's limit for a first shard, and what a laptop reads at once
_ROW_GROUP = 100  # rows: readers that stream fetch one group of images at a time


def write_partition(rows: Iterable[dict[str, Any]], features: "Features", folder: Path, split: str) -> int:
    """Write ``<split>-00000-of-0000N.parquet`` files of at most about SHARD_BYTES; return the number of rows.

    Without rows one empty file is written: a configuration of several globs fails if one of them matches nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    count = 0
    for shard in _bounded(rows):
        path = folder / f"{split}-{len(paths):05d}.partial"
        write_table(pa.Table.from_pylist(shard, schema=features.arrow_schema), path)
        paths.append(path)
        count += len(shard)
    for number, path in enumerate(paths):
        path.replace(folder / f"{split}-{number:05d}-of-{len(paths):05d}.parquet")
    return count


def write_table(table: pa.Table, path: Path) -> None:
    """Write one Parquet file. Without rows it has no row group, since ``datasets`` refuses to read an empty one."""
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        if table.num_rows:
            writer.write_table(table, row_group_size=_ROW_GROUP)


@contextmanager
def replace_folder(output: Path) -> Iterator[Path]:
    """Give a folder to fill beside ``output``; it replaces ``output`` only if the block ends without an error."""
    partial = output.with_name(f".{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    shutil.rmtree(output, ignore_errors=True)
    partial.replace(output)


def shared_columns(item: Item, store: ImageStore) -> dict[str, Any]:
    """Return the columns that both schemas have: the item, its images embedded, its classification and provenance."""
    source, generation, review = item.provenance, item.generation, item.review
    return {
        "id": item.id,
        "task": item.task,
        "language": item.language,
        "modality": item.modality,
        "images": [{"bytes": drop_metadata(store.get(image)), "path": None} for image in item.images],
        "options": list(item.options),
        "answer": item.answer,
        "context": list(item.context),
        "evidence": [dataclasses.asdict(quote) for quote in item.evidence],
        "checks": list(generation.checks),
        "axis": item.axis,
        "levels": list(item.levels),
        "discs": list(item.discs),
        "specialty": item.specialty,
        "subfield": item.subfield,
        "subfield_score": item.subfield_score,
        "image_modality": item.image_modality,
        "agreement": item.agreement,
        "source_kind": source.source_kind,
        "source_id": source.source_id,
        "source_title": source.source_title,
        "source_doi": source.source_doi,
        "source_url": source.source_url,
        "source_licence": source.source_licence,
        "source_locator": source.source_locator,
        "source_sha256": source.source_sha256,
        "case_id": source.case_id,
        "draft_model": generation.draft_model,
        "revise_model": generation.revise_model,
        "prompt_id": generation.prompt_id,
        "prompt_sha256": generation.prompt_sha256,
        "generation_id": generation.generation_id,
        "review_status": review.review_status,
        "review_group": review.review_group,
        "review_verdict": review.review_verdict,
        "reviewed_at": review.reviewed_at,
    }


def _bounded(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    shard: list[dict[str, Any]] = []
    size = 0
    empty = True
    for row in rows:
        weight = sum(len(image["bytes"]) for image in row["images"]) + 4096
        if shard and size + weight > SHARD_BYTES:
            yield shard
            shard, size = [], 0
        shard.append(row)
        size += weight
        empty = False
    if shard or empty:
        yield shard
