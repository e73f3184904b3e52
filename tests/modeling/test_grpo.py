import json
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from datasets import Dataset, Features, List, Value
from safetensors.torch import load_file

from modeling.arguments import parse_grpo
from modeling.checkpoints import write_card
from modeling.curriculum import parse_sources
from modeling.grpo import QuestionTrainer, ask, prepare_questions
from modeling.output import SUMMARY
from modeling.spinegpt import load_model, load_processor
from tests.modeling.test_deepspeed import engine_config
from tests.support.synthetic import FEATURES, image, turn

RECIPES = Path(__file__).parents[2] / "recipes"
LETTERS = "ABCD"
COLUMNS = Features(
    {
        **FEATURES,
        "options": List(Value("string")),
        "answer": Value("string"),
        "levels": List(Value("string")),
        "discs": List(Value("string")),
    }
)


def question(number, answer, **columns):
    options = ("L2", "L3", "L4", "L5")
    text = f"Case {number}: which {'of these ' * (number % 4)}one?\n\n" + "\n".join(
        f"{letter}. {option}" for letter, option in zip(LETTERS, options)
    )
    images = [image(np.random.default_rng(number))] * (number % 4 > 0)
    return {
        "id": str(number),
        "task": "multiple_choice",
        "language": "en",
        "messages": [turn("user", text, len(images)), turn("assistant", f"{answer}. {options[LETTERS.index(answer[0])]}")],
        "images": images,
        "specialty": "spine",
        "source_licence": "CC-BY-4.0",
        "options": list(options),
        "answer": answer,
        "levels": [],
        "discs": [],
        **columns,
    }


def write(folder, rows, features=COLUMNS):
    folder.mkdir()
    Dataset.from_list(rows, features=features).to_parquet(folder / "train.parquet")
    return folder


def recipe(monkeypatch, name, **options):
    quick = {"disable_tqdm": True, "logging_steps": 1, "sample_generations": 0}
    argv = [text for key, value in (quick | options).items() for text in (f"--{key}", str(value))]
    monkeypatch.setattr(sys, "argv", [name, *argv])
    runpy.run_path(str(RECIPES / f"{name}.py"), run_name="__main__")
    return options["output_dir"]


def test_a_question_asks_for_the_lines_that_its_reference_has(processor):
    both = ask(question(1, "CA", levels=["L3", "L4", "L5"], discs=["L3/L4"]))
    said = both["prompt"][0]["content"]
    assert [part["type"] for part in said] == ["image", "text", "text"] and len(both["images"]) == 1
    assert said[-1]["text"].splitlines()[-3:] == [
        "End your reply with these lines, and write nothing after that:",
        "Levels: <vertebrae and discs concerned, such as L5, L4/L5>",
        "Answer: <letter of the right option>",
    ]
    assert both["reference"] == "Levels: L3/L4, L5\nAnswer: AC" and both["choices"] == "ABCD"
    chinese = ask({**question(2, "B", language="zh", levels=["L5"]), "options": [], "answer": None})
    assert chinese["prompt"][0]["content"][-1]["text"].splitlines()[-1] == "Levels: <所涉及的椎体和椎间盘，例如 L5, L4/L5>"
    assert chinese["reference"] == "Levels: L5" and chinese["choices"] is None and chinese["answer"] is None


def test_what_cannot_be_asked_is_dropped_and_named(tmp_path, processor):
    rows = [question(number, "B") for number in range(6)]
    rows[0] |= {"options": [], "answer": None}
    rows[1]["images"] = [{"bytes": b"torn", "path": None}]
    rows[2]["messages"][0] = turn("user", "long " * 500)
    rows[4]["source_licence"] = "LicenseRef-Unknown"
    sources = [{"dataset": str(write(tmp_path / "rows", rows)), "without_licences": ["LicenseRef-Unknown"]}]
    data = prepare_questions(parse_sources(sources), processor, max_prompt_length=300)
    assert {(drop.id, drop.reason) for drop in data.dropped} == {
        ("0", "no_options_no_levels"), ("1", "corrupt_image"), ("2", "over_max_prompt_length"), ("4", "licence")
    }  # fmt: skip
    assert sorted(row["id"] for row in data.train) == ["3", "5"] and list(data.samples.values()) == [2]
    held = prepare_questions(parse_sources(sources), processor, max_prompt_length=300, validation_share=0.7)
    assert sorted(row["id"] for part in (held.train, held.held_out) for row in part) == ["3", "5"] and len(held.held_out) == 1
    with pytest.raises(ValueError, match=r"datasets: no question is left .* Raise max_prompt_length"):
        prepare_questions(parse_sources(sources), processor, max_prompt_length=10)
    bare = write(tmp_path / "bare", [{name: row[name] for name in FEATURES} for row in rows], FEATURES)
    with pytest.raises(ValueError, match="has no column options, answer, levels, discs"):
        prepare_questions(parse_sources([{"dataset": str(bare)}]), processor, max_prompt_length=300)


def test_questions_are_made_as_they_are_read_and_measured_once(tmp_path, processor, monkeypatch):
    """Neither images nor prompts are kept in memory or written again; a second start reads the measures from the cache."""
    folder = write(tmp_path / "rows", [question(number, "B") for number in range(8)])

    def prepared():
        return prepare_questions(parse_sources([{"dataset": str(folder)}]), processor, max_prompt_length=300)

    first = prepared()
    files = first.train.cache_files
    written = sum(file.stat().st_size for file in Path(files[0]["filename"]).parent.glob("*.arrow"))
    images = sum(len(image["bytes"]) for number in range(8) for image in question(number, "B")["images"])
    assert len(files) == 1 and images < written < 1.5 * images
    shown = next(row for row in first.train if row["images"])
    assert shown["images"][0].size == (64, 64) and shown["prompt"][0]["content"][0]["type"] == "image"
    monkeypatch.setattr("modeling.curriculum.measure", None)
    assert prepared().fingerprint == first.fingerprint


def test_null_fields_are_counted_rows(tmp_path, processor):
    rows = [question(number, "B", discs=["L4/L5"]) for number in range(5)]
    for number, nulls in enumerate(("messages", "language", "answer", "levels")):
        rows[number] |= {nulls: None, "source_licence": None}
    data = prepare_questions(
        parse_sources([{"dataset": str(write(tmp_path / "rows", rows))}]),
        processor,
        max_prompt_length=300,
        validation_share=0.01,
    )
    assert {(drop.id, drop.reason) for drop in data.dropped} == {("0", "no_options_no_levels"), ("1", "unknown_language")}
    asked = {row["id"]: row["reference"] for row in data.train}
    assert asked == {"2": "Levels: L4/L5", "3": "Levels: L4/L5\nAnswer: B", "4": "Levels: L4/L5\nAnswer: B"}


def test_settings_that_would_leak_or_hang_are_refused(tmp_path, monkeypatch):
    config, output = RECIPES / "stage4_grpo.yaml", ["--output_dir", str(tmp_path)]
    stage, _, training = parse_grpo(config, output)
    assert not stage.train_vision_tower and training.num_generations == 8
    with pytest.raises(ValueError, match="log_completions: would send questions"):
        parse_grpo(config, [*output, "--log_completions", "true"])


def test_places_of_images_fit_prompts_of_different_lengths(tmp_path, tiny):
    """TRL pads ids on the left and takes the places of images from the processor: another side would shift them."""
    dataset = write(tmp_path / "questions", [question(number, "B") for number in (1, 3)])
    arguments = {"output_dir": tmp_path / "out", "dataset": dataset, "per_device_eval_batch_size": 2, "num_generations": 2}
    arguments |= {
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "max_completion_length": 2,
        "sample_generations": 0,
    }
    argv = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
    stage, model_config, training = parse_grpo(_without_config(tmp_path, "stage4_grpo"), argv)
    processor = load_processor(tiny)
    data = prepare_questions(parse_sources(stage.datasets), processor, max_prompt_length=500)
    trainer = QuestionTrainer(load_model(tiny).eval(), training, data, processor, stage=stage, model_config=model_config)
    batch = trainer._generate_and_score_completions([row for row in data.train for _ in range(2)])
    training.generation_batch_size = 6
    with pytest.raises(ValueError, match="datasets: 2 questions, and a step takes 3: there would be no step"):
        QuestionTrainer(load_model(tiny), training, data, processor, stage=stage, model_config=model_config)

    shown = batch["prompt_ids"] == processor.image_token_id
    lengths = batch["prompt_mask"].sum(dim=1)
    assert shown.any(dim=1).all() and lengths[0] != lengths[2]
    assert torch.equal(batch["mm_token_type_ids"][:, : shown.shape[1]] == 1, shown)


@pytest.mark.slow
def test_reward_rises_on_a_toy_and_the_checkpoint_is_one_of_stage_4(tmp_path, tiny, monkeypatch):
    """A model that was taught to answer with any letter learns from the rewards alone that it is always B."""
    questions = [question(number, "B") for number in range(16)]
    taught = []
    for number, row in enumerate(questions * 4):
        asked = ask({**row, "answer": LETTERS[number // 16]})
        taught.append({**row, "messages": [*asked["prompt"], turn("assistant", asked["reference"])]})
    any_letter = recipe(
        monkeypatch, "stage2", output_dir=tmp_path / "start",
        model_name_or_path=tiny, dataset=write(tmp_path / "taught", taught), config=_without_config(tmp_path, "stage2"),
        max_steps=70, samples_a_step=4, learning_rate=5e-3, loss_samples=4,
    )  # fmt: skip
    options = {
        "model_name_or_path": any_letter, "dataset": write(tmp_path / "questions", questions),
        "config": _without_config(tmp_path, "stage4_grpo"), "max_steps": 12, "save_steps": 8, "learning_rate": 2e-3,
        "per_device_train_batch_size": 32, "gradient_accumulation_steps": 1, "max_completion_length": 8, "reward_samples": 4,
    }  # fmt: skip
    output = recipe(monkeypatch, "stage4_grpo", output_dir=tmp_path / "stage4", **options)
    summary = json.loads((output / SUMMARY).read_text())
    before, after = summary["reward"]["start_model"], summary["reward"]["trained"]
    assert before["format_reward"] > 0.8 and before["answer_reward"] < 0.6
    assert after["answer_reward"] > before["answer_reward"] + 0.3 and after["format_reward"] > 0.7

    start, trained = load_file(any_letter / "model.safetensors"), load_file(output / "model.safetensors")
    changed = {name for name in start if not torch.equal(start[name], trained[name])}
    assert changed and not any("visual" in name for name in changed)
    load_model(output)
    text = write_card(output).read_text()
    assert "stage-4" in text and "reinforcement learning" in text and f"reward {after['reward']:.3f}" in text

    resumed = tmp_path / "resumed"
    shutil.copytree(output / "checkpoint-8", resumed / "checkpoint-8")
    recipe(monkeypatch, "stage4_grpo", output_dir=resumed, resume_from_checkpoint="latest", **options)
    again = load_file(resumed / "model.safetensors")
    assert all(torch.equal(trained[name], again[name]) for name in trained)


@pytest.mark.slow
def test_two_ranks_of_which_one_has_no_image_stay_in_step(launch, tmp_path, tiny):
    questions = [question(number, "B") for number in (0, 1, 4, 2, 8, 3)]
    settings = yaml.safe_load(_without_config(tmp_path, "stage4_grpo").read_text()) | {"sample_generations": 2}
    config, output = tmp_path / "two_ranks.yaml", tmp_path / "out"
    config.write_text(yaml.safe_dump(settings))
    options = {
        "config": config, "model_name_or_path": tiny, "dataset": write(tmp_path / "questions", questions), "output_dir": output,
        "deepspeed": engine_config("ds_zero2", tmp_path), "max_steps": 2, "num_generations": 2, "reward_samples": 4,
        "per_device_train_batch_size": 2, "per_device_eval_batch_size": 2, "gradient_accumulation_steps": 1,
        "max_completion_length": 4, "sample_max_new_tokens": 4, "disable_tqdm": True,
    }  # fmt: skip
    launch(_command(options))
    summary = json.loads((output / SUMMARY).read_text())
    assert summary["engine"]["zero_stage"] == 2 and summary["engine"]["ranks"] == 2 and summary["steps"] == 2
    assert (output / "samples" / "step-000002.md").is_file()
    with pytest.raises(AssertionError, match="ValueError: deepspeed: under ZeRO-3 a rank"):
        options["deepspeed"] = engine_config("ds_zero3", tmp_path)
        launch(_command(options))


def _command(options):
    return [str(RECIPES / "stage4_grpo.py"), *(text for name, value in options.items() for text in (f"--{name}", str(value)))]


def _without_config(folder, name):
    """The recipe over a data set that is one shard."""
    settings = yaml.safe_load((RECIPES / f"{name}.yaml").read_text())
    settings["datasets"] = [{"dataset": "spinemed-450k"}]
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path
