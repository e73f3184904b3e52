"""A stage from its YAML to its checkpoint, in order: what recipes/stage1.py, stage2.py and stage3.py run."""

from pathlib import Path

from modeling.curriculum import parse_sources, prepare_stage
from modeling.sft import StageTrainer, describe_plan, describe_result, load_start, parse_stage, train_stage
from modeling.spinegpt import load_processor


def run_stage(config: Path) -> None:
    """Train the stage that ``config`` describes; the command line overrides any of its fields.

    Raises ValueError, naming argument and fix, for what can be known before the first step.
    """
    stage, model_config, training = parse_stage(config)
    if training.max_length is None:
        raise ValueError("max_length: not set; give the tokens a sample may have, as a longer one is dropped and never cut")

    # Model
    model = load_start(stage, model_config, training)
    processor = load_processor(str(model.name_or_path), max_pixels=stage.max_pixels)

    # Dataset
    with training.main_process_first(desc="counting tokens"):
        data = prepare_stage(
            parse_sources(stage.datasets),
            processor,
            max_length=training.max_length,
            order=stage.order,
            packing=training.packing,
            seed=training.data_seed or training.seed,
            num_proc=training.dataset_num_proc,
        )

    # Training
    trainer = StageTrainer(model, training, data, processor, loss_samples=stage.loss_samples, model_config=model_config)
    if training.should_log:
        print(describe_plan(stage, trainer, data), flush=True)
    summary = train_stage(trainer, stage, model_config, data, processor)
    if training.should_log:
        print(describe_result(summary, str(training.output_dir)))
