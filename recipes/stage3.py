"""Train stage 3: consultations, reports and long chains, from stage 2's checkpoint.

Usage, from the repository root (recipes/stage3.yaml holds every setting):

    accelerate launch recipes/stage3.py
    accelerate launch --config_file accelerate_configs/zero3_offload.yaml recipes/stage3.py
    accelerate launch recipes/stage3.py --model_name_or_path runs/demo/stage2 --output_dir runs/demo/stage3 --max_steps 30

Any field of the YAML can be given on the command line; ``--resume_from_checkpoint latest`` continues an interrupted run.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.while_training import choice_accuracy
from modeling.stage import run_stage

if __name__ == "__main__":
    run_stage(Path(__file__).with_suffix(".yaml"), make_score=choice_accuracy)
