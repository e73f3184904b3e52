"""Names of the weights that a model's folder holds, and whether an older transformers finds them."""

import os
import subprocess
from pathlib import Path

from safetensors import safe_open

from tests.support.processes import fresh_python


def saved_names(folder: Path) -> set[str]:
    names: set[str] = set()
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as weights:
            names.update(weights.keys())
    assert names, folder
    return names


def missing_in(packages: str, folder: Path) -> int:
    """Load ``folder`` with the transformers that lies in ``packages``, and count the weights that it does not find."""
    script = (
        "import sys, transformers; from transformers import Qwen2_5_VLForConditionalGeneration as Model; "
        "report = Model.from_pretrained(sys.argv[1], output_loading_info=True)[1]; "
        "print(transformers.__version__, len(report['missing_keys']), len(report['unexpected_keys']))"
    )
    done = subprocess.run(
        [fresh_python(), "-c", script, str(folder)],
        env={**os.environ, "PYTHONPATH": packages}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    version, missing, unexpected = done.stdout.split()[-3:]
    assert version.startswith("4.") and unexpected == missing, done.stdout  # those of other names are both
    return int(missing)
