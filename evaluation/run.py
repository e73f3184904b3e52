"""Run a model on a benchmark: its answers, their judgements and scores, in one folder that can be continued.

DIR/run.json             the settings; a run continues only with the same ones
DIR/calls.sqlite         every call to a server (cache, log, cost); --restart leaves it
DIR/predictions.jsonl    one line an item, as soon as it is answered
DIR/judgements.jsonl     one line a report; failures too
DIR/scores.json          written last
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.benchmark import Benchmark, load_benchmark
from evaluation.judge import Judge, judge_reports, rules_judge
from evaluation.predict import Generator, LetterScorer, choose_prompts, predict
from evaluation.records import JUDGEMENTS, PREDICTIONS, SCORES, SETTINGS, open_run, write_json
from evaluation.scores import score_run


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a user can choose; see ``python -m evaluation run --help``."""

    model: str
    benchmark: str
    output: Path
    model_name: str | None = None
    limit: int | None = None
    batch_size: int = 1
    max_new_tokens: int = 1024
    scoring: str | None = None
    no_images: bool = False
    judge: str = "rules"
    judge_name: str | None = None
    api_key_env: str | None = None
    trusted_host: Sequence[str] = ()
    restart: bool = False


def run(options: RunOptions) -> dict[str, Any]:
    """Answer, judge and score, and return the content of scores.json. Raises ValueError naming the option that is wrong."""
    for name in ("batch_size", "max_new_tokens"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(options, name)}: give at least 1")
    is_endpoint = _is_address(options.model)
    scoring = options.scoring or ("generate" if is_endpoint else "likelihood")
    if is_endpoint and scoring == "likelihood":
        raise ValueError("--scoring likelihood: needs a local model; a server answers in words, use --scoring generate")
    benchmark = load_benchmark(options.benchmark, options.limit)
    judge = _judge(options, benchmark)
    model, scorer = _endpoint(options, benchmark) if is_endpoint else _local(options)
    prompts = choose_prompts(scoring)
    settings = {
        "model": {"id": model.id, "version": model.version, "parameters": model.parameters},
        "benchmark": {"name": benchmark.name, "fingerprint": benchmark.fingerprint, "items": len(benchmark.items)},
        "scoring": scoring,
        "images": not options.no_images,
        "batch_size": options.batch_size,
        "max_new_tokens": options.max_new_tokens,
        "prompts": {task: {"id": prompt.id, "sha256": prompt.sha256} for task, prompt in prompts.items()},
        "judge": {"id": judge.id, "prompt_id": judge.prompt_id},
    }
    if options.restart:
        for name in (SETTINGS, PREDICTIONS, JUDGEMENTS, SCORES):
            (options.output / name).unlink(missing_ok=True)
    open_run(options.output, settings)
    predictions = predict(
        model,
        benchmark,
        options.output,
        scorer=scorer if scoring == "likelihood" else None,
        batch_size=options.batch_size,
        max_new_tokens=options.max_new_tokens,
        images=not options.no_images,
    )
    judgements = judge_reports(judge, benchmark, predictions, options.output)
    scores = score_run(benchmark, predictions, judgements, settings)
    write_json(options.output / SCORES, scores)
    return scores


def _is_address(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _local(options: RunOptions) -> tuple[Generator, LetterScorer | None]:
    from evaluation.local_model import LocalModel

    model = LocalModel(options.model)
    return model, model


def _endpoint(options: RunOptions, benchmark: Benchmark) -> tuple[Generator, LetterScorer | None]:
    from evaluation.endpoint import CALLS, Address, EndpointModel, check_trusted

    address = Address(options.model, options.model_name, options.api_key_env, tuple(options.trusted_host))
    check_trusted(address, benchmark)
    return EndpointModel(address, options.output / CALLS, options.batch_size), None


def _judge(options: RunOptions, benchmark: Benchmark) -> Judge:
    if options.judge == "rules":
        return rules_judge()
    if not _is_address(options.judge) and not options.judge.endswith((".yaml", ".yml")):
        raise ValueError(f'--judge {options.judge}: give "rules", the http(s) address of a server, or a models.yaml')
    from evaluation.endpoint import CALLS, Address, check_trusted, endpoint_judge

    address = Address(options.judge, options.judge_name, options.api_key_env, tuple(options.trusted_host))
    if _is_address(options.judge):
        check_trusted(address, benchmark)
    return endpoint_judge(options.judge, address, options.output / CALLS)
