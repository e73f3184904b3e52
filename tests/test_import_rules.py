"""The import rules of the project are checked, and the check can fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BREAKS = {
    "modeling/spinegpt.py": "import dataset_builders.schema",
    "modeling/curriculum.py": "import evaluation.statistics",
    "dataset_builders/classify/__init__.py": "import modeling.chat_client",
    "dataset_builders/generate/rules/__init__.py": "import modeling.sft",
    "dataset_builders/overlap/deduplicate.py": "import datatrove",
    "evaluation/predict.py": "import dataset_builders.pipeline",
    # the floors of dataset_builders, from the top
    "dataset_builders/pipeline.py": "import dataset_builders.trace",
    "dataset_builders/publish/cards.py": "import dataset_builders.pipeline",
    "dataset_builders/sources/pdf/__init__.py": "import dataset_builders.generate",
    "dataset_builders/review/verdicts.py": "import dataset_builders.publish.cards",
    "dataset_builders/classify/lexicon.py": "import dataset_builders.deidentify",
    "dataset_builders/levels/spelling.py": "import dataset_builders.classify",
    "dataset_builders/engine/steps.py": "import dataset_builders.figures",
    "dataset_builders/document.py": "import dataset_builders.levels.anatomy",
    "dataset_builders/new_room.py": "",
}


def check(folder: Path) -> subprocess.CompletedProcess:
    command = [str(Path(sys.prefix) / "bin" / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(folder), "PATH": ""})


@pytest.fixture
def copy(repo, tmp_path):
    for package in ("dataset_builders", "modeling", "evaluation"):
        shutil.copytree(repo / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repo / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_packages_keep_the_rules(copy):
    result = check(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("file", BREAKS)
def test_a_break_of_a_rule_fails_the_check(copy, file):
    path = copy / file
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{BREAKS[file]}\n{before}", encoding="utf-8")
    result = check(copy)
    assert result.returncode == 1 and "BROKEN" in result.stdout, result.stdout
