"""The evaluate module level_exactness: ``evaluate.load("evaluation/level_exactness")`` from the repo root."""
