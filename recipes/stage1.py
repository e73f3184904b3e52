"""Stage 1: general medicine and orthopaedics, from Qwen2.5-VL.

Usage, from the repository root (recipes/stage1.yaml holds every setting):

    accelerate launch recipes/stage1.py
    accelerate launch --config_file accelerate_configs/zero2.yaml recipes/stage1.py
    accelerate launch recipes/stage1.py --model_name_or_path runs/demo/tiny --output_dir runs/demo/stage1 --max_steps 30

Any field of the YAML can be given on the command line; ``--resume_from_checkpoint latest`` goes on after an interruption.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from modeling.curriculum import parse_sources, prepare_stage
from modeling.sft import StageTrainer, describe_plan, describe_result, load_start, parse_stage, train_stage
from modeling.spinegpt import load_processor

if __name__ == "__main__":
    stage, model_config, training = parse_stage(Path(__file__).with_suffix(".yaml"))

    # Model
    model = load_start(stage, model_config, training)
    processor = load_processor(model.name_or_path, max_pixels=stage.max_pixels)

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
        print(describe_result(summary, training.output_dir))
