"""Run the paper's ablation: what each part of the training data adds, and the same data with its levels removed.

Usage, from the repository root; every YAML file beside this one is a row, and holds only what differs from the recipes:

    python recipes/ablations/run.py                                          # the 7B, into runs/ablations
    python recipes/ablations/run.py --only general spine -- --use_peft true
    python recipes/ablations/run.py --model runs/demo/tiny --output runs/demo/ablations -- --max_steps 30 --learning_rate 3e-3

What follows ``--`` goes to every training, as to the recipes. Each row's model answers the benchmark; the table is printed and
written to OUTPUT/table.md and table.json. A run that was cut off continues where it stopped; finished steps are not run again.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from statsmodels.stats.proportion import proportion_confint
from tqdm import tqdm

REPO = Path(__file__).resolve().parents[2]
ORDER = (
    "untuned",
    "general",
    "general_then_orthopaedics",
    "spine",
    "general_and_orthopaedics",
    "full",
    "full_without_levels",
)
DATASET = "spinemed-450k"
SUMMARY, SCORES, STATE = "training_summary.json", "scores.json", "trainer_state.json"


@dataclass(frozen=True)
class Ablation:
    """A row of the table. ``stages``: settings that replace the recipes'; ``after``: the row whose model it starts from."""

    name: str
    row: str
    stages: tuple[Mapping[str, Any], ...] = ()
    after: str | None = None
    without_levels: bool = False


@dataclass(frozen=True)
class Step:
    """A command, the file that exists when it is done, and the file in which the command is kept for comparison."""

    title: str
    command: tuple[str, ...]
    done: Path
    output: Path


def load_ablations(folder: Path, only: Sequence[str] = ()) -> dict[str, Ablation]:
    """Read the rows in the table's order; with ``only``, those rows and the rows that they start from.

    Raises ValueError for a name in ``only`` that is not a row.
    """
    settings = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.glob("*.yaml")}
    ablations = {"untuned": Ablation("untuned", "untuned")} | {
        name: Ablation(name, **{**entry, "stages": tuple(entry["stages"])}) for name, entry in settings.items()
    }
    if unknown := sorted(set(only) - ablations.keys()):
        raise ValueError(f"--only {' '.join(unknown)}: no such row; there are {', '.join(ORDER)}")
    wanted = set(only) or set(ablations)
    while missing := {ablations[name].after for name in wanted} - wanted - {None}:
        wanted |= missing  # type: ignore[arg-type]
    return {name: ablations[name] for name in sorted(wanted, key=ORDER.index)}


def plan(
    ablations: Mapping[str, Ablation],
    *,
    output: Path,
    model: str,
    dataset: str,
    benchmark: str,
    launcher: Sequence[str],
    training: Sequence[str] = (),
    evaluation: Sequence[str] = (),
) -> list[Step]:
    """List every training and evaluation in order, and write the settings of each stage beside its output."""
    steps: list[Step] = []
    last = {"untuned": model}
    masked = output / f"{DATASET}-without-levels"
    if any(ablation.without_levels for ablation in ablations.values()):
        command = (sys.executable, "-m", "dataset_builders.publish.without_levels", dataset, "--output", str(masked))
        steps.append(Step("levels removed from the data", command, masked / "README.md", masked))
    for name, ablation in ablations.items():
        start = last[ablation.after] if ablation.after else model
        for stage in ablation.stages:
            recipe = stage["recipe"]
            folder = output / name / recipe
            config = output / name / f"{recipe}.yaml"
            config.parent.mkdir(parents=True, exist_ok=True)
            settings = yaml.safe_load((REPO / "recipes" / f"{recipe}.yaml").read_text(encoding="utf-8"))
            settings |= {key: value for key, value in stage.items() if key != "recipe"}
            config.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
            used = str(masked) if ablation.without_levels else dataset
            arguments = {"config": config, "model_name_or_path": start, "dataset": used, "output_dir": folder}
            options = [text for key, value in arguments.items() for text in (f"--{key}", str(value))]
            command = (*launcher, str(REPO / "recipes" / f"{recipe}.py"), *options, *training)
            steps.append(Step(f"{name}: {recipe}", command, folder / SUMMARY, folder))
            start = str(folder)
        last[name] = start
        scores = output / name / "scores"
        command = (
            *(sys.executable, "-m", "evaluation", "run", "--model", start, "--benchmark", benchmark, "--output", str(scores)),
            *evaluation,
        )
        steps.append(Step(f"{name}: benchmark", command, scores / SCORES, scores))
    return steps


def run(step: Step) -> None:
    """Run a step unless it is done.

    Raises ValueError if it was begun with another command, RuntimeError if it fails.
    """
    kept = step.output.with_name(f"{step.output.name}.command.json")
    if kept.is_file() and json.loads(kept.read_text(encoding="utf-8")) != list(step.command):
        raise ValueError(
            f"{step.title}: {step.output} was made with other arguments ({kept}). Give the same ones, or another --output."
        )
    if step.done.is_file():
        return
    step.output.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(list(step.command), indent=1) + "\n", encoding="utf-8")
    resume = any(step.output.glob(f"checkpoint-*/{STATE}"))
    command = [*step.command, *(("--resume_from_checkpoint", "latest") if resume else ())]
    if status := subprocess.run(command, cwd=REPO).returncode:
        raise RuntimeError(f"{step.title}: ended with status {status}; its message is above. Run this again to go on.")


def read_table(ablations: Mapping[str, Ablation], output: Path) -> list[dict[str, Any]]:
    """Read the results, one row an ablation.

    A row holds closed QA, text and image-text accuracy in percent with 95% Wilson intervals, level measures, total and
    tokens.
    """
    with (REPO / "evaluation" / "paper_results.yaml").open(encoding="utf-8") as file:
        paper = {entry["data"]: entry for entry in yaml.safe_load(file)["ablation"]}
    rows = []
    trained: dict[str | None, list[dict[str, Any]]] = {None: []}
    for name, ablation in ablations.items():
        summaries = [json.loads((output / name / stage["recipe"] / SUMMARY).read_text()) for stage in ablation.stages]
        trained[name] = [*trained[ablation.after], *summaries]
        scores = json.loads((output / name / "scores" / SCORES).read_text(encoding="utf-8"))
        items = list(scores["items"].values())
        asked = {task: [item["score"] for item in items if item["task"] == task] for task in ("text_mcq", "image_mcq")}
        levels = scores["levels"]
        rows.append(
            {
                "name": name,
                "data": ablation.row,
                "closed_qa": _accuracy([*asked["text_mcq"], *asked["image_mcq"]]),
                "text": _accuracy(asked["text_mcq"]),
                "image": _accuracy(asked["image_mcq"]),
                "level_f1": {
                    key: None if levels.get(source) is None else 100 * levels[source]
                    for key, source in (("score", "f1"), ("low", "f1_low"), ("high", "f1_high"))
                }
                | {"n": levels["n"]},
                "total": scores["total"],
                "stages": [{key: summary[key] for key in ("stage", "steps", "tokens")} for summary in trained[name]],
                "tokens": sum(summary["tokens"] for summary in trained[name]),
                "dataset_fingerprints": [summary["dataset_fingerprint"] for summary in trained[name]],
                "benchmark_fingerprint": scores["benchmark"]["fingerprint"],
                "paper": paper.get(ablation.row),
            }
        )
    if len({row["benchmark_fingerprint"] for row in rows}) > 1:
        raise ValueError(f"{output}: rows were measured on different benchmarks; start anew with another --output")
    return rows


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format the paper's columns (closed QA, text, image-text) with our results, and the published closed QA."""
    lines = [
        "| Training data | Closed QA | Text | Image-text | Level-exact F1 | Weighted total | Tokens | Paper, closed QA |",
        "|---|---|---|---|---|---|---:|---:|",
    ]
    for row in rows:
        cells = [_cell(row[key]) for key in ("closed_qa", "text", "image", "level_f1", "total")]
        published = row["paper"]["closed_qa"] if row["paper"] else None
        cells += [f"{row['tokens']:,}", "–" if published is None else f"{published:.2f}"]
        lines.append(f"| {row['data']} | {' | '.join(cells)} |")
    lines += [
        "",
        "Per cent with 95% intervals; n questions. The rows differ in how much they were trained, as in the paper: one epoch of"
        " their data. The two full ones have the same rows, images, order and steps.",
    ]
    return "\n".join(lines) + "\n"


def _accuracy(scores: Sequence[float]) -> dict[str, float | int | None]:
    if not scores:
        return {"score": None, "low": None, "high": None, "n": 0}
    right = sum(score == 100.0 for score in scores)
    low, high = proportion_confint(right, len(scores), method="wilson")
    return {"score": 100 * right / len(scores), "low": 100 * low, "high": 100 * high, "n": len(scores)}


def _cell(value: Mapping[str, Any]) -> str:
    if value["score"] is None:
        return "–"
    return f"{value['score']:.2f} ({value['low']:.1f}–{value['high']:.1f})" + (f", n {value['n']}" if "n" in value else "")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the steps that are not done, and print the table."""
    arguments, training = list(sys.argv[1:] if argv is None else argv), []
    if "--" in arguments:
        place = arguments.index("--")
        arguments, training = arguments[:place], arguments[place + 1 :]
    parser = argparse.ArgumentParser(
        usage="python recipes/ablations/run.py [options] [-- arguments of every training]", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--output", type=Path, default=Path("runs/ablations"), help="folder of all runs and of the table")
    parser.add_argument("--model", default="Qwen/Qwen2.5-VL-7B-Instruct", help="the model that every row starts from")
    parser.add_argument("--dataset", default=DATASET, help="folder of the built data set")
    parser.add_argument("--benchmark", default="spinebench")
    parser.add_argument("--only", nargs="+", default=[], metavar="ROW", help=f"of {', '.join(ORDER)}")
    parser.add_argument("--accelerate", default="", help="arguments of accelerate launch, such as '--config_file FILE'")
    parser.add_argument("--evaluation", default="", help="arguments of python -m evaluation run, such as '--judge URL'")
    options = parser.parse_args(arguments)
    output = options.output.resolve()
    try:
        ablations = load_ablations(Path(__file__).parent, options.only)
        steps = plan(
            ablations,
            output=output,
            model=options.model,
            dataset=options.dataset,
            benchmark=options.benchmark,
            launcher=(sys.executable, "-m", "accelerate.commands.launch", *shlex.split(options.accelerate)),
            training=training,
            evaluation=shlex.split(options.evaluation),
        )
        with tqdm(steps, unit="step") as bar:
            for step in bar:
                bar.set_description(step.title)
                run(step)
        rows = read_table(ablations, output)
    except (ValueError, RuntimeError) as error:
        parser.exit(1, f"error: {error}\n")
    table = format_table(rows)
    (output / "table.json").write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (output / "table.md").write_text(table, encoding="utf-8")
    sys.stdout.write(f"\n{table}")


if __name__ == "__main__":
    main()
