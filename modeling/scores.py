"""Score the model by a given function at each evaluation, beside the loss.

What is measured is the caller's: the recipes give SpineBench's accuracy (evaluation.while_training).
"""

from collections.abc import Callable, Mapping
from typing import Any

from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from modeling.families import SpineGPTProcessor
from modeling.samples import answering

Score = Callable[[PreTrainedModel, SpineGPTProcessor], Mapping[str, float]]
"""A model and its processor ─▶ values by name; it leaves both as they are, and gives the same on every rank."""


class ScoreAtEvaluation(TrainerCallback):
    """Calls ``score`` once at each step with an evaluation; its values are logged as ``eval_NAME``, also to ``report_to``.

    They are among the metrics that ``metric_for_best_model`` may name. Every rank scores the same items, because ZeRO-3 gathers
    the layers from all ranks.
    """

    def __init__(self, trainer: Trainer, processor: SpineGPTProcessor, score: Score) -> None:
        self.trainer = trainer
        self.processor = processor
        self.score = score
        self.last_step = -1
        self.names: tuple[str, ...] = ()

    def logged(self) -> dict[str, dict[str, float]]:
        """Return the first (``start_model``) and the last (``trained``) values in the trainer's log, also of a resumed run."""
        history = self.trainer.state.log_history
        first = {name: entry[name] for entry in reversed(history) for name in self.names if name in entry}
        last = {name: entry[name] for entry in history for name in self.names if name in entry}
        return {"start_model": first, "trained": last}

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: Any = None, **kwargs: Any
    ) -> None:
        """Score once a step, although it is called for each evaluated data set."""
        del args, control, kwargs
        if state.global_step == self.last_step:
            return
        self.last_step = state.global_step
        model: Any = self.trainer.model
        with answering(model):
            values = {f"eval_{name}": value for name, value in self.score(model, self.processor).items()}
        self.names = tuple(values)
        if metrics is not None:
            metrics.update(values)
        self.trainer.log(values)
