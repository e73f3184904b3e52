"""Train stage 1: general medicine and orthopaedics, from Qwen2.5-VL.

Usage, from the repository root (recipes/stage1.yaml holds every setting):

    accelerate launch recipes/stage1.py
    accelerate launch --config_file accelerate_configs/zero2.yaml recipes/stage1.py
    accelerate launch recipes/stage1.py --model_name_or_path runs/demo/tiny --output_dir runs/demo/stage1 --max_steps 30

Any field of the YAML can be given on the command line; ``--resume_from_checkpoint latest`` continues an interrupted run.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.while_training import choice_accuracy
from modeling.stage import run_stage

if __name__ == "__main__":
    run_stage(Path(__file__).with_suffix(".yaml"), make_score=choice_accuracy)
