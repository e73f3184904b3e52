"""Read and write the files of a run: JSON lines that survive a kill, and settings that a resumed run must share.

A line is written and flushed whole; a line torn by a kill is the last one, and reading drops it.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SETTINGS = "run.json"
PREDICTIONS = "predictions.jsonl"
JUDGEMENTS = "judgements.jsonl"
SCORES = "scores.json"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read every whole record of a JSON lines file ([] if there is no file), and cut a torn last line off the file.

    Raises ValueError naming file and line for a broken line before the last.
    """
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    records = []
    for number, line in enumerate(whole.decode("utf-8").splitlines(), 1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} line {number}: no JSON ({error}); delete that line, its item is done again") from error
    return records


def append_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Append records and make them durable before returning."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` so that a reader finds the old file or the new one, never a partial one."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    draft.replace(path)


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises ValueError naming the file if it is broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: no JSON ({error})") from error


def open_run(output: Path, settings: Mapping[str, Any]) -> None:
    """Create the folder of a run, or check that the run in it was started with the same settings.

    Raises ValueError naming every setting that differs: mixing answers of two settings would make one wrong score.
    """
    output.mkdir(parents=True, exist_ok=True)
    path = output / SETTINGS
    if path.exists():
        earlier = read_json(path)
        different = [name for name in sorted({*earlier, *settings}) if earlier.get(name) != settings.get(name)]
        if different:
            told = "; ".join(f"{name} was {earlier.get(name)!r}, is {settings.get(name)!r}" for name in different)
            raise ValueError(
                f"--output {output}: it holds a run with other settings ({told}). Give another folder, or --restart."
            )
    else:
        write_json(path, dict(settings))
