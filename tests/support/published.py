"""What a build published, read back for comparison."""

from pathlib import Path


def parquet_bytes(folder: Path) -> dict[str, bytes]:
    """Every published file of a build, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for name in ("spinemed-450k", "spinebench")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file()
    }
