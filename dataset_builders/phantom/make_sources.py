"""Write the whole sources folder, file by file."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from tqdm import tqdm

from dataset_builders.phantom.case_reports import make_case_reports
from dataset_builders.phantom.general_medical import make_general_medical
from dataset_builders.phantom.hospital import make_hospital_cases
from dataset_builders.phantom.question_bank import make_question_banks
from dataset_builders.phantom.textbook import make_books
from dataset_builders.phantom.volumes import make_volume, write_volume


@dataclass(frozen=True, slots=True)
class Size:
    """How many cases to make: imaging cases by modality, and hospital cases."""

    ct: int
    mri: int
    hospital_cases: int


SIZES = {"small": Size(ct=2, mri=1, hospital_cases=8), "demo": Size(ct=6, mri=4, hospital_cases=18)}

# Fields of view in turn, so that every region occurs in both modalities.
_REGIONS = ("lumbar", "thoracolumbar", "cervical", "whole", "thoracolumbar", "lumbar")


def make_sources(output: Path, seed: int = 0, size: str = "demo", progress: bool = False) -> None:
    """Write a sources folder to ``output``; the same seed and size give the same bytes.

    Raises FileExistsError if ``output`` already holds files (a left-over file would become a source), and KeyError if the
    size is unknown.
    """
    wanted = SIZES[size]
    disable = None if progress else True  # None: no bars if the output is no terminal
    if output.exists() and any(output.iterdir()):
        raise FileExistsError(f"{output}: not empty; choose a new folder, since everything in it would be read as a source")
    steps = tuple(_steps(seed, wanted))
    for name, make in tqdm(steps, desc="sources", unit="folder", disable=disable):
        for file, content in make():
            path = output / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for volume_seed, modality, region in tqdm(_volumes(seed, wanted), desc="imaging", unit="volume", disable=disable):
        write_volume(make_volume(volume_seed, modality, region), output / "imaging")


Files = Iterator[tuple[str, bytes]]


def _steps(seed: int, size: Size) -> Iterator[tuple[str, Callable[[], Files]]]:
    """Yield each folder with the function that makes its files."""
    yield "", _about
    yield "", lambda: make_books(seed)
    yield "case_reports", lambda: iter(make_case_reports(seed).items())
    yield "question_banks", lambda: _question_banks(seed)
    yield "hospital", lambda: _hospital(seed, size.hospital_cases)
    yield "general_medical", lambda: _general_medical(seed)


def _about() -> Files:
    text = resources.files(__package__).joinpath("text")
    for name in ("README.txt", "sources.yaml"):
        yield name, text.joinpath(name).read_bytes()


def _question_banks(seed: int) -> Files:
    for name, rows in make_question_banks(seed).items():
        yield f"{name}.jsonl", _json_lines(rows)


def _hospital(seed: int, count: int) -> Files:
    cases = make_hospital_cases(seed, count)
    for language in ("en", "zh"):
        yield f"cases_{language}.jsonl", _json_lines([case.to_row() for case in cases if case.language == language])
    for case in cases:
        for image in case.images:
            yield image.name, image.png


def _general_medical(seed: int) -> Files:
    for language, rows in make_general_medical(seed).items():
        yield f"general_medicine_{language}.json", (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode()


def _volumes(seed: int, size: Size) -> list[tuple[int, str, str]]:
    """List seed, modality and region of each imaging case; reports and hospital cases have other seeds."""
    cases = [("ct", number) for number in range(size.ct)] + [("mri", number) for number in range(size.mri)]
    return [
        (1000 * (seed + 1) + order, modality, _REGIONS[number % len(_REGIONS)])
        for order, (modality, number) in enumerate(cases, 1)
    ]


def _json_lines(rows: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
