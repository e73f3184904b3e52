import importlib.util
import itertools
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from datasets import Dataset

from dataset_builders.schema import spinebench_features
from modeling.arguments import parse_stage

REPO = Path(__file__).parents[2]
FOLDER = REPO / "recipes" / "ablations"


@pytest.fixture(scope="module")
def ablations():
    spec = importlib.util.spec_from_file_location("ablations_run", FOLDER / "run.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def options_of(command):
    return {name: value for name, value in itertools.pairwise(command) if name.startswith("--")}


def test_the_rows_are_the_papers_and_the_one_without_levels(ablations):
    rows = ablations.load_ablations(FOLDER)
    published = [
        entry["data"] for entry in yaml.safe_load((REPO / "evaluation" / "paper_results.yaml").read_text())["ablation"]
    ]
    assert [row.row for row in rows.values()] == [*published, "full, levels removed"]
    assert list(ablations.load_ablations(FOLDER, ["full"])) == ["general_then_orthopaedics", "full"]
    with pytest.raises(ValueError, match="--only half: no such row; there are untuned, general,"):
        ablations.load_ablations(FOLDER, ["half"])


def test_each_row_is_a_chain_of_recipes_that_differ_only_in_what_its_file_says(ablations, tmp_path):
    steps = ablations.plan(
        ablations.load_ablations(FOLDER), output=tmp_path, model="base", dataset="data", benchmark="bench",
        launcher=("launch",), training=("--max_steps", "2"), evaluation=("--limit", "4"),
    )  # fmt: skip
    trainings = {step.title: options_of(step.command) for step in steps if step.command[0] == "launch"}
    starts = {title: options["--model_name_or_path"].removeprefix(f"{tmp_path}/") for title, options in trainings.items()}
    assert starts == {
        "general: stage1": "base",
        "general_then_orthopaedics: stage1": "base",
        "spine: stage2": "base",
        "spine: stage3": "spine/stage2",
        "general_and_orthopaedics: stage1": "base",
        "full: stage2": "general_then_orthopaedics/stage1",
        "full: stage3": "full/stage2",
        "full_without_levels: stage1": "base",
        "full_without_levels: stage2": "full_without_levels/stage1",
        "full_without_levels: stage3": "full_without_levels/stage2",
    }
    masked = str(tmp_path / "spinemed-450k-without-levels")
    assert {title for title, options in trainings.items() if options["--dataset"] == masked} == {
        f"full_without_levels: stage{number}" for number in (1, 2, 3)
    }
    assert masked in steps[0].command and all(options["--max_steps"] == "2" for options in trainings.values())
    changed = {}
    for title, options in trainings.items():
        recipe = yaml.safe_load((REPO / "recipes" / f"{title.rpartition(' ')[2]}.yaml").read_text())
        settings = yaml.safe_load(Path(options["--config"]).read_text())
        changed[title] = {name for name in recipe | settings if recipe.get(name) != settings.get(name)}
        parse_stage(Path(options["--config"]), ["--output_dir", str(tmp_path / "out")])
    assert {title: names for title, names in changed.items() if names} == {
        "general: stage1": {"datasets"},
        "general_and_orthopaedics: stage1": {"order"},
    }
    measured = [step for step in steps if step.title.endswith("benchmark")]
    assert len(measured) == 7 and all(options_of(step.command)["--benchmark"] == "bench" for step in measured)


def test_a_step_is_done_once_resumed_where_it_stopped_and_never_mixed_with_another(ablations, tmp_path):
    output = tmp_path / "row" / "stage1"
    script = "import sys, pathlib; pathlib.Path(sys.argv[1], 'log').open('a').write(' '.join(sys.argv[2:]) + ';')"
    output.mkdir(parents=True)

    def step(*arguments):
        command = (sys.executable, "-c", script, str(output), *arguments)
        return ablations.Step("row: stage1", command, output / "done", output)

    ablations.run(step("a"))
    (output / "checkpoint-3").mkdir()
    (output / "checkpoint-3" / "trainer_state.json").write_text("{}")
    ablations.run(step("a"))
    (output / "done").write_text("")
    ablations.run(step("a"))
    assert (output / "log").read_text() == "a;a --resume_from_checkpoint latest;"
    with pytest.raises(ValueError, match=r"row: stage1: .* was made with other arguments .* or another --output"):
        ablations.run(step("b"))
    failing = ablations.Step("x", (sys.executable, "-c", "raise SystemExit(3)"), tmp_path / "never", tmp_path / "x")
    with pytest.raises(RuntimeError, match="x: ended with status 3"):
        ablations.run(failing)


@pytest.mark.slow
def test_one_command_trains_measures_and_prints_the_table(ablations, synthetic_dataset, tiny, tmp_path, capsys, monkeypatch):
    empty = {
        name: [] if name in ("images", "options", "rubric", "levels", "discs", "context", "evidence", "checks") else None
        for name in spinebench_features()
    }
    base = {**empty, "language": "en", "modality": "text", "source_kind": "textbook"}
    rows = [
        {
            **base,
            "id": str(number),
            "task": "multiple_choice",
            "question": "Which?",
            "options": ["L4", "L5"],
            "answer": "AB"[number],
        }
        for number in range(2)
    ] + [{**base, "id": "2", "task": "report", "question": "Report.", "answer": "Diagnosis: fracture of L1."}]
    bench = tmp_path / "bench"
    bench.mkdir()
    Dataset.from_dict(
        {name: [row[name] for row in rows] for name in spinebench_features()}, features=spinebench_features()
    ).to_parquet(bench / "test-00000-of-00001.parquet")
    for name, value in (("OMP_NUM_THREADS", "1"), ("TOKENIZERS_PARALLELISM", "false")):
        monkeypatch.setenv(name, value)
    arguments = [
        "--only", "general", "untuned", "--model", str(tiny), "--dataset", str(synthetic_dataset), "--benchmark", str(bench),
        "--output", str(tmp_path / "out"), "--evaluation", "--max-new-tokens 4",
        "--", "--max_steps", "2", "--loss_samples", "2", "--sample_generations", "0", "--disable_tqdm", "true",
    ]  # fmt: skip
    started = []

    def start(command, **options):
        """Evaluate in this process, which has imported all that it takes; training is launched."""
        started.append(command[2])
        if command[1:3] != ["-m", "evaluation"]:
            return launch(command, **options)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", command[2:])
            with pytest.raises(SystemExit) as ended:
                runpy.run_module("evaluation", run_name="__main__")
        return subprocess.CompletedProcess(command, ended.value.code or 0)

    launch = subprocess.run
    monkeypatch.setattr(ablations.subprocess, "run", start)
    ablations.main(arguments)
    assert sorted(started) == ["accelerate.commands.launch", "evaluation", "evaluation"]
    table = (tmp_path / "out" / "table.md").read_text()
    assert table in capsys.readouterr().out
    lines = [line.split(" | ") for line in table.splitlines()[2:4]]
    assert [(cells[0], cells[-1]) for cells in lines] == [("| untuned", "74.95 |"), ("| general medical only", "65.31 |")]
    assert all(", n 2" in cells[1] and cells[3] == "–" for cells in lines) and lines[0][6] == "0" and lines[1][6] != "0"
    rows = json.loads((tmp_path / "out" / "table.json").read_text())
    summary = json.loads((tmp_path / "out" / "general" / "stage1" / "training_summary.json").read_text())
    assert rows[1]["tokens"] == summary["tokens"] > 0 and set(summary["samples"]) == {f"{synthetic_dataset}/general"}
    assert rows[1]["closed_qa"]["score"] in (0.0, 50.0, 100.0)

    monkeypatch.setattr(ablations.subprocess, "run", lambda *_, **__: pytest.fail("what is finished was done again"))
    ablations.main(arguments)
    assert (tmp_path / "out" / "table.md").read_text() == table
