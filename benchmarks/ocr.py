"""Measure OCR: character error rate and seconds a page on rendered English and Chinese pages, clean and as a skewed scan.

    python benchmarks/ocr.py [--paddle-models DIR]

Prints and writes benchmarks/results/ocr.json. The truth is the text that the pages were typeset from; white space is not
counted, full-width forms are folded. The scan is the embedded sources' own imitation (skew, blur, noise, JPEG). With
--paddle-models DIR (see dataset_builders/pages/paddle.py) the paddle engine is measured too. Seconds are of a warm engine on
one thread; CPU seconds beside them show how much other work on the machine lengthened them.
"""

import argparse
import io
import re
import sys
import time
import unicodedata
from pathlib import Path

import pypdfium2
import typst
from PIL import Image

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from common import write_result  # noqa: E402

from dataset_builders.pages.ocr import load_settings  # noqa: E402
from dataset_builders.phantom.sketch import FONT_FOLDER  # noqa: E402
from dataset_builders.phantom.typesetting import scan  # noqa: E402
from dataset_builders.sources.pdf.scan import image_to_markdown  # noqa: E402

DPI = 150
TEXTS = {
    "en": (
        "The report begins with the count of the lumbar vertebrae, because every later word depends on it. Five bodies without "
        "ribs are counted upwards from the sacrum, and the twelfth rib is looked for where a long field of view allows it.",
        "At L4/L5 the disc has lost about a third of its height. A broad bulge touches the thecal sac without moving "
        "the roots; the anteroposterior diameter of the canal is 11.5 mm. The facet joints are thick, more so on the left.",
        "At L5/S1 a paracentral extrusion of 7 x 9 mm lies behind the body of S1 and moves the right S1 root backwards. The "
        "foramina of both sides stay open. There is no fracture, and the conus ends at L1 with a normal signal (T2, STIR).",
        "The patient was advised to walk daily and to return in six weeks, or at once if the bladder, the bowel or the "
        "strength of the foot should fail. An operation is discussed only where the pain persists in spite of these measures.",
    ),
    "zh": (
        "腰椎序列整齐，生理曲度变直。L1至L5椎体高度正常，边缘可见轻度骨质增生，未见骨折及骨质破坏征象。",
        "L4/L5椎间盘信号减低，高度丢失约三分之一，向后膨出约3毫米，硬膜囊前缘受压，双侧神经根未见明显移位，椎管前后径约11.5毫米。",
        "L5/S1椎间盘向右后方突出，大小约7×9毫米，压迫右侧S1神经根，双侧椎间孔通畅，黄韧带未见肥厚，脊髓圆锥位于L1水平，信号正常。",
        "建议避免久坐和弯腰负重，六周后复查；如出现大小便障碍或下肢肌力下降，应立即就诊。保守治疗无效且下肢疼痛明显者，可考虑手术治疗。",
    ),
}
HEIGHTS = {"en": {1: 200, 2: 102}, "zh": {1: 200, 2: 78}}  # mm; the lower ones fill both columns
PAGE = """#set page(width: 210mm, height: {height}mm, margin: 22mm, columns: {columns})
#set text(size: 10.5pt, font: ("Libertinus Serif", "Noto Sans CJK JP"), lang: "{language}", hyphenate: false)
#set par(justify: true, spacing: 1em)
"""


def render(paragraphs: tuple[str, ...], language: str, columns: int) -> Image.Image:
    """Render a page of the paragraphs at DPI."""
    source = PAGE.format(height=HEIGHTS[language][columns], columns=columns, language=language) + "\n\n".join(paragraphs)
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[str(FONT_FOLDER)])
    document = pypdfium2.PdfDocument(typst.compile(source.encode(), font_paths=fonts, format="pdf"))
    assert len(document) == 1, "the text must fit on one page"
    return document[0].render(scale=DPI / 72).to_pil().convert("RGB")


def character_error_rate(found: str, truth: str) -> float:
    """Compute the edits (Levenshtein) per character of the truth."""
    found, truth = (fold(text) for text in (found, truth))
    row = list(range(len(truth) + 1))
    for i, character in enumerate(found, 1):
        diagonal, row[0] = row[0], i
        for j, wanted in enumerate(truth, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (character != wanted))
    return row[-1] / len(truth)


def fold(text: str) -> str:
    """Remove white space and Markdown's marks, images and comments, and make full-width forms plain."""
    text = re.sub(r"<!--.*?-->|!\[[^]]*\]\([^)]*\)", "", text)
    return "".join(unicodedata.normalize("NFKC", text).replace("\\", "").replace("#", "").split())


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paddle-models", type=Path, metavar="DIR")
    models = parser.parse_args().paddle_models
    engines = {"rapidocr": load_settings()} | ({"paddle": load_settings("paddle", models)} if models else {})
    figures: dict[str, object] = {"dpi": DPI, "engines": {name: ocr.identity for name, ocr in engines.items()}}
    for engine, ocr in engines.items():
        image_to_markdown(render(TEXTS["en"][:1], "en", 1), ocr)  # load the models
        for language, paragraphs in TEXTS.items():
            for columns in (1, 2):
                clean = render(paragraphs, language, columns)
                noisy = Image.open(io.BytesIO(scan(clean.convert("L"), seed=0)))
                for kind, page in (("clean", clean), ("scan", noisy)):
                    began, cpu = time.perf_counter(), time.process_time()
                    text = image_to_markdown(page, ocr)
                    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
                    figures[f"{engine}_{language}_{columns}_columns_{kind}"] = {
                        "character_error_rate": round(character_error_rate(text, "".join(paragraphs)), 4),
                        "characters": len(fold("".join(paragraphs))),
                        "seconds": round(seconds, 1),
                        "cpu_seconds": round(cpu, 1),
                    }
    write_result("ocr", figures, ("rapidocr", "onnxruntime"))


if __name__ == "__main__":
    main()
