"""The evaluate module report_score: ``evaluate.load("evaluation/report_score")`` from the repo root."""
