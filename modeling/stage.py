"""Run a stage from its YAML to its checkpoint, in order: the entry points of the recipes.

run_stage    stages 1 to 3, supervised
run_grpo     stage 4, reinforcement learning
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modeling.arguments import parse_grpo, parse_stage, set_accumulation
from modeling.curriculum import parse_sources
from modeling.grpo import QuestionTrainer, describe_questions, describe_rewards, prepare_questions, train_questions
from modeling.plan import check_run, describe_plan, largest_batch, prepare_data
from modeling.scores import Score
from modeling.sft import StageTrainer, describe_result, load_start, train_stage
from modeling.spinegpt import load_processor


def run_stage(config: Path, *, make_score: Callable[[str, int], Score] | None = None) -> None:
    """Train the supervised stage that ``config`` describes; the command line overrides any of its fields.

    If ``benchmark`` is given there, ``make_score`` makes of it and of ``benchmark_items`` the function that scores the model at
    each evaluation. Raises ValueError, naming the argument and the fix, for any error that can be found before the first step.
    """
    stage, model_config, training = parse_stage(config)
    if stage.benchmark and make_score is None:
        raise ValueError(f"benchmark: {stage.benchmark} cannot be scored here; leave it out, or run the recipe of a stage.")
    score = make_score(stage.benchmark, stage.benchmark_items) if stage.benchmark and make_score else None

    # Model
    model = load_start(stage, model_config, training)
    processor = load_processor(str(model.name_or_path), revision=model_config.model_revision, max_pixels=stage.max_pixels)

    # Dataset
    with training.main_process_first(desc="counting tokens"):
        data = prepare_data(stage, training, processor, model.config, ranks=training.world_size)
    if data.accumulation:
        set_accumulation(training, data.accumulation)

    # Training
    trainer = StageTrainer(model, training, data, processor, stage=stage, model_config=model_config, score=score)
    assert trainer.model is not None  # the Trainer's type allows none until it starts
    batch = largest_batch(data, training.per_device_train_batch_size)
    engine, needs, host = check_run(training, trainer.model, adapters=model_config.use_peft, batch=batch)
    if training.should_log:
        options: Any = {"packing": trainer.packing, "max_length": trainer.token_limit, "host": host}
        print(describe_plan(stage, training, engine, trainer.model, data, needs, **options), flush=True)
    summary = train_stage(trainer, stage, model_config, data, processor)
    if training.should_log:
        print(describe_result(summary, str(training.output_dir)))


def run_grpo(config: Path) -> None:
    """Train the GRPO stage that ``config`` describes; the command line overrides any of its fields.

    Raises ValueError, naming the argument and the fix, for any error that can be found before the first step.
    """
    stage, model_config, training = parse_grpo(config)

    # Model
    model = load_start(stage, model_config, training)
    processor = load_processor(str(model.name_or_path), revision=model_config.model_revision, max_pixels=stage.max_pixels)

    # Dataset
    with training.main_process_first(desc="reading questions"):
        data = prepare_questions(
            parse_sources(stage.datasets),
            processor,
            max_prompt_length=stage.max_prompt_length,
            validation_share=stage.validation_share,
            seed=training.data_seed or training.seed,
            num_proc=stage.dataset_num_proc,
        )

    # Training
    trainer = QuestionTrainer(model, training, data, processor, stage=stage, model_config=model_config)
    assert trainer.model is not None
    _, needs, host = check_run(training, trainer.model, adapters=model_config.use_peft)
    if training.should_log:
        print("\n".join([describe_questions(stage, trainer, data), *needs.lines(host)]), flush=True)
    summary = train_questions(trainer, stage, model_config, data, processor)
    if training.should_log:
        print(describe_rewards(summary, str(training.output_dir)))
