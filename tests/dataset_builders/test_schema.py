"""The table of benchmark tasks is whole, and copies in packages that may not import a table are equal to it."""

import pytest

from dataset_builders.schema import (
    BENCHMARK_TASKS,
    MODALITIES,
    PRIVATE_KINDS,
    SOURCE_KINDS,
    TASKS,
    find_benchmark_task,
)
from dataset_builders.source_kinds import KINDS
from dataset_builders.taxonomy import LETTERS
from evaluation.benchmark import METRICS, total_parts
from evaluation.multiple_choice_accuracy import multiple_choice_accuracy
from evaluation.prompts import load_prompt
from evaluation.weighted_total_score import weighted_total_score
from modeling import grpo, samples


def test_every_benchmark_task_is_a_task_with_a_known_metric_and_a_part_for_each_modality():
    assert set(BENCHMARK_TASKS) <= set(TASKS)
    for name, task in BENCHMARK_TASKS.items():
        assert name == task.name and task.metric in METRICS and set(task.parts) == set(MODALITIES)


def test_every_benchmark_task_has_its_prompts_in_both_languages():
    for task in BENCHMARK_TASKS.values():
        for name in [task.prompt, f"{task.prompt}_likelihood"] if task.has_options else [task.prompt]:
            assert set(load_prompt(name).texts) == {"en", "zh"}


def test_a_part_of_the_total_has_one_metric():
    metrics = {(part, task.metric) for task in BENCHMARK_TASKS.values() for part, _ in task.parts.values()}
    assert len(metrics) == len(total_parts())


def test_an_unknown_benchmark_task_is_an_error_that_names_the_entry_and_the_table():
    with pytest.raises(ValueError, match=r"'consultation' has no entry in BENCHMARK_TASKS of dataset_builders/schema.py"):
        find_benchmark_task("consultation")


def test_the_total_scores_the_parts_of_the_table():
    assert {name: part.metric for name, part in total_parts().items()} == weighted_total_score.TASKS


def test_copies_of_the_letters_are_equal():
    assert multiple_choice_accuracy.LETTERS == grpo.LETTERS == LETTERS


def test_source_kinds_are_those_of_their_table():
    assert tuple(KINDS) == SOURCE_KINDS and samples.PRIVATE_KINDS == PRIVATE_KINDS
