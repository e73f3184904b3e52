"""``python -m dataset_builders.phantom --output DIR``: write the embedded sources."""

import argparse
import sys
from pathlib import Path

from dataset_builders.phantom.make_sources import SIZES, make_sources


def main() -> int:
    """Write the folder; return 1 if it is not empty, else 0."""
    parser = argparse.ArgumentParser(prog="python -m dataset_builders.phantom", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="a new or empty folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", choices=SIZES, default="demo")
    arguments = parser.parse_args()
    try:
        make_sources(arguments.output, arguments.seed, arguments.size, progress=True)
    except FileExistsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    files = [path for path in arguments.output.rglob("*") if path.is_file()]
    print(f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB in {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
