"""Test whether the curriculum's code can teach a tiny random model to see a level, on phantoms it never saw.

    python benchmarks/learn_levels.py            # some 15 minutes on two CPU cores

Every phantom is a synthetic T2-weighted lumbar volume with one narrowed disc, each of six levels equally often, read by the
builder's own readers. The model (0.2 million parameters) is asked at which level the narrowing is and trained on the answer by
recipes/stage2.py. Held-out phantoms have other seeds: other curvature, proportions, noise. Three figures, with 95 % Wilson
intervals over phantoms: the trained model, the same model without the image (what guessing from habit is worth) and the
untrained one. A guess is right in one of six. Writes results/learn_levels.json and .png; phantoms are kept in --work and made
once.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

import matplotlib  # noqa: E402
import yaml  # noqa: E402
from common import RESULTS, write_result  # noqa: E402
from tqdm import tqdm  # noqa: E402
from training_rows import row, write_rows  # noqa: E402

from dataset_builders.document import Finding  # noqa: E402
from dataset_builders.levels import parse_levels  # noqa: E402
from dataset_builders.phantom.volumes import make_volume, write_volume  # noqa: E402
from dataset_builders.sources import read  # noqa: E402
from evaluation.local_model import LocalModel  # noqa: E402
from evaluation.predict import Request  # noqa: E402
from evaluation.statistics import wilson  # noqa: E402
from modeling.spinegpt import make_tiny  # noqa: E402

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

LEVELS = ("T12/L1", "L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
GRADES = ("moderate", "severe")
QUESTION = "At which level is the disc space narrowed?"
PIXELS = 168 * 168
HELD_OUT_FROM = 1_000_000  # seeds of held-out phantoms
IMAGES = 4


def main() -> None:
    """Make phantoms, train, answer, and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", type=int, default=300, help="phantoms to train on")
    parser.add_argument("--held-out", type=int, default=120, help="phantoms to test on")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--work", type=Path, default=REPO / "runs" / "learn_levels")
    options = parser.parse_args()
    train = make_cases(range(options.train), options.work / "phantoms")
    held_out = make_cases(range(HELD_OUT_FROM, HELD_OUT_FROM + options.held_out), options.work / "phantoms")
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        work = Path(folder)
        tiny = make_tiny(work / "tiny", [QUESTION, *LEVELS] * 5, max_pixels=PIXELS)
        started = time.monotonic()
        losses = train_model(tiny, train, work, options.steps)
        seconds = time.monotonic() - started
        answers = {
            "trained": answer(work / "trained", held_out),
            "trained, image withheld": answer(work / "trained", held_out, with_image=False),
            "untrained": answer(tiny, held_out),
        }
    figures = {
        "phantoms": {"train": len(train), "held_out": len(held_out)},
        "steps": options.steps,
        "training_seconds": round(seconds),
        "chance": round(1 / len(LEVELS), 3),
        "level_exact": {
            name: asdict(wilson(sum(right(said, case) for said, case in zip(replies, held_out)), len(held_out)))
            for name, replies in answers.items()
        },
    }
    write_result("learn_levels", figures, ("torch", "transformers", "trl"))
    draw(losses, figures["level_exact"], answers["trained"], held_out)


def make_cases(seeds: Sequence[int], folder: Path) -> list[dict[str, Any]]:
    """Make one record a seed, {"level", "images"}; images are files beside it, written once."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as pool:
        return list(tqdm(pool.map(make_case, seeds, [folder] * len(seeds)), total=len(seeds), desc="phantoms", unit="volume"))


def make_case(seed: int, folder: Path) -> dict[str, Any]:
    """Make the phantom of ``seed``: its narrowed level and the sagittal images that show it, from the builder's reader."""
    path = folder / f"{seed}.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    level, grade = LEVELS[seed % len(LEVELS)], GRADES[seed // len(LEVELS) % len(GRADES)]
    with tempfile.TemporaryDirectory() as work:
        volume, *_ = write_volume(
            make_volume(seed, "mri", "lumbar", [Finding("disc_narrowing", level, grade)]), Path(work) / "imaging"
        )
        (document,) = read(volume)
    shown = [figure.image for figure in document.figures if "sagittal" in figure.caption and figure.findings and figure.image]
    case = {"seed": seed, "level": level, "images": []}
    for number, image in enumerate(shown[:IMAGES]):
        case["images"].append(str(folder / f"{seed}-{number}.png"))
        Path(case["images"][-1]).write_bytes(image)
    path.write_text(json.dumps(case), encoding="utf-8")
    return case


def train_model(tiny: Path, cases: Sequence[dict[str, Any]], work: Path, steps: int) -> list[tuple[int, float]]:
    """Train ``tiny`` by stage 2's recipe into work/trained, and return (step, loss) of its log."""
    write_rows(work / "rows", list(question_rows(cases)))
    recipe = yaml.safe_load((REPO / "recipes" / "stage2.yaml").read_text(encoding="utf-8"))
    recipe["datasets"] = [{"dataset": str(work / "rows")}]
    (work / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    settings = {
        "config": work / "recipe.yaml",
        "model_name_or_path": tiny,
        "output_dir": work / "trained",
        "max_steps": steps,
        "per_device_train_batch_size": 16,
        "gradient_accumulation_steps": 1,
        "learning_rate": 3e-3,
        "dataset_num_proc": 1,
        "dataloader_num_workers": 0,
        "validation_share": 0,
        "sample_generations": 0,
    }
    arguments = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    subprocess.run([sys.executable, REPO / "recipes" / "stage2.py", *arguments], cwd=REPO, check=True)
    history = json.loads((work / "trained" / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]
    return [(entry["step"], entry["loss"]) for entry in history if "loss" in entry]


def question_rows(cases: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield one row an image."""
    for case in cases:
        for path in map(Path, case["images"]):
            yield row(path.stem, [(QUESTION, case["level"])], [{"bytes": path.read_bytes(), "path": None}])


def answer(model: Path, cases: Sequence[dict[str, Any]], *, with_image: bool = True) -> list[str]:
    """Return what ``model`` says of the middle image of each case."""
    loaded = LocalModel(str(model))
    replies = []
    for case in tqdm(cases, desc="answers", unit="phantom"):
        image = Path(case["images"][len(case["images"]) // 2]).read_bytes()
        request = Request(QUESTION, (image,) if with_image else ())
        replies.append(loaded.generate([request], max_new_tokens=12)[0].text)
    return replies


def right(said: str, case: dict[str, Any]) -> bool:
    """Return whether the answer names the case's level and no other."""
    return parse_levels(said).discs == (case["level"],)


def draw(
    losses: Sequence[tuple[int, float]], rates: dict[str, Any], said: Sequence[str], cases: Sequence[dict[str, Any]]
) -> None:
    """Draw the loss curve, the level-exact rates with their intervals, and which level was mistaken for which."""
    figure, (curve, bars, table) = pyplot.subplots(1, 3, figsize=(14, 4), constrained_layout=True)
    curve.plot(*zip(*losses))
    curve.set(xlabel="step", ylabel="training loss", title="Loss")
    for place, (name, rate) in enumerate(rates.items()):
        bars.errorbar(
            place, rate["estimate"], [[rate["estimate"] - rate["low"]], [rate["high"] - rate["estimate"]]], fmt="o", capsize=4
        )
        bars.annotate(name, (place, rate["high"]), ha="center", va="bottom", fontsize=8)
    bars.axhline(1 / len(LEVELS), linestyle="--", color="grey")
    bars.set(xticks=[], xlim=(-0.6, len(rates) - 0.4), ylim=(0, 1.1), title=f"Level exact, {len(cases)} held-out phantoms")
    answered = [parse_levels(text).discs for text in said]
    counts = [
        [sum(case["level"] == level and discs == (other,) for case, discs in zip(cases, answered)) for other in LEVELS]
        for level in LEVELS
    ]
    table.imshow(counts, cmap="Blues")
    for x, y in ((x, y) for x in range(len(LEVELS)) for y in range(len(LEVELS)) if counts[y][x]):
        table.text(x, y, str(counts[y][x]), ha="center", va="center")
    table.set(xticks=range(len(LEVELS)), yticks=range(len(LEVELS)), xlabel="answered", ylabel="narrowed", title="Trained model")
    table.set_xticklabels(LEVELS, rotation=45)
    table.set_yticklabels(LEVELS)
    figure.savefig(RESULTS / "learn_levels.png", dpi=110)


if __name__ == "__main__":
    main()
