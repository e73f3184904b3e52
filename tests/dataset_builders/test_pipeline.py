"""The whole build, as a user runs it."""

import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from datasets import load_dataset

from dataset_builders.engine.code import trace_code
from dataset_builders.engine.shards import read_records, read_rejects
from dataset_builders.engine.steps import read_manifest
from dataset_builders.phantom import SIZES, planted_identifiers
from dataset_builders.pipeline import STEPS, build, step_folder
from dataset_builders.pseudonyms import KEY_FILE
from dataset_builders.schema import BENCHMARK_TASKS, LANGUAGES, MODALITIES, TASKS
from tests.support.bad_sources import make_bad_sources
from tests.support.few_sources import EMBEDDED_KINDS, take_less
from tests.support.processes import fresh_python, kill, start
from tests.support.published import parquet_bytes, read_rows
from tests.support.steps import CODE_OF_STEPS

pytestmark = pytest.mark.slow

NEVER_NULL = ("source_kind", "source_id", "source_licence", "source_sha256", "source_locator")


def rows(output: Path, name: str, columns: list[str]) -> list[dict]:
    return read_rows(output / name, columns)


def command(sources: Path, folder: Path, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "dataset_builders", "build", "--sources", str(sources)),
        *("--work", str(folder / "work"), "--output", str(folder), "--workers", "2", *options),
    ]


def copy_key(work: Path, other: Path) -> None:
    """Give another work folder the key of names, so that its build gives hospital cases the same ids."""
    other.mkdir()
    shutil.copyfile(work / KEY_FILE, other / KEY_FILE)


def identities() -> list[str]:
    """Every string that identifies one of the small sources' invented patients."""
    return sorted(word for words in planted_identifiers(0, SIZES["small"].hospital_cases).values() for word in words)


def test_every_task_language_and_modality_is_made(built):
    made = {
        (row["task"], row["language"], row["modality"])
        for row in rows(built.output, "spinemed-450k", ["task", "language", "modality"])
    }
    assert {task for task, _, _ in made} == set(TASKS)
    assert {(language, modality) for _, language, modality in made} == {(a, b) for a in LANGUAGES for b in MODALITIES}
    bench = {row["task"] for row in rows(built.output, "spinebench", ["task"])}
    assert "multiple_choice" in bench and bench <= set(BENCHMARK_TASKS), "so few sources may leave no report to spare"


def test_every_row_says_where_it_is_from_and_who_wrote_it(built):
    columns = [*NEVER_NULL, "draft_model", "revise_model", "prompt_id", "prompt_sha256", "generation_id"]
    for name in ("spinemed-450k", "spinebench"):
        for row in rows(built.output, name, columns):
            assert all(row[column] for column in columns), row
            assert row["draft_model"].startswith("rules/")


def test_no_document_or_case_is_on_both_sides(built):
    for column in ("source_id", "case_id"):
        train, bench = (
            {row[column] for row in rows(built.output, name, [column])} - {None} for name in ("spinemed-450k", "spinebench")
        )
        assert train and bench and not train & bench


def test_no_planted_identity_is_published(built):
    words = [json.dumps(record, ensure_ascii=False) for record in read_records(step_folder(built.work, "split"))]
    published = "\n".join(words)
    raw = "\n".join(path.read_text(encoding="utf-8") for path in sorted((built.sources / "hospital").glob("*.jsonl")))
    planted = identities()
    assert planted and all(identifier in raw for identifier in planted)
    assert [identifier for identifier in planted if identifier in published] == []


def test_no_identity_stands_in_a_log_or_reject(built):
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in built.work.rglob("*.log")]
    texts += [path.read_text(encoding="utf-8") for path in (built.work / "rejects").glob("*")]
    found = [identifier for identifier in identities() if any(identifier in text for text in texts)]
    assert texts and found == []


def test_another_number_of_workers_gives_the_same_bytes(few_built, tmp_path):
    copy_key(few_built.work, tmp_path / "work")
    build(few_built.sources, tmp_path / "work", tmp_path, workers=1)
    assert parquet_bytes(tmp_path) == parquet_bytes(few_built.output)


def test_each_steps_manifest_holds_the_code_that_the_step_runs(few_built):
    for step, (names, caller) in CODE_OF_STEPS.items():
        manifest = read_manifest(step_folder(few_built.work, step))
        assert manifest.code == trace_code(names, caller).files and manifest.version == trace_code(names, caller).version
    assert set(CODE_OF_STEPS) == set(STEPS) - {"files"}


def test_few_sources_give_every_task_language_and_modality_and_both_sides(few_built):
    """Else the tests of bytes and kills would say nothing of what is missing."""
    made = rows(few_built.output, "spinemed-450k", ["task", "language", "modality", "source_kind"])
    assert [{row[name] for row in made} for name in ("task", "language", "modality")] == [
        set(TASKS),
        set(LANGUAGES),
        set(MODALITIES),
    ]
    assert {row["source_kind"] for row in made} == EMBEDDED_KINDS
    assert rows(few_built.output, "spinebench", ["id"])


def test_a_build_killed_at_every_step_ends_with_the_same_bytes(few_built, tmp_path):
    rng = random.Random(0)
    killed = []
    copy_key(few_built.work, tmp_path / "work")
    arguments = command(few_built.sources, tmp_path)[1:]
    for number, name in enumerate(STEPS[1:], 1):
        build = start(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        folder = tmp_path / "work" / f"{number}_{name}"
        while build.poll() is None and not folder.exists():
            time.sleep(0.02)
        time.sleep(rng.random() / 4)
        if kill(build):
            killed.append(name)
    assert len(killed) >= len(STEPS) - 3, f"only killed at {killed}"
    fresh = [fresh_python(), *arguments]  # which orders its sets otherwise
    subprocess.run(fresh, check=True, capture_output=True)
    assert parquet_bytes(tmp_path) == parquet_bytes(few_built.output)


def test_what_left_the_build_is_one_line_with_file_and_reason(built):
    for step in STEPS[1:]:
        lines = (built.work / "rejects" / f"{step}.jsonl").read_text(encoding="utf-8").splitlines()
        assert all({"file", "reason"} <= set(json.loads(line)) and json.loads(line)["reason"] for line in lines)
        kept = [reject for reject in read_rejects(step_folder(built.work, step)) if reject.reason != "companion"]
        assert len(lines) == len(kept)


def test_bad_input_ends_as_one_line_each_and_the_build_goes_on(tmp_path):
    expected = make_bad_sources(tmp_path / "sources")
    result = subprocess.run(command(tmp_path / "sources", tmp_path, "--workers", "1"), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    lines = (tmp_path / "work" / "rejects" / "documents.jsonl").read_text(encoding="utf-8").splitlines()
    rejects = [json.loads(line) for line in lines]
    assert {(reject["file"], reject["reason"], reject["where"]) for reject in rejects} == {
        (bad.file, bad.reason, bad.where) for bad in expected
    }
    assert all(bad.file in result.stdout for bad in expected)
    assert len(rows(tmp_path, "spinemed-450k", ["id"])) == 1  # two files ask the same question
    strict = subprocess.run(command(tmp_path / "sources", tmp_path, "--workers", "1", "--strict"), capture_output=True)
    assert strict.returncode == 1


def test_a_build_without_sources_names_the_argument(tmp_path):
    result = subprocess.run(command(tmp_path / "nothing", tmp_path), capture_output=True, text=True)
    assert result.returncode == 1 and "--sources" in result.stderr and "Traceback" not in result.stderr


def test_the_real_sources_build_to_rows_with_full_provenance_held_apart(sources, tmp_path):
    taken = tmp_path / "sources"
    take_less(sources, taken)
    subprocess.run(command(taken, tmp_path), check=True, capture_output=True)
    columns = [*NEVER_NULL, "case_id"]
    sides = {name: rows(tmp_path, name, columns) for name in ("spinemed-450k", "spinebench")}
    for name, side in sides.items():
        assert side and all(row[column] for row in side for column in NEVER_NULL), name
    for column in ("source_id", "case_id", "source_sha256"):
        train, bench = ({row[column] for row in side} - {None} for side in sides.values())
        assert bench and not train & bench
    with (tmp_path / "work" / "inventory.csv").open(encoding="utf-8") as file:
        outcomes = {row["file"]: row["outcome"] for row in csv.DictReader(file)}
    assert set(outcomes) == {path.relative_to(taken).as_posix() for path in taken.rglob("*") if path.is_file()}
    assert all(outcomes.values())


def test_the_readmes_python_works_verbatim_from_the_root(built, repo, tmp_path):
    for folder in (built.output / "spinemed-450k", built.output / "spinebench", repo / "evaluation"):
        (tmp_path / folder.name).symlink_to(folder)
    blocks = re.findall(r"```python\n(.*?)```", (repo / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    for block in blocks:
        result = subprocess.run([fresh_python(), "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, f"{block}\n{result.stderr}"


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("name", "config"), [("spinemed-450k", "default"), ("spinemed-450k", "report"), ("spinebench", "default")]
)
def test_both_data_sets_load_from_the_root_whole_and_streaming(built, monkeypatch, tmp_path, name, config, streaming):
    monkeypatch.chdir(built.output)
    data = load_dataset(name, config, streaming=streaming, cache_dir=str(tmp_path))
    (rows,) = data.values()
    first = next(iter(rows))
    assert first["source_id"] and (first["task"] == config or config == "default")
