"""The table of benchmark tasks decides what is sampled, written, asked and scored; what it lacks is named at once."""

import io
import json
from dataclasses import replace

import PIL.Image
import pytest
import yaml
from datasets import load_dataset

from dataset_builders.document import Reject
from dataset_builders.engine.store import ImageStore
from dataset_builders.item import Item, Message
from dataset_builders.publish.spinebench import Sampling, build_spinebench, split_items
from dataset_builders.schema import BENCHMARK_TASKS, BenchmarkTask, spinebench_features
from evaluation.benchmark import load_benchmark
from evaluation.leaderboard import format_markdown, load_runs, table
from evaluation.records import JUDGEMENTS, PREDICTIONS
from evaluation.run import RunOptions, run
from tests.evaluation.conftest import benchmark_row, save
from tests.support.items import make_item

OPEN_ENDED = BenchmarkTask(
    "open_ended", "open questions", most=6, has_options=False, metric="judge", prompt="report",
    parts={"text": ("open_ended", "Open questions (P3, 20-100)"), "image_text": ("open_ended", "Open questions (P3, 20-100)")},
)  # fmt: skip


def answer_of(number: int) -> str:
    return f"The root that passes the disc at L4/L5 is the L5 root, as case {number} shows."


def open_item(number: int, **changes) -> Item:
    messages = (Message("user", f"Which root is met in case {number}?"), Message("assistant", answer_of(number)))
    return make_item(
        f"open-{number}", source=f"open{number}", task="open_ended", messages=messages, options=(), answer=None, **changes
    )


def build(folder, items):
    """SpineBench of ``items``, as the pipeline's split and last step make it."""
    store = ImageStore(folder / "images")
    read = lambda: iter({**item.to_dict(), "_shard": 0} for item in items)  # noqa: E731
    records = [record for record in split_items(read, store.get, Sampling(share=0.5)) if not isinstance(record, Reject)]
    chosen = [record for record in records if record["split"] == "benchmark"]
    benchmark = [Item.from_dict({key: record[key] for key in record if key not in ("split", "_shard")}) for record in chosen]
    build_spinebench(benchmark, store, folder / "spinebench", {"steps": []})
    return folder / "spinebench"


def test_one_entry_more_in_the_table_is_sampled_written_asked_scored_and_totalled(monkeypatch, tmp_path, tiny_model):
    monkeypatch.setitem(BENCHMARK_TASKS, "open_ended", OPEN_ENDED)
    items = [*(make_item(f"choice-{n}", source=f"choice{n}") for n in range(8)), *(open_item(n) for n in range(40))]
    bench = build(tmp_path, items)

    card = yaml.safe_load((bench / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert [config["config_name"] for config in card["configs"]] == ["default", "multiple_choice", "report", "open_ended"]
    assert "multiple choice, diagnostic reports and open questions" in (bench / "README.md").read_text(encoding="utf-8")
    rows = load_dataset(str(bench), "open_ended", split="test", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == 6  # `most` of the entry, not half of 40
    assert {row["answer"] for row in rows} <= {answer_of(n) for n in range(40)}

    scores = run(RunOptions(str(tiny_model), str(bench), tmp_path / "run", max_new_tokens=8))
    predictions = [json.loads(line) for line in (tmp_path / "run" / PREDICTIONS).read_text().splitlines()]
    judged = [json.loads(line)["id"] for line in (tmp_path / "run" / JUDGEMENTS).read_text().splitlines()]
    assert {line["id"] for line in predictions if line["task"] == "open_ended"} == set(judged) == set(rows["id"])
    part, choices = scores["tasks"]["open_ended"], scores["tasks"]["text_mcq"]
    assert part["n"] == 6 and part["n_failed"] == 0 and part["score"] >= 20 and part["weight"] == 6 / (6 + choices["n"])
    total = part["weight"] * part["score"] + choices["weight"] * choices["score"]
    assert scores["total"]["score"] == pytest.approx(total)
    assert scores["by_language"]["en"]["open_ended"]["n"] == 6
    assert "Open questions (P3, 20-100)" in format_markdown(load_runs([tmp_path / "run"]))


@pytest.fixture
def with_open_ended(tmp_path):
    """A benchmark with a question of every kind of row, one of which is an open one."""
    rows = [benchmark_row(0, "multiple_choice", "en", "text"), benchmark_row(1, "report", "en", "text")]
    save([*rows, {**rows[1], "id": "open", "task": "open_ended"}], spinebench_features(), tmp_path / "bench", "test")
    return str(tmp_path / "bench")


def test_a_task_that_the_table_lacks_is_refused_at_once_by_name(with_open_ended):
    with pytest.raises(ValueError, match=r"task 'open_ended' has no entry in BENCHMARK_TASKS of dataset_builders/schema.py"):
        load_benchmark(with_open_ended)


@pytest.mark.parametrize("changes", [{"metric": ""}, {"metric": "rouge"}, {"metric": "accuracy"}, {"has_options": True}])
def test_a_metric_that_cannot_score_the_task_is_refused_at_once_by_its_entry(monkeypatch, with_open_ended, changes):
    monkeypatch.setitem(BENCHMARK_TASKS, "open_ended", replace(OPEN_ENDED, **changes))
    with pytest.raises(ValueError, match=r"BENCHMARK_TASKS\['open_ended'\] of dataset_builders/schema.py has the metric"):
        load_benchmark(with_open_ended)


def test_a_prompt_that_does_not_exist_is_refused_before_a_question_is_asked(monkeypatch, tmp_path, with_open_ended, tiny_model):
    monkeypatch.setitem(BENCHMARK_TASKS, "open_ended", replace(OPEN_ENDED, prompt="open"))
    with pytest.raises(ValueError, match=r"BENCHMARK_TASKS\['open_ended'\].* has no prompt 'open'"):
        run(RunOptions(str(tiny_model), with_open_ended, tmp_path / "never"))
    assert not (tmp_path / "never").exists()


def test_a_run_of_a_shorter_table_has_no_value_in_the_new_part(monkeypatch):
    monkeypatch.setitem(BENCHMARK_TASKS, "open_ended", OPEN_ENDED)
    levels = dict.fromkeys(("f1", "precision", "recall", "exact_match", "off_by_one"))
    tasks = {name: {"score": 50.0, "low": 40.0, "high": 60.0, "n": 3} for name in ("text_mcq", "image_mcq", "report")}
    rows = {row["measure"]: row["cells"][0]["estimate"] for row in table([("old", {
        "tasks": tasks, "total": {"score": 50.0}, "levels": levels,
    })])}  # fmt: skip
    assert rows["Open questions (P3, 20-100)"] is None and rows["Text multiple choice"] == 50.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modality": "video"}, "modality 'video'"),
        ({"source_kind": "invented_kind"}, "source_kind 'invented_kind' has no entry in KINDS"),
        ({"answer": ""}, "no reference"),
        ({"language": "fr"}, "language 'fr'"),
    ],
)
def test_a_row_that_the_tables_do_not_know_is_named(tmp_path, change, message):
    save([{**benchmark_row(1, "report", "en", "text"), **change}], spinebench_features(), tmp_path / "bench", "test")
    with pytest.raises(ValueError, match=rf"row report-0001: {message}"):
        load_benchmark(str(tmp_path / "bench"))


@pytest.mark.parametrize(("pixels", "message"), [((15_000, 15_000), "pixels"), (None, "cannot be opened")])
def test_an_image_that_is_a_bomb_or_none_is_an_error_that_names_its_row(tmp_path, pixels, message):
    out = io.BytesIO()
    if pixels:
        PIL.Image.new("1", pixels).save(out, "PNG")
    row = benchmark_row(1, "multiple_choice", "en", "image_text")
    row["images"] = [{"bytes": out.getvalue() or b"no image", "path": None}]
    save([row], spinebench_features(), tmp_path / "bench/data/multiple_choice", "test")
    with pytest.raises(ValueError, match=f"row {row['id']}: .*{message}"):
        load_benchmark(str(tmp_path / "bench"))
