"""Train stage 4: reinforcement learning on multiple choice and level questions, from stage 3's checkpoint.

Usage, from the repository root (recipes/stage4_grpo.yaml holds every setting):

    accelerate launch recipes/stage4_grpo.py
    accelerate launch --config_file accelerate_configs/zero2.yaml recipes/stage4_grpo.py
    accelerate launch recipes/stage4_grpo.py --model_name_or_path runs/demo/stage3 --output_dir runs/demo/stage4 --max_steps 10

Any field of the YAML can be given on the command line; ``--resume_from_checkpoint latest`` continues an interrupted run.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from modeling.stage import run_grpo

if __name__ == "__main__":
    run_grpo(Path(__file__).with_suffix(".yaml"))
