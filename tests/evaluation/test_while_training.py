import json
import runpy
import sys
from pathlib import Path

import pytest

from evaluation.benchmark import Benchmark, load_benchmark
from evaluation.local_model import LocalModel
from evaluation.predict import predict
from evaluation.while_training import choice_accuracy
from modeling.attention import PACKED_SDPA, register_packed_sdpa
from modeling.samples import answering
from modeling.spinegpt import load_model, load_processor
from tests.support.synthetic import write_dataset

STAGE2 = Path(__file__).parents[2] / "recipes" / "stage2.py"
# A stand-in for the package that the Trainer takes if tensorboard itself is not there.
TENSORBOARD_X = """
import json, pathlib
class SummaryWriter:
    def __init__(self, log_dir):
        pathlib.Path(log_dir).mkdir(parents=True, exist_ok=True)
        self.file = open(pathlib.Path(log_dir, "scalars.jsonl"), "a")
    def add_scalar(self, name, value, step):
        print(json.dumps([name, value, step]), file=self.file)
    def add_text(self, *_):
        pass
    def flush(self):
        self.file.flush()
    def close(self):
        self.file.close()
"""


@pytest.fixture
def run(tmp_path, tiny_model, monkeypatch):
    dataset = write_dataset(tmp_path / "spinemed-450k", rows_per_shard=2)

    def train(**options):
        options = {
            "dataset": dataset, "model_name_or_path": tiny_model, "output_dir": tmp_path / "out", "max_steps": 2,
            "eval_steps": 1, "learning_rate": 1e-2, "loss_samples": 2, "sample_generations": 0,
            "gradient_accumulation_steps": 1, "logging_steps": 1, "disable_tqdm": True, "save_strategy": "no", **options,
        }  # fmt: skip
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        monkeypatch.setattr(sys, "argv", [str(STAGE2), *arguments])
        runpy.run_path(str(STAGE2), run_name="__main__")
        return tmp_path / "out"

    return train


def test_it_is_the_accuracy_that_a_run_of_the_evaluation_gives(spinebench, tiny_model, tmp_path):
    benchmark = load_benchmark(str(spinebench))
    chosen = tuple(item for item in benchmark.items if item.rules.has_options)
    local = LocalModel(str(tiny_model))
    predictions = predict(local, Benchmark("all", chosen, ""), tmp_path, scorer=local, batch_size=4)
    right = {item.id: record["choice"] == item.answer for item, record in zip(chosen, predictions)}
    register_packed_sdpa()
    model = load_model(tiny_model, attn_implementation={"text_config": PACKED_SDPA, "vision_config": "sdpa"}).train()
    with answering(model):
        values = choice_accuracy(str(spinebench), 24)(model, load_processor(tiny_model))
    assert 0 < sum(right.values()) < 24 and values["spinebench_accuracy"] == sum(right.values()) / 24
    for part in ("text_mcq", "image_mcq"):
        of_part = [right[item.id] for item in chosen if item.part == part]
        assert values[f"spinebench_{part}_accuracy"] == sum(of_part) / len(of_part)
    assert model.training and model.config.get_text_config()._attn_implementation == PACKED_SDPA


def test_a_subset_is_the_same_each_time_and_covers_parts_and_languages(spinebench, tiny_model, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "evaluation.while_training.choose_by_likelihood", lambda scorer, items: asked.append(items) or ["A"] * 4
    )
    for _ in range(2):
        choice_accuracy(str(spinebench), 4)(None, None)
    assert asked[0] == asked[1] and len({(item.part, item.language) for item in asked[0]}) == 4


@pytest.mark.parametrize("packing", [False, True])
def test_a_recipe_logs_it_beside_the_loss_and_to_the_tracker(packing, run, spinebench, tmp_path, monkeypatch):
    (tmp_path / "tensorboardX.py").write_text(TENSORBOARD_X)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "logs"))
    output = run(benchmark=spinebench, benchmark_items=4, report_to="tensorboard", packing=packing)
    history = json.loads((output / "trainer_state.json").read_text())["log_history"]
    scored = {entry["step"]: entry["eval_spinebench_accuracy"] for entry in history if "eval_spinebench_accuracy" in entry}
    losses = {entry["step"] for entry in history if "eval_train_loss" in entry}
    assert list(scored) == [0, 1, 2] and losses == set(scored)
    scores = json.loads((output / "training_summary.json").read_text())["scores"]
    assert scores["start_model"]["eval_spinebench_accuracy"] == scored[0]
    assert scores["trained"]["eval_spinebench_accuracy"] == scored[2]
    sent = [json.loads(line) for line in (tmp_path / "logs" / "scalars.jsonl").read_text().splitlines()]
    assert [step for name, _, step in sent if name == "eval/spinebench_accuracy"] == [0, 1, 2]
    assert [step for name, _, step in sent if name == "train/loss"] == [1, 2]
    assert {step for name, _, step in sent if name == "eval/train_loss"} >= {0, 1, 2}


def test_the_real_tensorboard_reads_it(run, spinebench, tmp_path, monkeypatch):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="pip install tensorboard")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "logs"))
    run(benchmark=spinebench, benchmark_items=4, report_to="tensorboard")
    read = events.EventAccumulator(str(tmp_path / "logs")).Reload()
    assert [event.step for event in read.Scalars("eval/spinebench_accuracy")] == [0, 1, 2]
    assert [event.step for event in read.Scalars("train/loss")] == [1, 2]


def test_errors_name_the_argument(run, tmp_path):
    with pytest.raises(ValueError, match="report_to: 'paper' is none of"):
        run(report_to="paper")
    with pytest.raises(ValueError, match=r"report_to: neptune is not installed here. Install it \(pip install neptune\)"):
        run(report_to="neptune")
    with pytest.raises(ValueError, match=r"benchmark: .*nowhere.* Give a folder or Hub id of SpineBench, or leave it out"):
        run(benchmark=tmp_path / "nowhere")
    with pytest.raises(ValueError, match="benchmark_items: 0"):
        run(benchmark=tmp_path / "nowhere", benchmark_items=0)
