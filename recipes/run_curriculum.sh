#!/usr/bin/env bash
# Train the three stages in order, each from the checkpoint of the one before.
#
#   recipes/run_curriculum.sh                                    # 7B, recipes as they are, into runs/spinegpt
#   recipes/run_curriculum.sh runs/demo --model runs/demo/tiny --max_steps 30 --learning_rate 3e-3
#
# --model is stage 1's start; every other argument goes to all three stages.
set -euo pipefail
cd "$(dirname "$0")/.."

output=runs/spinegpt
if [[ $# -gt 0 && $1 != --* ]]; then output=$1; shift; fi
start=()
if [[ ${1:-} == --model ]]; then start=(--model_name_or_path "$2" --untrained_model "$2"); shift 2; fi

accelerate launch recipes/stage1.py "${start[@]}" --output_dir "$output/stage1" "$@"
accelerate launch recipes/stage2.py "${start[@]:2}" --model_name_or_path "$output/stage1" --output_dir "$output/stage2" "$@"
accelerate launch recipes/stage3.py "${start[@]:2}" --model_name_or_path "$output/stage2" --output_dir "$output/stage3" "$@"
