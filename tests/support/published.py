"""What a build published, read back for comparison."""

from pathlib import Path

import pyarrow.parquet as pq


def parquet_bytes(folder: Path) -> dict[str, bytes]:
    """Every published file of a build, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for name in ("spinemed-450k", "spinebench")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file()
    }


def read_rows(folder: Path, columns: list[str]) -> list[dict]:
    """The named columns of every row of a data set folder."""
    return [row for path in sorted(folder.rglob("*.parquet")) for row in pq.read_table(path, columns=columns).to_pylist()]
