"""Write a checkpoint's model card and upload the checkpoint to the Hub.

write_card     training_summary.json of the last stage ─▶ README.md beside the weights
push           folder ─▶ Hub repository, with tags; private unless said otherwise
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, HfApi, ModelCard, ModelCardData

from modeling.curriculum import parse_sources
from modeling.output import SUMMARY
from modeling.spinegpt import BASE_MODEL

# What a folder holds for users; checkpoints to resume from, answers and dropped rows are not uploaded.
PUBLISHED = (
    "*.safetensors",
    "*.safetensors.index.json",
    "README.md",
    "adapter/adapter_config.json",
    "adapter/adapter_model.safetensors",
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "training_summary.json",
    "video_preprocessor_config.json",
)


def read_stages(folder: str | Path) -> list[dict[str, Any]]:
    """Read the training summaries of ``folder`` and of the stages it started from, first stage first.

    Raises FileNotFoundError if ``folder`` has no summary, that is, if its stage has not finished.
    """
    path = Path(folder) / SUMMARY
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: the stage has not finished, or this is no output_dir of a recipe.")
    summaries = [json.loads(path.read_text(encoding="utf-8"))]
    while (before := Path(summaries[0]["start_model"]) / SUMMARY).is_file():
        summaries.insert(0, json.loads(before.read_text(encoding="utf-8")))
    return summaries


def write_card(
    folder: str | Path,
    *,
    name: str = "SpineGPT",
    licence: str = "apache-2.0",
    metrics: Mapping[str, float] | None = None,
    benchmark: str = "spinebench",
    benchmark_revision: str | None = None,
) -> Path:
    """Write ``README.md`` for a trained stage: base, data, stages, parameters, metrics, intended use and limits.

    ``metrics`` are scores on ``benchmark`` by name ("text accuracy" → 0.75); they become the card's model-index.
    Raises FileNotFoundError for an unfinished stage, ValueError for a metric that is not finite.
    """
    folder = Path(folder)
    stages = read_stages(folder)
    parameters = _parameters(folder)
    results = []
    for metric, value in (metrics or {}).items():
        if not math.isfinite(value):
            raise ValueError(f"metrics: {metric} is {value}; leave out what was not measured.")
        results.append(
            EvalResult(
                task_type="image-text-to-text",
                dataset_type=benchmark,
                dataset_name="SpineBench",
                dataset_revision=benchmark_revision,
                metric_type=metric.replace(" ", "_"),
                metric_name=metric,
                metric_value=value,
            )
        )
    base = stages[0]["start_model"]
    data = ModelCardData(
        base_model=base if base.count("/") == 1 and not Path(base).exists() else None,
        datasets=sorted({source.dataset for stage in stages for source in parse_sources(stage["datasets"])}),
        language=["en", "zh"],
        license=licence,
        library_name="transformers",
        pipeline_tag="image-text-to-text",
        tags=["spine", "orthopaedics", "medical", f"stage-{stages[-1]['stage']}"],
        model_name=name,
        eval_results=results or None,
    )
    body = _CARD.format(
        name=name,
        base=base,
        parameters=f"{parameters:,}",
        methods=" and ".join(dict.fromkeys(_METHODS[stage.get("method", "sft")] for stage in stages)),
        stages="\n".join(_stage_row(stage) for stage in stages),
        data="\n".join(_data_row(stage) for stage in stages),
        metrics=_metrics_table(metrics or {}),
        versions=", ".join(f"{package} {number}" for package, number in stages[-1]["versions"].items()),
        tiny="" if parameters > 1_000_000_000 or base == BASE_MODEL else _TINY,
    )
    card = ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}")
    path = folder / "README.md"
    card.save(path)
    return path


def push(folder: str | Path, repo_id: str, *, tags: Sequence[str] = (), private: bool = True, token: str | None = None) -> str:
    """Upload weights, processor, summary and card to ``repo_id``, tag the commit and return its hash.

    The repository is private by default. Raises FileNotFoundError if weights or card are missing.
    """
    folder = Path(folder)
    for needed in ("README.md", "config.json", "tokenizer.json", SUMMARY):
        if not (folder / needed).is_file():
            fix = "Run modeling.checkpoints.write_card first." if needed == "README.md" else "Finish the stage first."
            raise FileNotFoundError(f"{folder / needed} is missing. {fix}")
    if not list(folder.glob("*.safetensors")):
        raise FileNotFoundError(f"{folder} has no *.safetensors. Finish the stage first.")
    api = HfApi(token=token)
    # As exact names: a * of the client's own patterns also stands for folders, those of checkpoint-N and saving among them.
    published = [file.relative_to(folder).as_posix() for pattern in PUBLISHED for file in folder.glob(pattern)]
    api.create_repo(repo_id, private=private, exist_ok=True)
    commit = api.upload_folder(
        repo_id=repo_id, folder_path=folder, allow_patterns=published, commit_message=f"Upload {folder.name}"
    )
    for tag in tags:
        api.create_tag(repo_id, tag=tag, revision=commit.oid)
    return commit.oid


def _parameters(folder: Path) -> int:
    from safetensors import safe_open

    total = 0
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as weights:
            total += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    if not total:
        raise FileNotFoundError(f"{folder} has no *.safetensors. Finish the stage first.")
    return total


def _stage_row(stage: Mapping[str, Any]) -> str:
    if "reward" in stage:
        before, after = (f"reward {stage['reward'][name]['reward']:.3f}" for name in ("start_model", "trained"))
    else:
        before, after = (f"{stage['loss'][name]:.4f}" for name in ("start_model", "trained"))
    steps, tokens = stage["steps"], stage["tokens"]
    return f"| {stage['stage']} | {steps:,} | {tokens:,} | {stage['learning_rate']:g} | {before} | {after} |"


def _data_row(stage: Mapping[str, Any]) -> str:
    samples = ", ".join(f"{name} {count:,}" for name, count in stage["samples"].items())
    dropped = ", ".join(f"{reason} {count:,}" for reason, count in stage["dropped"].items()) or "none"
    revisions = ", ".join(sorted({source.revision or "local" for source in parse_sources(stage["datasets"])}))
    return f"| {stage['stage']} | {samples} | {revisions} | {dropped} | `{stage['dataset_fingerprint'][:16]}` |"


def _metrics_table(metrics: Mapping[str, float]) -> str:
    if not metrics:
        return "Not evaluated yet."
    return "\n".join(["| metric | value |", "|---|---|", *(f"| {name} | {value:g} |" for name, value in metrics.items())])


_METHODS = {"sft": "supervised fine-tuning", "grpo": "reinforcement learning (GRPO)"}

_TINY = """
**This is a tiny model made to prove the machinery. It knows no medicine.**
"""

_CARD = """# {name}
{tiny}
A vision-language model for questions about the spine, trained from `{base}` ({parameters} parameters) by {methods}
in stages.

## Training

| stage | steps | tokens | learning rate | loss before | loss after |
|---|---|---|---|---|---|
{stages}

Losses are means over a fixed subset of each stage's own training samples: they show that training worked, not how well
the model generalises. For reinforcement learning the columns hold mean rewards of sampled replies. Software: {versions}.

## Data

| stage | samples | revision | dropped | fingerprint (SHA-256) |
|---|---|---|---|---|
{data}

## Evaluation

{metrics}

## Intended use

Research on spine-care language and vision models by clinicians and engineers, and evaluation within a hospital under its
own governance. Every answer must be checked by a qualified clinician.

## Limits

Not a medical device. Not validated for diagnosis, treatment or triage of patients. It may name wrong vertebral levels, miss
findings and state wrong facts with confidence; images of other body regions, children, implants or rare diseases may lie
outside what it was trained on. English and Chinese only.
"""
