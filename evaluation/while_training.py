"""SpineBench's multiple choice while a model is trained: for the recipes to hand to modeling, which imports no evaluation."""

from collections.abc import Callable, Mapping
from typing import Any

from evaluation.benchmark import load_benchmark, take_in_turn
from evaluation.local_model import LoadedModel
from evaluation.predict import choose_by_likelihood


def choice_accuracy(benchmark: str, items: int) -> Callable[[Any, Any], Mapping[str, float]]:
    """Make a function that takes the accuracy (0 to 1) of a model and its processor on ``items`` questions of ``benchmark``.

    The questions are the same each time, in turn from each part and language. Answers are chosen as ``evaluation run`` does for
    local models, by the likelihood of the option letters: one forward pass a question. Values: ``spinebench_accuracy`` over
    all, and ``spinebench_PART_accuracy`` for each part of the total (text_mcq, image_mcq).
    Raises ValueError naming the argument if ``benchmark`` cannot be read or has no question with options, or ``items`` is 0.
    """
    if items < 1:
        raise ValueError(f"benchmark_items: {items}; give at least 1, or leave benchmark out.")
    try:
        read = load_benchmark(benchmark).items
    except (OSError, ValueError) as error:
        raise ValueError(f"benchmark: {error}. Give a folder or Hub id of SpineBench, or leave it out.") from error
    with_options = [item for item in read if item.rules.has_options]
    if not with_options:
        raise ValueError(f"benchmark: {benchmark} has no question with options; leave the argument out, or give another.")
    asked = take_in_turn(with_options, items)

    def score(model: Any, processor: Any) -> dict[str, float]:
        choices = choose_by_likelihood(LoadedModel("the model in training", model, processor), asked)
        right = [choice == "".join(sorted(item.answer)) for item, choice in zip(asked, choices)]
        values = {"spinebench_accuracy": sum(right) / len(right)}
        for part in sorted({item.part for item in asked}):
            of_part = [is_right for item, is_right in zip(asked, right) if item.part == part]
            values[f"spinebench_{part}_accuracy"] = sum(of_part) / len(of_part)
        return values

    return score
