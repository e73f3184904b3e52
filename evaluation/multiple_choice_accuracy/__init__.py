"""The evaluate module multiple_choice_accuracy: ``evaluate.load("evaluation/multiple_choice_accuracy")`` from the repo root."""
