"""A stand-in for PaddleOCR: its "weights" are the text that it reads, so that other models read another text."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dataset_builders.pages import paddle

PADDLEOCR = """
import json
from pathlib import Path


class PaddleOCR:
    def __init__(self, **options):
        self.options = options
        self.lines = (Path(options["text_recognition_model_dir"]) / "inference.pdiparams").read_text().splitlines()
        if self.lines[:1] == ["broken"]:
            raise RuntimeError("(NotFound) the weights end early")

    def predict(self, image):
        height, width, channels = image.shape
        assert channels == 3 and image.flags["C_CONTIGUOUS"]
        quads = [[(80, 60 + 40 * n), (width - 80, 60 + 40 * n), (width - 80, 90 + 40 * n), (80, 90 + 40 * n)]
                 for n in range(len(self.lines))]
        scores = [0.1 if line.startswith("unsure") else 0.9 for line in self.lines]
        return [{"rec_polys": quads, "rec_texts": self.lines, "rec_scores": scores}]


class _Block:
    def __init__(self, label, content, bbox):
        self.label, self.content, self.bbox = label, content, bbox


class PPStructureV3:
    def __init__(self, **options):
        self.options = options
        self.blocks = json.loads((Path(options["layout_detection_model_dir"]) / "inference.pdiparams").read_text())

    def predict(self, image, use_table_orientation_classify):
        assert use_table_orientation_classify is False
        return [{"parsing_res_list": [_Block(*block) for block in self.blocks]}]
"""


def write_stub(folder: Path) -> Path:
    """Packages ``paddleocr`` and ``paddle`` in ``folder``, which goes first on the path."""
    for module, distribution, source in (("paddleocr", "paddleocr", PADDLEOCR), ("paddle", "paddlepaddle", "")):
        (folder / module).mkdir(parents=True)
        (folder / module / "__init__.py").write_text(source, encoding="utf-8")
        facts = folder / f"{distribution}-0.0.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.0.0\n", encoding="utf-8")
    return folder


def write_model(folder: Path, part: str, weights: str, name: str = "") -> Path:
    """A model of ``part`` below ``folder``."""
    place = folder / part
    place.mkdir(parents=True, exist_ok=True)
    (place / "inference.yml").write_text(f"Global:\n  model_name: {name or f'tiny_{part}'}\n", encoding="utf-8")
    (place / "inference.json").write_text("{}", encoding="utf-8")
    (place / "inference.pdiparams").write_text(weights, encoding="utf-8")
    return folder


def write_text_models(folder: Path, text: str) -> Path:
    """Models of the text pipeline that read ``text`` on every page."""
    write_model(folder, "text_detection", "")
    return write_model(folder, "text_recognition", text)


@contextmanager
def use_stub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Import the stand-in, written to ``folder``, as PaddleOCR, whether or not the real one is installed."""

    def forget() -> None:
        paddle._pipeline.cache_clear()
        for module in ("paddleocr", "paddle"):
            sys.modules.pop(module, None)

    monkeypatch.syspath_prepend(str(write_stub(folder)))
    forget()
    yield
    forget()
