import json
import re
import subprocess
import sys

import pytest

from evaluation.leaderboard import compare, format_markdown, load_runs, table
from evaluation.page_data import data_uri, load_rows, read_stage
from evaluation.report_page import loss_curve, write_page
from evaluation.run import RunOptions, run


@pytest.fixture(scope="module")
def runs(spinebench, tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    run(RunOptions(str(tiny_model), str(spinebench), folder / "untrained", max_new_tokens=6))
    run(RunOptions(str(tiny_model), str(spinebench), folder / "blind", max_new_tokens=6, no_images=True))
    return [folder / "untrained", folder / "blind"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage1")
    history = [{"step": 0, "eval_loss": 6.2}, *({"step": step, "loss": 6 - step / 10} for step in range(1, 21))]
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    summary = {
        "stage": 1,
        "loss": {"untrained_model": 6.25, "start_model": 6.25, "trained": 4.125},
        "steps": 20,
        "tokens": 98765,
    }
    (folder / "training_summary.json").write_text(json.dumps(summary))
    return folder


@pytest.fixture(scope="module")
def page(runs, stage, spinemed, spinebench, tmp_path_factory):
    output = tmp_path_factory.mktemp("html") / "report.html"
    write_page(output, load_runs(runs), runs, "A demo", str(spinemed), str(spinebench), [stage])
    return output.read_text(encoding="utf-8")


def test_page_needs_no_network_and_runs_no_script(page):
    assert not re.search(r"<(?:script|link|iframe|object)\b", page)
    assert not re.findall(r"(?:src|href)=\"(?!data:image/png;base64,|#)", page)
    assert "url(" not in page
    assert page.count("data:image/png;base64,") >= 8


def test_texts_of_data_are_escaped(page):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "A chapter &lt;b&gt;made up&lt;/b&gt; for tests" in page


def test_page_shows_scores_losses_counts_and_provenance(page, runs):
    scores = load_runs(runs)[0][1]
    assert f"{scores['total']['score']:.1f}" in page
    assert "A tiny random model proves the machinery, not medicine." in page
    assert "rules judge, not an LLM" in page
    for loss in ("6.250", "4.125", "98,765"):
        assert loss in page
    for named in (
        "multiple choice",
        "consultation",
        "open ended",
        "degenerative",
        "CC-BY-4.0",
        "page 2, Figure 2",
        "made-up:1",
        "中文",
    ):
        assert named in page
    assert page.count('<article class="card example">') == 8 + 4


def test_table_says_when_columns_are_not_comparable(runs):
    loaded = load_runs(runs)
    text = format_markdown(loaded)
    assert "differ in their uses of images" in text
    assert "differ in their judges" not in text
    assert "without images" in text
    assert {row["measure"] for row in table(loaded)} >= {"Text multiple choice", "**Weighted total**", "Level-exact F1"}


def test_runs_are_compared_item_by_item(runs):
    (_, first), (_, second) = load_runs(runs)
    difference, test = compare(first, second)
    assert difference.difference == pytest.approx(second["total"]["score"] - first["total"]["score"])
    assert difference.low <= difference.difference <= difference.high
    assert 0 <= test.p_value <= 1
    other = {**second, "benchmark": {**second["benchmark"], "fingerprint": "0"}}
    with pytest.raises(ValueError, match="different benchmarks"):
        compare(first, other)


def test_loss_curve_falls_within_its_frame(stage):
    curve = loss_curve(read_stage(stage))
    heights = [float(point.split(",")[1]) for point in curve["line"].split()]
    assert heights == sorted(heights)  # SVG counts downwards
    assert 0 < min(heights) < max(heights) < curve["bottom"]


def test_missing_folders_are_named(tmp_path, runs):
    with pytest.raises(FileNotFoundError, match="no scores"):
        load_runs([tmp_path])
    with pytest.raises(FileNotFoundError, match="--training"):
        read_stage(tmp_path)


def test_images_are_re_encoded(spinemed):
    images = next(row["images"] for row in load_rows(str(spinemed)) if row["images"])
    hostile = images[0]["bytes"] + b"<script>alert(1)</script>"
    assert data_uri(hostile) == data_uri(images[0]["bytes"])


@pytest.mark.slow
def test_command_line_prints_the_table(runs, repo):
    done = subprocess.run(
        [sys.executable, "-m", "evaluation", "report", *map(str, runs)], cwd=repo, capture_output=True, text=True, check=True
    )
    assert "| **Weighted total** |" in done.stdout
    failed = subprocess.run([sys.executable, "-m", "evaluation", "report", "nowhere"], cwd=repo, capture_output=True, text=True)
    assert failed.returncode == 2
    assert failed.stderr.startswith("error: nowhere/scores.json: no scores")
