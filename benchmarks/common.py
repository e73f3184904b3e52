"""Record beside every benchmark's figures the machine, the versions and the command that made them."""

import importlib.metadata
import json
import os
import platform
import sys
import unicodedata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def write_result(name: str, figures: dict[str, Any], packages: tuple[str, ...] = ()) -> Path:
    """Write ``benchmarks/results/<name>.json`` and print it. ``packages`` are the distributions whose versions matter."""
    record = {
        "command": " ".join(["python", os.path.relpath(sys.argv[0], RESULTS.parents[1]), *sys.argv[1:]]),
        "machine": {"cpu": _cpu_model(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"},
        "versions": {"python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in packages},
        "figures": figures,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    text = json.dumps(record, ensure_ascii=False, indent=2) + "\n"
    path.write_text(text, encoding="utf-8")
    print(text, end="")
    return path


def letters_and_digits(text: str) -> str:
    """Reduce text to one form for comparing extractors: NFKD, lower case, letters and digits only."""
    return "".join(c for c in unicodedata.normalize("NFKD", text).lower() if c.isalnum())


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
