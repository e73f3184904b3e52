"""Run PaddleOCR on local models: the lines of a page image or, with a layout model, its regions in reading order.

A folder of models has a folder (or a link) for each part of PaddleOCR to be used, named like PaddleOCR's own argument
without ``_model_dir``. Each holds a model as PaddleOCR publishes it.

    DIR/
      text_detection/        inference.yml, inference.pdiparams, and inference.json or inference.pdmodel
      text_recognition/      with these two alone PaddleOCR's text pipeline finds and reads the lines
      textline_orientation/  optional: lines that stand on their heads
      layout_detection/      optional: PP-StructureV3 reads the page instead, regions and their order included
      region_detection/      optional, beside a layout model, as are the following
      formula_recognition/
      table_classification/  wired_table_structure_recognition/  wireless_table_structure_recognition/
      wired_table_cells_detection/  wireless_table_cells_detection/       tables: all five and textline_orientation, or none

Parts without a folder are switched off: nothing is ever downloaded. Needs the extra ``[paddle]``.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from dataset_builders.pages.content import Box, Quad, Region

TEXT_PARTS = ("text_detection", "text_recognition")
TABLE_PARTS = (
    "table_classification",
    "wired_table_structure_recognition",
    "wireless_table_structure_recognition",
    "wired_table_cells_detection",
    "wireless_table_cells_detection",
)
STRUCTURE_PARTS = ("layout_detection", "region_detection", "formula_recognition", *TABLE_PARTS)
PARTS = (*TEXT_PARTS, "textline_orientation", *STRUCTURE_PARTS)
PACKAGES = ("paddleocr", "paddlepaddle")
_GRAPHS = ("inference.json", "inference.pdmodel")  # Paddle 3 and Paddle 2
_INSTALL = "install it: pip install 'spinemed[paddle]' (best into an environment of its own), or use --ocr rapidocr"

# What PP-StructureV3 calls a block, and which kind of Region it is; any other label is text.
_KINDS = {
    "doc_title": "title",
    **dict.fromkeys(("paragraph_title", "abstract_title", "reference_title", "content_title"), "heading"),
    **dict.fromkeys(("image", "figure", "chart", "flowchart", "seal"), "figure"),
    **dict.fromkeys(("figure_title", "table_title", "chart_title", "figure_table_chart_title"), "caption"),
    "table": "table",
    **dict.fromkeys(("footnote", "aside_text"), "aside"),
    **dict.fromkeys(("header", "footer", "number", "header_image", "footer_image"), "furniture"),
}


@dataclass(frozen=True, slots=True)
class PaddleModel:
    """A model on disk: the part of PaddleOCR it serves (one of PARTS), its name, folder, and the digest of its files."""

    part: str
    name: str
    folder: Path
    sha256: str


def find_models(folder: Path) -> tuple[PaddleModel, ...]:
    """List the models below ``folder``, laid out as the module's docstring draws, in the order of PARTS.

    Raises FileNotFoundError for a missing folder, model or file, and ValueError for a folder that is not named after a part;
    all name --paddle-models and what to put where.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"--paddle-models {folder}: not a folder; it holds a folder for each model ({', '.join(PARTS)})"
        )
    present = {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    if unknown := sorted(present - set(PARTS)):
        raise ValueError(
            f"--paddle-models {folder}: {', '.join(unknown)} is no part of PaddleOCR; name it one of {', '.join(PARTS)}"
        )
    needed = dict.fromkeys(TEXT_PARTS, "every page")
    if present & set(STRUCTURE_PARTS):
        needed["layout_detection"] = "PP-StructureV3"
    if present & set(TABLE_PARTS):
        needed |= dict.fromkeys((*TABLE_PARTS, "textline_orientation"), "tables")
    for part, reason in needed.items():
        if part not in present:
            raise FileNotFoundError(f"--paddle-models {folder}: {part}/ is missing, which {reason} needs; put that model there")
    return tuple(_read_model(folder / part, part) for part in PARTS if part in present)


def check_installed() -> None:
    """Raise ValueError, saying how to install PaddleOCR, if it is not installed."""
    for module in ("paddleocr", "paddle"):
        if importlib.util.find_spec(module) is None:
            raise ValueError(f"--ocr paddle: the package of {module} is not installed; {_INSTALL}")


def check_loading(models: tuple[PaddleModel, ...]) -> None:
    """Load the models once, in a separate process that ends afterwards, as a worker does for its first page.

    Raises ValueError naming --paddle-models if PaddleOCR cannot use a model, such as a truncated file.
    """
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import pickle, sys; from {__name__} import _pipeline; _pipeline(pickle.load(sys.stdin.buffer))",
        ],
        input=pickle.dumps(models),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        folders = ", ".join(f"{model.folder} ({model.name})" for model in models)
        raise ValueError(
            f"--paddle-models: PaddleOCR cannot load {folders}: it ended with {done.returncode} and said last: {said[-1]}; "
            f"fetch the models again"
        )


def versions() -> dict[str, str]:
    """Return the installed versions of the packages that decide what is read."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def analyses_layout(models: Sequence[PaddleModel]) -> bool:
    """Tell whether PP-StructureV3 reads the page, that is, whether there is a layout model."""
    return any(model.part == "layout_detection" for model in models)


def read_lines(image: Image.Image, models: tuple[PaddleModel, ...]) -> list[tuple[Quad, str, float]]:
    """Find and read the lines of an RGB image with the text pipeline: corners in pixels, text, score from 0 to 1."""
    (result,) = _pipeline(models).predict(_bgr(image))
    return [
        ([(float(x), float(y)) for x, y in quad], text, float(score))
        for quad, text, score in zip(result["rec_polys"], result["rec_texts"], result["rec_scores"])
    ]


def read_regions(image: Image.Image, models: tuple[PaddleModel, ...], scale: float) -> list[Region]:
    """Read the regions of an RGB image in reading order with PP-StructureV3; ``scale`` is points per pixel."""
    (result,) = _pipeline(models).predict(_bgr(image), use_table_orientation_classify=False)
    regions = []
    for block in result["parsing_res_list"]:
        box = Box(*(float(value) * scale for value in block.bbox))
        kind = _KINDS.get(block.label, "text")
        text = (block.content or "").strip()
        if kind == "table" and "<table" not in text:
            kind = "text"  # without table models there are only its words
        if block.label == "formula" and text:
            text = f"$${text}$$"
        if text or kind == "figure":
            regions.append(Region(kind, "" if kind == "figure" else text, box))
    return regions


@functools.lru_cache(maxsize=1)
def _pipeline(models: tuple[PaddleModel, ...]) -> Any:
    """Load one pipeline per process, on one thread: a build runs a process per core."""
    os.environ["PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK"] = "True"  # it asks the model hosts whether they answer
    from paddleocr import PaddleOCR, PPStructureV3

    parts = {model.part for model in models}
    options: dict[str, Any] = {f"{model.part}_model_name": model.name for model in models}
    options |= {f"{model.part}_model_dir": str(model.folder) for model in models}
    options |= {
        "use_doc_orientation_classify": False,
        "use_doc_unwarping": False,
        "use_textline_orientation": "textline_orientation" in parts,
        "enable_mkldnn": False,  # oneDNN of paddlepaddle 3.3 stops at PP-OCRv4's detection
        "cpu_threads": 1,
    }
    if not analyses_layout(models):
        return PaddleOCR(**options)
    return PPStructureV3(
        **options,
        use_region_detection="region_detection" in parts,
        use_table_recognition=TABLE_PARTS[0] in parts,
        use_formula_recognition="formula_recognition" in parts,
        use_seal_recognition=False,
        use_chart_recognition=False,
    )


def _read_model(folder: Path, part: str) -> PaddleModel:
    place = f"--paddle-models {folder.parent}: {part}/"
    graph = next((name for name in _GRAPHS if (folder / name).is_file()), None)
    missing = [name for name in ("inference.yml", "inference.pdiparams") if not (folder / name).is_file()]
    if graph is None or missing:
        what = ", ".join([*missing, *([] if graph else [" or ".join(_GRAPHS)])])
        raise FileNotFoundError(f"{place} lacks {what}; put the whole model there, as PaddleOCR publishes it")
    try:
        settings = yaml.safe_load((folder / "inference.yml").read_text(encoding="utf-8"))
        name = settings["Global"]["model_name"]
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"{place}inference.yml names no Global.model_name; put the model's own file there") from error
    digest = hashlib.sha256()
    for file in ("inference.yml", graph, "inference.pdiparams"):
        digest.update(hashlib.sha256((folder / file).read_bytes()).digest())
    return PaddleModel(part, str(name), folder.absolute(), digest.hexdigest())


def _bgr(image: Image.Image) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
