"""A small data set with SpineMed's columns: own sentences, random images; a folder that load_dataset takes."""

import io
from pathlib import Path

import numpy as np
from datasets import Dataset, Features, Image, List, Value
from PIL import Image as Pillow

FEATURES = Features(
    {
        "id": Value("string"),
        "task": Value("string"),
        "language": Value("string"),
        "messages": List({"role": Value("string"), "content": List({"type": Value("string"), "text": Value("string")})}),
        "images": List(Image()),
        "specialty": Value("string"),
        "source_licence": Value("string"),
    }
)
LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
SHARDS = {
    "multiple_choice-spine": ("multiple_choice", "spine"),
    "open_ended-spine": ("open_ended", "spine"),
    "consultation-spine": ("consultation", "spine"),
    "report-spine": ("report", "spine"),
    "open_ended-orthopaedics": ("open_ended", "orthopaedics"),
    "open_ended-general": ("open_ended", "general"),
}
CONFIGS = {
    "default": ["*-spine", "*-orthopaedics"],
    "spine": ["*-spine"],
    "orthopaedics": ["*-orthopaedics"],
    "general": ["*-general"],
    "multiple_choice": ["multiple_choice-spine"],
    "open_ended": ["open_ended-spine", "open_ended-orthopaedics"],
    "consultation": ["consultation-*"],
    "report": ["report-*"],
}


def image(rng: np.random.Generator, width: int = 64, height: int = 64) -> dict[str, bytes | None]:
    stream = io.BytesIO()
    Pillow.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": None}


def turn(role: str, text: str, images: int = 0) -> dict:
    shown = [{"type": "image", "text": None}] * images
    return {"role": role, "content": [*shown, {"type": "text", "text": text}]}


def row(number: int, task: str, specialty: str, rng: np.random.Generator) -> dict:
    """One row; every second one of spine shows images, consultations have three turns each."""
    level = LEVELS[number % len(LEVELS)]
    images = (number % 3) if specialty == "spine" else 0
    if number % 4 == 3:
        question, answer = f"病例{number}：{level}椎间盘有何所见？", f"{level}椎间盘高度变窄。"
    else:
        question, answer = f"Case {number}: what does the image show at {level}?", f"The disc {level} has lost height."
    messages = [turn("user", question, images), turn("assistant", answer)]
    if task == "consultation":
        messages += [turn("user", "And what follows from it?"), turn("assistant", f"Exercise first; ask again about {level}.")]
        messages += [turn("user", "Thank you."), turn("assistant", "You are welcome.")]
    if task == "report":
        sections = ("Imaging findings", "Diagnosis", "Treatment", "Prognosis", "After surgery", "Basis")
        messages[-1] = turn("assistant", "\n\n".join(f"## {name}\n{answer}" for name in sections))
    return {
        "id": f"{task}-{specialty}-{number}",
        "task": task,
        "language": "zh" if number % 4 == 3 else "en",
        "messages": messages,
        "images": [image(rng, 56 + 28 * (number % 3), 56 + 28 * (index % 2)) for index in range(images)],
        "specialty": specialty,
        "source_licence": "CC-BY-4.0",
    }


def write_dataset(folder: Path, rows_per_shard: int = 12, seed: int = 0) -> Path:
    """Parquet shards and a README.md with configs, as spinemed-450k is laid out."""
    rng = np.random.default_rng(seed)
    data = folder / "data"
    data.mkdir(parents=True)
    for shard, (task, specialty) in SHARDS.items():
        rows = [row(number, task, specialty, rng) for number in range(rows_per_shard)]
        Dataset.from_list(rows, features=FEATURES).to_parquet(data / f"{shard}.parquet")
    lines = ["---", "configs:"]
    for config, globs in CONFIGS.items():
        lines += [f"- config_name: {config}", "  data_files:", "  - split: train", "    path:"]
        lines += [f'    - "data/{glob}.parquet"' for glob in globs]
    (folder / "README.md").write_text("\n".join([*lines, "---", "Made for tests.", ""]), encoding="utf-8")
    return folder
