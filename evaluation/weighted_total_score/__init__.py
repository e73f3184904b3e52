"""The evaluate module weighted_total_score: ``evaluate.load("evaluation/weighted_total_score")`` from the repo root."""
