import json
import subprocess
import time
from pathlib import Path

import pytest

from evaluation.benchmark import load_benchmark
from evaluation.records import JUDGEMENTS, PREDICTIONS, SCORES
from evaluation.run import RunOptions, run
from tests.support.processes import kill, start

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def finished(spinebench, tiny_model, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "untrained"
    options = RunOptions(str(tiny_model), str(spinebench), output, max_new_tokens=24)
    return output, run(options), options


def test_scores_hold_every_part_with_its_interval(finished, spinebench):
    output, scores, _ = finished
    assert json.loads((output / SCORES).read_text()) == scores
    assert {task: part["n"] for task, part in scores["tasks"].items()} == {"text_mcq": 12, "image_mcq": 12, "report": 4}
    total = sum(part["weight"] * part["score"] for part in scores["tasks"].values())
    assert scores["total"]["score"] == pytest.approx(total)
    assert scores["total"]["low"] <= scores["total"]["score"] <= scores["total"]["high"]
    assert scores["levels"]["n"] == 28
    assert set(scores["by_axis"]) == {"level_identification", "pathology_assessment", "surgical_planning"}
    assert sum(part["multiple_choice"]["n"] for part in scores["by_language"].values()) == 24
    assert scores["judge"]["id"] == "rules/2 (rules judge, not an LLM)"
    assert scores["benchmark"]["fingerprint"] == load_benchmark(str(spinebench)).fingerprint
    assert scores["model"]["version"].startswith("sha256 ")
    assert scores["complete"]


def test_likelihood_takes_the_most_probable_letter(finished):
    output, _, _ = finished
    records = [json.loads(line) for line in (output / PREDICTIONS).read_text().splitlines()]
    choices = [record for record in records if record["task"] == "multiple_choice"]
    for record in choices:
        scores = record["log_probabilities"]
        assert set(scores) == set("ABCD")
        assert record["choice"] == max(scores, key=scores.get)
        assert all(score < 0 for score in scores.values())
    assert len({record["log_probabilities"]["A"] for record in choices}) > 6  # questions and images reach the model


def test_run_is_deterministic(finished, tmp_path):
    output, _, options = finished
    run(RunOptions(options.model, options.benchmark, tmp_path, max_new_tokens=24))
    assert (tmp_path / PREDICTIONS).read_bytes() == (output / PREDICTIONS).read_bytes()
    assert (tmp_path / JUDGEMENTS).read_bytes() == (output / JUDGEMENTS).read_bytes()


def test_run_cut_off_in_a_line_continues_to_the_same_bytes(finished, tmp_path):
    output, _, options = finished
    whole = (output / PREDICTIONS).read_bytes()
    resumed = tmp_path / "resumed"
    resumed.mkdir()
    (resumed / "run.json").write_bytes((output / "run.json").read_bytes())
    (resumed / PREDICTIONS).write_bytes(whole[: len(whole) // 2])
    run(RunOptions(options.model, options.benchmark, resumed, max_new_tokens=24))
    assert (resumed / PREDICTIONS).read_bytes() == whole


def test_batches_do_not_change_the_choices(finished, tmp_path):
    output, scores, options = finished
    other = run(RunOptions(options.model, options.benchmark, tmp_path, max_new_tokens=24, batch_size=5))
    choices = [
        [json.loads(line).get("choice") for line in (folder / PREDICTIONS).read_text().splitlines()]
        for folder in (output, tmp_path)
    ]
    assert choices[0] == choices[1]
    assert other["total"] == scores["total"]


def test_no_images_baseline_sees_no_images(finished, tmp_path):
    _, _, options = finished
    scores = run(RunOptions(options.model, options.benchmark, tmp_path, max_new_tokens=8, no_images=True, limit=6))
    records = [json.loads(line) for line in (tmp_path / PREDICTIONS).read_text().splitlines()]
    assert scores["images"] is False
    assert {record["n_images"] for record in records} == {0}


def test_generated_answers_are_parsed_and_unparsed_ones_counted(finished, tmp_path):
    _, _, options = finished
    scores = run(RunOptions(options.model, options.benchmark, tmp_path, max_new_tokens=8, scoring="generate", limit=8))
    records = [json.loads(line) for line in (tmp_path / PREDICTIONS).read_text().splitlines()]
    unparsed = sum(record.get("choice", "-") is None for record in records)
    assert scores["tasks"]["text_mcq"]["n_unparsed"] + scores["tasks"]["image_mcq"]["n_unparsed"] == unparsed
    assert scores["scoring"] == "generate"


def test_limit_takes_every_task_and_language(spinebench):
    items = load_benchmark(str(spinebench), limit=6).items
    assert len({(item.part, item.language) for item in items}) == 6


def test_other_settings_in_the_same_folder_are_refused_and_restart_clears(finished, tmp_path):
    _, _, options = finished
    run(RunOptions(options.model, options.benchmark, tmp_path, max_new_tokens=4, limit=6))
    changed = RunOptions(options.model, options.benchmark, tmp_path, max_new_tokens=4, limit=5)
    with pytest.raises(ValueError, match="--restart"):
        run(changed)
    scores = run(RunOptions(options.model, options.benchmark, tmp_path, max_new_tokens=4, limit=5, restart=True))
    assert scores["benchmark"]["items"] == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": str(REPO / "evaluation")}, "--model"),
        ({"model": "http://127.0.0.1:9/v1", "scoring": "likelihood"}, "--scoring"),
        ({"judge": "gpt"}, "--judge"),
        ({"batch_size": 0}, "--batch-size"),
    ],
)
def test_bad_options_are_named(finished, tmp_path, change, message):
    _, _, options = finished
    values = {
        "model": options.model,
        "model_name": "any",
        "benchmark": options.benchmark,
        "output": tmp_path / "never",
        **change,
    }
    with pytest.raises(ValueError, match=message):
        run(RunOptions(**values))
    assert not (tmp_path / "never").exists()


@pytest.mark.slow
def test_killed_run_continues_to_the_same_bytes(finished, tmp_path, repo):
    output, _, options = finished
    command = ["-m", "evaluation", "run", "--model", options.model, "--benchmark", options.benchmark]
    command += ["--output", str(tmp_path / "killed"), "--max-new-tokens", "24"]
    process = start(command, cwd=repo, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    path = tmp_path / "killed" / PREDICTIONS
    until = time.monotonic() + 120
    while time.monotonic() < until and not (path.exists() and path.stat().st_size):
        time.sleep(0.02)
    assert kill(process)
    assert path.stat().st_size < (output / PREDICTIONS).stat().st_size
    run(RunOptions(options.model, options.benchmark, tmp_path / "killed", max_new_tokens=24))
    assert path.read_bytes() == (output / PREDICTIONS).read_bytes()
    assert json.loads((tmp_path / "killed" / SCORES).read_text())["complete"]
